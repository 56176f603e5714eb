"""Recorded chains, served by the exchange to the real client, give the archive's numbers."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor import jobs
from monitor.archive import list_snapshots
from monitor.backfill import backfill
from monitor.config import Config, load_config
from monitor.conventions import from_ms
from monitor.jobs import Target
from monitor.sandbox import ArchiveMarket, Sandbox, VirtualClock
from monitor.store import open_store
from tests.references import SHARED

NIGHTS = 4  # three to remember, one to compare
MODELS = ("black", "adhoc", "svi", "heston")
# What the exchange tells beside the chain, and the recording does not hold: its clock, its list of
# instruments and its futures.
BESIDE = "('chain_age', 'future_gap', 'listed_share')"
QUESTIONS = {
    "numbers": "SELECT slot, model, metric, scope, value, n, stderr FROM metric_history "
    f"WHERE metric NOT IN {BESIDE}",
    "parameters": "SELECT slot, model, parameter, value, stderr, at_bound FROM parameter_history",
    "verdicts": "SELECT slot, model, status, reason FROM verdict_history",
    "findings": "SELECT slot, model, metric, scope, value, cause FROM finding_history",
    "quotes": "SELECT slot, model, expiry, strike, cp, iv, model_iv, residual, z "
    "FROM surface_points",
    "rejections": "SELECT slot, stage, reason, subject, detail FROM rejection_history "
    f"WHERE stage <> 'context' AND subject NOT IN {BESIDE}",
}


@pytest.fixture(scope="module")
def evenings() -> tuple[Path, list[datetime]]:
    """The recording, and the last chains of its first days for which BTC was recorded."""
    path = SHARED / "market-data" / "deribit_dev_20251230_20260531.parquet"
    if not path.is_file():
        pytest.skip("no recorded chains beside the project")
    moments = [from_ms(r.as_of_ms) for r in list_snapshots(path) if r.underlying == "BTC"]
    last = {moment.date(): moment for moment in sorted(moments)}
    return path, list(last.values())[:NIGHTS]


def desk(home: Path, url: str = "") -> Config:
    home.mkdir()
    path = home / "misspec.toml"
    path.write_text(
        f'home = "{home}"\nunderlyings = ["BTC"]\nmodels = {list(MODELS)}\n'
        + (f'[venues.deribit]\nurl = "{url}"\nrequest_gap_ms = 0.0\n' if url else ""),
        encoding="utf-8",
    )
    return load_config(path)


def learn(config: Config, path: Path, until: datetime) -> None:
    just_after = until + timedelta(milliseconds=1)
    for _ in backfill(config, config.rules(), [path], until=just_after, underlyings=["BTC"]):
        pass


def told(config: Config, slot: str) -> dict[str, Counter[tuple[Any, ...]]]:
    with open_store(config.database, readonly=True) as store, store.reading() as connection:
        return {
            name: Counter(
                tuple(row)
                for row in connection.execute(
                    text(f"SELECT * FROM ({sql}) t WHERE slot = :slot"), {"slot": slot}
                )
            )
            for name, sql in QUESTIONS.items()
        }


def test_through_the_client_a_recorded_night_is_the_archives_bit_for_bit(
    tmp_path: Path, evenings: tuple[Path, list[datetime]]
) -> None:
    path, moments = evenings
    by_file = desk(tmp_path / "file")
    learn(by_file, path, moments[-1])
    with Sandbox(ArchiveMarket([path]), VirtualClock(moments[-1])) as exchange:
        by_wire = desk(tmp_path / "wire", exchange.url)
        learn(by_wire, path, moments[-2])
        assert asyncio.run(
            jobs.run_night(by_wire, Target("deribit", "BTC"), by_wire.rules())
        ).usable
    slot = f"{moments[-1]:%Y-%m-%d}"
    expected, found = told(by_file, slot), told(by_wire, slot)
    assert {model for _, model, *_ in expected["parameters"]} == set(MODELS)
    assert expected["numbers"].total() > 500
    for name in QUESTIONS:
        assert found[name] - expected[name] == Counter(), name
        assert expected[name] - found[name] == Counter(), name
