"""Large answers, column by column.

A driver makes an object of every value and a tuple of every row; for a year of five-minute runs
that costs more than the database does. PostgreSQL is asked for one row of whole columns instead,
which are read as the bytes they are; SQLite runs in this process, and has nothing to send.
*Refused:* COPY in binary, whose rows the driver hands over one by one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.engine import Connection

from monitor.arrays import FloatArray, IntArray
from monitor.errors import StoreError
from monitor.store.address import LARGE

Column = IntArray | FloatArray | list[str] | np.ndarray[Any, np.dtype[np.bytes_]]

# What is sent of a column, by its kind; words hold no line feed: ids, slots and instants.
_SENT = {
    int: "ARRAY_AGG({0})",
    float: "ARRAY_AGG(COALESCE({0}, 'NaN'))",
    str: "STRING_AGG({0}, CHR(10))",
    bytes: "STRING_AGG({0}, CHR(10))",
}
_KINDS: dict[type, Any] = {int: np.int64, float: np.float64, bytes: np.bytes_}
_HEADER = 20  # bytes before an array's elements: dimensions, nulls, type, length, lower bound
_ELEMENTS = {20: ">i8", 21: ">i2", 23: ">i4", 701: ">f8"}  # by the type's number in its catalogue


def columns_of(
    connection: Connection, statement: TextClause, kinds: dict[str, type], values: dict[str, Any]
) -> dict[str, Column]:
    """Return an answer's columns by name: arrays of numbers or of bytes, lists of words.

    Parameters
    ----------
    connection : Connection
    statement : TextClause
        Its columns are named as in `kinds`; a parameter that is a list stands after IN.
    kinds : dict of name to {int, float, str, bytes}
        Only these columns; `bytes` for words that are only compared or counted. An absent number
        is NaN; whole numbers and words are never absent.
    values : dict
        The parameters.
    """
    expanded: list[Any] = [
        bindparam(name, expanding=True) for name in values if isinstance(values[name], list)
    ]
    options = {LARGE: True}
    if connection.dialect.name == "sqlite":
        chosen = text(f"SELECT {', '.join(kinds)} FROM ({statement.text}) AS q")
        found = connection.execute(chosen.bindparams(*expanded), values, execution_options=options)
        with _collector_at_rest():
            columns = list(zip(*found.cursor.fetchall(), strict=True)) or [()] * len(kinds)
        return {
            name: list(column) if kind is str else np.array(column, dtype=_KINDS[kind])
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    sent = ", ".join(_SENT[kind].format(name) for name, kind in kinds.items())
    chosen = text(f"SELECT {sent} FROM ({statement.text}) AS q").bindparams(*expanded)
    found = connection.execute(chosen, values, execution_options=options)
    answer: Any = found.cursor.pgresult  # the driver's own reading would be value by value again
    return {
        name: _read(answer.get_value(0, i), kind) for i, (name, kind) in enumerate(kinds.items())
    }


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from walking rows that are none: half of a large answer."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(sent: bytes | None, kind: type) -> Column:
    if sent is None:  # of no rows there is no array
        return [] if kind is str else np.empty(0, dtype=_KINDS[kind])
    if kind is str:
        return sent.decode("ascii").split("\n")
    if kind is bytes:
        return _words(sent)
    _, has_null, number = np.frombuffer(sent, ">i4", 3).tolist()
    if has_null or number not in _ELEMENTS:
        raise StoreError(f"a column of type {number} has absent values or is no number: report it")
    element = np.dtype([("length", ">i4"), ("value", _ELEMENTS[number])])
    return np.frombuffer(sent, element, offset=_HEADER)["value"].astype(_KINDS[kind])


def _words(sent: bytes) -> np.ndarray[Any, np.dtype[np.bytes_]]:
    """Return what stands between the line feeds."""
    ended = sent + b"\n"
    width, count = ended.index(b"\n"), ended.count(b"\n")
    if width and len(ended) == count * (width + 1):
        # Slots and instants of one stream are of one width: there is nothing to look for.
        line = np.frombuffer(ended, np.dtype([("word", f"S{width}"), ("end", "S1")]))
        if (line["end"] == b"\n").all():
            return np.ascontiguousarray(line["word"])
    return np.array(sent.split(b"\n"))
