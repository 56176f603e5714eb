"""Units of work, and what any team of workers does with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from monitor.assess import Night, judge_night, measure_snapshot
from monitor.assessment import Assessment, Past, Rules, Stream
from monitor.errors import MonitorError
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
