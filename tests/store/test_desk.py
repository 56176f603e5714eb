"""What people do with incidents is signed, appended, and refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Event, State
from monitor.store import Store
from monitor.store.desk import acknowledge, diagnosis_of, find, resolve
from monitor.store.writer import write_assessment
from monitor.verdict.base import Cause, Finding, Kind
from tests.store.build import make_assessment, make_event, wall


@pytest.fixture
def told(store: Store) -> Store:
    """Three open incidents: ``heston-0000``, ``heston-0001`` and ``svi-0000``."""
    for night, subjects in enumerate((("heston", "svi"), ("heston",))):
        events = tuple(make_event(Event.OPENED, night, subject=s) for s in subjects)
        found = make_assessment(night, expiries=1, strikes=2, transitions=events)
        write_assessment(store, found, wall=wall(night), tell=False)
    return store


def log_of(store: Store, incident: str) -> list[tuple[str, str | None, str | None]]:
    with store.reading() as connection:
        rows = connection.execute(
            text("SELECT event, author, note FROM incident_log WHERE id = :id ORDER BY event_key"),
            {"id": incident},
        )
        return [tuple(row) for row in rows]


def test_an_act_of_the_desk_is_appended_with_author_and_note(told: Store) -> None:
    after = acknowledge(told, "svi-0000", author=" ann ", note="on it", wall=wall(5))
    assert after.state is State.ACKNOWLEDGED
    assert find(told, "svi-0000") == after
    after = resolve(told, "svi-0000", author="bob", note="tick size", wall=wall(6))
    assert after.state is State.RESOLVED
    assert find(told, "svi-0000") == after
    assert log_of(told, "svi-0000") == [
        ("opened", None, None),
        ("acknowledged", "ann", "on it"),
        ("resolved", "bob", "tick size"),
    ]


def test_the_beginning_of_an_id_is_enough_where_it_is_unmistakable(told: Store) -> None:
    assert find(told, "sv").id == "svi-0000"
    with pytest.raises(UsageError, match=r"2 incidents begin with 'heston' \(heston-0000"):
        acknowledge(told, "heston", author="ann", note="", wall=wall(5))


def test_an_unknown_incident_is_refused_with_the_open_ones(told: Store) -> None:
    resolve(told, "svi", author="ann", note="", wall=wall(5))
    with pytest.raises(UnknownNameError) as refused:
        acknowledge(told, "bates-0000", author="ann", note="", wall=wall(6))
    assert refused.value.known == ("heston-0000", "heston-0001")
    with pytest.raises(UnknownNameError):
        find(told, "")


def test_a_resolved_incident_cannot_be_resolved_or_acknowledged(told: Store) -> None:
    resolve(told, "svi", author="ann", note="", wall=wall(5))
    for act in (resolve, acknowledge):
        with pytest.raises(UsageError, match="resolved already"):
            act(told, "svi", author="bob", note="", wall=wall(6))
    assert len(log_of(told, "svi-0000")) == 2


def test_an_act_without_an_author_is_refused(told: Store) -> None:
    with pytest.raises(UsageError, match="say who you are"):
        acknowledge(told, "svi", author="  ", note="", wall=wall(5))


def test_why_a_model_is_wrong_is_read_from_the_run_that_saw_it_last(store: Store) -> None:
    def night(number: int, event: Event, share: float) -> None:
        why = Finding(
            *(Kind.DIAGNOSIS, Cause.MISSPECIFICATION, None, "heston", "failed_assumption"),
            *("assumption:jumps", share, None, f"lacks jumps, {share:.0%}"),
        )
        misfit = Finding(
            *(Kind.MISFIT, Cause.MISSPECIFICATION, None, "heston", "rmse_iv", "chain"),
            *(0.07, 0.06, "7 points"),
        )
        seen = make_event(event, 0, subject="heston")
        seen = replace(seen, incident=replace(seen.incident, models=("heston",)))
        found = make_assessment(
            number, expiries=1, strikes=2, findings=(misfit, why), transitions=(seen,)
        )
        mine = replace(seen, incident=replace(seen.incident, run_id=found.run.id))
        found = replace(found, transitions=(mine,))
        write_assessment(store, found, wall=wall(number), tell=False)

    night(0, Event.OPENED, 0.4)
    night(1, Event.SEEN, 0.6)
    (why,) = diagnosis_of(store, find(store, "heston"))
    assert why == {
        "model": "heston",
        "metric": "failed_assumption",
        "scope": "assumption:jumps",
        "value": 0.6,
        "message": "lacks jumps, 60%",
    }
