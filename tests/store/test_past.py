"""A pass knows the slots before its own, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.assessment import Past, Stream
from monitor.calibration.fit import FitStatus
from monitor.incidents.base import Event, State
from monitor.store import Store
from monitor.store.desk import acknowledge, resolve
from monitor.store.reader import has_run, read_past
from monitor.store.writer import write_assessment
from monitor.verdict.base import Cause, Finding, Kind, PastVerdict, Severity, Status
from tests.store.build import (
    MODELS,
    STREAM,
    as_of_ms,
    day_slot,
    make_assessment,
    make_event,
    wall,
)

SERIES = (("rmse", "chain"), ("bias", "wing:put"), ("rejection_rate", "chain"))
DATA = Finding(
    Kind.DATA, Cause.DATA, Severity.AMBER, None, "chain_age", "chain", None, None, "stale"
)


def past_of(store: Store, night: int, window: int = 60) -> Past:
    return read_past(store, STREAM, day_slot(night), series=SERIES, window=window)


def write(store: Store, night: int, at: int | None = None, **kw: object) -> str:
    found = make_assessment(night, expiries=2, strikes=4, **kw)  # type: ignore[arg-type]
    write_assessment(store, found, wall=wall(night if at is None else at), tell=False)
    return found.run.id


def test_nothing_is_known_before_the_first_night(store: Store) -> None:
    assert past_of(store, 0).digest() == Past().digest()


def test_only_earlier_slots_of_the_same_stream_are_read(store: Store) -> None:
    for night in range(5):
        write(store, night)
    write(store, 1, stream=Stream("deribit", "ETH", "day"))
    write(store, 1, stream=Stream("deribit", "BTC", "snapshot"))
    past = past_of(store, 3)
    rmse = past.history.series[("svi", "rmse", "chain")]
    assert rmse.as_of_ms.tolist() == [as_of_ms(n) for n in range(3)]
    assert past.history.fits["svi"].as_of_ms == as_of_ms(2)
    assert [v.as_of_ms for v in past.verdicts["svi"]] == [as_of_ms(n) for n in range(3)]


def test_the_past_is_the_same_whether_or_not_later_nights_are_stored(store: Store) -> None:
    for night in range(4):
        write(store, night)
    before = past_of(store, 4).digest()
    for night in range(4, 8):
        write(store, night)
    assert past_of(store, 4).digest() == before


def test_the_past_does_not_depend_on_the_order_of_writing(store: Store) -> None:
    for at, night in enumerate((3, 0, 2, 1)):
        write(store, night, at=at)
    rmse = past_of(store, 4).history.series[("heston", "rmse", "chain")]
    assert rmse.as_of_ms.tolist() == [as_of_ms(n) for n in range(4)]
    values = [
        next(
            m.value
            for m in make_assessment(n, expiries=2, strikes=4).metrics
            if (m.model, m.metric, m.scope) == ("heston", "rmse", "chain")
        )
        for n in range(4)
    ]
    assert rmse.value.tolist() == values


def test_the_series_are_those_asked_for_and_reach_back_as_far_as_asked(store: Store) -> None:
    for night in range(6):
        write(store, night)
    series = past_of(store, 6, window=4).history.series
    expected = {(m, "rmse", "chain") for m in MODELS} | {(m, "bias", "wing:put") for m in MODELS}
    assert set(series) == expected | {(None, "rejection_rate", "chain")}
    assert {len(s) for s in series.values()} == {4}


def test_a_night_without_a_number_is_absent_from_its_series(store: Store) -> None:
    write(store, 0)
    write(store, 1, metrics=())
    write(store, 2)
    rmse = past_of(store, 3).history.series[("svi", "rmse", "chain")]
    assert rmse.as_of_ms.tolist() == [as_of_ms(0), as_of_ms(2)]


def test_of_a_slot_run_twice_the_later_knowledge_counts(store: Store) -> None:
    write(store, 0, code="a" * 64)
    write(store, 1, code="a" * 64)
    write(store, 0, at=5, code="b" * 64, metrics=())
    past = past_of(store, 2)
    assert past.history.series[("svi", "rmse", "chain")].as_of_ms.tolist() == [as_of_ms(1)]
    assert len(past.verdicts["svi"]) == 2


def test_the_last_fit_comes_back_as_it_was(store: Store) -> None:
    found = make_assessment(4)
    write_assessment(store, found, wall=wall(4), tell=False)
    assert found.quotes is not None
    for fit in found.fits:
        past = past_of(store, 5).history.fits[fit.model]
        assert (past.model, past.as_of_ms, past.names) == (fit.model, as_of_ms(4), fit.names)
        np.testing.assert_array_equal(past.params, fit.params)
        np.testing.assert_array_equal(past.stderr, np.sqrt(np.diag(fit.covariance)))
        np.testing.assert_array_equal(past.expiry_ms, found.quotes.expiry_ms)
        np.testing.assert_array_equal(past.tau, found.quotes.tau)


@pytest.mark.parametrize("status", [FitStatus.MAX_EVALUATIONS, FitStatus.STALLED])
def test_a_fit_that_stopped_early_is_still_usable(store: Store, status: FitStatus) -> None:
    write(store, 0, fit_status=status)
    assert set(past_of(store, 1).history.fits) == set(MODELS)


@pytest.mark.parametrize("status", [FitStatus.TOO_FEW_QUOTES, FitStatus.NOT_PRICEABLE])
def test_a_night_without_a_usable_fit_leaves_the_one_before(
    store: Store, status: FitStatus
) -> None:
    write(store, 0)
    write(store, 1, fit_status=status)
    assert past_of(store, 2).history.fits["heston"].as_of_ms == as_of_ms(0)


def test_a_usable_fit_is_found_behind_a_month_of_blind_nights(store: Store) -> None:
    write(store, 0)
    for night in range(1, 35):
        write(store, night, judged=False, status=Status.INCONCLUSIVE, findings=(DATA,))
    assert set(past_of(store, 35).history.fits) == set(MODELS)


def test_the_fit_of_a_night_judged_blind_is_no_reference(store: Store) -> None:
    write(store, 0)
    write(store, 1, status=Status.INCONCLUSIVE, findings=(DATA,))
    write(store, 2, status=Status.INCONCLUSIVE, findings=())  # learning: its data were good
    assert past_of(store, 2).history.fits["svi"].as_of_ms == as_of_ms(0)
    assert past_of(store, 3).history.fits["svi"].as_of_ms == as_of_ms(2)


def test_the_previous_chain_is_known_by_digest_and_size(store: Store) -> None:
    found = make_assessment(0)
    write_assessment(store, found, wall=wall(0), tell=False)
    write(store, 1, judged=False)
    history = past_of(store, 1).history
    assert found.quotes is not None
    assert (history.chain_digest, history.n_quotes) == (
        found.snapshot.chain_digest,
        found.quotes.n,
    )
    assert past_of(store, 2).history.n_quotes is None


def test_past_verdicts_name_every_finding_but_those_of_data(store: Store) -> None:
    def finding(kind: Kind, severity: Severity | None, metric: str) -> Finding:
        return Finding(kind, Cause.MARKET, severity, None, metric, "chain", 1.0, 0.5, "beyond")

    write(
        store,
        0,
        status=Status.WATCH,
        findings=(
            finding(Kind.IDENTIFIABILITY, Severity.AMBER, "condition"),
            finding(Kind.DRIFT, Severity.AMBER, "change_score"),
            finding(Kind.MISFIT, None, "rmse_iv"),
        ),
    )
    expected = PastVerdict(
        as_of_ms(0),
        Status.WATCH,
        ("identifiability/condition/chain", "drift/change_score/chain", "misfit/rmse_iv/chain"),
    )
    assert past_of(store, 1).verdicts == dict.fromkeys(MODELS, (expected,))


def test_thirty_nights_of_verdicts_are_looked_back_over(store: Store) -> None:
    for night in range(33):
        write(store, night, models=("svi",))
    verdicts = past_of(store, 33, window=5).verdicts["svi"]
    assert [v.as_of_ms for v in verdicts] == [as_of_ms(n) for n in range(3, 33)]


def test_a_stored_run_is_known_while_it_speaks_for_its_slot(store: Store) -> None:
    old = write(store, 0, code="a" * 64)
    assert has_run(store, old)
    assert not has_run(store, "0" * 16)
    write(store, 0, at=1, code="b" * 64)
    assert not has_run(store, old)


# --- incidents ----------------------------------------------------------------------------------


def test_an_incident_is_known_as_it_stood_before_the_slot(store: Store) -> None:
    opened = make_event(Event.OPENED, 0)
    worse = make_event(Event.ESCALATED, 2, opened=0, severity=Severity.RED, escalated=True)
    write(store, 0, transitions=(opened,))
    write(store, 1)
    write(store, 2, transitions=(worse,))
    assert past_of(store, 0).incidents == ()
    assert past_of(store, 1).incidents == (opened.incident,)
    assert past_of(store, 2).incidents == (opened.incident,)
    assert past_of(store, 3).incidents == (worse.incident,)


def test_a_resolved_incident_is_remembered_for_thirty_slots(store: Store) -> None:
    write(store, 0, transitions=(make_event(Event.OPENED, 0),))
    end = make_event(Event.RESOLVED, 1, opened=0, state=State.RESOLVED, resolved=1)
    write(store, 1, transitions=(end,))
    for night in range(2, 32):
        write(store, night, models=("svi",))
    assert past_of(store, 31).incidents == (end.incident,)
    assert past_of(store, 32).incidents == ()


def test_what_only_a_superseded_run_told_is_forgotten(store: Store) -> None:
    write(store, 0, code="a" * 64, transitions=(make_event(Event.OPENED, 0),))
    assert past_of(store, 1).incidents
    write(store, 0, at=1, code="b" * 64)
    assert past_of(store, 1).incidents == ()


def test_what_the_desk_did_is_known_to_later_slots_only(store: Store) -> None:
    write(store, 0, transitions=(make_event(Event.OPENED, 0),))
    write(store, 1, transitions=(make_event(Event.SEEN, 1, opened=0),))
    acknowledge(store, "heston", author="ann", note="known", wall=wall(10))
    assert past_of(store, 1).incidents[0].state is State.OPEN
    assert past_of(store, 2).incidents[0].state is State.ACKNOWLEDGED


def test_an_acknowledgement_survives_a_pass_that_did_not_know_of_it(store: Store) -> None:
    write(store, 0, transitions=(make_event(Event.OPENED, 0),))
    acknowledge(store, "heston", author="ann", note="", wall=wall(10))
    # The pass had read its past before the desk acted, and wrote after.
    seen = make_event(Event.SEEN, 1, opened=0)
    write(store, 1, at=11, transitions=(seen,))
    (incident,) = past_of(store, 2).incidents
    assert incident.state is State.ACKNOWLEDGED
    assert (incident.runs_seen, incident.last_seen_ms) == (2, as_of_ms(1))


def test_an_acknowledgement_survives_a_rerun_of_its_night(store: Store) -> None:
    write(store, 0, code="a" * 64, transitions=(make_event(Event.OPENED, 0),))
    acknowledge(store, "heston", author="ann", note="", wall=wall(10))
    write(store, 0, at=11, code="b" * 64, transitions=(make_event(Event.OPENED, 0),))
    assert past_of(store, 1).incidents[0].state is State.ACKNOWLEDGED


def test_an_escalation_ends_an_acknowledgement(store: Store) -> None:
    write(store, 0, transitions=(make_event(Event.OPENED, 0),))
    acknowledge(store, "heston", author="ann", note="", wall=wall(10))
    worse = make_event(Event.ESCALATED, 1, opened=0, severity=Severity.RED, escalated=True)
    write(store, 1, at=11, transitions=(worse,))
    assert past_of(store, 2).incidents == (worse.incident,)


def test_what_the_desk_resolved_stays_so_until_it_is_reopened(store: Store) -> None:
    write(store, 0, transitions=(make_event(Event.OPENED, 0),))
    done = resolve(store, "heston", author="ann", note="fixed", wall=wall(10))
    assert done.resolved_at_ms == as_of_ms(0)
    assert past_of(store, 1).incidents == (done,)
    back = make_event(Event.REOPENED, 2, opened=0)
    write(store, 1)
    write(store, 2, transitions=(back,))
    assert past_of(store, 3).incidents == (back.incident,)
