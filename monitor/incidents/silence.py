"""Silences: who wished not to be told of what, until when. They change what is told, no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.incidents.base import Incident
from monitor.incidents.matching import Matcher, Owners


@dataclass(frozen=True, slots=True)
class Silence:
    """One wish not to be told.

    Attributes
    ----------
    id : str
    matcher : Matcher
    author, reason : str
    created, until : datetime
        The desk's time.
    ended : datetime or None
        When it was taken back before its time.
    """

    id: str
    matcher: Matcher
    author: str
    reason: str
    created: datetime
    until: datetime
    ended: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether it holds at a moment of the desk's time."""
        return self.created <= now < min(self.until, self.ended or self.until)


def silence_of(
    incident: Incident, silences: Iterable[Silence], owners: Owners, now: datetime
) -> Silence | None:
    """Return the silence that keeps an incident from being told, if one does."""
    holding = (s for s in silences if s.is_active(now) and s.matcher.matches(incident, owners))
    return next(holding, None)
