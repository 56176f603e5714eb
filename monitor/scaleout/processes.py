"""Workers on this machine: each an executor of its own with one process.

One that is killed takes down nothing but the unit it is at, which is given to a fresh one.
*Refused:* one pool for all, which breaks as a whole when one process dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from monitor.assess import Night, measure_snapshot
from monitor.assessment import Assessment, Rules, code_digest
from monitor.market.snapshot import Snapshot
from monitor.scaleout.units import (
    AHEAD,
    ATTEMPTS,
    Job,
    Lookback,
    Team,
    WorkerLost,
    judge_unit,
    lost,
)

Found = TypeVar("Found")

_NEVER_STARTED = (
    "no worker process could be started; its own words stand above. A script that asks for workers "
    "needs `if __name__ == '__main__':` around what it does, and cannot be read from standard input"
)
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Processes(Team):
    """So many processes."""

    def __init__(self, workers: int) -> None:
        self.room = workers * AHEAD
        self._benches = [_Bench() for _ in range(workers)]

    def measure(self, snapshot: Snapshot, rules: Rules) -> Job[Night]:
        """Begin a unit on the worker with the least before it."""
        return _Begun(self._benches, snapshot, measure_snapshot, snapshot, rules)

    def judge(self, night: Job[Night], back: Lookback) -> Job[Assessment]:
        """Begin the rest of a unit on the worker with the least before it."""
        measured = night.result()
        return _Begun(self._benches, measured.snapshot, judge_unit, measured, back)

    def close(self) -> None:
        """Wait for the units begun, drop those that are not, and end the processes."""
        for bench in self._benches:
            bench.close()


class _Begun(Generic[Found]):
    """Work at some bench, begun anew at another where its worker dies."""

    def __init__(
        self,
        benches: Sequence[_Bench],
        snapshot: Snapshot,
        work: Callable[..., Found],
        *given: Any,
    ) -> None:
        self._benches, self._snapshot, self._work, self._given = benches, snapshot, work, given
        self._begin()

    def _begin(self) -> None:
        bench = min(self._benches, key=lambda b: b.n_waiting())
        self._future: Future[Found] = bench.submit(self._work, *self._given)

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> Found:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._future.result()
            except BrokenProcessPool:
                self._begin()
        try:
            return self._future.result()
        except BrokenProcessPool as error:
            if any(bench.ever_worked for bench in self._benches):
                raise lost(self._snapshot) from error
            raise WorkerLost(_NEVER_STARTED) from error


class _Bench:
    """One worker's place: its executor, made anew when its process dies."""

    def __init__(self) -> None:
        self._waiting: list[Future[Any]] = []
        self.ever_worked = False
        self._open()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(1, context, initializer=_settle)
        with _one_thread():
            # Starts the process, which imports what it needs while we read.
            self._executor.submit(code_digest).add_done_callback(self._started)

    def _started(self, first: Future[str]) -> None:
        self.ever_worked |= not first.cancelled() and first.exception() is None

    def n_waiting(self) -> int:
        """Return how much work is before the next."""
        self._waiting = [f for f in self._waiting if not f.done()]
        return len(self._waiting)

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        """Begin a piece of work."""
        try:
            future = self._executor.submit(work, *given)
        except BrokenProcessPool:
            self._executor.shutdown(wait=False)
            self._open()
            future = self._executor.submit(work, *given)
        self._waiting.append(future)
        return future

    def close(self) -> None:
        """End the process once it is done with what it is at."""
        self._executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give processes started within one thread of linear algebra: the workers are the threads.

    Libraries read it while they load, so it must stand in the environment they start with.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _settle() -> None:
    """Make this process a worker: Ctrl-C is its parent's affair, and it does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
