"""What an operator reads of a broken database or archive: one sentence, what to do, a code."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from monitor.store import open_store
from monitor.store.migrate import VERSION_TABLE
from tests.cli.conftest import Answer, run
from tests.store.conftest import OwnServer

PASSWORD = "T0p-secret"
READING = ("status", "history --metric rmse_iv", "surface --underlying BTC", "alerts list")
WRITING = ("backfill --archive {archive}", "db upgrade")


@pytest.fixture
def ask(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Give a command to a desk with a database of that URL."""
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MISSPEC_MODELS", "black")

    def command(url: str, words: str) -> Answer:
        monkeypatch.setenv("MISSPEC_DATABASE_URL", url)
        answer = run(*words.format(archive=recorded).split())
        assert PASSWORD not in answer.err + answer.out
        assert "Traceback" not in answer.err
        return answer

    return command


@pytest.fixture
def no_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the doctor asks of the network."""
    monkeypatch.setattr("monitor.health._venue", lambda config, name: _fine(name))


def _fine(name: str) -> Any:
    from monitor.health import Check

    return Check(name, "ok", "not asked")


def letter(folder: Path) -> str:
    path = folder / "letter.db"
    path.write_text("Dear desk, " * 1000)
    return f"sqlite:///{path}"


def of_another_program(folder: Path) -> str:
    path = folder / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (distance INTEGER)")
    connection.close()
    return f"sqlite:///{path}"


def under_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    return f"sqlite:///{folder / 'file' / 'misspec.db'}"


@pytest.mark.parametrize(
    "url", ["nonsense", f"mysql://desk:{PASSWORD}@h/d", f"postgres+odd://desk:{PASSWORD}@h/d"]
)
def test_an_address_of_no_database_is_bad_configuration(
    ask: Callable[..., Answer], no_venue: None, url: str
) -> None:
    for words in (*READING, *WRITING):
        answer = ask(url, words)
        assert (answer.code, answer.out) == (2, "")
        assert "give e.g. sqlite:" in answer.err
    answer = ask(url, "doctor --format csv")
    assert answer.code == 1
    assert "give e.g. sqlite:" in answer.out


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (letter, "is not a SQLite database: check the address"),
        (of_another_program, "tables of another program"),
        (under_a_file, "cannot be|nothing is stored yet"),
        (lambda _: f"postgresql://desk:{PASSWORD}@127.0.0.1:1/d", "check host, port and network"),
    ],
)
def test_a_database_that_cannot_serve_is_named_with_what_to_do(
    ask: Callable[..., Answer],
    tmp_path: Path,
    broken: Callable[[Path], str],
    said: str,
) -> None:
    if "host" in said:
        pytest.importorskip("psycopg")
    url = broken(tmp_path)
    for words in (*READING, *WRITING):
        answer = ask(url, words)
        assert (answer.code, answer.out) == (1, "")
        assert any(part in answer.err for part in said.split("|")), answer.err


def test_a_newer_schema_asks_for_the_newer_program(
    ask: Callable[..., Answer], empty_url: str
) -> None:
    with open_store(empty_url) as store:
        store.upgrade()
        with store.writing() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for words in (*READING, *WRITING):
        answer = ask(empty_url, words)
        assert (answer.code, answer.out) == (1, "")
        assert "install the version of misspec that upgraded it" in answer.err


@contextmanager
def statements(url: str, before: str, after: str) -> Iterator[None]:
    """Do something to a PostgreSQL database as its owner, and undo it."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for statement in before.split(";;"):
            connection.execute(text(statement))
        try:
            yield
        finally:
            for statement in after.split(";;"):
                connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def server(own_server: OwnServer) -> str:
    """The URL of a server of our own, upgraded and empty."""
    with open_store(own_server.url) as store:
        store.upgrade()
        with store.writing() as connection:
            connection.execute(text("TRUNCATE runs, series, streams, models, answers CASCADE"))
    return own_server.url


def test_a_wrong_password_is_said_to_be_wrong(
    ask: Callable[..., Answer], own_server: OwnServer, server: str
) -> None:
    rules = own_server.folder / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text(f"local all clerk scram-sha-256\n{before}")
        with statements(
            server,
            f"CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}';;SELECT pg_reload_conf()",
            "DROP ROLE clerk",
        ):
            for wrong in (None, PASSWORD[:-1]):
                url = make_url(server).set(username="clerk", password=wrong)
                answer = ask(url.render_as_string(hide_password=False), "status")
                assert (answer.code, answer.out) == (1, "")
                assert "refuses the user or the password: check the address" in answer.err
    finally:
        rules.write_text(before)


