"""Bring a database to the schema of this code, and say where it stands."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.engine import Connection

from monitor.errors import SchemaMismatch
from monitor.store import schema
from monitor.store.folder import sql_folder, views, views_digest

# Not Alembic's own name: Prefect keeps its revision under that one and may share the database.
VERSION_TABLE = "misspec_schema"
_LOCK = 0x6D697373  # "miss": PostgreSQL's advisory lock of whoever upgrades


class SchemaState(StrEnum):
    """Where a database stands against this code."""

    CURRENT = "current"
    OLDER = "older"
    OTHER_VIEWS = "other views"  # the tables are ours, the views another version's
    NEWER = "newer"
    EMPTY = "empty"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(sql_folder() / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def head() -> str:
    """Return the revision that this code is written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # the folder was found by its env.py; it has a first revision
    return revision


def revision_of(connection: Connection) -> str | None:
    """Return the revision a database is at; None where it has none."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def state_of(connection: Connection) -> SchemaState:
    """Return where the database stands.

    Raises
    ------
    SchemaMismatch
        If tables of our names stand there that we did not make.
    """
    revision = revision_of(connection)
    if revision is None:
        ours = set(schema.metadata.tables) & set(inspect(connection).get_table_names())
        if ours:
            raise SchemaMismatch(
                f"the database holds tables of another program ({', '.join(sorted(ours))}): "
                "give this one a database, or a PostgreSQL schema, of its own"
            )
        return SchemaState.EMPTY
    if revision == head():
        facts = schema.facts
        stored = connection.scalar(select(facts.c.value).where(facts.c.name == "views"))
        return SchemaState.CURRENT if stored == views_digest() else SchemaState.OTHER_VIEWS
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return SchemaState.OLDER if revision in known else SchemaState.NEWER


def upgrade(connection: Connection) -> None:
    """Migrate to this code's schema and publish its views, within the caller's transaction.

    The views are dropped first and made anew last: they are read from files, not from revisions,
    so that a table may change under them.

    Raises
    ------
    SchemaMismatch
        If the database is newer than this code.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    state = state_of(connection)
    if state is SchemaState.CURRENT:
        return
    if state is SchemaState.NEWER:
        raise SchemaMismatch(mismatch(state, revision_of(connection)))
    _drop_views(connection)
    command.upgrade(_config(connection), "head")
    for name, select_statement in views():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS\n{select_statement}")
    facts = schema.facts
    connection.execute(facts.delete().where(facts.c.name.in_(["views", "view_names"])))
    connection.execute(
        facts.insert(),
        [
            {"name": "views", "value": views_digest()},
            {"name": "view_names", "value": " ".join(name for name, _ in views())},
        ],
    )


def _drop_views(connection: Connection) -> None:
    if not inspect(connection).has_table(schema.facts.name):
        return
    facts = schema.facts
    names = connection.scalar(select(facts.c.value).where(facts.c.name == "view_names"))
    for name in reversed((names or "").split()):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def mismatch(state: SchemaState, revision: str | None) -> str:
    """Return what to tell an operator of a database that this code cannot work with."""
    if state is SchemaState.EMPTY:
        return "the database has no tables yet: run `misspec db upgrade`"
    if state is SchemaState.OTHER_VIEWS:
        return (
            "its tables are this program's and its views another version's: run `misspec db "
            "upgrade`, which replaces the views and touches no table"
        )
    if state is SchemaState.OLDER:
        return (
            f"the database's schema ({revision}) is older than this program's ({head()}): "
            "make a backup and run `misspec db upgrade`"
        )
    return (
        f"the database's schema ({revision}) is newer than this program's ({head()}): "
        "install the version of misspec that upgraded it"
    )
