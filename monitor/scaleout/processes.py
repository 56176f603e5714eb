"""Workers on this machine: each an executor of its own with one process.

One that is killed takes down nothing but what it holds: the unit it is at, and the few it has
measured ahead, which are given to a fresh one.
*Refused:* one pool for all, which breaks as a whole when one process dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import wait
from typing import Any

from monitor.assess import Night, measure_snapshot
from monitor.assessment import Assessment, Rules, code_digest
from monitor.garbage import collect_seldom
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

_NEVER_STARTED = (
    "no worker process could be started; its own words stand above. A script that asks for workers "
    "needs `if __name__ == '__main__':` around what it does, and cannot be read from standard input"
)
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


# In a worker: what it has measured and not yet judged, by number. Half a megabyte and its kernels
# would take as long to travel there and back as a tenth of the work.
_nights: dict[int, Night] = {}


def _measure_here(number: int, snapshot: Snapshot, rules: Rules) -> None:
    _nights[number] = measure_snapshot(snapshot, rules)


def _judge_here(
    number: int, back: Lookback, snapshot: Snapshot | None, rules: Rules
) -> Assessment | None:
    """Return the rest of a unit; None where this worker has not measured it and is not to."""
    night = _nights.pop(number, None)
    if night is None and snapshot is None:
        return None
    return judge_unit(night or measure_snapshot(snapshot, rules), back)  # type: ignore[arg-type]


def _forget(number: int) -> None:
    _nights.pop(number, None)


class Processes(Team):
    """So many processes."""

    def __init__(self, workers: int) -> None:
        self.room = workers * AHEAD
        self._benches = [_Bench() for _ in range(workers)]
        self._numbers = count()

    def measure(self, snapshot: Snapshot, rules: Rules) -> Job:
        """Begin a unit on the worker with the least before it."""
        bench = min(self._benches, key=lambda b: b.n_waiting())
        number = next(self._numbers)
        begun = bench.submit(_measure_here, number, snapshot, rules)
        return _Measured(number, snapshot, rules, bench, begun)

    def judge(self, job: Job, back: Lookback) -> Callable[[], Assessment]:
        """Begin the rest of a unit where it was measured; anew elsewhere if that worker died."""
        assert isinstance(job, _Measured)
        begun = job.bench.submit(_judge_here, job.number, back, None, job.rules)

        def found() -> Assessment:
            future: Future[Assessment | None] = begun
            for _ in range(ATTEMPTS):
                try:
                    assessment = future.result()
                    if assessment is not None:
                        return assessment
                except BrokenProcessPool:
                    pass
                bench = min(self._benches, key=lambda b: b.n_waiting())
                future = bench.submit(_judge_here, job.number, back, job.snapshot, job.rules)
            try:
                last = future.result()
            except BrokenProcessPool as error:
                if any(bench.ever_worked for bench in self._benches):
                    raise lost(job.snapshot) from error
                raise WorkerLost(_NEVER_STARTED) from error
            assert last is not None
            return last

        return found

    def forget(self, job: Job) -> None:
        """Let a worker drop what it need not judge."""
        assert isinstance(job, _Measured)
        job.bench.submit(_forget, job.number)

    def close(self) -> None:
        """Wait for the work begun, drop what is not, and end the processes."""
        for bench in self._benches:
            bench.close()


@dataclass(frozen=True)
class _Measured:
    """A unit at a bench, and what it takes to begin it anew at another."""

    number: int
    snapshot: Snapshot
    rules: Rules
    bench: _Bench
    begun: Future[None]

    def done(self) -> bool:
        return self.begun.done()


class _Bench:
    """One worker's place: its executor, made anew when its process dies."""

    def __init__(self) -> None:
        self._waiting: list[Future[Any]] = []
        self.ever_worked = False
        self._open()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(1, context, initializer=settle_worker)
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


def settle_worker() -> None:
    """Make this process a worker: Ctrl-C is its parent's affair, and it does not outlive it.

    What every process begins with that work is spread over.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    collect_seldom()
