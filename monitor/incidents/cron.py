"""When a schedule is due: cron strings of five fields, in UTC.

The watchdog must not need the engine whose silence it listens for, so it reads the schedule itself;
a test holds it to the engine's reading. A sixth field, seconds, is read past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from monitor.errors import DomainError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    "month": "jan feb mar apr may jun jul aug sep oct nov dec".split(),
    "weekday": "sun mon tue wed thu fri sat".split(),
}
_FURTHEST_DAYS = 366 * 8 + 3  # 29 February comes back within eight years, in 1900 and 2100 too


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule: the values that each field may take."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # both day fields are restricted: either is enough

    def _is_day(self, at: datetime) -> bool:
        if at.month not in self.months:
            return False
        by_date, by_weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday

    def before(self, moment: datetime) -> datetime | None:
        """Return the latest time at or before a moment at which it is due; None if there is none.

        Parameters
        ----------
        moment : datetime
            Aware, UTC.
        """
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in range(_FURTHEST_DAYS):
            at = day - timedelta(days=back)
            if self._is_day(at):
                times = (at.replace(hour=h, minute=m) for h in self.hours for m in self.minutes)
                latest = max((t for t in times if t <= moment), default=None)
                if latest is not None:
                    return latest
        return None

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment at which it is due; None if there is none."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in range(_FURTHEST_DAYS):
            at = day + timedelta(days=ahead)
            if self._is_day(at):
                times = (at.replace(hour=h, minute=m) for h in self.hours for m in self.minutes)
                first = min((t for t in times if t > moment), default=None)
                if first is not None:
                    return first
        return None


@lru_cache(maxsize=64)
def parse_cron(text: str) -> Cron:
    """Return the schedule of a cron string.

    Raises
    ------
    DomainError
        If it has not five fields, or six with seconds, or a field cannot be read.

    Examples
    --------
    >>> from datetime import UTC
    >>> parse_cron("30 22 * * *").before(datetime(2026, 3, 5, 12, tzinfo=UTC))
    datetime.datetime(2026, 3, 4, 22, 30, tzinfo=datetime.timezone.utc)
    """
    parts = text.split()
    if len(parts) not in (5, 6):
        raise DomainError(
            "a cron string has five fields, minute hour day month weekday; a sixth is seconds; "
            f"was {text!r}"
        )
    values = [
        _values(part, name, low, high)
        for part, (name, low, high) in zip(parts, _FIELDS, strict=False)
    ]
    weekdays = frozenset(v % 7 for v in values[4])
    either = not parts[2].startswith("*") and not parts[4].startswith("*")
    return Cron(values[0], values[1], values[2], values[3], weekdays, either)


def _values(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            start = low if span == "*" else _number(first, name, low)
            end = high if span == "*" or (step and not dash) else _number(last or first, name, low)
            every = int(step) if step else 1
        except ValueError:
            raise DomainError(f"{part!r} is no {name} of a cron string") from None
        if not (low <= start <= end <= high and every >= 1):
            raise DomainError(f"the {name} of a cron string lies in {low}-{high}, was {part!r}")
        found |= set(range(start, end + 1, every))
    return frozenset(found)


def _number(text: str, name: str, low: int) -> int:
    names = _NAMES.get(name, [])
    return names.index(text) + low if text in names else int(text)
