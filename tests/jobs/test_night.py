"""A night through the real client against the loopback exchange, whatever the exchange does."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from monitor import jobs
from monitor.archive import list_snapshots
from monitor.backfill import backfill
from monitor.config import Config, load_config
from monitor.conventions import from_ms
from monitor.jobs import PassResult, Target
from monitor.sandbox import ArchiveMarket, Fault, Sandbox, VirtualClock
from monitor.store import open_store
from monitor.store.frames import alerts_frame, history_frame, status_frame
from tests.conftest import evening_ms

BTC = Target("deribit", "BTC")
BOOK = "get_book_summary_by_currency"


@contextmanager
def desk(folder: Path, market: Any, now_ms: int, *faults: Fault) -> Iterator[Config]:
    """Yield the configuration of a desk whose venue is the market, at the moment."""
    with Sandbox(market, VirtualClock(now_ms), faults=faults) as exchange:
        path = folder / "misspec.toml"
        path.write_text(
            f'home = "{folder}"\nunderlyings = ["BTC"]\nmodels = ["black", "svi"]\n'
            f'[venues.deribit]\nurl = "{exchange.url}"\ntimeout_s = 1.0\nattempts = 2\n'
            "backoff_s = 0.01\nrequest_gap_ms = 0.0\n",
            encoding="utf-8",
        )
        yield load_config(path)


def night(config: Config, **options: Any) -> PassResult:
    return asyncio.run(jobs.run_night(config, BTC, config.rules(), **options))


def board(config: Config) -> pd.DataFrame:
    with open_store(config.database, readonly=True) as store:
        return status_frame(store)


def numbers(config: Config, metric: str) -> list[tuple[Any, ...]]:
    with open_store(config.database, readonly=True) as store:
        frame = history_frame(store, metric)
    keys = ["as_of", "model", "scope", "value", "n"]
    return [tuple(None if v != v else v for v in row) for row in frame[keys].to_numpy().tolist()]


@pytest.fixture(scope="module")
def after_a_night(tmp_path_factory: pytest.TempPathFactory, world: Any) -> Path:
    """A home in which one night was judged and told."""
    folder = tmp_path_factory.mktemp("home")
    with desk(folder, world, evening_ms(0)) as config:
        assert night(config).usable
        jobs.tell(config)
    return folder


def test_a_night_is_fetched_archived_judged_and_stored(tmp_path: Path, world: Any) -> None:
    with desk(tmp_path, world, evening_ms(0)) as config:
        result = night(config)
        found = board(config)
    assert result.usable
    assert result.slot == "2026-01-05"
    assert set(found["model"]) == {"market", "black", "svi"}
    (ref,) = list_snapshots(config.archive)
    assert from_ms(ref.as_of_ms).isoformat() == "2026-01-05T22:30:00+00:00"


def test_the_same_night_again_is_the_same_run(tmp_path: Path, world: Any) -> None:
    with desk(tmp_path, world, evening_ms(0)) as config:
        first, second = night(config), night(config)
        assert first.usable
        assert second.usable
        assert "stored before" in second.note
        assert board(config)["run_id"].nunique() == 1


def test_a_blind_night_again_is_blind_again(tmp_path: Path, world: Any) -> None:
    crossed = Fault("crossed", path=BOOK, amount=0.3)
    with desk(tmp_path, world, evening_ms(0), crossed) as config:
        assert [night(config).usable for _ in range(2)] == [False, False]


def test_yesterdays_chain_in_a_new_slot_is_no_data(
    tmp_path: Path, world: Any, after_a_night: Path
) -> None:
    shutil.copytree(after_a_night, tmp_path, dirs_exist_ok=True)
    with desk(tmp_path, world, evening_ms(1), Fault("stale")) as config:
        result = night(config)
        assert not result.usable
        assert "stale" in result.note
        assert set(board(config)["status"]) == {"inconclusive"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("html", path=BOOK), "no chain"),
        (Fault("empty_object", path=BOOK), "no chain"),
        (Fault("dropped"), "no chain"),
        (Fault("server_error", path=BOOK), "no chain"),
        (Fault("maintenance", path=BOOK), "no chain"),
        (Fault("timeout", path=BOOK, amount=30.0), "no chain"),
        (Fault("half", path=BOOK, amount=0.3), "half a chain"),
        (Fault("crossed", path=BOOK, amount=0.3), "crossed"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_a_night_without_usable_data_is_inconclusive_and_told(
    tmp_path: Path,
    world: Any,
    after_a_night: Path,
    fault: Fault,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # There is a board from before, and it must not stay as it is.
    shutil.copytree(after_a_night, tmp_path, dirs_exist_ok=True)
    # A venue whose clock is not heard either is placed by ours, which went on by a day as its did.
    monkeypatch.setattr(jobs, "now", lambda: datetime.now(UTC) + timedelta(days=1))
    with desk(tmp_path, world, evening_ms(1), fault) as config:
        result = night(config)
        found = board(config)
        with open_store(config.database, readonly=True) as store:
            alerts = alerts_frame(store)
        told = jobs.tell(config)
    assert not result.usable
    assert said in result.note
    assert set(found["status"]) == {"inconclusive"}
    assert all(said in reason for reason in found["reason"])
    assert set(alerts["cause"]) & {"data", "liquidity"}
    assert len(told.sent) == 1


def test_a_run_that_begins_after_midnight_answers_for_the_day_before(
    tmp_path: Path, world: Any
) -> None:
    two_hours = timedelta(hours=2)
    with desk(tmp_path, world, evening_ms(0) + two_hours // timedelta(milliseconds=1)) as config:
        result = night(config, late=two_hours)
        assert result.slot == "2026-01-05"
        assert from_ms(list_snapshots(config.archive)[0].as_of_ms).day == 6


def test_over_the_wire_and_from_the_archive_the_numbers_are_the_same_bits(
    tmp_path: Path, recorded: Path
) -> None:
    (tmp_path / "wire").mkdir()
    (tmp_path / "file").mkdir()
    market = ArchiveMarket(recorded)
    with desk(tmp_path / "file", market, evening_ms(3)) as config:
        for _ in backfill(config, config.rules(), [recorded]):
            pass
        by_file = {m: numbers(config, m) for m in ("rmse_iv", "bias_z", "refreshed_rmse_iv")}
        board_by_file = board(config)
    with desk(tmp_path / "wire", market, evening_ms(3)) as config:
        for _ in backfill(config, config.rules(), [recorded], until=from_ms(evening_ms(3))):
            pass
        assert night(config).usable
        by_wire = {m: numbers(config, m) for m in by_file}
        board_by_wire = board(config)
    assert by_wire == by_file
    assert all(len(rows) > 4 for rows in by_file.values())
    same = ["model", "status", "reason"]
    assert board_by_wire[same].equals(board_by_file[same])
