"""What has outlived its time: out of the database, into cold files. Numbers stay for ever.

Each quote's residuals, and the quotes as they were cleaned, are most of a run's rows, and can be
made again from the archived chain (`misspec replay`). They leave in lots of whole runs: the file is
on disk and was read back before its rows are deleted, in one transaction. A crash between the two
leaves both, and the next time the same file is written again. *Refused:* partitions dropped by
month, which SQLite does not have; deleting without a copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.engine import Connection

from monitor.archive.cold import write_cold
from monitor.arrays import digest_of
from monitor.errors import StoreError
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import iso

LOT = 200  # runs in one file


@dataclass(frozen=True, slots=True)
class Retired:
    """One lot of runs whose rows have left, or would.

    Attributes
    ----------
    month : str
        ``2026-02``.
    runs, rows : int
    file : Path
    """

    month: str
    runs: int
    rows: int
    file: Path


def retire(
    store: Store, folder: Path, *, before: datetime, dry_run: bool = False
) -> Iterator[Retired]:
    """Move the residuals of runs from before a moment of the venue's time to cold files.

    Parameters
    ----------
    store : Store
    folder : Path
    before : datetime
    dry_run : bool
        Say what would move, and move nothing.

    Raises
    ------
    ArchiveError
        If a file cannot be written: its rows stay.
    StoreError
        If a file does not hold what the database does: its rows stay.
    """
    with store.reading() as connection:
        by_month = _runs_with_rows(connection, before)
    for month, runs in by_month.items():
        for start in range(0, len(runs), LOT):
            lot = runs[start : start + LOT]
            name = f"residuals-{month}-{digest_of([id_ for _, id_ in lot])[:10]}.parquet"
            yield _retire(store, folder / month[:4] / name, month, lot, dry_run)


def _runs_with_rows(connection: Connection, before: datetime) -> dict[str, list[tuple[int, str]]]:
    r, q = schema.runs.c, schema.quotes.c
    wanted = (
        select(r.key, r.id, r.as_of)
        .where(r.as_of < iso(before), select(q.i).where(q.run_key == r.key).exists())
        .order_by(r.as_of, r.key)
    )
    months: dict[str, list[tuple[int, str]]] = {}
    for key, id_, as_of in connection.execute(wanted):
        months.setdefault(as_of[:7], []).append((key, id_))
    return months


def _retire(
    store: Store, file: Path, month: str, lot: Sequence[tuple[int, str]], dry_run: bool
) -> Retired:
    keys = [key for key, _ in lot]
    with store.reading() as connection:
        columns = _columns(connection, keys)
    rows = len(columns["run_id"])
    if not dry_run:
        kept = write_cold(file, columns)
        if kept != rows:
            raise StoreError(f"{file} holds {kept} rows of {rows}: nothing was deleted")
        with store.writing() as connection:
            for table in (schema.residuals, schema.quotes):
                connection.execute(delete(table).where(table.c.run_key.in_(keys)))
    return Retired(month, len(lot), rows, file)


def _columns(connection: Connection, keys: Sequence[int]) -> dict[str, list[Any]]:
    """Return quotes and each model's residuals on them, a row a model and quote, by column.

    A quote that no model was laid on stands with its model empty.
    """
    r, t, x, o = schema.runs.c, schema.streams.c, schema.expiries.c, schema.models.c
    d, q = schema.residuals.c, schema.quotes.c
    own = [q[name] for name in _names(schema.quotes) if name not in ("run_key", "expiry_i")]
    wanted = (
        select(
            *(r.id.label("run_id"), r.slot, r.as_of, t.venue, t.underlying, t.cadence, x.expiry),
            *own,
            *(o.name.label("model"), d.iv.label("model_iv"), d.z),
        )
        .select_from(schema.quotes)
        .join(schema.runs, r.key == q.run_key)
        .join(schema.streams, t.key == r.stream_key)
        .join(schema.expiries, (x.run_key == q.run_key) & (x.i == q.expiry_i))
        .outerjoin(schema.residuals, (d.run_key == q.run_key) & (d.i == q.i))
        .outerjoin(schema.models, o.key == d.model_key)
        .where(q.run_key.in_(keys))
        .order_by(r.as_of, r.key, o.name, q.i)
    )
    result = connection.execute(wanted)
    names, rows = list(result.keys()), result.all()
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]
