"""Processes that write, and processes that die while writing; run as ``python -m``.

``write URL FIRST LAST FIRST LAST …`` forks a writer for each span of nights. ``die URL`` forks a
child for every boundary of `BOUNDARIES`, which writes the next night and kills itself there,
without any goodbye. Forked from one warmed parent, they cost milliseconds each.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from monitor.assessment import Assessment
from monitor.incidents.base import Event
from monitor.store import Store, open_store, writer
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, make_event, make_message, wall

# Before the n-th table's rows, before the commit, after it.
BOUNDARIES = (*(f"table:{n}" for n in (0, 1, 3, 6, 9)), "commit", "done")


def night_of(night: int) -> Assessment:
    """Return the assessment that a child writes for a night."""
    return make_assessment(
        night,
        expiries=2,
        strikes=4,
        messages=(make_message(f"message-{night}"),),
        transitions=(make_event(Event.OPENED, night),),
    )


def write_at_once(url: str, spans: list[tuple[int, int]]) -> None:
    """Write nights from first to last, both included, each span in a process of its own."""
    children = []
    for first, last in spans:
        pid = os.fork()
        if pid == 0:
            with open_store(url) as store:
                for night in range(first, last + 1):
                    write_assessment(store, night_of(night), wall=wall(night), tell=True)
            os._exit(0)
        children.append(pid)
    for pid in children:
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"a writer ended with status {status}"


def die_at_every_boundary(url: str) -> None:
    """Write one night a child, none of which lives to see it through."""
    assessments = [night_of(night) for night in range(len(BOUNDARIES))]
    for found, boundary in zip(assessments, BOUNDARIES, strict=True):
        pid = os.fork()
        if pid == 0:
            _write_and_die(url, found, boundary)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"the child of {boundary} did not die"
        assert os.WTERMSIG(status) == signal.SIGKILL


def _write_and_die(url: str, found: Assessment, boundary: str) -> None:
    kind, _, number = boundary.partition(":")
    with open_store(url) as store:
        if kind == "table":
            _die_before_table(int(number))
        elif kind == "commit":
            _die_before_commit(store)
        write_assessment(store, found, wall=wall(0), tell=True)
        _die()


def _die_before_table(number: int) -> None:
    calls = iter(range(1000))
    insert: Callable[..., None] = writer.insert_rows

    def insert_or_die(*args: Any) -> None:
        if next(calls) == number:
            _die()
        insert(*args)

    writer.insert_rows = insert_or_die  # type: ignore[assignment]


def _die_before_commit(store: Store) -> None:
    from sqlalchemy import event

    store.check()
    event.listen(store._engine, "commit", lambda _: _die())


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        nights = [int(argument) for argument in sys.argv[3:]]
        write_at_once(sys.argv[2], list(zip(nights[::2], nights[1::2], strict=True)))
    else:
        die_at_every_boundary(sys.argv[2])
