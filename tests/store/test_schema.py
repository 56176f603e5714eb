"""The schema from nothing to current, and what is said when it is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, create_engine, inspect, text

from monitor.errors import SchemaMismatch, StoreError
from monitor.store import SchemaState, Store, open_store, schema
from monitor.store.folder import sql_folder, views
from monitor.store.migrate import VERSION_TABLE, head
from monitor.store.reader import runs_frame
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall


def execute(store: Store, *statements: str) -> None:
    with store.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_migrating_from_nothing_gives_the_tables_of_the_code(empty_url: str) -> None:
    with open_store(empty_url) as store:
        assert store.check() is SchemaState.EMPTY
        store.upgrade()
        assert store.check() is SchemaState.CURRENT
        with store.reading() as connection:
            options = {
                "compare_type": True,
                "version_table": VERSION_TABLE,
                "include_name": lambda name, kind, _: kind != "table" or name != VERSION_TABLE,
            }
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, schema.metadata) == []
            found = inspect(connection)
            assert set(found.get_view_names()) == {name for name, _ in views()}
            for table in schema.metadata.tables.values():
                checks = {c["name"] for c in found.get_check_constraints(table.name)}
                wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
                assert checks == wanted
        assert write_assessment(store, make_assessment(0), wall=wall(0), tell=True)


def test_upgrading_what_is_current_changes_nothing(store: Store) -> None:
    write_assessment(store, make_assessment(0), wall=wall(0), tell=False)
    store.upgrade()
    assert len(runs_frame(store)) == 1


def test_an_empty_database_is_refused_with_what_to_do(empty_url: str) -> None:
    with (
        open_store(empty_url) as store,
        pytest.raises(SchemaMismatch, match="no tables yet: run `misspec db upgrade`"),
    ):
        runs_frame(store)


def test_a_newer_schema_is_refused_and_not_touched(url: str) -> None:
    with open_store(url) as store:
        execute(store, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    try:
        with open_store(url) as store:
            assert store.check() is SchemaState.NEWER
            with pytest.raises(SchemaMismatch, match="newer than this program's"):
                write_assessment(store, make_assessment(0), wall=wall(0), tell=False)
            with pytest.raises(SchemaMismatch, match="install the version"):
                store.upgrade()
    finally:
        _put_back(url, f"UPDATE {VERSION_TABLE} SET version_num = '{head()}'")


def test_views_of_another_version_are_replaced_by_whoever_may_write(url: str) -> None:
    with open_store(url) as store:
        write_assessment(store, make_assessment(0), wall=wall(0), tell=False)
        execute(
            store,
            "UPDATE facts SET value = 'another' WHERE name = 'views'",
            "DROP VIEW incident_board",
        )
    with open_store(url, readonly=True) as store:
        assert store.check() is SchemaState.OTHER_VIEWS
        with pytest.raises(SchemaMismatch, match="replaces the views and touches no table"):
            runs_frame(store)
    with open_store(url) as store:
        assert len(runs_frame(store)) == 1
        assert store.check() is SchemaState.CURRENT
        with store.reading() as connection:
            assert "incident_board" in inspect(connection).get_view_names()


def test_tables_of_another_program_are_not_taken_for_ours(empty_url: str) -> None:
    with open_store(empty_url) as store:
        engine = create_engine(store._url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE runs (distance INTEGER)"))
        engine.dispose()
        for ask in (store.check, store.upgrade):
            with pytest.raises(SchemaMismatch, match="tables of another program"):
                ask()


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (*views(), ("broken_view", "SELECT * FROM nowhere +"))
    monkeypatch.setattr("monitor.store.migrate.views", lambda: broken)
    with open_store(empty_url) as store:
        with pytest.raises(StoreError, match="syntax error"):
            store.upgrade()
        assert store.check() is SchemaState.EMPTY
        monkeypatch.undo()
        store.upgrade()
        assert store.check() is SchemaState.CURRENT


def test_history_is_not_thrown_away_by_a_downgrade(url: str) -> None:
    from alembic import command

    from monitor.store.migrate import _config

    with (
        open_store(url) as store,
        pytest.raises(NotImplementedError, match="restore a backup"),
        store._begin(writing=True) as connection,
    ):
        command.downgrade(_config(connection), "base")


def test_an_installed_wheel_finds_its_sql_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "monitor"
    shutil.copytree(sql_folder(), package / "_sql")
    monkeypatch.setattr("monitor.__file__", str(package / "__init__.py"))
    sql_folder.cache_clear()
    try:
        assert sql_folder() == package / "_sql"
    finally:
        monkeypatch.undo()
        sql_folder.cache_clear()


def _put_back(url: str, statement: str) -> None:
    """Undo what a test did to a database that later tests share."""
    store = open_store(url)
    with store._begin(writing=True) as connection:
        connection.execute(text(statement))
    store.close()
