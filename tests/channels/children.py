"""Deliverers that die; run as ``python -m tests.channels.children DATABASE ADDRESS KILLS``.

Children are forked one after the other from a warmed parent, each an hour of the desk's time after
the one before. Each queues a message of its own, delivers what is due, and is killed at its
boundary.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from monitor.channels import Outcome, apprise_sender, deliver_pending
from monitor.channels.base import Letter
from monitor.store import Store, open_store, writer
from monitor.store.outbox import Outbox
from monitor.store.writer import record_job
from tests.store.build import WALL, make_message

# Before a queued message is committed and after it; before a claim is; before the sending; between
# the receiver's answer and our commit; between that and the message's release; after it; and
# wherever the parent's signal finds the child, in the middle of a commit or of the disk's part
# of one.
BOUNDARIES = (
    *("queueing", "queued", "claim", "send", "answered", "recorded", "settled"),
    "anywhere",
)
ANSWERED, ANYWHERE = "answered", "anywhere"
_LONGEST_S = 0.06  # a child's whole work takes about half of it


def key_of(number: int) -> str:
    """Return the key of the message that a child queues."""
    return f"k{number:03d}"


def queue(store: Store, number: int) -> None:
    """Queue a child's message; again is harmless."""
    at = WALL + timedelta(hours=number)
    record_job(
        store,
        job="test",
        stream=None,
        slot=f"{number}",
        outcome="done",
        note="",
        started_wall=at,
        ended_wall=at,
        messages=[make_message(key_of(number))],
    )


def die_at_every_boundary(database: str, address: str, kills: int) -> None:
    """Fork so many children, none of which lives to see its work through."""
    apprise_sender("nonsense://", None, 1.0)  # type: ignore[arg-type] # loads Apprise
    rng = random.Random(kills)
    for number in range(kills):
        boundary = BOUNDARIES[number % len(BOUNDARIES)]
        pid = os.fork()
        if pid == 0:
            _work_and_die(database, address, number, boundary)
        if boundary == ANYWHERE:
            time.sleep(rng.uniform(0.0, _LONGEST_S))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"the child of {boundary} did not die"


def _work_and_die(database: str, address: str, number: int, boundary: str) -> None:
    def send(url: str, message: Letter, timeout_s: float) -> Outcome:
        if boundary == "send":
            _die()
        outcome = apprise_sender(url, message, timeout_s)
        if boundary == ANSWERED:
            _die()
        return outcome

    def dying_after(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            method(*args, **kwargs)
            _die()

        return call

    if boundary == "queueing":
        writer.queue = dying_after(writer.queue)  # within the transaction
    elif boundary == "claim":
        Outbox.claim = lambda *_, **__: _die()  # type: ignore[method-assign,assignment]
    elif boundary == "recorded":
        Outbox.record = dying_after(Outbox.record)  # type: ignore[method-assign]
    elif boundary == "settled":
        Outbox.settle = dying_after(Outbox.settle)  # type: ignore[method-assign]
    now = WALL + timedelta(hours=number)
    with open_store(database) as store:
        queue(store, number)
        if boundary == "queued":
            _die()
        deliver_pending(Outbox(store), {"red": [address]}, now=now, sender=send)
    if boundary == ANYWHERE:
        signal.pause()
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_at_every_boundary(sys.argv[1], sys.argv[2], int(sys.argv[3]))
