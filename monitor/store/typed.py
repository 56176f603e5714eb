"""From what a database answers to frames whose types do not depend on what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from monitor.store.times import END_OF_TIME, iso

_DAWN = "0000"
_FLOATS = frozenset(
    "value stderr threshold usd tau forward strike k iv_bid iv_ask iv noise vega open_interest "
    "model_iv residual z first second difference".split()
)
_INSTANTS = frozenset(
    "as_of opened_at last_seen resolved_at expiry known_wall first_as_of second_as_of".split()
)
_WHOLE = frozenset("n at_bound".split())


def until_text(moment: datetime | None) -> str:
    """Return an upper bound of time as stored; the end of time for None."""
    return END_OF_TIME if moment is None else iso(moment)


def bounds(
    since: datetime | None, until: datetime | None, as_known: datetime | None
) -> dict[str, str]:
    """Return the parameters of a query that bound the venue's time and the desk's knowledge."""
    return {
        "since": _DAWN if since is None else iso(since),
        "until": until_text(until),
        "as_known": until_text(as_known),
    }


def frame_of_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a frame."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return frame_of(dict(zip(columns, values, strict=True)))


def frame_of(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a frame of columns by name, each of the type that its name stands for."""
    frame = {}
    for name, column in columns.items():
        if name in _INSTANTS:
            frame[name] = pd.Series(instants(column))
        elif name in _FLOATS:
            frame[name] = pd.Series(column, dtype="float64")
        elif name in _WHOLE:
            frame[name] = pd.Series(column, dtype="int64")
        else:
            frame[name] = pd.Series(column, dtype="object")
    return pd.DataFrame(frame)


def instants(column: Any) -> pd.DatetimeIndex:
    """Return stored instants as aware UTC timestamps, to the millisecond."""
    if isinstance(column, pd.DatetimeIndex):
        return column
    return pd.to_datetime(list(column), utc=True, format="ISO8601").as_unit("ms")
