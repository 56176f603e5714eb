"""Families of worlds over processes: one answer whatever their number and order."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

from monitor.scaleout.processes import settle_worker

Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Task, Callable[[], None]], Result]

_POLL_S = 0.2
_ticks: Any = None
_stop: Any = None


class _StoppedError(Exception):
    """Another task has failed: what this one would give is wanted no more."""


def run_all(
    work: Work[Task, Result], tasks: Sequence[Task], *, processes: int, tick: Callable[[], None]
) -> list[Result]:
    """Return what each task gives, in the order of the tasks.

    Parameters
    ----------
    work : callable
        ``(task, tick) -> result``; known by name, so that another process finds it.
    tasks : sequence
    processes : int
        1 works in this process.
    tick : callable
        Called in this process, once for each call that the work makes of its own.
    """
    if processes <= 1 or len(tasks) <= 1:
        return [work(task, tick) for task in tasks]
    # Not forked: libraries with threads of their own do not survive that.
    context = multiprocessing.get_context("spawn")
    ticks, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(
        min(processes, len(tasks)), context, initializer=_begin, initargs=(ticks, stop)
    ) as pool:
        futures = [pool.submit(_do, work, task) for task in tasks]
        try:
            waiting: set[Future[Result]] = set(futures)
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()  # raises at once what a task raised
                _drain(ticks, tick)
        except BaseException:
            # Waited for, at most one tick long: a process still starting up would look for the
            # queue's semaphores, which are gone with it, and say so on stderr.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    # A worker hands its last ticks over as it leaves: only now are all of them here.
    _drain(ticks, tick)
    return [future.result() for future in futures]


def _begin(ticks: Any, stop: Any) -> None:
    global _ticks, _stop
    _ticks, _stop = ticks, stop
    settle_worker()


def _do(work: Work[Task, Result], task: Task) -> Result:
    return work(task, _tick)


def _tick() -> None:
    if _stop.is_set():
        raise _StoppedError
    _ticks.put(None)


def _drain(ticks: Any, tick: Callable[[], None]) -> None:
    try:
        while True:
            ticks.get_nowait()
            tick()
    except queue.Empty:
        return
