"""The last chain that could be judged comes back as it was, to the last bit."""

from __future__ import annotations

from monitor.replication.chain import PastChain
from monitor.store import Store
from monitor.store.reader import read_past
from monitor.store.writer import write_assessment
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status
from monitor.verdict.market import MARKET
from tests.store.build import MODELS, STREAM, day_slot, make_assessment, wall

STALE = Finding(
    Kind.DATA, Cause.DATA, Severity.AMBER, None, "chain_age", "chain", None, None, "stale"
)


def write(store: Store, night: int, **kw: object) -> PastChain | None:
    found = make_assessment(night, expiries=3, strikes=5, models=(MARKET, *MODELS), **kw)  # type: ignore[arg-type]
    write_assessment(store, found, wall=wall(night), tell=False)
    return None if found.quotes is None else PastChain.of(found.quotes)


def last_chain(store: Store, night: int) -> PastChain | None:
    past = read_past(store, STREAM, day_slot(night), series=(), window=60)
    return past.history.last_chain


def test_last_nights_chain_is_read_back_to_the_last_bit(store: Store) -> None:
    written = [write(store, night) for night in range(3)]
    read, kept = last_chain(store, 2), written[1]
    assert read is not None and kept is not None
    assert read.digest() == kept.digest()
    assert read.as_of_ms == kept.as_of_ms


def test_a_blind_night_and_one_without_quotes_are_passed_over(store: Store) -> None:
    kept = write(store, 0)
    write(store, 1, status=Status.INCONCLUSIVE, findings=(STALE,))
    write(store, 2, judged=False)
    read = last_chain(store, 3)
    assert read is not None and kept is not None
    assert read.digest() == kept.digest()


def test_without_an_earlier_night_there_is_no_chain(store: Store) -> None:
    write(store, 1)
    assert last_chain(store, 0) is None
    assert last_chain(store, 1) is None
