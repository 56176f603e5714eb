"""Residuals of old leave for cold files, whole; numbers stay, and a crash loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.archive.cold import read_cold
from monitor.errors import ArchiveError, StoreError
from monitor.keeping import keep
from monitor.store import Store, retention
from monitor.store.frames import history_frame, parameters_frame, status_frame, surface_frame
from monitor.store.retention import retire
from monitor.store.writer import write_assessment
from tests.store.build import DAWN, MODELS, make_assessment, wall

NIGHTS, QUOTES = 6, 2 * 5
BEFORE = DAWN + timedelta(days=3, hours=1)  # four nights lie before it
KEPT = "metrics parameters fits verdicts findings rejections runs answers expiries".split()


@pytest.fixture
def filled(store: Store) -> Store:
    """Six nights; of the last, the chain could not be judged."""
    for night in range(NIGHTS):
        found = make_assessment(night, expiries=2, strikes=5, judged=night < NIGHTS - 1)
        write_assessment(store, found, wall=wall(night), tell=True)
    return store


def counts(store: Store, *tables: str) -> dict[str, int]:
    with store.reading() as connection:
        return {t: connection.scalar(text(f"SELECT COUNT(*) FROM {t}")) or 0 for t in tables}


def test_old_residuals_move_whole_and_all_numbers_stay(filled: Store, tmp_path: Path) -> None:
    before = counts(filled, *KEPT), history_frame(filled, "rmse"), parameters_frame(filled)
    surface = surface_frame(filled, run_id=oldest(filled))
    (lot,) = retire(filled, tmp_path, before=BEFORE)
    assert (lot.month, lot.runs, lot.rows) == ("2026-01", 4, 4 * QUOTES * len(MODELS))
    assert lot.file.parent == tmp_path / "2026"
    after = counts(filled, *KEPT), history_frame(filled, "rmse"), parameters_frame(filled)
    assert before[0] == after[0]
    assert before[1].equals(after[1]) and before[2].equals(after[2])
    left = counts(filled, "quotes", "residuals")
    assert left == {"quotes": QUOTES, "residuals": QUOTES * len(MODELS)}  # of the fifth night
    assert len(status_frame(filled)) == len(MODELS)
    # Every number of every quote is in the file.
    cold = [row for row in read_cold(lot.file) if row["run_id"] == oldest(filled)]
    warm = surface.sort_values(["model", "expiry", "strike"]).to_dict("records")
    cold.sort(key=lambda r: (r["model"], r["expiry"], r["strike"]))
    assert len(cold) == len(warm)
    for mine, theirs in zip(cold, warm, strict=True):
        for ours, there in (("iv", "iv"), ("model_iv", "model_iv"), ("z", "z"), ("k", "k")):
            assert mine[ours] == theirs[there] or (mine[ours] is None and theirs[there] != 0)
    # Done once, done for good.
    assert list(retire(filled, tmp_path, before=BEFORE)) == []


def oldest(store: Store) -> str:
    with store.reading() as connection:
        return str(connection.scalar(text("SELECT id FROM runs ORDER BY as_of LIMIT 1")))


def test_a_rehearsal_moves_nothing(filled: Store, tmp_path: Path) -> None:
    before = counts(filled, "quotes", "residuals")
    folder = tmp_path / "cold"
    (lot,) = retire(filled, folder, before=BEFORE, dry_run=True)
    assert lot.rows == 4 * QUOTES * len(MODELS)
    assert counts(filled, "quotes", "residuals") == before
    assert not folder.exists()


def test_a_crash_between_file_and_deletion_leaves_both_and_is_made_good(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    before = counts(filled, "quotes", "residuals")
    with monkeypatch.context() as patch:
        patch.setattr(retention, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            list(retire(filled, tmp_path, before=BEFORE))
    assert counts(filled, "quotes", "residuals") == before
    (kept,) = (tmp_path / "2026").iterdir()
    (lot,) = retire(filled, tmp_path, before=BEFORE)
    assert lot.file == kept
    assert len(read_cold(kept)) == lot.rows


def test_a_file_that_cannot_be_written_or_holds_less_keeps_the_rows(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(filled, "quotes", "residuals")
    (tmp_path / "2026").write_text("in the way")
    with pytest.raises(ArchiveError, match="cold files need a folder"):
        list(retire(filled, tmp_path, before=BEFORE))
    monkeypatch.setattr(retention, "write_cold", lambda *_: 3)
    with pytest.raises(StoreError, match="holds 3 rows of 160: nothing was deleted"):
        list(retire(filled, tmp_path, before=BEFORE))
    assert counts(filled, "quotes", "residuals") == before


def test_half_a_cold_file_is_said_to_be_one(filled: Store, tmp_path: Path) -> None:
    (lot,) = retire(filled, tmp_path, before=BEFORE)
    lot.file.write_bytes(lot.file.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match="half of one"):
        read_cold(lot.file)


def test_lots_are_of_whole_runs(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOT", 3)
    lots = list(retire(filled, tmp_path, before=BEFORE))
    assert [lot.runs for lot in lots] == [3, 1]
    assert len({lot.file for lot in lots}) == 2


def test_the_job_keeps_what_the_configuration_says_and_leaves_a_word(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.config import load_config

    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    monkeypatch.setenv("MISSPEC_DATABASE_URL", url)
    monkeypatch.setenv("MISSPEC_RETENTION__RESIDUAL_MONTHS", "3")
    with Store(url) as store:
        for night in range(2):
            found = make_assessment(night, expiries=2, strikes=5)
            write_assessment(store, found, wall=wall(night), tell=True)
        now = datetime(2026, 4, 4, tzinfo=UTC)  # three months after the first night, not the second
        (lot,) = keep(load_config(), now=now)
        assert (lot.runs, lot.file.is_relative_to(tmp_path / "cold")) == (1, True)
        with store.reading() as connection:
            row = connection.execute(text("SELECT job, outcome, note FROM job_log")).one()
        assert tuple(row)[:2] == ("retention", "done")
        assert "40 rows of 1 runs" in row.note
        monkeypatch.setenv("MISSPEC_RETENTION__RESIDUAL_MONTHS", "0")
        assert list(keep(load_config(), now=datetime(2040, 1, 1, tzinfo=UTC))) == []
