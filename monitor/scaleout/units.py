"""Units of work, given out ahead and handed back in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.assess import Night, measure_snapshot
from monitor.assessment import Rules
from monitor.errors import ConfigurationError, MonitorError, UsageError
from monitor.market.snapshot import Snapshot

ENGINES = ("local", "dask")
# Units on their way for each worker: one it is at, the others so that it need not wait while the
# writer is busy with a night. Half a megabyte each.
AHEAD = 4
ATTEMPTS = 3  # at one unit: a snapshot that kills three workers in a row would kill them all

Label = TypeVar("Label")


class WorkerLost(MonitorError):
    """One unit ended worker after worker."""


@dataclass(frozen=True)
class Unit(Generic[Label]):
    """One snapshot on its way, and whatever the caller knows it by.

    Attributes
    ----------
    label : Label
    snapshot : Snapshot
    is_done : bool
        Whether there is nothing to measure: it then passes through in its place.
    """

    label: Label
    snapshot: Snapshot
    is_done: bool = False


class Team(ABC):
    """Who measures.

    Attributes
    ----------
    room : int
        Units that may be on their way at once.
    """

    room: int

    @abstractmethod
    def submit(self, snapshot: Snapshot, rules: Rules) -> Callable[[], Night]:
        """Begin a unit; return what waits for its night."""

    @abstractmethod
    def close(self) -> None:
        """Send the workers home; what they are at is dropped."""


def measured(
    units: Iterable[Unit[Label]],
    rules: Rules,
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
) -> Iterator[tuple[Unit[Label], Night | None]]:
    """Yield each unit with its night, in the order given; None where there was nothing to do.

    Parameters
    ----------
    units : iterable of Unit
        Taken only as far ahead as the workers have room.
    rules : Rules
    workers : int
        Processes beside this one; 1 on the local engine measures here.
    engine : {"local", "dask"}
    address : str, optional
        Of a Dask scheduler (``tcp://host:8786``); without it, a cluster of this machine.

    Raises
    ------
    UsageError
        If `workers` is below 1, or `engine` unknown.
    ConfigurationError
        If Dask is not installed, does not answer, or its workers run other code.
    WorkerLost
        If one snapshot ends worker after worker.
    """
    if workers < 1:
        raise UsageError(f"the number of workers must be 1 or more, was {workers}")
    if engine not in ENGINES:
        raise UsageError(f"the engine must be one of {', '.join(ENGINES)}, was {engine!r}")
    if engine == "local" and workers == 1:
        return _here(units, rules)
    return _spread(units, rules, workers, engine, address)


def lost(snapshot: Snapshot) -> WorkerLost:
    """Return the error of a snapshot that ends worker after worker."""
    return WorkerLost(
        f"the {snapshot.venue} {snapshot.underlying} chain of {snapshot.as_of:%Y-%m-%d %H:%M} UTC "
        f"ended {ATTEMPTS} workers in a row: is memory short? Every night before it is stored; "
        "give fewer workers, or leave this one out with --from and --to"
    )


def _here(units: Iterable[Unit[Label]], rules: Rules) -> Iterator[tuple[Unit[Label], Night | None]]:
    for unit in units:
        yield unit, None if unit.is_done else measure_snapshot(unit.snapshot, rules)


def _spread(
    units: Iterable[Unit[Label]], rules: Rules, workers: int, engine: str, address: str | None
) -> Iterator[tuple[Unit[Label], Night | None]]:
    with closing(_team(workers, engine, address)) as team:
        coming = iter(units)
        waiting: deque[tuple[Unit[Label], Callable[[], Night] | None]] = deque()
        while True:
            # A unit that is done waits for nothing: it is handed on before more are taken.
            while len(waiting) < team.room and not (waiting and waiting[0][1] is None):
                unit = next(coming, None)
                if unit is None:
                    break
                job = None if unit.is_done else team.submit(unit.snapshot, rules)
                waiting.append((unit, job))
            if not waiting:
                return
            unit, job = waiting.popleft()
            yield unit, None if job is None else job()


def _team(workers: int, engine: str, address: str | None) -> Team:
    if engine == "local":
        from monitor.scaleout.processes import Processes

        return Processes(workers)
    try:
        from monitor.scaleout.cluster import Cluster
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the engine dask needs the package {error.name}: pip install 'misspec[cluster]'"
        ) from error
    return Cluster(workers, address)
