"""A filled database of the first schema comes up to today's with every row it had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import MetaData, insert, inspect, select, text

from monitor.errors import SchemaMismatch
from monitor.incidents.base import Event, State
from monitor.store import SchemaState, Store, open_store, schema
from monitor.store.desk import acknowledge, find
from monitor.store.frames import alerts_frame, history_frame, parameters_frame, status_frame
from monitor.store.migrate import VERSION_TABLE, _config, head
from monitor.store.writer import record_job, write_assessment
from tests.store.build import WALL, make_assessment, make_event, make_message, wall

FIRST = "0001"


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A filled store of today's schema, for its rows."""
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('today') / 'misspec.db'}") as store:
        store.upgrade()
        for night in range(4):
            event = Event.OPENED if night == 0 else Event.SEEN
            events = (make_event(event, night, opened=0),)
            found = make_assessment(
                night,
                expiries=2,
                strikes=4,
                transitions=events,
                messages=(make_message(f"m{night}"),),
            )
            write_assessment(store, found, wall=wall(night), tell=True)
        acknowledge(store, "heston", author="ann", note="on it", wall=wall(9))
        record_job(
            store,
            job="nightly",
            stream=None,
            slot="2026-01-05",
            outcome="missed",
            note="no server",
            started_wall=WALL,
            ended_wall=WALL,
        )
        yield store


def at_first(url: str, rows_of: Store) -> dict[str, list[dict[str, Any]]]:
    """Make a database of the first schema with a store's rows; return them as they are there."""
    with open_store(url) as store, store._begin(writing=True) as connection:
        command.upgrade(_config(connection), FIRST)
        then = MetaData()
        then.reflect(connection)
        with rows_of.reading() as source:
            for table in then.sorted_tables:
                if table.name in (VERSION_TABLE, "facts"):
                    continue
                names = [c.name for c in table.columns]
                now = schema.metadata.tables[table.name]
                rows = source.execute(select(*(now.c[n] for n in names))).mappings().all()
                if rows:
                    connection.execute(insert(table), [dict(row) for row in rows])
                if store.dialect == "postgresql" and "key" in names:  # as if it had counted itself
                    count = f"setval(pg_get_serial_sequence('{table.name}', 'key'), MAX(key))"
                    connection.execute(text(f"SELECT {count} FROM {table.name}"))
        # Views of that time, by which the migration must not be kept from altering tables.
        connection.execute(text("CREATE VIEW old_view AS SELECT * FROM incident_events"))
        facts = [{"name": "views", "value": "x"}, {"name": "view_names", "value": "old_view"}]
        connection.execute(insert(then.tables["facts"]), facts)
        return contents(connection, then)


def contents(connection: Any, then: MetaData) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the tables, in the columns that they had then."""
    kept = [t for t in then.sorted_tables if t.name not in (VERSION_TABLE, "facts")]
    found = {}
    for table in kept:
        names = ", ".join(f'"{c.name}"' for c in table.columns)
        rows = connection.execute(text(f'SELECT {names} FROM "{table.name}"')).mappings()
        found[table.name] = sorted((dict(row) for row in rows), key=repr)
    return found


def test_every_row_of_the_first_schema_is_there_after_the_upgrade(
    empty_url: str, today: Store
) -> None:
    before = at_first(empty_url, today)
    filled = {name for name, rows in before.items() if rows}
    assert filled >= {
        *"runs answers snapshots quotes residuals fits parameters metrics rejections".split(),
        *"verdicts findings incidents incident_events outbox job_runs streams series".split(),
    }
    with open_store(empty_url) as store:
        assert store.check() is SchemaState.OLDER
        with pytest.raises(SchemaMismatch, match="make a backup and run `misspec db upgrade`"):
            status_frame(store)
        then = MetaData()
        with store._begin(writing=False) as connection:
            then.reflect(connection)
        store.upgrade()
        assert store.check() is SchemaState.CURRENT
        with store.reading() as connection:
            assert contents(connection, then) == before
            assert "old_view" not in inspect(connection).get_view_names()
        # And it works: read, and written on.
        for frame in (status_frame, parameters_frame, lambda s: history_frame(s, "rmse")):
            assert frame(store).equals(frame(today))
        assert len(alerts_frame(store, all=True)) == 1
        assert find(store, "heston").state is State.ACKNOWLEDGED
        assert write_assessment(store, make_assessment(9), wall=wall(20), tell=True)


def test_there_is_no_way_down_and_the_refusal_says_what_to_do(url: str) -> None:
    with open_store(url) as store:
        write_assessment(store, make_assessment(0), wall=wall(0), tell=False)
        with (
            pytest.raises(
                NotImplementedError, match="history is not thrown away: restore a backup"
            ),
            store._begin(writing=True) as connection,
        ):
            command.downgrade(_config(connection), FIRST)
        assert store.check() is SchemaState.CURRENT
        with store.reading() as connection:
            revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
        assert revision == head()
        assert len(status_frame(store)) == 4


def test_an_upgrade_that_breaks_off_leaves_the_old_schema_with_every_row(
    empty_url: str, today: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = at_first(empty_url, today)
    with open_store(empty_url) as store:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("monitor.store.migrate.views", _stop)
            store.upgrade()
        assert store.check() is SchemaState.OLDER
        then = MetaData()
        with store._begin(writing=False) as connection:
            then.reflect(connection)
            assert contents(connection, then) == before
        store.upgrade()
        assert store.check() is SchemaState.CURRENT


def _stop() -> None:
    raise KeyboardInterrupt
