"""Nights measured in other processes: in order, the same bits, whoever dies on the way."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from monitor.assess import Night, judge_night, measure_snapshot
from monitor.assessment import Past, Rules, Stream
from monitor.errors import ConfigurationError, UsageError
from monitor.market.snapshot import Snapshot
from monitor.scaleout import Unit, WorkerLost, measured, processes
from monitor.scaleout.processes import Processes
from monitor.store.content import Content, content_of
from tests.conftest import evening_ms

RULES = Rules(models=("black",))
STREAM = Stream("deribit", "BTC")


@pytest.fixture(scope="module")
def chains(world: Any) -> list[Snapshot]:
    return [world.snapshot("BTC", evening_ms(n)) for n in range(6)]


def content(night: Night) -> Content:
    return content_of(judge_night(night, Past(), RULES, stream=STREAM, slot="2026-01-05"))


def test_nights_come_back_in_order_as_one_process_would_make_them(chains: list[Snapshot]) -> None:
    units = [Unit(n, chain, is_done=n in (0, 3)) for n, chain in enumerate(chains)]
    alone = list(measured(units, RULES))
    spread = list(measured(units, RULES, workers=2))
    assert [unit.label for unit, _ in spread] == list(range(6))
    assert [night is None for _, night in spread] == [n in (0, 3) for n in range(6)]
    for (_, here), (_, there) in zip(alone, spread, strict=True):
        assert (here is None) == (there is None)
        if here is not None and there is not None:
            assert content(there) == content(here)


def test_units_are_taken_only_when_their_turn_comes(chains: list[Snapshot]) -> None:
    taken: list[int] = []

    def many() -> Iterator[Unit[int]]:
        for n in range(100):
            taken.append(n)
            yield Unit(n, chains[0], is_done=n < 5)

    coming = measured(many(), RULES, workers=1)
    next(coming)
    assert taken == [0]


def test_a_killed_worker_costs_its_unit_only(chains: list[Snapshot]) -> None:
    with closing(Processes(2)) as team:
        jobs = [team.submit(chain, RULES) for chain in chains]
        victim, witness = (set(bench._executor._processes) for bench in team._benches)
        os.kill(victim.pop(), signal.SIGKILL)
        nights = [job() for job in jobs]
        assert set(team._benches[1]._executor._processes) == witness  # nobody else was touched
    for chain, night in zip(chains, nights, strict=True):
        assert content(night) == content(measure_snapshot(chain, RULES))


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
    coming = measured(units, RULES, workers=2)
    assert next(coming)[0].label == 0  # what comes before it is not lost
    with pytest.raises(WorkerLost, match="BTC chain of 2026-01-07 22:30 UTC"):
        next(coming)


def test_a_night_travels_in_half_a_megabyte(chains: list[Snapshot]) -> None:
    night = measure_snapshot(chains[0], Rules())
    assert len(pickle.dumps(night)) < 700_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"workers": 0}, "must be 1 or more, was 0"),
        ({"engine": "ray"}, "one of local, dask, was 'ray'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(asked: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        measured([], RULES, **asked)


def test_without_dask_its_engine_says_what_to_install(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "monitor.scaleout.cluster", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'misspec\[cluster\]'"):
        next(measured([Unit(0, chains[0])], RULES, engine="dask"))


def test_workers_that_cannot_start_are_not_blamed_on_the_snapshot(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ATTEMPTS", 1)
    monkeypatch.setattr(processes, "_settle", _fall)
    with pytest.raises(WorkerLost, match="no worker process could be started"):
        next(measured([Unit(0, chains[0])], RULES, workers=2))


def _fall() -> None:
    os._exit(1)
