"""A venue that never changes its mind: recorded chains, answered from files, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import numpy as np

from monitor.archive import list_snapshots, read_refs
from monitor.conventions import from_ms, to_ms
from monitor.errors import ConfigurationError, VenueRefused
from monitor.market.snapshot import Snapshot
from monitor.venues.base import VENUES, Sleep, Venue, VenueKind


@dataclass(frozen=True, kw_only=True)
class RecordedSettings:
    """Which recordings, and at which moment of theirs.

    Attributes
    ----------
    paths : tuple of str
        Archive files or folders.
    as_of : datetime or None
        The clock stands here: the last chain at or before it is given. None for the end.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    paths: tuple[str, ...] = ()
    as_of: datetime | None = None


class Recorded(Venue):
    """The recorded chain that was the last one at ``settings.as_of``; it keeps its own venue."""

    name = "recorded"

    def __init__(self, settings: RecordedSettings) -> None:
        if not settings.paths:
            raise ConfigurationError(
                "the recorded venue needs paths of archive files or folders, was given none"
            )
        self._refs = list_snapshots(settings.paths)
        end = self._refs[-1].as_of_ms
        self._now_ms = end if settings.as_of is None else to_ms(settings.as_of)

    async def now_ms(self) -> int:
        return self._now_ms

    def source_of(self, underlying: str) -> str:
        venues = {ref.venue for ref in self._refs if ref.underlying == underlying}
        venues = venues or {ref.venue for ref in self._refs}
        return venues.pop() if len(venues) == 1 else self.name

    async def fetch(self, underlying: str) -> Snapshot:
        own = [ref for ref in self._refs if ref.underlying == underlying]
        past = [ref for ref in own if ref.as_of_ms <= self._now_ms]
        if not past:
            known = sorted({ref.underlying for ref in self._refs})
            first = f"begins {from_ms(own[0].as_of_ms):%Y-%m-%d %H:%M}" if own else "is not in it"
            raise VenueRefused(
                f"no recorded chain of {underlying} at or before "
                f"{from_ms(self._now_ms):%Y-%m-%d %H:%M} UTC: {underlying} {first}; the archive "
                f"holds {', '.join(known)}"
            )
        return next(read_refs(past[-1:]))


def _open(settings: RecordedSettings, rng: np.random.Generator, sleep: Sleep) -> Venue:
    return Recorded(settings)


VENUES.add(
    "recorded",
    VenueKind("recorded", "Recorded chains, read from archive files", RecordedSettings, _open),
)
