"""A database that does not do what was asked: a named error, what to do, no secret, no loss."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, text

from monitor.errors import ConfigurationError, StoreUnavailable
from monitor.store import SchemaState, Store, open_store
from monitor.store.address import parse_url, redacted
from monitor.store.reader import runs_frame
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall

PASSWORD = "T0p-secret"


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "misspec.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


def write(store: Store, night: int = 0) -> bool:
    return write_assessment(store, make_assessment(night), wall=wall(night), tell=True)


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:p@h/d", f"postgresql+psycopg2://u:{PASSWORD}@h/d", "sqlite"]
)
def test_an_address_of_no_known_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"give e\.g\. sqlite:") as refused:
        open_store(url)
    assert PASSWORD not in str(refused.value)


def test_a_plain_postgresql_address_uses_our_driver() -> None:
    assert parse_url("postgresql://h/d").drivername == "postgresql+psycopg"


def test_no_secret_of_an_address_is_shown() -> None:
    url = make_url(
        f"postgresql://desk:{PASSWORD}@db/misspec?sslpassword={PASSWORD}&sslmode=require"
    )
    shown = redacted(url)
    assert PASSWORD not in shown
    assert "desk" in shown and "sslmode=require" in shown
    store = open_store(url.render_as_string(hide_password=False))
    assert PASSWORD not in repr(store) + store.address


# --- SQLite -------------------------------------------------------------------------------------


def test_a_locked_database_is_said_to_be_locked_and_the_run_can_be_written_after(
    file: Path,
) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_store(f"sqlite:///{file}?timeout=0.05") as store:
        with pytest.raises(StoreUnavailable, match="locked by another program"):
            write(store)
        assert runs_frame(store).empty  # reading goes on beside a writer
        other.execute("ROLLBACK")
        other.close()
        assert write(store)


def test_a_read_only_file_is_said_to_be_so(file: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write any file")
    file.chmod(0o444)
    with (
        open_store(f"sqlite:///{file}") as store,
        pytest.raises(StoreUnavailable, match=r"read-only|may not be written"),
    ):
        write(store)


def test_a_database_that_refuses_writing_is_said_to_be_read_only(file: Path) -> None:
    with open_store(f"sqlite:///{file}") as store:

        @event.listens_for(store._engine, "connect")
        def refuse(connection: sqlite3.Connection, _: object) -> None:
            connection.execute("PRAGMA query_only = ON")  # gives SQLITE_READONLY, also to root

        with pytest.raises(StoreUnavailable, match="read-only: give write permission"):
            write(store)


def test_a_store_opened_for_reading_refuses_to_write(url: str) -> None:
    with open_store(url, readonly=True) as store:
        assert runs_frame(store).empty
        with pytest.raises(StoreUnavailable, match="reading only"):
            write(store)
        with pytest.raises(StoreUnavailable, match="opened for reading"):
            store.upgrade()


def test_reading_what_is_not_there_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with open_store(f"sqlite:///{path}", readonly=True) as store:
        assert store.check() is SchemaState.EMPTY
        with pytest.raises(StoreUnavailable, match="there is no database"):
            runs_frame(store)
    assert not path.exists()


def test_a_full_disk_loses_the_run_whole_and_keeps_all_before_it(file: Path) -> None:
    limit: list[int] = []
    with open_store(f"sqlite:///{file}") as store:

        @event.listens_for(store._engine, "checkout")
        def narrow(connection: sqlite3.Connection, *_: object) -> None:
            for pages in limit:
                connection.execute(f"PRAGMA max_page_count = {pages}")

        assert write(store, 0)
        with store.reading() as connection:
            used = connection.scalar(text("PRAGMA page_count"))
        limit.append(used + 3)
        with pytest.raises(StoreUnavailable, match="no room left: free disk space"):
            write(store, 1)
        assert len(runs_frame(store)) == 1
        limit[:] = [1_000_000]
        assert write(store, 1)
        assert len(runs_frame(store)) == 2


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear desk, " * 1000)
    with (
        open_store(f"sqlite:///{path}") as store,
        pytest.raises(StoreUnavailable, match="not a SQLite database"),
    ):
        store.check()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        open_store(f"sqlite:///{tmp_path / 'file' / 'sub' / 'misspec.db'}") as store,
        pytest.raises(StoreUnavailable, match="cannot be made"),
    ):
        store.upgrade()


def test_sqlite_runs_with_a_write_ahead_log_and_foreign_keys(file: Path) -> None:
    with open_store(f"sqlite:///{file}") as store, store.reading() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL


# --- PostgreSQL ---------------------------------------------------------------------------------


@pytest.fixture
def postgres(postgres_upgraded: str) -> Iterator[str]:
    yield postgres_upgraded


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://desk:{PASSWORD}@127.0.0.1:1/misspec"  # no server listens on port 1
    with open_store(url) as store, pytest.raises(StoreUnavailable) as refused:
        store.check()
    assert "does not answer: check host, port and network" in str(refused.value)
    chain = f"{refused.value!r} {refused.value.__cause__}"
    assert PASSWORD not in chain


def test_a_database_that_is_not_on_the_server_is_said_to_be_missing(postgres: str) -> None:
    url = make_url(postgres).set(database="nowhere").render_as_string(hide_password=False)
    with (
        open_store(url) as store,
        pytest.raises(StoreUnavailable, match="no database of that name: create it"),
    ):
        store.check()


def test_a_user_without_rights_is_told_which_are_missing(postgres: str) -> None:
    with open_store(postgres) as admin, admin.writing() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN"))
    url = make_url(postgres).set(username="guest").render_as_string(hide_password=False)
    with (
        open_store(url) as store,
        pytest.raises(StoreUnavailable, match="does not give this user the right: grant it"),
    ):
        runs_frame(store)


def test_a_server_that_has_no_room_for_another_connection_is_said_to_be_full(
    postgres: str,
) -> None:
    with open_store(postgres) as admin, admin.writing() as connection:
        connection.execute(text("DROP ROLE IF EXISTS crowded"))
        connection.execute(text("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0"))
    url = make_url(postgres).set(username="crowded").render_as_string(hide_password=False)
    with open_store(url) as store, pytest.raises(StoreUnavailable, match="SQLSTATE 53300"):
        store.check()


def test_a_wrong_password_is_said_to_be_one_and_not_repeated(postgres: str) -> None:
    with open_store(postgres) as admin, admin.writing() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guarded"))
        connection.execute(text("CREATE ROLE guarded LOGIN PASSWORD 'right'"))
        file = Path(str(connection.scalar(text("SHOW hba_file"))))
        before = file.read_text(encoding="utf-8")
        file.write_text(f"local all guarded scram-sha-256\n{before}", encoding="utf-8")
        connection.execute(text("SELECT pg_reload_conf()"))
    try:
        user = make_url(postgres).set(username="guarded", password=PASSWORD)
        with (
            open_store(user.render_as_string(hide_password=False)) as store,
            pytest.raises(StoreUnavailable, match="SQLSTATE 28P01") as refused,
        ):
            _until_refused(store)
        assert PASSWORD not in f"{refused.value!r} {refused.value.__cause__}"
    finally:
        file.write_text(before, encoding="utf-8")


def _until_refused(store: Store) -> None:
    """Ask until the server has read its rules again, for two seconds at most."""
    for _ in range(40):
        store.check()
        store.close()
        time.sleep(0.05)


def test_a_connection_that_the_server_cut_is_replaced(postgres: str) -> None:
    with open_store(postgres) as store, open_store(postgres) as admin:
        with store.reading() as connection:
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
        with admin.writing() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        assert runs_frame(store).empty


def test_a_statement_cut_in_the_middle_is_unavailable_and_keeps_nothing(postgres: str) -> None:
    with open_store(postgres) as store, open_store(postgres) as admin:
        with (
            pytest.raises(StoreUnavailable, match="shutting down or starting"),
            store.writing() as connection,
        ):
            mine = connection.scalar(text("SELECT pg_backend_pid()"))
            connection.execute(text("INSERT INTO models (name) VALUES ('half')"))
            with admin.writing() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            connection.execute(text("SELECT 1"))
        with store.reading() as connection:
            count = connection.scalar(text("SELECT COUNT(*) FROM models WHERE name = 'half'"))
        assert count == 0
