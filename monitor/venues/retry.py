"""The one layer that asks again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np

from monitor.errors import VenueUnavailable
from monitor.venues.base import Sleep, VenueSettings

T = TypeVar("T")


async def retried(
    ask: Callable[[], Awaitable[T]],
    settings: VenueSettings,
    rng: np.random.Generator,
    sleep: Sleep,
) -> T:
    """Return the first answer within ``settings.attempts`` tries.

    Only `VenueUnavailable` is tried again: asking a second time neither opens a refusal nor mends
    a malformed answer, and hides both.

    Raises
    ------
    VenueError
        The last failure; `VenueUnavailable` says how often it was asked.
    """
    for attempt in range(1, settings.attempts + 1):
        try:
            return await ask()
        except VenueUnavailable as error:
            if attempt == settings.attempts:
                times = "once" if attempt == 1 else f"{attempt} times"
                raise VenueUnavailable(f"{error}; asked {times}") from error
            await sleep(delay_s(attempt, settings, rng))
    raise AssertionError("unreachable: attempts is at least 1")


def delay_s(attempt: int, settings: VenueSettings, rng: np.random.Generator) -> float:
    """Return the wait after failure number `attempt`, counted from 1, in seconds."""
    full = min(settings.backoff_s * 2.0 ** (attempt - 1), settings.backoff_max_s)
    return float(full * rng.uniform(0.5, 1.0))
