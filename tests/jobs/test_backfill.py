"""A backfill: in time order, resumable, never twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor import backfill as recorded_passes
from monitor import jobs
from monitor.config import Config, load_config
from monitor.conventions import from_ms
from monitor.errors import ArchiveError, UnknownNameError, UsageError
from monitor.store import open_store
from monitor.store.frames import history_frame, runs_frame
from tests.conftest import evening_ms


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "misspec.toml"
    path.write_text(f'home = "{tmp_path}"\nmodels = ["black"]\n', encoding="utf-8")
    return load_config(path)


def backfill(config: Config, *paths: Path, **options: Any) -> list[recorded_passes.Progress]:
    return list(recorded_passes.backfill(config, config.rules(), list(paths), **options))


def runs(config: Config) -> list[str]:
    with open_store(config.database, readonly=True) as store:
        return list(runs_frame(store)["run_id"])


def test_snapshots_are_judged_in_time_order_and_counted(config: Config, recorded: Path) -> None:
    steps = backfill(config, recorded)
    assert [step.done for step in steps] == [1, 2, 3, 4]
    assert {step.total for step in steps} == {4}
    assert [step.ref.as_of_ms for step in steps] == [evening_ms(n) for n in range(4)]
    assert all(step.is_new for step in steps)


def test_what_is_stored_is_passed_over(config: Config, recorded: Path) -> None:
    backfill(config, recorded)
    before = runs(config)
    assert not any(step.is_new for step in backfill(config, recorded))
    assert runs(config) == before


def test_a_backfill_that_was_stopped_ends_as_one_that_was_not(
    config: Config, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = recorded_passes.run_pass
    calls = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs["slot"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judged(*args, **kwargs)

    monkeypatch.setattr(recorded_passes, "run_pass", interrupted)
    with pytest.raises(KeyboardInterrupt):
        backfill(config, recorded)
    assert len(runs(config)) == 2
    assert [step.is_new for step in backfill(config, recorded)] == [False, False, True, True]
    monkeypatch.undo()

    whole = config.model_copy(update={"home": tmp_path / "whole"})
    backfill(whole, recorded)
    assert runs(config) == runs(whole)


def test_the_two_cadences_are_two_histories(config: Config, recorded: Path) -> None:
    backfill(config, recorded)
    assert all(step.is_new for step in backfill(config, recorded, every="snapshot"))
    with open_store(config.database, readonly=True) as store:
        frame = history_frame(store, "rmse_iv", model="black", scope="chain")
    assert frame.groupby("cadence").size().to_dict() == {"day": 4, "snapshot": 4}


def test_from_and_to_bound_the_venues_time(config: Config, recorded: Path) -> None:
    steps = backfill(config, recorded, since=from_ms(evening_ms(1)), until=from_ms(evening_ms(3)))
    assert [step.ref.as_of_ms for step in steps] == [evening_ms(1), evening_ms(2)]


def test_nothing_meant_is_a_usage_error_that_says_what_is_there(
    config: Config, recorded: Path
) -> None:
    with pytest.raises(UsageError, match="holds BTC from 2026-01-05 to 2026-01-08"):
        backfill(config, recorded, underlyings=["DOGE"])


def test_an_archive_that_is_not_there_is_an_archive_error(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        backfill(config, tmp_path / "nothing.parquet")


def test_unknown_names_are_refused_before_anything_is_done(config: Config) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'heston'"):
        jobs.rules_for(config, ["hestn"])
    with pytest.raises(UnknownNameError, match="Did you mean 'deribit'"):
        jobs.targets(config, ["derbit"])
