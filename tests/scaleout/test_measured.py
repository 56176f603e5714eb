"""Nights worked through in other processes: in order, the same bits, whoever dies on the way."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from monitor.assess import measure_snapshot
from monitor.assessment import Past, Rules, Stream
from monitor.errors import ConfigurationError, UsageError
from monitor.market.snapshot import Snapshot
from monitor.recollect import NO_MEMORY, Memory, remember
from monitor.scaleout import Lookback, Unit, WorkerLost, assessed, processes
from monitor.scaleout.processes import Processes
from monitor.scaleout.units import judge_unit
from monitor.store.content import content_of
from tests.conftest import evening_ms

RULES = Rules(models=("black",))
STREAM = Stream("deribit", "BTC")
ALONE = Lookback(Past(), RULES, STREAM, "2026-01-05")


def look_back(_: Unit[Any]) -> Lookback:
    return ALONE


@pytest.fixture(scope="module")
def chains(world: Any) -> list[Snapshot]:
    return [world.snapshot("BTC", evening_ms(n)) for n in range(6)]


def told_in_order(units: list[Unit[int]], **engine: Any) -> list[tuple[int, Any, Any]]:
    """Return label, run and content of each unit, each judged by what was found of its line."""
    memory: dict[Any, Memory] = {}

    def remembered(unit: Unit[int]) -> Lookback:
        past = memory.get(unit.line, NO_MEMORY).past
        return Lookback(past, RULES, Stream("deribit", str(unit.line)), f"{unit.label:02d}")

    told = []
    for unit, found in assessed(units, RULES, remembered, **engine):
        if found is not None:
            memory[unit.line] = remember(memory.get(unit.line, NO_MEMORY), found)
        told.append((unit.label, found and found.run, found and content_of(found)))
    return told


def test_nights_of_two_lines_come_back_in_order_as_one_process_would_make_them(
    chains: list[Snapshot],
) -> None:
    units = [
        Unit(n, chain, is_done=n in (0, 3), line="AB"[n % 2]) for n, chain in enumerate(chains)
    ]
    alone, spread = told_in_order(units), told_in_order(units, workers=2)
    assert [label for label, _, _ in spread] == list(range(6))
    assert [found is None for _, _, found in spread] == [n in (0, 3) for n in range(6)]
    # The run's identity holds the digest of its past: what it was judged by is the same too.
    assert spread == alone
    assert len({run.history for _, run, _ in alone if run}) == 3  # both begin with nothing


def test_units_are_taken_only_when_their_turn_comes(chains: list[Snapshot]) -> None:
    taken: list[int] = []

    def many() -> Iterator[Unit[int]]:
        for n in range(100):
            taken.append(n)
            yield Unit(n, chains[0], is_done=n < 5)

    coming = assessed(many(), RULES, look_back, workers=1)
    next(coming)
    assert taken == [0]


def test_a_unit_looks_back_when_those_before_it_are_done_with(chains: list[Snapshot]) -> None:
    done: list[int] = []

    def asked(unit: Unit[int]) -> Lookback | None:
        assert [n for n in range(unit.label) if n % 2 == unit.line] == [
            n for n in done if n % 2 == unit.line
        ]
        return None if unit.label in (2, 3) else ALONE

    units = [Unit(n, chain, line=n % 2) for n, chain in enumerate(chains)]
    for unit, found in assessed(units, RULES, asked, workers=2):
        assert (found is None) == (unit.label in (2, 3))
        done.append(unit.label)
    assert done == list(range(6))


def test_what_an_expert_left_out_is_measured_again(chains: list[Snapshot]) -> None:
    def asked(_: Unit[Any]) -> Lookback:
        return Lookback(Past(), Rules(models=("adhoc",)), STREAM, "2026-01-05", anew=True)

    for workers in (1, 2):
        ((_, found),) = assessed([Unit(0, chains[0])], RULES, asked, workers=workers)
        assert found is not None
        assert [fit.model for fit in found.fits] == ["adhoc"]


def test_a_killed_worker_costs_what_it_held(chains: list[Snapshot]) -> None:
    with closing(Processes(2)) as team:
        jobs = [team.measure(chain, RULES) for chain in chains]
        rest = [team.judge(job, ALONE) for job in jobs[:2]]
        rest[0]()
        victim, witness = (set(bench._executor._processes) for bench in team._benches)
        os.kill(victim.pop(), signal.SIGKILL)
        rest += [team.judge(job, ALONE) for job in jobs[2:]]
        found = [wait() for wait in rest]
        assert set(team._benches[1]._executor._processes) == witness  # nobody else was touched
    for chain, night in zip(chains, found, strict=True):
        assert content_of(night) == content_of(judge_unit(measure_snapshot(chain, RULES), ALONE))


def test_what_need_not_be_judged_is_dropped_by_its_worker(chains: list[Snapshot]) -> None:
    with closing(Processes(1)) as team:
        kept, dropped = (team.measure(chain, RULES) for chain in chains[:2])
        team.forget(dropped)
        held = team._benches[0].submit(processes._judge_here, dropped.number, ALONE, None, RULES)
        assert held.result() is None
        assert content_of(team.judge(kept, ALONE)()) == content_of(
            judge_unit(measure_snapshot(chains[0], RULES), ALONE)
        )


class _Deadly:
    """A snapshot that ends whoever unpacks it."""

    def __init__(self, chain: Snapshot) -> None:
        self.venue, self.underlying, self.as_of = chain.venue, chain.underlying, chain.as_of

    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_a_snapshot_that_ends_worker_after_worker_is_named(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ATTEMPTS", 2)
    deadly: Any = _Deadly(chains[2])
    units = [Unit(0, chains[0]), Unit(1, deadly)]
    coming = assessed(units, RULES, look_back, workers=2)
    assert next(coming)[0].label == 0  # what comes before it is not lost
    with pytest.raises(WorkerLost, match="BTC chain of 2026-01-07 22:30 UTC"):
        next(coming)


def test_what_travels_is_less_than_a_megabyte(chains: list[Snapshot]) -> None:
    night = measure_snapshot(chains[0], Rules(models=("black", "adhoc", "svi", "heston")))
    assert len(pickle.dumps(night)) < 700_000
    assert len(pickle.dumps(judge_unit(night, ALONE))) < 1_000_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"workers": 0}, "must be 1 or more, was 0"),
        ({"engine": "ray"}, "one of local, dask, was 'ray'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(asked: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        assessed([], RULES, look_back, **asked)


def test_without_dask_its_engine_says_what_to_install(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "monitor.scaleout.cluster", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'misspec\[cluster\]'"):
        next(assessed([Unit(0, chains[0])], RULES, look_back, engine="dask"))


def test_workers_that_cannot_start_are_not_blamed_on_the_snapshot(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ATTEMPTS", 1)
    monkeypatch.setattr(processes, "settle_worker", _fall)
    with pytest.raises(WorkerLost, match="no worker process could be started"):
        next(assessed([Unit(0, chains[0])], RULES, look_back, workers=2))


def _fall() -> None:
    os._exit(1)
