"""The flows on a real Prefect server: scheduled, late, blind, rehearsed."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import runs as runs_module
from flows.backfill import backfill
from flows.nightly import nightly
from flows.runs import lateness
from flows.schedules import scheduled
from monitor.config import load_config
from monitor.store import open_store
from monitor.store.frames import runs_frame, status_frame
from tests.conftest import evening_ms

# Prefect's client leaves connections to the collector; they are its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

EVERY_20_S = "* * * * * */20"  # of cron's six fields the last is seconds


def written(folder: Path, recorded: Path, night: int = 1) -> Path:
    """Write the settings of a desk whose venue is the recorded archive at a night."""
    path = folder / "misspec.toml"
    as_of = datetime.fromtimestamp(evening_ms(night) / 1000, UTC).isoformat()
    path.write_text(
        f'home = "{folder}"\nunderlyings = ["BTC"]\nmodels = ["black"]\n[venues]\n'
        f'active = ["recorded"]\n[venues.recorded]\npaths = ["{recorded}"]\nas_of = {as_of}\n',
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def serving(server: str, recorded: Path, tmp_path_factory: Any) -> Iterator[Path]:
    """A desk that serves its schedule from a process of its own."""
    folder = tmp_path_factory.mktemp("serving")
    path = written(folder, recorded)
    env = os.environ | {
        "PREFECT_API_URL": server,
        "MISSPEC_SCHEDULE__NIGHTLY": EVERY_20_S,
        "MISSPEC_SCHEDULE__PULSE": "",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    main = "from monitor.cli import main; main()"
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", main, "--config", str(path), "serve"],
            env=env,
            stdout=log,
            stderr=log,
        )
    yield folder
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def engine(server: str, serving: Path) -> Iterator[None]:
    """The server for flows of this process; the schedule is on its way meanwhile."""
    with temporary_settings({PREFECT_API_URL: server}):
        yield
    gc.collect()


def stored(folder: Path) -> list[str]:
    config = load_config(folder / "misspec.toml")
    with open_store(config.database, readonly=True) as store:
        return list(runs_frame(store)["slot"])


def run(path: Path, **options: Any) -> Any:
    return asyncio.run(nightly(config=str(path), return_state=True, **options))


def test_a_night_completes_and_is_stored(engine: None, recorded: Path, tmp_path: Path) -> None:
    state = run(written(tmp_path, recorded))
    assert state.is_completed()
    assert state.message == "1 passes; 0 messages sent, 0 waiting"
    assert stored(tmp_path) == ["2026-01-06"]


def test_a_night_without_usable_data_ends_failed_with_the_reason(
    engine: None, recorded: Path, tmp_path: Path
) -> None:
    state = run(written(tmp_path, recorded), underlyings=["ETH"])
    assert state.is_failed()
    assert "no usable data: recorded ETH: no chain" in state.message


def test_a_run_so_late_that_the_next_is_due_leaves_with_a_note(
    engine: None, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1, hours=1)
    monkeypatch.setattr(runs_module, "scheduled", lambda: yesterday)
    cron = f"{yesterday.minute} {yesterday.hour} * * *"
    state = run(written(tmp_path, recorded), cron=cron)
    assert state.name == "Skipped"
    assert "the next run of the schedule is due" in state.message
    assert stored(tmp_path) == []


def test_a_run_knows_how_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(runs_module, "scheduled", lambda: an_hour_ago)
    cron = f"{an_hour_ago.minute} {an_hour_ago.hour} * * *"
    late = asyncio.run(lateness(cron))
    assert late is not None
    assert timedelta(hours=1) <= late < timedelta(hours=1, minutes=2)
    assert asyncio.run(lateness(None)) == timedelta()


def test_a_backfill_is_one_flow_run(engine: None, recorded: Path, tmp_path: Path) -> None:
    state = backfill([str(recorded)], config=str(written(tmp_path, recorded)), return_state=True)
    assert state.is_completed()
    assert state.message == "4 snapshots, 4 new, 0 without usable data"
    assert len(stored(tmp_path)) == 4


def test_the_demonstration_sees_what_it_broke(engine: None, server: str, tmp_path: Path) -> None:
    from monitor.cli.night import run_flow
    from monitor.rehearsal import Rehearsal

    rehearsal = Rehearsal(tmp_path / "demo", "left-wing-up", seed=1, nights=2, quiet=2)
    rehearsal.prepare()
    rehearsal.record_past()
    assert len(list(rehearsal.learn())) == 2
    for night in rehearsal.live():
        ran = asyncio.run(run_flow(rehearsal.config_path, rehearsal.targets, ["black"]))
        rehearsal.look(night, ran.said)
    assert [night.broken for night in rehearsal.seen] == [False, True]
    story = "\n".join(rehearsal.story())
    assert re.search(r"Before the break: 3 nights, \d+ incidents?, 0 red\.", story)
    assert "on night 2: the put wing lifts by 2 vol points" in story
    assert "NOT found as misspecification within 1 night." in story  # four nights teach nothing


def test_the_command_prints_the_board_and_leaves_with_the_nights_code(
    server: str, serving: Path, recorded: Path, tmp_path: Path
) -> None:
    main = "from monitor.cli import main; main()"
    words = ["--config", str(written(tmp_path, recorded)), "nightly", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-c", main, *words, "--underlying", "BTC", "--underlying", "ETH"],
        env=os.environ | {"PREFECT_API_URL": server, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=90,
    )
    board = {(row["underlying"], row["model"]): row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert board["BTC", "black"]["reason"].startswith("learning")
    assert done.stderr.strip().splitlines()[-1].startswith("misspec: no usable data: recorded ETH")
    assert "Traceback" not in done.stderr


def test_the_deployment_is_daily_exclusive_and_found_by_module(tmp_path: Path) -> None:
    night, watch, beat, week, cold = scheduled(load_config(), tmp_path / "misspec.toml")
    assert beat.entrypoint == "flows.pulse.pulse"
    assert [s.schedule.cron for s in beat.schedules] == ["7,22,37,52 * * * *"]
    assert week.entrypoint == "flows.weekly.weekly"
    assert cold.entrypoint == "flows.retention.retention"
    assert watch.entrypoint == "flows.watchdog.watchdog"
    assert [s.schedule.cron for s in watch.schedules] == ["15 * * * *"]
    assert night.entrypoint == "flows.nightly.nightly"
    assert night.concurrency_limit == 1
    assert night.concurrency_options.collision_strategy.value == "CANCEL_NEW"
    assert [s.schedule.cron for s in night.schedules] == ["30 22 * * *"]
    assert night.paused is False
    assert len(json.dumps(night.parameters)) < 1000


def test_a_schedule_really_fires(serving: Path) -> None:
    """Stands last in the file: its run comes while the others run."""
    deadline = time.monotonic() + 90
    config = load_config(serving / "misspec.toml")
    while time.monotonic() < deadline:
        if (serving / "misspec.db").exists():
            with open_store(config.database, readonly=True) as store:
                if store.check() == "current" and len(board := status_frame(store)):
                    break
        time.sleep(0.25)
    else:
        pytest.fail(f"nothing ran; the log says:\n{(serving / 'serve.log').read_text()}")
    assert set(board["model"]) == {"market", "black"}
    assert stored(serving) == ["2026-01-06"]
