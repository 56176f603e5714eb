"""One run, one transaction, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select, text

from monitor.assessment import Assessment, Stream
from monitor.diagnostics.base import MetricValue
from monitor.diagnostics.residual import standardised
from monitor.errors import StoreError
from monitor.incidents.base import Event
from monitor.store import Store, schema
from monitor.store.reader import (
    has_run,
    history_frame,
    parameters_frame,
    rejections_frame,
    runs_frame,
    status_frame,
    surface_frame,
)
from monitor.store.times import iso
from monitor.store.writer import record_job, write_assessment
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status
from monitor.verdict.market import MARKET
from tests.store.build import (
    STREAM,
    day_slot,
    make_assessment,
    make_event,
    make_message,
    wall,
)


def count(store: Store, table: str) -> int:
    with store.reading() as connection:
        return int(connection.scalar(text(f"SELECT COUNT(*) FROM {table}")))


def counts(store: Store) -> dict[str, int]:
    return {name: count(store, name) for name in schema.metadata.tables}


def test_every_number_comes_back_to_the_last_bit(store: Store) -> None:
    found = make_assessment(3)
    assert write_assessment(store, found, wall=wall(3), tell=False)
    quotes = found.quotes
    assert quotes is not None
    stored = {
        (row.model if isinstance(row.model, str) else None, row.metric, row.scope): row
        for name in sorted({m.metric for m in found.metrics})
        for row in history_frame(store, name).itertuples()
    }
    assert len(stored) == len(found.metrics)
    for value in found.metrics:
        row = stored[(value.model, value.metric, value.scope)]
        assert (row.value, row.unit, row.n) == (value.value, value.unit, value.n)
        assert row.stderr == value.stderr or (pd.isna(row.stderr) and value.stderr is None)
    parameters = parameters_frame(store)
    surface = surface_frame(store, run_id=found.run.id)
    for fit in found.fits:
        mine = parameters[parameters["model"] == fit.model]
        np.testing.assert_array_equal(mine["value"], fit.params)
        np.testing.assert_array_equal(mine["stderr"], np.sqrt(np.diag(fit.covariance)))
        assert tuple(mine["parameter"]) == fit.names
        assert mine["at_bound"].tolist() == fit.at_bound.tolist()
        here = surface[surface["model"] == fit.model]
        np.testing.assert_array_equal(here["model_iv"], fit.iv)
        np.testing.assert_array_equal(here["z"], standardised(quotes, fit, found.noise))
        for name in ("k", "iv_bid", "iv_ask", "iv", "noise", "vega", "strike", "open_interest"):
            np.testing.assert_array_equal(here[name], getattr(quotes, name))
        np.testing.assert_array_equal(here["tau"], quotes.tau[quotes.expiry_index])
    left_out = rejections_frame(store)
    assert left_out[["stage", "reason", "subject", "detail"]].to_numpy().tolist() == [
        [r.stage, r.reason, r.subject, r.detail] for r in found.rejections
    ]


def test_an_infinite_condition_number_is_kept_as_such(store: Store) -> None:
    write_assessment(store, make_assessment(), wall=wall(0), tell=False)
    with store.reading() as connection:
        stored = connection.execute(
            text("SELECT condition FROM fit_history WHERE model = 'heston'")
        ).scalar_one()
    assert stored == np.inf


def test_the_run_carries_its_whole_identity(store: Store) -> None:
    found = make_assessment(2)
    write_assessment(store, found, wall=wall(2), tell=True)
    (row,) = runs_frame(store).to_dict("records")
    run = found.run
    assert row["run_id"] == run.id
    assert (row["venue"], row["underlying"], row["cadence"]) == ("deribit", "BTC", "day")
    assert (row["slot"], row["snapshot"]) == (run.slot, run.snapshot)
    assert (row["config"], row["code"], row["history"]) == (run.config, run.code, run.history)
    assert row["as_of"] == pd.Timestamp(found.snapshot.as_of)
    assert (row["known_wall"], row["source"]) == (pd.Timestamp(wall(2)), "live")
    assert found.quotes is not None
    assert (row["n_quotes"], row["n_selected"]) == (found.quotes.n, found.quotes.n_selected)


def test_writing_a_run_twice_changes_nothing(store: Store) -> None:
    found = make_assessment(
        0, messages=(make_message(),), transitions=(make_event(Event.OPENED, 0),)
    )
    assert write_assessment(store, found, wall=wall(0), tell=True)
    before = counts(store)
    assert not write_assessment(store, found, wall=wall(9), tell=True)
    assert counts(store) == before


def test_a_backfill_queues_no_message(store: Store) -> None:
    found = make_assessment(0, messages=(make_message(),))
    write_assessment(store, found, wall=wall(0), tell=False)
    assert count(store, "outbox") == 0


def test_a_message_is_queued_once_whichever_run_brings_it(store: Store) -> None:
    for code in "ab":
        found = make_assessment(0, code=code * 64, messages=(make_message("same"),))
        write_assessment(store, found, wall=wall(0), tell=True)
    assert count(store, "outbox") == 1


def test_a_rerun_after_a_change_of_code_speaks_for_the_slot_and_keeps_the_old_run(
    store: Store,
) -> None:
    old, new = make_assessment(0, code="a" * 64), make_assessment(0, code="b" * 64)
    write_assessment(store, old, wall=wall(0), tell=False)
    write_assessment(store, new, wall=wall(1), tell=False)
    assert runs_frame(store)["run_id"].tolist() == [new.run.id]
    assert runs_frame(store, as_known=wall(0))["run_id"].tolist() == [old.run.id]
    assert count(store, "runs") == 2
    assert history_frame(store, "rejection_rate")["run_id"].tolist() == [new.run.id]
    known_then = history_frame(store, "rejection_rate", as_known=wall(0))
    assert known_then["run_id"].tolist() == [old.run.id]


def test_going_back_to_the_old_code_makes_the_old_run_speak_again(store: Store) -> None:
    old, new = make_assessment(0, code="a" * 64), make_assessment(0, code="b" * 64)
    for i, found in enumerate((old, new, old)):
        write_assessment(store, found, wall=wall(i), tell=False)
    assert runs_frame(store)["run_id"].tolist() == [old.run.id]
    assert runs_frame(store, as_known=wall(1))["run_id"].tolist() == [new.run.id]
    assert count(store, "metrics") == 2 * len(old.metrics)


DATA = Finding(
    Kind.DATA, Cause.DATA, Severity.AMBER, None, "chain_age", "chain", None, None, "stale"
)


def a_blind(night: int, **kw: Any) -> Assessment:
    """A pass whose chain could not be judged."""
    models = ("heston", MARKET)
    asked = {"models": models, "status": Status.INCONCLUSIVE, "findings": (DATA,), "judged": False}
    return make_assessment(night, **(asked | kw))


def test_a_blind_rerun_is_kept_and_the_usable_run_goes_on_speaking(store: Store) -> None:
    usable, blind = make_assessment(0), a_blind(0, code="b" * 64, messages=(make_message("m"),))
    write_assessment(store, usable, wall=wall(0), tell=False)
    assert write_assessment(store, blind, wall=wall(1), tell=True)
    assert not write_assessment(store, blind, wall=wall(2), tell=True)
    for at in (None, wall(0), wall(1), wall(2)):
        assert runs_frame(store, as_known=at)["run_id"].tolist() == [usable.run.id]
    live = status_frame(store, as_known=wall(1), assume_live=True)
    assert set(live["run_id"]) == {usable.run.id}
    assert has_run(store, usable.run.id)
    with store.reading() as connection:
        known = connection.execute(
            text("SELECT run_id, known_wall, source FROM known_runs ORDER BY answer_key")
        ).all()
    # Every answer in its order: the blind run is on record, and that it was not listened to.
    assert [tuple(row) for row in known] == [
        (usable.run.id, iso(wall(0)), "backfill"),
        (blind.run.id, iso(wall(1)), "live"),
        (usable.run.id, iso(wall(1)), "backfill"),
    ]
    assert count(store, "outbox") == 0  # nobody is told of a night that stands


def test_a_blind_run_speaks_where_none_could_judge_and_yields_to_one_that_can(
    store: Store,
) -> None:
    first, second, usable = a_blind(0), a_blind(0, code="b" * 64), make_assessment(0, code="d" * 64)
    for i, found in enumerate((first, second, usable)):
        write_assessment(store, found, wall=wall(i), tell=False)
        assert runs_frame(store)["run_id"].tolist() == [found.run.id]


def test_a_verdict_that_is_inconclusive_with_data_enough_is_no_blind_run(store: Store) -> None:
    learning = Finding(
        Kind.DRIFT, Cause.MARKET, None, None, "nights", "chain", None, None, "still learning"
    )
    usable = make_assessment(0)
    later = a_blind(0, code="b" * 64, findings=(learning,), judged=True)
    for i, found in enumerate((usable, later)):
        write_assessment(store, found, wall=wall(i), tell=False)
    assert runs_frame(store)["run_id"].tolist() == [later.run.id]


def test_a_chain_that_could_not_be_judged_is_stored_with_its_verdicts(store: Store) -> None:
    found = make_assessment(0, judged=False, status=Status.INCONCLUSIVE)
    write_assessment(store, found, wall=wall(0), tell=False)
    board = status_frame(store)
    assert set(board["status"]) == {"inconclusive"}
    assert pd.isna(runs_frame(store).loc[0, "n_quotes"])
    assert count(store, "quotes") == 0


def test_the_same_chain_in_a_new_slot_is_a_new_run_of_one_snapshot(store: Store) -> None:
    first = make_assessment(0)
    other = Stream(STREAM.venue, STREAM.underlying, "snapshot")
    second = make_assessment(0, stream=other)
    for found in (first, second):
        write_assessment(store, found, wall=wall(0), tell=False)
    assert count(store, "snapshots") == 1
    assert count(store, "runs") == 2
    assert runs_frame(store, cadence="day")["run_id"].tolist() == [first.run.id]


def test_a_run_that_fails_half_way_leaves_nothing_and_can_be_written_after(store: Store) -> None:
    twice = MetricValue("new_metric", None, "chain", 1.0, "1", 1)
    broken = make_assessment(
        0, metrics=(twice, twice), messages=(make_message(),), models=("svi", "unheard")
    )
    with pytest.raises(StoreError):
        write_assessment(store, broken, wall=wall(0), tell=True)
    assert set(counts(store).values()) == {0} | {count(store, "facts")}
    assert count(store, "runs") == count(store, "outbox") == count(store, "series") == 0
    sound = make_assessment(0, metrics=(twice,), models=("svi", "unheard"))
    assert write_assessment(store, sound, wall=wall(0), tell=True)
    assert history_frame(store, "new_metric")["value"].tolist() == [1.0]


def test_a_job_without_a_run_is_recorded_with_its_messages(store: Store) -> None:
    record_job(
        store,
        job="nightly",
        stream=STREAM,
        slot=day_slot(0),
        outcome="failed",
        note="the venue timed out three times",
        started_wall=wall(0),
        ended_wall=wall(1),
        messages=(make_message("job-1"),),
        transitions=(make_event(Event.OPENED, 0, subject="job"),),
    )
    with store.reading() as connection:
        (row,) = connection.execute(text("SELECT * FROM job_log")).mappings()
        queued = connection.execute(select(schema.outbox.c.message_key)).scalars().all()
        events = connection.execute(text("SELECT id, counts FROM incident_log")).all()
    assert (row["job"], row["underlying"], row["outcome"]) == ("nightly", "BTC", "failed")
    assert row["note"] == "the venue timed out three times"
    assert queued == ["job-1"]
    assert [(e.id, bool(e.counts)) for e in events] == [("job-0000", True)]
