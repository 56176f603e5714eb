"""A desk with four stored nights, and a way to give it commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.errors import MonitorError, UsageError


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str
    bytes: bytes


def run(*arguments: str) -> Answer:
    """Run a command in this process, with the exit code the console command would leave."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
    code, err = result.exit_code, result.stderr
    if isinstance(result.exception, MonitorError):
        code = 2 if isinstance(result.exception, UsageError) else 1
        err += f"misspec: {result.exception}"
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(code, result.stdout, err, result.stdout_bytes)


@pytest.fixture(scope="session")
def home(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the recorded nights were judged by two quick models."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISSPEC_HOME", str(folder))
        patch.setenv("MISSPEC_MODELS", "black,svi")
        answer = run("backfill", "--archive", str(recorded))
    assert answer.out == "4 snapshots: 0 stored before, 4 new, 0 of them without usable data\n"
    return folder


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Commands for the desk with four stored nights."""
    monkeypatch.setenv("MISSPEC_HOME", str(home))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    return run


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Commands for a desk that has stored nothing."""
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path / "home"))
    return run
