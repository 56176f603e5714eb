"""What a crash would have to leave behind to be noticed is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.config import load_config
from monitor.health import examine
from monitor.store import Store, open_store
from monitor.store.soundness import soundness
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall

NIGHTS = 4


@pytest.fixture
def filled(store: Store) -> Store:
    for night in range(NIGHTS):
        found = make_assessment(night, expiries=2, strikes=4, judged=night != 3)
        write_assessment(store, found, wall=wall(night), tell=False)
    return store


def run_id(store: Store, key: int) -> str:
    with store.reading() as connection:
        return str(connection.scalar(text("SELECT id FROM runs WHERE key = :key"), {"key": key}))


def test_whole_runs_are_whole_also_a_blind_one(filled: Store) -> None:
    found = soundness(filled)
    assert (found.n_runs, found.n_checked, found.broken, found.damage) == (NIGHTS, NIGHTS, (), "")


@pytest.mark.parametrize(
    "lost",
    [
        "DELETE FROM answers WHERE run_key = 2",
        "DELETE FROM findings WHERE run_key = 2; DELETE FROM verdicts WHERE run_key = 2",
        "DELETE FROM metrics WHERE run_key = 2",
        "DELETE FROM quotes WHERE run_key = 2 AND i = 5",
        "DELETE FROM residuals WHERE run_key = 2 AND model_key = 1 AND i = 7",
    ],
)
def test_a_run_that_lacks_a_part_is_named(filled: Store, lost: str) -> None:
    with filled.writing() as connection:
        for statement in lost.split(";"):
            connection.execute(text(statement))
    assert soundness(filled).broken == (run_id(filled, 2),)
    assert soundness(filled, latest=2).broken == ()  # it is not among the latest two


def test_rows_that_retention_removed_are_not_missed(filled: Store) -> None:
    with filled.writing() as connection:
        for table in ("quotes", "residuals"):
            connection.execute(text(f"DELETE FROM {table} WHERE run_key = 1"))
    assert soundness(filled).broken == ()


def test_the_doctor_tells_of_a_damaged_file_and_what_to_do(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "misspec.db"
    path.write_bytes(sqlite_template.read_bytes())
    with open_store(f"sqlite:///{path}") as store:
        for night in range(NIGHTS):
            write_assessment(store, make_assessment(night), wall=wall(night), tell=False)
        with store.reading() as connection:
            page, root = (
                connection.scalar(text(q))
                for q in (
                    "PRAGMA page_size",
                    "SELECT rootpage FROM sqlite_master WHERE name = 'residuals'",
                )
            )
    monkeypatch.setenv("MISSPEC_DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))

    def database() -> tuple[str, str, str]:
        check = next(c for c in examine(load_config(None)) if c.what == "database")
        return check.outcome, check.found, check.advice

    assert database()[0] == "ok"
    assert "4 runs, the latest 4 whole" in database()[1]
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * page : root * page] = b"\xff" * page
    path.write_bytes(damaged)
    outcome, found, advice = database()
    assert outcome == "error"
    assert "damaged" in found
    assert "backup" in found + advice
