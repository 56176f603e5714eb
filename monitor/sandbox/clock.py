"""Clocks that the sandbox and its caller share; none of them is the machine's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from monitor.conventions import from_ms, to_ms
from monitor.errors import DomainError


class Clock(Protocol):
    """What the sandbox asks for the time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        ...


class VirtualClock:
    """A clock that stands still until its owner moves it; safe to read from other threads.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
    >>> clock.advance_ms(1500)
    >>> clock.now().isoformat()
    '2026-03-01T00:00:01.500000+00:00'
    """

    def __init__(self, start: datetime | int) -> None:
        self._lock = threading.Lock()
        self._now_ms = start if isinstance(start, int) else to_ms(start)

    def now_ms(self) -> int:
        with self._lock:
            return self._now_ms

    def now(self) -> datetime:
        """Return the time as an aware UTC `datetime`."""
        return from_ms(self.now_ms())

    def advance_ms(self, step_ms: int) -> None:
        """Move on.

        Raises
        ------
        DomainError
            If the step is negative: a venue's clock does not run backwards.
        """
        if step_ms < 0:
            raise DomainError(f"a clock moves forward, was told to move by {step_ms} ms")
        with self._lock:
            self._now_ms += int(step_ms)

    def set(self, moment: datetime | int) -> None:
        """Move to a moment, also backwards: a replay may begin again."""
        with self._lock:
            self._now_ms = moment if isinstance(moment, int) else to_ms(moment)


class RunningClock:
    """A clock that runs from `start` with a stopwatch.

    Parameters
    ----------
    start : datetime or int
    stopwatch : callable
        Seconds, e.g. ``time.monotonic``.
    speed : float
        Virtual seconds a second of the stopwatch.
    """

    def __init__(
        self, start: datetime | int, stopwatch: Callable[[], float], *, speed: float = 1.0
    ) -> None:
        self._start_ms = start if isinstance(start, int) else to_ms(start)
        self._stopwatch, self._speed = stopwatch, speed
        self._zero = stopwatch()

    def now_ms(self) -> int:
        return self._start_ms + int(1000 * self._speed * (self._stopwatch() - self._zero))
