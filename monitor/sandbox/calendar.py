"""Which expiries are listed when: the venue's calendar as seen on recorded chains.

Four days ahead every day, Fridays 22 days ahead, the last Friday of a month once the last Friday
three months earlier is a day away, quarterly ones twelve months earlier likewise; all at 08:00 UTC.
On the 153 nights recorded from January to May 2026 that gives 11 to 13 expiries, as listed.
"""

from __future__ import annotations

from calendar import FRIDAY, monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from monitor.conventions import EXPIRY_HOUR_UTC, MS_PER_DAY, from_ms, to_ms

Series = Literal["day", "week", "month", "quarter"]

DAYS_AHEAD, WEEK_DAYS_AHEAD, MONTHS_AHEAD, QUARTER_MONTHS_AHEAD = 4, 22, 3, 12


@dataclass(frozen=True, order=True, slots=True)
class Expiry:
    """One listed expiry.

    Attributes
    ----------
    expiry_ms : int
    series : {"day", "week", "month", "quarter"}
        The longest series that the day belongs to.
    listed_ms : int
        When its options appeared.
    """

    expiry_ms: int
    series: Series
    listed_ms: int


def expiries(now_ms: int) -> tuple[Expiry, ...]:
    """Return the expiries listed at `now_ms` and not yet expired, in order.

    Examples
    --------
    >>> now = to_ms(datetime(2026, 3, 16, 21, 40, tzinfo=UTC))
    >>> [f"{from_ms(e.expiry_ms):%d%b}" for e in expiries(now)][:7]
    ['17Mar', '18Mar', '19Mar', '20Mar', '27Mar', '03Apr', '24Apr']
    """
    first = from_ms(now_ms).date()
    found = [_expiry(first + timedelta(days=n)) for n in range(WEEK_DAYS_AHEAD + 1)]
    for months in range(QUARTER_MONTHS_AHEAD + 2):
        found.append(_expiry(last_friday(*_month(first, months))))
    listed = {e for e in found if e.listed_ms <= now_ms < e.expiry_ms}
    return tuple(sorted(listed))


def last_friday(year: int, month: int) -> date:
    """Return the last Friday of a month."""
    end = date(year, month, monthrange(year, month)[1])
    return end - timedelta(days=(end.weekday() - FRIDAY) % 7)


@lru_cache(maxsize=4096)
def _expiry(day: date) -> Expiry:
    listed = {"day": _at_eight(day) - DAYS_AHEAD * MS_PER_DAY}
    if day.weekday() == FRIDAY:
        listed["week"] = _at_eight(day) - WEEK_DAYS_AHEAD * MS_PER_DAY
    if day == last_friday(day.year, day.month):
        listed["month"] = _listed_by(day, MONTHS_AHEAD)
        if day.month % 3 == 0:
            listed["quarter"] = _listed_by(day, QUARTER_MONTHS_AHEAD)
    series: Series
    for series in ("quarter", "month", "week", "day"):
        if series in listed:
            return Expiry(_at_eight(day), series, min(listed.values()))
    raise AssertionError("every day is a day")


def _listed_by(day: date, months: int) -> int:
    return _at_eight(last_friday(*_month(day, -months)) - timedelta(days=1))


def _month(day: date, months: int) -> tuple[int, int]:
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return year, month + 1


def _at_eight(day: date) -> int:
    return to_ms(datetime(day.year, day.month, day.day, EXPIRY_HOUR_UTC, tzinfo=UTC))
