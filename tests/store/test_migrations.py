"""A database of the first schema, filled, is brought to today's with every row in it."""

from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Column, Double, Integer, MetaData, SmallInteger, Table, select

from monitor.store import SchemaState, Store, open_store
from monitor.store.migrate import VERSION_TABLE, _config
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall

FIRST = "0001"
ROWS = 3  # of each table
# What a constraint allows beside any text.
WORDS = {
    ("answers", "source"): ("live", "backfill"),
    ("outbox", "state"): ("pending", "sent", "dead"),
    ("deliveries", "state"): ("pending", "sent", "dead"),
}
REVISIONS = [s.revision for s in ScriptDirectory.from_config(_config()).walk_revisions()]


def migrate(store: Store, revision: str) -> None:
    with store._begin(writing=True) as connection:
        command.upgrade(_config(connection), revision)


def tables_of(store: Store) -> list[Table]:
    """Return the tables as the database has them, each after those that it refers to."""
    found = MetaData()
    with store._begin(writing=False) as connection:
        found.reflect(connection)
    return [t for t in found.sorted_tables if t.name != VERSION_TABLE]


def value(column: Column[Any], i: int) -> Any:
    """Return something that the i-th row may hold: a reference points to the i-th row."""
    words = WORDS.get((column.table.name, column.name))
    if words:
        return words[i % len(words)]
    if column.nullable and i == 0:
        return None
    if isinstance(column.type, Boolean):
        return bool(i % 2)
    if isinstance(column.type, (Integer, SmallInteger)):
        return i + 1
    if isinstance(column.type, Double):
        return 0.1 * (i + 1)  # no binary fraction: every bit must come through
    return f"{column.name} σ {i}"


def content(store: Store, tables: list[Table]) -> dict[str, list[tuple[Any, ...]]]:
    with store._begin(writing=False) as connection:
        return {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in tables}


def test_a_filled_database_of_the_first_schema_keeps_every_row(empty_url: str) -> None:
    with open_store(empty_url) as store:
        migrate(store, FIRST)
        tables = tables_of(store)
        with store._begin(writing=True) as connection:
            for table in tables:
                # Keys of their own are counted by the database: 1, 2, 3.
                columns = [c for c in table.columns if c.name != "key"]
                rows = [{c.name: value(c, i) for c in columns} for i in range(ROWS)]
                connection.execute(table.insert(), rows)
        before = content(store, tables)
        assert {len(rows) for rows in before.values()} == {ROWS}
        assert store.check() is SchemaState.OLDER
        store.upgrade()
        assert store.check() is SchemaState.CURRENT
        # By the first schema's columns: what came later stands beside them. What the upgrade
        # itself wrote, the digest of the views, is new.
        facts = next(t for t in tables if t.name == "facts")
        after = content(store, tables)
        assert set(before["facts"]) <= set(after["facts"])
        others = [t for t in tables if t is not facts]
        assert {t.name: after[t.name] for t in others} == {t.name: before[t.name] for t in others}
        assert write_assessment(store, make_assessment(0), wall=wall(0), tell=False)


@pytest.mark.parametrize("revision", REVISIONS)
def test_no_step_is_taken_back(revision: str, empty_url: str) -> None:
    with open_store(empty_url) as store:
        store.upgrade()
        with (
            pytest.raises(NotImplementedError, match="restore a backup made before the upgrade"),
            store._begin(writing=True) as connection,
        ):
            before = ScriptDirectory.from_config(_config()).get_revision(revision).down_revision
            command.downgrade(_config(connection), before or "base")
        assert store.check() is SchemaState.CURRENT
