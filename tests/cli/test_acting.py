"""Commands that do something: backfill, the desk's acts, the database, the doctor."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor import backfill as recorded_passes
from monitor.sandbox import Sandbox, VirtualClock
from tests.cli.conftest import Answer, run
from tests.conftest import evening_ms


@pytest.fixture
def copied(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with the four stored nights, to be changed."""
    folder = tmp_path / "home"
    shutil.copytree(home, folder)
    monkeypatch.setenv("MISSPEC_HOME", str(folder))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    return folder


def test_a_backfill_goes_on_where_it_was_stopped(
    empty: Any, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_MODELS", "black")
    written, calls = recorded_passes.write_assessment, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return written(*args, **kwargs)

    monkeypatch.setattr(recorded_passes, "write_assessment", interrupted)
    stopped = empty("backfill", "--archive", str(recorded))
    assert stopped.code == 1
    assert stopped.out == ""
    assert "stopped after 2 of 4 snapshots; they are kept" in stopped.err
    monkeypatch.setattr(recorded_passes, "write_assessment", written)
    assert empty("backfill", "--archive", str(recorded)).out.startswith(
        "4 snapshots: 2 stored before, 2 new"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--archive nothing.parquet", 1, "no such file"),
        ("--archive {recorded} --every week", 2, "day or snapshot"),
        ("--archive {recorded} --underlying DOGE", 2, "holds BTC"),
        ("--archive {recorded} --model hestn", 2, "Did you mean 'heston'?"),
        ("--archive {recorded} --from soon", 2, "'soon' is no time"),
        ("", 2, "--archive"),
    ],
)
def test_a_backfill_of_what_is_not_there_is_refused_in_words(
    empty: Any, recorded: Path, words: str, code: int, said: str
) -> None:
    answer = empty("backfill", *words.format(recorded=recorded).split())
    assert answer.code == code
    assert said in answer.err
    assert answer.out == ""


def test_a_bare_day_is_meant_whole(empty: Any, recorded: Path) -> None:
    words = f"backfill --archive {recorded} --from 2026-01-06 --to 2026-01-07 --model black"
    assert empty(*words.split()).out.startswith("2 snapshots: 0 stored before, 2 new")


def test_several_paths_may_follow_one_option(empty: Any, recorded: Path) -> None:
    files = [str(p) for p in sorted(recorded.rglob("*.parquet")) if "context" not in p.name]
    answer = empty("backfill", "--model", "black", "--archive", *files[:2])
    assert answer.out.startswith("2 snapshots: 0 stored before, 2 new"), answer.err


