"""What breaks around the desk is a named incident, or a named exit, within one period."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import jobs
from monitor.channels import Limits
from monitor.config import Config, load_config
from monitor.errors import ArchiveError
from monitor.jobs import Target
from monitor.sandbox import Sandbox, VirtualClock
from monitor.store import open_store
from monitor.store import watch as kept
from monitor.store.frames import alerts_frame, runs_frame
from monitor.watchdog import watch
from tests.channels.receivers import mail_box
from tests.channels.test_delivery import closed_port
from tests.conftest import evening_ms

ROOT = Path(__file__).parents[2]
NEVER = "0 0 31 2 *"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings of a desk of one model, but for its venue."""
    for name, value in {
        "HOME": str(tmp_path),
        "MODELS": "black",
        "UNDERLYINGS": "BTC",
        "SCHEDULE__TEST_MESSAGE": NEVER,
        "SCHEDULE__NIGHTLY": NEVER,
        "VENUES__DERIBIT__ATTEMPTS": "1",
        "VENUES__DERIBIT__TIMEOUT_S": "1",
        "VENUES__DERIBIT__URL": f"http://127.0.0.1:{closed_port()}",
    }.items():
        monkeypatch.setenv(f"MISSPEC_{name}", value)
    return tmp_path


def night(config: Config, underlying: str = "BTC") -> jobs.PassResult:
    return asyncio.run(jobs.run_night(config, Target("deribit", underlying), config.rules()))


def a_good_night(config: Config, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(world, VirtualClock(evening_ms(0))) as exchange, monkeypatch.context() as patch:
        patch.setenv("MISSPEC_VENUES__DERIBIT__URL", exchange.url)
        assert night(load_config()).usable


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def looked(config: Config, due: datetime, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Return what the watchdog finds once the grace of a night of BTC is over."""
    monkeypatch.setenv("MISSPEC_SCHEDULE__NIGHTLY", f"{due.minute} {due.hour} * * *")
    with open_store(config.database) as store:
        kept.expect(store, "nightly", [("deribit", "BTC")], wall=due - timedelta(days=2))
    return watch(load_config(), now=due + timedelta(minutes=46)).troubles


def incidents(config: Config) -> list[dict[str, Any]]:
    with open_store(config.database, readonly=True) as store:
        return alerts_frame(store).to_dict("records")


def test_a_venue_that_is_gone_is_one_data_incident_by_its_own_clock(
    home: Path, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, due = load_config(), this_minute()
    a_good_night(config, world, monkeypatch)
    for underlying in ("BTC", "ETH"):
        result = night(config, underlying)
        assert not result.usable
        # Its clock stood in January when it was last heard, whatever the desk's says.
        assert result.slot == "2026-01-05"
    (incident,) = incidents(config)
    assert (incident["cause"], incident["venue"], incident["underlying"]) == (
        "data",
        "deribit",
        "*",
    )
    assert "no chain" in incident["message"]
    assert len(jobs.tell(config).sent) == 1
    # The watchdog does not say it again as a job's.
    assert looked(config, due, monkeypatch) == ()


def test_a_venue_that_was_never_heard_is_taken_to_keep_our_time(home: Path) -> None:
    config, before = load_config(), datetime.now(UTC)
    assert not night(config).usable
    with open_store(config.database, readonly=True) as store:
        (as_of,) = runs_frame(store)["as_of"]
    assert before - timedelta(seconds=1) <= as_of <= datetime.now(UTC)


def test_a_recorded_venue_without_the_underlying_leaves_its_empty_run_where_its_chains_are(
    home: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_VENUES__RECORDED__PATHS", json.dumps([str(recorded)]))
    config = load_config()
    result = asyncio.run(jobs.run_night(config, Target("recorded", "ETH"), config.rules()))
    assert not result.usable
    assert (result.stream.venue, result.slot) == ("deribit", "2026-01-08")


def test_broken_mail_is_a_job_incident_within_an_hour_and_over_when_it_is_mended(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = closed_port()
    url = f"mailto://127.0.0.1:{port}/?from=a@desk.example&to=b@desk.example&mode=insecure"
    monkeypatch.setenv("MISSPEC_ALERTS__ROUTES", json.dumps({"amber": [url], "red": [url]}))
    config, limits = load_config(), Limits(timeout_s=1.0)
    night(config)  # there is no venue: there is news
    now = datetime.now(UTC)
    (reason,) = set(jobs.tell(config).reasons.values())
    assert "refused" in reason.lower()
    found = watch(config, now=now + timedelta(minutes=61), limits=limits)
    assert "1 message undelivered (1 waiting)" in found.troubles[0]
    jobs_own = [i for i in incidents(config) if i["cause"] == "job"]
    assert [(i["state"], i["severity"]) for i in jobs_own] == [("open", "amber")]
    with mail_box(port) as box:
        for hours in (3, 6):
            found = watch(config, now=now + timedelta(hours=hours), limits=limits)
        assert found.troubles == ()
        subjects = [mail["Subject"] for mail in box.received]
    assert any("data opened" in s for s in subjects)  # what waited has come
    assert any("job resolved" in s for s in subjects)
    assert [i["cause"] for i in incidents(config)] == ["data"]


# --- a full disk --------------------------------------------------------------------------------


def limited(kilobytes: int, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose files may not outgrow a size, as on a disk that is full."""

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, resource.RLIM_INFINITY))

    return subprocess.run(
        [sys.executable, "-c", script],
        preexec_fn=narrow,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        timeout=60,
    )


COMMAND = "import sys; from monitor.cli import main; sys.argv[1:] = {words!r}; main()"


def test_a_full_disk_is_a_named_exit_and_loses_no_run(home: Path, recorded: Path) -> None:
    words = ["backfill", "--archive", str(recorded)]
    full = limited(600, COMMAND.format(words=words))
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert "check the disk and its free space" in full.stderr.splitlines()[-1]
    with open_store(load_config().database, readonly=True) as store:
        before = len(runs_frame(store))
    assert before < 4
    again = limited(100_000, COMMAND.format(words=words))
    assert again.returncode == 0
    assert again.stdout.startswith(f"4 snapshots: {before} stored before, {4 - before} new")


def test_a_full_archive_is_a_named_failure_that_the_watchdog_knows(
    home: Path, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise ArchiveError("the chain cannot be archived: No space left on device")

    config, due = load_config(), this_minute()
    with Sandbox(world, VirtualClock(evening_ms(0))) as exchange, monkeypatch.context() as patch:
        patch.setenv("MISSPEC_VENUES__DERIBIT__URL", exchange.url)
        patch.setattr("monitor.pipeline.write_snapshot", full)
        with pytest.raises(ArchiveError):
            night(load_config())
    (trouble,) = looked(config, due, monkeypatch)
    assert trouble.endswith(
        "failed: ArchiveError: the chain cannot be archived: No space left on device"
    )
