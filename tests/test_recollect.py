"""What is remembered in memory is what the store would read back, to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.assess import assess
from monitor.assessment import Assessment, Past, Rules, Stream
from monitor.calibration.fit import FitStatus
from monitor.conventions import MS_PER_DAY, from_ms
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.diagnostics.drift_rules import DriftRules
from monitor.incidents.base import Event, State
from monitor.market.snapshot import Snapshot
from monitor.recollect import FIT_SLOTS, NO_MEMORY, RECENT_METRICS, remember
from monitor.sandbox.faults import crossed, halved
from monitor.sandbox.generate import open_world
from monitor.store import Store, open_store
from monitor.store.reader import read_past
from monitor.store.writer import write_assessment
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status
from monitor.verdict.market import MARKET
from tests.store.build import STREAM, make_assessment, make_event

WALL = datetime(2026, 7, 1, 6, tzinfo=UTC)
WINDOW = 11_000
SERIES = (("rmse", "chain"), ("rejection_rate", "chain"))
LATELY = (("bias", "wing:put"),)
STALE = Finding(
    Kind.DATA, Cause.DATA, Severity.AMBER, None, "chain_age", "chain", None, None, "stale"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'misspec.db'}") as opened:
        opened.upgrade()
        yield opened


def assert_equal(remembered: Past, read: Past) -> None:
    assert remembered.digest() == read.digest()
    # What no number depends on is the same as well: messages, dollars, who saw it last.
    assert remembered.incidents == read.incidents
    assert remembered.verdicts == read.verdicts
    assert list(remembered.history.fits) == list(read.history.fits)


def nights_with_trouble() -> Iterable[Snapshot]:
    """Yield seven nights: quiet, half a chain, quiet, the same chain again, crossed, quiet, up."""
    calm, loud = open_world("calm"), open_world("vol-up-40", break_night=12)
    start = calm.start_ms + 81_000_000

    def night(n: int) -> Snapshot:
        chain = (calm if n < 12 else loud).chain("BTC", start + n * MS_PER_DAY)
        assert chain is not None
        return chain

    yield night(6)
    yield halved(night(7), 0.4)
    yield night(8)
    yield replace(night(8), as_of_ms=start + 9 * MS_PER_DAY)
    yield crossed(night(10), 0.2)
    yield night(11)
    yield night(12)


def test_nights_chained_in_memory_are_those_chained_through_the_store(store: Store) -> None:
    rules = Rules(models=("black", "heston"), drift=DriftRules(learning_nights=3, settled_nights=5))
    stream = Stream("deribit", "BTC")
    memory, seen = NO_MEMORY, []
    for snapshot in nights_with_trouble():
        slot = f"{from_ms(snapshot.as_of_ms):%Y-%m-%d}"
        read = read_past(store, stream, slot, series=HISTORY_METRICS, window=WINDOW)
        assert_equal(memory.past, read)
        found = assess(snapshot, memory.past, rules, stream=stream, slot=slot)
        write_assessment(store, found, wall=WALL, tell=False)
        memory = remember(memory, found)
        seen += [t.event for t in found.transitions]
    last = read_past(store, stream, "9999", series=HISTORY_METRICS, window=WINDOW)
    assert_equal(memory.past, last)
    # The nights were as troubled as meant: else the comparison would prove little.
    assert {Event.OPENED, Event.RESOLVED} <= set(seen)
    # Half a chain, the same chain again and a crossed one are no past for any number.
    counts = {key[1:]: len(s) for key, s in memory.past.history.series.items() if key[0] is None}
    assert {n for key, n in counts.items() if key in HISTORY_METRICS} == {4}
    # A cell of the noise is not seen every night.
    assert {n for key, n in counts.items() if key in RECENT_METRICS} <= {1, 2, 3, 4}


def chain_through(store: Store, found: Iterable[Assessment]) -> None:
    memory = NO_MEMORY
    for assessment in found:
        write_assessment(store, assessment, wall=WALL, tell=False)
        memory = remember(memory, assessment, series=SERIES, lately=LATELY)
    read = read_past(store, STREAM, "9999", series=SERIES, window=WINDOW, lately=LATELY)
    assert_equal(memory.past, read)


def test_an_incident_is_forgotten_when_the_store_forgets_it(store: Store) -> None:
    ends = {0: make_event(Event.OPENED, 0), 3: make_event(Event.OPENED, 3, subject="svi")}
    ends[2] = make_event(Event.RESOLVED, 2, opened=0, state=State.RESOLVED, resolved=2)
    for nights in (3, 8, 9, 10):
        with store.writing() as connection:
            for table in ("incident_events", "incidents", "answers"):
                connection.exec_driver_sql(f"DELETE FROM {table}")
        chain_through(
            store,
            (
                make_assessment(
                    n,
                    expiries=1,
                    strikes=2,
                    models=(MARKET, "svi"),
                    code=f"{nights:064d}",
                    transitions=(ends[n],) if n in ends else (),
                )
                for n in range(nights)
            ),
        )


@pytest.mark.parametrize("silent", [29, 30, FIT_SLOTS - 1, FIT_SLOTS])
def test_a_fit_and_a_chain_grow_old_as_they_do_in_the_store(store: Store, silent: int) -> None:
    def nights() -> Iterator[Assessment]:
        for n in range(silent + 1):
            blind = {"status": Status.INCONCLUSIVE, "findings": (STALE,)} if n % 2 else {}
            yield make_assessment(
                n,
                expiries=1,
                strikes=2,
                models=(MARKET, "heston"),
                judged=n == 0,
                fit_status=FitStatus.STALLED,
                **blind,
            )

    chain_through(store, nights())


def test_a_fit_that_says_nothing_leaves_the_one_before(store: Store) -> None:
    kinds = [FitStatus.CONVERGED, FitStatus.NOT_PRICEABLE, FitStatus.TOO_FEW_QUOTES]
    found = [
        make_assessment(n, expiries=2, strikes=3, models=(MARKET, "svi"), fit_status=kind)
        for n, kind in enumerate(kinds)
    ]
    blind = make_assessment(
        3, expiries=2, strikes=3, models=(MARKET, "svi"), status=Status.INCONCLUSIVE,
        findings=(STALE,),
    )  # fmt: skip
    chain_through(store, [*found, blind])