def test_a_full_server_loses_one_night_whole_and_goes_on_where_it_stood(
    ask: Callable[..., Answer], server: str
) -> None:
    # From the third night on, the server says what it says when its disk is full.
    full = (
        "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF (SELECT COUNT(*) FROM verdicts) >= 4 THEN "
        "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END IF; "
        "RETURN NEW; END $$"
    )
    trigger = "CREATE TRIGGER full_up BEFORE INSERT ON metrics FOR EACH STATEMENT EXECUTE FUNCTION"
    backfill = "backfill --archive {archive}"
    with statements(
        server,
        f"{full};;{trigger} full_up()",
        "DROP TRIGGER full_up ON metrics;;DROP FUNCTION full_up",
    ):
        answer = ask(server, backfill)
        assert (answer.code, answer.out) == (1, "")
        assert "no room left: free disk space and run again, nothing was lost" in answer.err
        assert len(ask(server, "history --metric rmse_iv --format csv").out.splitlines()) == 1 + 2
    again = ask(server, backfill)
    assert (again.code, again.out) == (
        0,
        "4 snapshots: 2 stored before, 2 new, 0 of them without usable data\n",
    )


def test_a_user_who_may_read_alone_reads_and_is_refused_to_write(
    ask: Callable[..., Answer], server: str
) -> None:
    ask(server, "backfill --archive {archive} --to 2026-01-06")
    with statements(
        server,
        "CREATE ROLE reader LOGIN;;GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reader;;DROP ROLE reader",
    ):
        url = make_url(server).set(username="reader").render_as_string()
        assert ask(url, "status").code == 0
        refused = ask(url, "backfill --archive {archive}")
        assert (refused.code, refused.out) == (1, "")
        assert "does not give this user the right: grant it" in refused.err


OTHER_VIEWS = "UPDATE facts SET value = 'another' WHERE name = 'views'"


def test_views_of_another_version_are_replaced_by_whoever_may_and_named_to_others(
    ask: Callable[..., Answer], server: str, tmp_path: Path
) -> None:
    for url in (f"sqlite:///{tmp_path / 'views.db'}", server):
        assert ask(url, "backfill --archive {archive} --to 2026-01-06").code == 0
        with open_store(url) as store, store.writing() as connection:
            connection.execute(text(OTHER_VIEWS))
            connection.execute(text("DROP VIEW verdict_board"))
        if url == server:
            with statements(
                server,
                "CREATE ROLE reader LOGIN;;GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
                "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reader;;DROP ROLE reader",
            ):
                reader = make_url(server).set(username="reader").render_as_string()
                refused = ask(reader, "status")
                assert (refused.code, refused.out) == (1, "")
                assert "run `misspec db upgrade`, which replaces the views" in refused.err
        assert ask(url, "status").code == 0
        assert ask(url, "db current").out == "current\n"
        with open_store(url) as store, store.reading() as connection:
            assert connection.scalar(text("SELECT COUNT(*) FROM verdict_board")) == 2


# --- archives -----------------------------------------------------------------------------------


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 64] = bytes(255 - b for b in content[middle : middle + 64])
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [half, empty, flipped])
def test_a_damaged_snapshot_is_named_and_nothing_before_it_is_lost(
    ask: Callable[..., Answer], recorded: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(recorded, copy)
    files = sorted(p for p in copy.rglob("*.parquet") if not p.name.endswith(".context.parquet"))
    assert len(files) == 4
    url = f"sqlite:///{tmp_path / 'misspec.db'}"
    whole = files[2].read_bytes()
    damage(files[2])
    answer = ask(url, f"backfill --archive {copy}")
    assert (answer.code, answer.out) == (1, "")
    assert str(files[2]) in answer.err
    assert "copy" in answer.err  # move it away, or take it back from one
    # Without it the rest is judged; with it back, what is missing.
    files[2].unlink()
    assert ask(url, f"backfill --archive {copy}").code == 0
    files[2].write_bytes(whole)
    again = ask(url, f"backfill --archive {copy}")
    assert again.code == 0
    assert ask(url, "history --metric rmse_iv --format csv").out.count("\n") == 1 + 4


def test_a_chain_that_was_changed_since_is_not_replayed(
    ask: Callable[..., Answer], recorded: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(recorded, copy)
    url = f"sqlite:///{tmp_path / 'misspec.db'}"
    assert ask(url, f"backfill --archive {copy}").code == 0
    assert ask(url, "replay --random 4").code == 0
    for path in copy.rglob("*.parquet"):
        if not path.name.endswith(".context.parquet"):
            half(path)
    answer = ask(url, "replay --random 1")
    assert (answer.code, answer.out) == (1, "")
    assert "half-written or damaged file" in answer.err