def test_a_night_without_usable_data_leaves_with_code_1(
    empty: Any, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_JUDGEMENT__MIN_QUOTES", "100000")
    answer = empty("backfill", "--archive", str(recorded), "--model", "black")
    assert answer.code == 1
    assert "4 of them without usable data" in answer.out
    board = json.loads(empty("status", "--format", "json").out)
    assert {row["status"] for row in board} == {"inconclusive"}
    assert empty("status", "--fail-on", "red").code == 3  # blind for four nights
    assert empty("alerts", "list", "--fail-on", "amber").code == 3
    assert "100000 wanted" in board[0]["reason"]


def incident(home: Path, monkeypatch: pytest.MonkeyPatch, recorded: Path) -> str:
    monkeypatch.setenv("MISSPEC_JUDGEMENT__MIN_QUOTES", "100000")
    run("backfill", "--archive", str(recorded), "--model", "black", "--every", "snapshot")
    (row,) = json.loads(run("alerts", "list", "--format", "json").out)
    return str(row["id"])


def test_an_incident_is_shown_acknowledged_and_resolved(
    copied: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = incident(copied, monkeypatch, recorded)
    shown = run("alerts", "show", name[:6])
    assert shown.code == 0
    assert "100000 wanted" in shown.out
    answer = run("alerts", "ack", name, "--author", "ann", "--note", "feed is down")
    assert answer.out.startswith(f"{name} acknowledged by ann: ")
    assert state_of(run("alerts", "list", "-f", "json")) == "acknowledged"
    assert run("alerts", "resolve", name, "--author", "ann").code == 0
    assert run("alerts", "list", "-f", "json").out.strip() == "[]"
    assert state_of(run("alerts", "list", "--state", "resolved", "-f", "json")) == "resolved"
    again = run("alerts", "resolve", name, "--author", "ann")
    assert again.code == 2
    assert "resolved already" in again.err


def state_of(answer: Answer) -> str:
    (row,) = json.loads(answer.out)
    return str(row["state"])


def test_a_test_message_goes_to_each_receiver(empty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISSPEC_ALERTS__ROUTES__RED", '["json://127.0.0.1:9/closed?rto=1&cto=1"]')
    answer = empty("alerts", "test", "--format", "json")
    rows = {row["what"]: row for row in json.loads(answer.out)}
    assert answer.code == 1  # nobody listens on port 9
    assert rows["red"]["outcome"] == "error"
    assert rows["amber"]["outcome"] == "warning"
    assert "no receiver" in rows["amber"]["found"]


def test_the_database_is_made_upgraded_and_told(empty: Any, tmp_path: Path) -> None:
    assert empty("db", "current").out == "empty\n"
    assert empty("db", "path").out == f"sqlite:///{tmp_path / 'home' / 'misspec.db'}\n"
    assert empty("db", "upgrade").out.endswith("empty before, current now\n")
    assert empty("db", "current").out == "current\n"
    assert empty("db", "upgrade").out.endswith("current before, current now\n")


@pytest.mark.parametrize("revision", ["9999_from_the_future"])
def test_a_database_of_another_version_is_left_alone(copied: Path, revision: str) -> None:
    with sqlite3.connect(copied / "misspec.db") as connection:
        connection.execute("UPDATE misspec_schema SET version_num = ?", (revision,))
    connection.close()
    for words in ("status", "db upgrade"):
        answer = run(*words.split())
        assert answer.code == 1
        assert "newer than this program's" in answer.err
    assert run("db", "current").out == "newer\n"
    doctor = {r["what"]: r for r in json.loads(run("doctor", "--format", "json").out)}
    assert doctor["database"]["outcome"] == "error"
    assert doctor["database"]["advice"]


def test_the_doctor_finds_what_works_and_what_does_not(
    empty: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(world, VirtualClock(evening_ms(0))) as exchange:
        monkeypatch.setenv("MISSPEC_VENUES__DERIBIT__URL", exchange.url)
        answer = empty("doctor", "--format", "json")
    rows = {row["what"]: row for row in json.loads(answer.out)}
    assert answer.code == 0
    assert rows["database"]["outcome"] == "ok"
    assert rows["venue deribit"]["outcome"] == "warning"  # a clock in January
    assert "behind this machine's" in rows["venue deribit"]["found"]
    monkeypatch.setenv("MISSPEC_VENUES__DERIBIT__ATTEMPTS", "1")
    answer = empty("doctor", "--format", "json")
    rows = {row["what"]: row for row in json.loads(answer.out)}
    assert answer.code == 1
    assert rows["venue deribit"]["outcome"] == "error"
    assert rows["archive"]["outcome"] == "ok"


def test_a_setting_that_is_not_known_stops_every_command(
    empty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_JUDGMENT__MIN_QUOTES", "3")
    for words in ("status", "doctor", "nightly", "backfill --archive x"):
        answer = empty(*words.split())
        assert answer.code == 2
        assert "MISSPEC_JUDGEMENT" in answer.err


def test_a_night_of_an_unknown_venue_or_model_does_not_start_the_engine(empty: Any) -> None:
    for words, near in (("--venue derbit", "deribit"), ("--model hestn", "heston")):
        answer = empty("nightly", *words.split())
        assert answer.code == 2
        assert f"Did you mean '{near}'?" in answer.err


def test_a_sandbox_of_two_markets_is_refused(empty: Any) -> None:
    answer = empty("sandbox", "--world", "calm", "--archive", "x")
    assert answer.code == 2
    assert empty("sandbox", "--world", "clam").code == 2
    assert empty("sandbox", "--speed", "-1").code == 2


def console(*arguments: str) -> subprocess.CompletedProcess[str]:
    main = "from monitor.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", main, *arguments], capture_output=True, text=True, timeout=60
    )


def test_the_console_command_fails_in_one_line_without_a_traceback() -> None:
    done = console("history", "--metric", "rmse_vi")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("misspec: no metric is named 'rmse_vi'")
    assert len(done.stderr.splitlines()) == 1


def test_the_version_is_the_distributions() -> None:
    assert console("--version").stdout.startswith("misspec 0.")


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys\nimport monitor.cli.app\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'ccxt', 'prefect', 'sqlalchemy', 'matplotlib'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")
