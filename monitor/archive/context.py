"""The market around a chain as one tidy table: ``part, name, time_ms, value, text``.

Each number is one row, so that candles of any length, futures of any count and what was missing
share one file that other tools can read. Order of rows is order of content.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from monitor.arrays import FloatArray, IntArray
from monitor.errors import ArchiveError
from monitor.market.snapshot import MarketContext, TimeSeries
from monitor.outcome import Rejection

SERIES = ("candles_1h", "candles_1m", "funding", "dvol")
_SCALARS = ("index_price", "perpetual_mark")
_COLUMNS_KEY = b"misspec.context"
_SCHEMA = pa.schema(
    [
        ("part", pa.dictionary(pa.int32(), pa.string())),
        ("name", pa.string()),
        ("time_ms", pa.int64()),
        ("value", pa.float64()),
        ("text", pa.string()),
    ]
)


def context_to_table(context: MarketContext) -> pa.Table:
    """Return the context as a table; `context_from_table` gives it back bit for bit."""
    part: list[str] = []
    name: list[str] = []
    time_ms: list[int | None] = []
    value: list[float | None] = []
    text: list[str | None] = []

    def add(p: str, n: str, t: int | None, v: float | None, s: str | None = None) -> None:
        part.append(p)
        name.append(n)
        time_ms.append(t)
        value.append(v)
        text.append(s)

    for scalar in _SCALARS:
        if getattr(context, scalar) is not None:
            add(scalar, scalar, None, getattr(context, scalar))
    for future, expiry, mark in zip(
        context.future_names, context.future_expiry_ms, context.future_mark, strict=True
    ):
        add("future", future, int(expiry), float(mark))
    for rejection in context.missing:
        add("missing", rejection.subject, None, None, json.dumps(_fields(rejection)))
    columns: dict[str, list[str]] = {}
    for series_name in SERIES:
        series: TimeSeries = getattr(context, series_name)
        columns[series_name] = list(series.columns)
        for j, column in enumerate(series.columns):
            part += [series_name] * len(series)
            name += [column] * len(series)
            time_ms += series.time_ms.tolist()
            value += series.values[:, j].tolist()
            text += [None] * len(series)
    facts = {"columns": columns, "simulated": context.simulated}
    return pa.table(
        [part, name, time_ms, value, text],
        schema=_SCHEMA.with_metadata({_COLUMNS_KEY: json.dumps(facts).encode()}),
    )


def context_from_table(table: pa.Table, where: str) -> MarketContext:
    """Return the context that `context_to_table` wrote.

    Raises
    ------
    ArchiveError
        If the table is not one of `context_to_table`; `where` names it.
    """
    try:
        facts = json.loads((table.schema.metadata or {})[_COLUMNS_KEY])
        part = np.array(table["part"].to_pylist(), dtype=object)
        name = np.array(table["name"].to_pylist(), dtype=object)
        time_ms = table["time_ms"].fill_null(0).to_numpy()
        value = table["value"].to_numpy()
        text = table["text"].to_pylist()
    except (KeyError, ValueError) as error:
        raise ArchiveError(
            f"{where}: not a market context written by this package ({error!r}); take the file "
            "back from the copy of the archive"
        ) from error

    def scalar(key: str) -> float | None:
        here = part == key
        return float(value[here][0]) if here.any() else None

    def series(key: str) -> TimeSeries:
        return _series(tuple(facts["columns"][key]), part == key, name, time_ms, value)

    future = part == "future"
    return MarketContext(
        index_price=scalar("index_price"),
        perpetual_mark=scalar("perpetual_mark"),
        future_names=tuple(str(f) for f in name[future]),
        future_expiry_ms=time_ms[future],
        future_mark=value[future],
        candles_1h=series("candles_1h"),
        candles_1m=series("candles_1m"),
        funding=series("funding"),
        dvol=series("dvol"),
        simulated=bool(facts["simulated"]),
        missing=tuple(Rejection(*json.loads(text[i])) for i in np.flatnonzero(part == "missing")),
    )


def _fields(rejection: Rejection) -> list[str]:
    return [rejection.stage, rejection.reason, rejection.subject, rejection.detail]


def _series(
    columns: tuple[str, ...],
    here: np.ndarray[tuple[int], np.dtype[np.bool_]],
    name: np.ndarray[tuple[int], np.dtype[np.object_]],
    time_ms: IntArray,
    value: FloatArray,
) -> TimeSeries:
    first = here & (name == columns[0])
    values = [value[here & (name == column)] for column in columns]
    return TimeSeries(time_ms[first], columns, np.stack(values, axis=1))
