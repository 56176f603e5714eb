"""Nights measured on a Dask cluster: the same bits, also when a worker is killed on the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.assess import measure_snapshot
from monitor.assessment import Past, Rules, Stream
from monitor.errors import ConfigurationError
from monitor.market.snapshot import Snapshot
from monitor.scaleout import Lookback, Unit, assessed
from monitor.scaleout.units import judge_unit
from monitor.store.content import content_of
from tests.conftest import evening_ms

distributed = pytest.importorskip("distributed", reason="no Dask here: misspec[cluster]")

RULES = Rules(models=("black",))
STREAM = Stream("deribit", "BTC")
NIGHTS = 8


@pytest.fixture(scope="module")
def chains(world: Any) -> list[Snapshot]:
    return [world.snapshot("BTC", evening_ms(n)) for n in range(NIGHTS)]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two workers that stays up, as a desk's would."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


ALONE = Lookback(Past(), RULES, STREAM, "2026-01-05")


def look_back(_: Unit[Any]) -> Lookback:
    return ALONE


def test_a_worker_killed_in_the_middle_changes_nothing(
    chains: list[Snapshot], scheduler: str
) -> None:
    units = [Unit(n, chain, is_done=n == 2) for n, chain in enumerate(chains)]
    with distributed.Client(scheduler, set_as_default=False) as watching:
        pids = watching.run(os.getpid)
        found = []
        for done in assessed(units, RULES, look_back, engine="dask", address=scheduler):
            found.append(done)
            if len(found) == 1:
                os.kill(next(iter(pids.values())), signal.SIGKILL)
        after = watching.run(os.getpid)
    assert set(after.values()) != set(pids.values())  # it was one of those that measured
    assert [unit.label for unit, _ in found] == list(range(NIGHTS))
    for unit, night in found:
        if unit.is_done:
            assert night is None
        else:
            alone = judge_unit(measure_snapshot(unit.snapshot, RULES), ALONE)
            assert night is not None
            assert content_of(night) == content_of(alone)


def test_workers_of_other_code_are_refused(
    chains: list[Snapshot], scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.scaleout.cluster.code_digest", lambda: "0" * 64)
    with pytest.raises(ConfigurationError, match="runs other code: misspec"):
        next(assessed([Unit(0, chains[0])], RULES, look_back, engine="dask", address=scheduler))


def test_a_scheduler_that_does_not_answer_is_named(
    chains: list[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.scaleout.cluster.ANSWERS_WITHIN_S", 0.2)
    address = "tcp://127.0.0.1:1"
    with pytest.raises(ConfigurationError, match=f"no Dask scheduler answers at {address}"):
        next(assessed([Unit(0, chains[0])], RULES, look_back, engine="dask", address=address))
