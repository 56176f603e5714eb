"""From a database URL to an engine, and from a driver's error to one of ours.

Passwords never reach a message: addresses are printed by `redacted`, and a driver's text is
quoted only where it is about SQL, never where it is about the connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import StaticPool

from monitor.errors import ConfigurationError, StoreError, StoreUnavailable

BUSY_TIMEOUT_S = 15.0
WRITING = "misspec_writing"  # execution option: this transaction will write
LARGE = "misspec_large"  # execution option: the answer has many rows
_SECRET_WORDS = ("password", "passfile", "sslkey", "sslpassword", "secret", "token")
_EXAMPLE = "sqlite:////var/lib/misspec/misspec.db or postgresql://user@host/misspec"


def parse_url(url: str) -> URL:
    """Return the parsed address, with our driver where none is named.

    Raises
    ------
    ConfigurationError
        If it is no database URL, or of a database that is neither SQLite nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        # The text is not repeated: a mistyped address still holds its password.
        raise ConfigurationError(f"the database URL cannot be read: give e.g. {_EXAMPLE}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        f"a database of kind {parsed.drivername!r} is not supported: give e.g. {_EXAMPLE}"
    )


def redacted(url: URL) -> str:
    """Return the address as it may be shown: without password and without secret options.

    Examples
    --------
    >>> redacted(make_url("postgresql://desk:hunter2@db/misspec?sslpassword=x"))
    'postgresql://desk:***@db/misspec?sslpassword=hidden'
    """
    query = {
        name: "hidden" if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in url.query.items()
    }
    shown = url.set(query=query, drivername=url.get_backend_name())
    return shown.render_as_string(hide_password=True)


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite address; None in memory and on PostgreSQL."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).expanduser()


def build_engine(url: URL, *, readonly: bool) -> Engine:
    """Return an engine that connects when first asked.

    SQLite: write-ahead log, full synchronisation (a told incident survives a power cut),
    `BUSY_TIMEOUT_S` of patience (``?timeout=`` in the URL changes it), foreign keys enforced, and
    transactions that begin where they are begun: the driver's own habit is to begin at the first
    change, so that two reads before it could see two different states.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, readonly=readonly)
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 10,
                "application_name": "misspec",
                # A plan made for a stream of nights would be kept for one of five minutes.
                "prepare_threshold": None,
            },
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"PostgreSQL needs the driver {error.name}: pip install 'misspec[postgres]'"
        ) from error

    @event.listens_for(engine, "before_cursor_execute")
    def send_as_it_is(_: Connection, cursor: Any, *asked: Any) -> None:
        # Numbers written as text and read back are half the time of a large answer.
        if asked[2] is not None and asked[2].execution_options.get(LARGE, False):
            cursor.format = 1

    return engine


def _sqlite_engine(url: URL, *, readonly: bool) -> Engine:
    path = sqlite_path(url)
    options: dict[str, Any] = {"connect_args": {}}
    if "timeout" not in url.query:
        options["connect_args"]["timeout"] = BUSY_TIMEOUT_S
    if path is None:
        options["poolclass"] = StaticPool
        options["connect_args"]["check_same_thread"] = False
    else:
        url = url.set(database=str(path))
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        if readonly:
            cursor.execute("PRAGMA query_only = ON")
        elif path is not None:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -65536")  # 64 MiB: a year of hot pages
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(WRITING, False)
        # A reader that turns writer cannot wait for its turn: SQLite refuses it at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn a driver's error into `StoreUnavailable` or `StoreError`, saying what to do."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(url, error.orig) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(f"{redacted(url)}: {type(error).__name__}: {error}") from error
    except sqlite3.Error as error:
        raise _translate(url, error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise _translate(url, error) from error


_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another program: wait for it, or stop it",
    sqlite3.SQLITE_LOCKED: "is locked by another connection: wait for it, or stop it",
    sqlite3.SQLITE_READONLY: "is read-only: give write permission on the file and its folder",
    sqlite3.SQLITE_PERM: "may not be written: give write permission on the file and its folder",
    sqlite3.SQLITE_FULL: "has no room left: free disk space and run again, nothing was lost",
    sqlite3.SQLITE_IOERR: "could not be read or written: check the disk and its free space",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that the folder exists and may be written",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database: check the address",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a backup",
}

# Prefixes of SQLSTATE, the longest that matches speaks.
_POSTGRES = {
    "08": "does not answer: check host, port and network",
    "28": "refuses the user or the password: check the address",
    "3D": "has no database of that name: create it, or check the address",
    "25006": "is read-only: connect to the primary",
    "42501": "does not give this user the right: grant it on the schema and its tables",
    "53100": "has no room left: free disk space and run again, nothing was lost",
    "53": "has no resources left: raise its limits, or run fewer workers",
    "55P03": "is locked by another program: wait for it, or stop it",
    "57014": "cancelled the statement: raise statement_timeout",
    "57P": "is shutting down or starting: run again when it is up",
    "40": "could not serialise this with another writer: run again",
}


def _translate(url: URL, error: BaseException | None) -> StoreError:
    where = f"the database {redacted(url)}"
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        hint = _SQLITE.get(code & 0xFF) if code is not None else None
        if hint:
            return StoreUnavailable(f"{where} {hint} (SQLite: {error})")
        return StoreError(f"{where} refused a statement: {error}")
    state = getattr(error, "sqlstate", None)
    if state is None and type(error).__name__ in ("OperationalError", "ConnectionTimeout"):
        state = _connect_state(str(error))
    if state is not None:
        for length in (5, 3, 2):
            if hint := _POSTGRES.get(state[:length]):
                return StoreUnavailable(f"{where} {hint} (SQLSTATE {state})")
    return StoreError(f"{where} refused a statement: {type(error).__name__} ({state}): {error}")


def _connect_state(message: str) -> str:
    """Return the SQLSTATE of a refused connection: the driver gives only the server's words."""
    if "authentication failed" in message or "no password supplied" in message:
        return "28P01"
    if "does not exist" in message and "database" in message:
        return "3D000"
    if "too many" in message:
        return "53300"
    return "08001"
