"""Deliverers that die; run as ``python -m tests.channels.children DATABASE ADDRESS``.

One child for every boundary of `BOUNDARIES` is forked from a warmed parent, an hour of the desk's
time after the one before, delivers what is due and kills itself there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from monitor.channels import Outcome, apprise_sender, deliver_pending
from monitor.channels.base import Letter
from monitor.store import open_store
from monitor.store.outbox import Outbox
from tests.store.build import WALL

# Before the claim is committed, before the sending, between the receiver's answer and our commit,
# between that and the release of the message, after it.
BOUNDARIES = ("claim", "send", "answered", "recorded", "settled")


def die_at_every_boundary(database: str, address: str) -> None:
    """Deliver once a child, none of which lives to see it through."""
    apprise_sender("nonsense://", None, 1.0)  # type: ignore[arg-type] # loads Apprise
    for hour, boundary in enumerate(BOUNDARIES):
        pid = os.fork()
        if pid == 0:
            _deliver_and_die(database, address, hour, boundary)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"the child of {boundary} did not die"


def _deliver_and_die(database: str, address: str, hour: int, boundary: str) -> None:
    def send(url: str, message: Letter, timeout_s: float) -> Outcome:
        if boundary == "send":
            _die()
        outcome = apprise_sender(url, message, timeout_s)
        if boundary == "answered":
            _die()
        return outcome

    def dying_after(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            method(*args, **kwargs)
            _die()

        return call

    if boundary == "claim":
        Outbox.claim = lambda *_, **__: _die()  # type: ignore[method-assign,assignment]
    elif boundary == "recorded":
        Outbox.record = dying_after(Outbox.record)  # type: ignore[method-assign]
    elif boundary == "settled":
        Outbox.settle = dying_after(Outbox.settle)  # type: ignore[method-assign]
    now = WALL + timedelta(hours=hour)
    with open_store(database) as store:
        deliver_pending(store, {"red": [address]}, now=now, sender=send)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_at_every_boundary(sys.argv[1], sys.argv[2])
