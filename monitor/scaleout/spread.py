"""Units given out ahead and handed back in order, by whichever engine is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import closing
from typing import Generic

from monitor.assess import measure_snapshot
from monitor.assessment import Assessment, Rules
from monitor.errors import ConfigurationError, UsageError
from monitor.scaleout.processes import Processes
from monitor.scaleout.units import ENGINES, Label, Lookback, Team, Unit, judge_unit


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
        return Processes(workers)
    try:
        from monitor.scaleout.cluster import Cluster
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the engine dask needs the package {error.name}: pip install 'misspec[cluster]'"
        ) from error
    return Cluster(workers, address)
