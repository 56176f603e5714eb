"""Whether what is stored is whole: what an operator wants to know after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text

from monitor.store import schema
from monitor.store.address import sqlite_path
from monitor.store.base import Store
from monitor.store.folder import query

_LATEST = 100  # runs: a crash damages what is being written
# SQLite reads its whole file to check it: some seconds, not minutes.
_CHECKED_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Soundness:
    """What a look into a store found.

    Attributes
    ----------
    n_runs : int
        Stored in all.
    n_checked : int
        The latest, which were looked at.
    broken : tuple of str
        Ids of those among them that are not whole.
    damage : str
        The database's own words about its file; empty where it found nothing, or was not asked.
    """

    n_runs: int
    n_checked: int
    broken: tuple[str, ...]
    damage: str


def soundness(store: Store, *, latest: int = _LATEST) -> Soundness:
    """Return whether the latest runs are whole, and a SQLite file of up to 1 GB undamaged.

    Raises
    ------
    StoreUnavailable, SchemaMismatch
    """
    with store.reading() as connection:
        n_runs = connection.scalar(select(func.count()).select_from(schema.runs)) or 0
        broken = connection.execute(query("broken_runs"), {"n": latest}).scalars().all()
        damage = ""
        path = sqlite_path(connection.engine.url)
        if path is not None and path.stat().st_size <= _CHECKED_BYTES:
            found = str(connection.scalar(text("PRAGMA quick_check(1)")))
            damage = "" if found == "ok" else found.splitlines()[0]
    return Soundness(n_runs, min(n_runs, latest), tuple(broken), damage)
