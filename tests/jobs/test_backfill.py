"""A backfill: in time order, resumable, never twice."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
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
    write = recorded_passes.write_assessment
    calls = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*args, **kwargs)

    monkeypatch.setattr(recorded_passes, "write_assessment", interrupted)
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


def test_what_cannot_be_read_is_named_at_the_end_and_the_rest_is_stored(
    config: Config, recorded: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    copytree(recorded, folder)
    chains = sorted(p for p in folder.rglob("*.parquet") if ".context" not in p.name)
    content = chains[1].read_bytes()
    chains[1].write_bytes(content[: len(content) // 2])  # as a full disk leaves it
    steps = []
    with pytest.raises(ArchiveError) as told:
        for step in recorded_passes.backfill(config, config.rules(), [folder]):
            steps.append(step)
    assert [step.ref.as_of_ms for step in steps] == [evening_ms(n) for n in (0, 2, 3)]
    assert "what could be read is stored" in str(told.value)
    assert str(chains[1]) in str(told.value)

    chains[1].write_bytes(content)
    assert [step.is_new for step in backfill(config, folder)] == [False, True, True, True]
    whole = config.model_copy(update={"home": tmp_path / "whole"})
    backfill(whole, recorded)
    assert runs(config) == runs(whole)


def test_a_damaged_chain_of_a_file_costs_that_chain(
    config: Config, recorded: Path, tmp_path: Path
) -> None:
    parts = sorted(p for p in recorded.rglob("*.parquet") if ".context" not in p.name)
    tables = [pq.read_table(part).replace_schema_metadata(None) for part in parts]
    strike = tables[1].schema.get_field_index("strike")
    nameless = pa.array([float("nan")] * len(tables[1]))
    tables[1] = tables[1].set_column(strike, "strike", nameless)
    pq.write_table(pa.concat_tables(tables), tmp_path / "one.parquet")
    steps = []
    with pytest.raises(ArchiveError, match=r"left out:\n.*one.parquet.*2026-01-06"):
        for step in recorded_passes.backfill(config, config.rules(), [tmp_path / "one.parquet"]):
            steps.append(step)
    assert [step.ref.as_of_ms for step in steps] == [evening_ms(n) for n in (0, 2, 3)]


def test_an_archive_that_is_not_there_is_an_archive_error(config: Config, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        backfill(config, tmp_path / "nothing.parquet")


def test_unknown_names_are_refused_before_anything_is_done(config: Config) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'heston'"):
        jobs.rules_for(config, ["hestn"])
    with pytest.raises(UnknownNameError, match="Did you mean 'deribit'"):
        jobs.targets(config, ["derbit"])
