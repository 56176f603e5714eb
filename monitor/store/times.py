"""Instants as the database keeps them: text that sorts in time order and reads on any tool.

Every instant is ISO 8601 in UTC to the millisecond, always of one width
(``2026-02-05T08:00:00.000Z``). *Refused:* integers, which no person and no dashboard can read
without arithmetic; native timestamps, which SQLite does not have, so that one SQL text could not
serve both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.conventions import from_ms, to_ms

END_OF_TIME = "9999-12-31T23:59:59.999Z"


def iso(moment: datetime) -> str:
    """Return an aware time as stored.

    Examples
    --------
    >>> iso(datetime(2026, 2, 5, 8, tzinfo=UTC))
    '2026-02-05T08:00:00.000Z'
    """
    return iso_from_ms(to_ms(moment))


def iso_from_ms(ms: int) -> str:
    """Return milliseconds since 1970 as stored.

    Examples
    --------
    >>> iso_from_ms(0)
    '1970-01-01T00:00:00.000Z'
    """
    return f"{from_ms(ms).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def iso_or_none(ms: int | None) -> str | None:
    """Return `iso_from_ms`, or None for None."""
    return None if ms is None else iso_from_ms(ms)


def moment(text: str) -> datetime:
    """Return a stored instant as an aware UTC `datetime`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def ms_from_iso(text: str) -> int:
    """Return a stored instant as milliseconds since 1970.

    Examples
    --------
    >>> ms_from_iso('1970-01-01T00:00:01.500Z')
    1500
    """
    return to_ms(datetime.fromisoformat(text))


def ms_or_none(text: str | None) -> int | None:
    """Return `ms_from_iso`, or None for None."""
    return None if text is None else ms_from_iso(text)
