"""What repeats, said once: text in, small integer out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Integer, Table
from sqlalchemy.engine import Connection

from monitor.assessment import Stream
from monitor.store import schema
from monitor.store.bulk import insert_or_nothing

Words = tuple[Any, ...]
_CHUNK = 500  # rows a statement: SQLite allows 32,766 values

_COLUMNS: dict[str, tuple[str, ...]] = {
    "streams": ("venue", "underlying", "cadence"),
    "models": ("name",),
    "series": ("stream_key", "metric", "scope", "model", "unit"),
}


class Dictionary:
    """Keys known to be in the database.

    Rows of these tables are never changed nor removed, so a key once read stays true. Keys made in
    a transaction are remembered only by `remember`, after it has been committed.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[Words, int]] = {name: {} for name in _COLUMNS}

    def stream_key(self, connection: Connection, stream: Stream) -> int | None:
        """Return the key of a stream; None where nothing was ever stored of it."""
        words = (stream.venue, stream.underlying, stream.cadence)
        known = self._known["streams"]
        if words not in known:
            found = _look_up(connection, schema.streams, [words])
            known.update(found)
        return known.get(words)

    def keys(self, connection: Connection, table: str, wanted: Iterable[Words]) -> dict[Words, int]:
        """Return the key of each of `wanted`, making those that are new.

        New rows are made in sorted order: two writers that make the same ones wait for one
        another instead of locking each other out.
        """
        wanted = set(wanted)
        known = self._known[table]
        keys = {words: known[words] for words in wanted if words in known}
        missing = sorted(wanted - keys.keys())
        if not missing:
            return keys
        target = schema.metadata.tables[table]
        keys |= _look_up(connection, target, missing)
        new = [words for words in missing if words not in keys]
        if new:
            connection.execute(
                insert_or_nothing(connection, target), [_row(table, words) for words in new]
            )
            keys |= _look_up(connection, target, new)
        return keys

    def remember(self, table: str, keys: dict[Words, int]) -> None:
        """Keep keys of a committed transaction."""
        self._known[table].update(keys)


def _row(table: str, words: Words) -> dict[str, Any]:
    return dict(zip(_COLUMNS[table], words, strict=True))


def _look_up(connection: Connection, table: Table, wanted: list[Words]) -> dict[Words, int]:
    """Return the keys of those of `wanted` that are there.

    By a join, of which both databases make one search of the unique index a row; of
    ``(a, b) IN (...)`` SQLite makes a scan.
    """
    names = _COLUMNS[table.name]
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    types = ("INTEGER" if isinstance(table.c[name].type, Integer) else "TEXT" for name in names)
    row = f"({', '.join(f'CAST({mark} AS {kind})' for kind in types)})"
    same = " AND ".join(f"t.{name} = w.{name}" for name in names)
    found: dict[Words, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        statement = (
            f"WITH w ({', '.join(names)}) AS (VALUES {', '.join([row] * len(chunk))}) "
            f"SELECT t.key, {', '.join(f't.{name}' for name in names)} "
            f"FROM w JOIN {table.name} t ON {same}"
        )
        values = tuple(value for words in chunk for value in words)
        for key, *words in connection.exec_driver_sql(statement, values):
            found[tuple(words)] = key
    return found
