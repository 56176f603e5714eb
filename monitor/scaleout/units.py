"""Units of work, given out ahead and handed back in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from monitor.assess import Night, judge_night, measure_snapshot
from monitor.assessment import Assessment, Past, Rules, Stream
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
        Whether there is nothing to do: it then passes through in its place.
    line : hashable
        Whose nights it looks back on: units of one line are judged one after the other.
    """

    label: Label
    snapshot: Snapshot
    is_done: bool = False
    line: Hashable = None


@dataclass(frozen=True, eq=False)
class Lookback:
    """What a night is judged by, once the nights before it are stored.

    Attributes
    ----------
    past : Past
    rules : Rules
        Under the expert judgements in force on that night.
    stream : Stream
    slot : str
    anew : bool
        Whether those leave out what was measured: the night is then measured again.
    """

    past: Past
    rules: Rules
    stream: Stream
    slot: str
    anew: bool = False


class Job(Protocol):
    """A unit that is being measured; the night stays with the workers."""

    def done(self) -> bool:
        """Return whether it can be judged without waiting."""


class Team(ABC):
    """Who works.

    Attributes
    ----------
    room : int
        Units that may be on their way at once.
    """

    room: int

    @abstractmethod
    def measure(self, snapshot: Snapshot, rules: Rules) -> Job:
        """Begin a unit."""

    @abstractmethod
    def judge(self, job: Job, back: Lookback) -> Callable[[], Assessment]:
        """Begin the rest of a unit; return what waits for it."""

    @abstractmethod
    def forget(self, job: Job) -> None:
        """Drop a unit that is not to be judged."""

    @abstractmethod
    def close(self) -> None:
        """Send the workers home; what they are at is dropped."""


def assessed(
    units: Iterable[Unit[Label]],
    rules: Rules,
    look_back: Callable[[Unit[Label]], Lookback | None],
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
) -> Iterator[tuple[Unit[Label], Assessment | None]]:
    """Yield each unit with what was found, in the order given; None where there was nothing to do.

    Parameters
    ----------
    units : iterable of Unit
        Taken only as far ahead as the workers have room.
    rules : Rules
    look_back : callable
        What a unit is judged by; None where that very run is stored. It is asked when every
        earlier unit of its line has been yielded and the next one asked for: whoever stores what
        is yielded before going on finds it there.
    workers : int
        Processes beside this one; 1 on the local engine works here.
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
        return _here(units, rules, look_back)
    return _spread(units, rules, look_back, workers, engine, address)


def judge_unit(night: Night, back: Lookback) -> Assessment:
    """Return the assessment of a measured night: what looks back, on whichever worker."""
    if back.anew:
        night = measure_snapshot(night.snapshot, back.rules)
    return judge_night(night, back.past, back.rules, stream=back.stream, slot=back.slot)


def lost(snapshot: Snapshot) -> WorkerLost:
    """Return the error of a snapshot that ends worker after worker."""
    return WorkerLost(
        f"the {snapshot.venue} {snapshot.underlying} chain of {snapshot.as_of:%Y-%m-%d %H:%M} UTC "
        f"ended {ATTEMPTS} workers in a row: is memory short? Every night before it is stored; "
        "give fewer workers, or leave this one out with --from and --to"
    )


def _here(
    units: Iterable[Unit[Label]],
    rules: Rules,
    look_back: Callable[[Unit[Label]], Lookback | None],
) -> Iterator[tuple[Unit[Label], Assessment | None]]:
    for unit in units:
        found = None
        back = None if unit.is_done else look_back(unit)
        if back is not None:
            found = judge_unit(measure_snapshot(unit.snapshot, rules), back)
        yield unit, found


class _Place(Generic[Label]):
    """A unit in the queue: being measured, being judged, or with nothing to do."""

    def __init__(self, unit: Unit[Label], team: Team, rules: Rules) -> None:
        self.unit, self._team = unit, team
        self._night = None if unit.is_done else team.measure(unit.snapshot, rules)
        self._judged: Callable[[], Assessment] | None = None

    def go_on(
        self, look_back: Callable[[Unit[Label]], Lookback | None], *, is_next: bool = False
    ) -> None:
        """Begin judging; before its turn comes, only if it is measured by now."""
        if self._night is None or self._judged is not None or not (is_next or self._night.done()):
            return
        back = look_back(self.unit)
        if back is None:
            self._team.forget(self._night)
        else:
            self._judged = self._team.judge(self._night, back)
        self._night = None

    def found(self) -> Assessment | None:
        return None if self._judged is None else self._judged()


def _spread(
    units: Iterable[Unit[Label]],
    rules: Rules,
    look_back: Callable[[Unit[Label]], Lookback | None],
    workers: int,
    engine: str,
    address: str | None,
) -> Iterator[tuple[Unit[Label], Assessment | None]]:
    with closing(_team(workers, engine, address)) as team:
        coming = iter(units)
        waiting: deque[_Place[Label]] = deque()
        while True:
            # A unit that is done waits for nothing: it is handed on before more are taken.
            while len(waiting) < team.room and not (waiting and waiting[0].unit.is_done):
                unit = next(coming, None)
                if unit is None:
                    break
                waiting.append(_Place(unit, team, rules))
            if not waiting:
                return
            # The first of each line can be judged, beside the others and beside what is measured.
            first: dict[Hashable, _Place[Label]] = {}
            for place in waiting:
                first.setdefault(place.unit.line, place)
            for place in first.values():
                place.go_on(look_back)
            head = waiting.popleft()
            head.go_on(look_back, is_next=True)
            yield head.unit, head.found()


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
