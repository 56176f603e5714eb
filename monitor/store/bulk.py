"""Many rows at once, by the fastest way each database offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from monitor.arrays import FloatArray

Rows = Iterable[Sequence[Any]]


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert tuples of plain Python values in the order of `columns`, within the transaction.

    SQLite is given the tuples as they are; PostgreSQL reads them by COPY. Both go past
    SQLAlchemy's per-value handling, which costs as much as the database.
    """
    unknown = set(columns) - set(table.c.keys())
    assert not unknown, f"{table.name} has no {unknown}"
    names = ", ".join(columns)
    cursor: Any = connection.connection.cursor()
    try:
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)
        else:
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
    finally:
        cursor.close()


def insert_or_nothing(connection: Connection, table: Table) -> Insert:
    """Return an insert that leaves a row alone which is there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def nullable(values: FloatArray) -> list[float | None]:
    """Return Python numbers, None for NaN."""
    return [None if value != value else value for value in values.tolist()]


def null_if_nan(value: float | None) -> float | None:
    """Return a Python number, None for NaN and None."""
    return None if value is None or value != value else float(value)
