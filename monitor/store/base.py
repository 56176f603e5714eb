"""The store: one database, opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from sqlalchemy.engine import Connection

from monitor.errors import SchemaMismatch, StoreUnavailable
from monitor.store import migrate
from monitor.store.address import (
    WRITING,
    build_engine,
    parse_url,
    redacted,
    sqlite_path,
    translated,
)
from monitor.store.dictionary import Dictionary
from monitor.store.migrate import SchemaState


class Store:
    """One database, SQLite or PostgreSQL; made by `open_store`.

    A store may be used from several threads. It does not survive a fork: open one in each process.

    Attributes
    ----------
    address : str
        Where it is, without secrets.
    readonly : bool
    dictionary : Dictionary
        Keys of streams, models and series met so far.
    """

    def __init__(self, url: str, *, readonly: bool = False) -> None:
        self._url = parse_url(url)
        self.address = redacted(self._url)
        self.readonly = readonly
        self.dictionary = Dictionary()
        self._engine = build_engine(self._url, readonly=readonly)
        self._is_current = False

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def check(self) -> SchemaState:
        """Return where the database's schema stands against this code's.

        Raises
        ------
        StoreUnavailable
            If the database cannot be asked.
        SchemaMismatch
            If it holds another program's tables under our names.
        """
        if self._is_missing():
            return SchemaState.EMPTY
        with translated(self._url), self._engine.connect() as connection:
            return migrate.state_of(connection)

    def upgrade(self) -> None:
        """Create or migrate the tables and publish the views: all of it, or nothing.

        Raises
        ------
        StoreUnavailable
            If the database cannot be written.
        SchemaMismatch
            If it is newer than this code.
        """
        if self.readonly:
            raise StoreUnavailable(f"{self.address} was opened for reading: it cannot be upgraded")
        path = sqlite_path(self._url)
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailable(
                    f"the folder {path.parent} cannot be made: {error.strerror}"
                ) from error
        with translated(self._url), self._begin(writing=True) as connection:
            migrate.upgrade(connection)
        self._is_current = True

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection inside one transaction that commits on leaving, or not at all."""
        if self.readonly:
            raise StoreUnavailable(f"{self.address} was opened for reading only")
        self._require_current()
        with translated(self._url), self._begin(writing=True) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database throughout."""
        self._require_current()
        with translated(self._url), self._begin(writing=False) as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.address!r})"

    def _is_missing(self) -> bool:
        path = sqlite_path(self._url)
        return path is not None and not path.exists()

    def _require_current(self) -> None:
        if self._is_current:
            return
        if self._is_missing() and self.readonly:
            raise StoreUnavailable(f"there is no database at {self.address}")
        state = self.check()
        if state is SchemaState.OTHER_VIEWS and not self.readonly:
            # Views are code: they are made anew by whoever may write, and no row is touched.
            self.upgrade()
        elif state is not SchemaState.CURRENT:
            revision = None
            if state is not SchemaState.EMPTY:
                with translated(self._url), self._engine.connect() as connection:
                    revision = migrate.revision_of(connection)
            raise SchemaMismatch(f"{self.address}: {migrate.mismatch(state, revision)}")
        self._is_current = True

    @contextmanager
    def _begin(self, *, writing: bool) -> Iterator[Connection]:
        options: dict[str, object] = {WRITING: writing}
        if self.dialect == "postgresql" and not writing:
            # Several statements of one reader must see one state: never half a run.
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection


def open_store(url: str, *, readonly: bool = False) -> Store:
    """Return the store at a database URL; it connects when first asked.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user:password@host/database``.
    readonly : bool
        Refuse every change.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read, names another kind of database, or its driver is missing.
    """
    return Store(url, readonly=readonly)
