"""The README says nothing that was not run: its commands, settings, paths, example and output.

``python tests/test_readme.py`` runs the example and the demonstration and writes what they print.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner

from monitor.cli.app import app
from monitor.config import Config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def command_lines() -> Iterator[list[str]]:
    """Yield the words of every command shown, without variables set before it."""
    for line in "\n".join(blocks("sh")).splitlines():
        words = shlex.split(line)
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        if words:
            yield words


@pytest.mark.parametrize("words", list(command_lines()), ids=" ".join)
def test_every_command_shown_exists_with_its_options(words: list[str]) -> None:
    if words[:2] == ["sh", "deploy/local.sh"]:
        words = ["misspec", *words[2:]]
        if words[1] == "test":
            return
    assert words[0] == "misspec"
    command = typer.main.get_command(app)
    rest = words[1:]
    while isinstance(command, typer.main.TyperGroup):
        assert rest[0] in command.commands, f"there is no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_setting_named_exists() -> None:
    named = set(re.findall(r"MISSPEC_[A-Z_]+", TEXT)) - {"MISSPEC_CONFIG"}
    known = set(Config.model_fields)
    assert named
    assert {n.removeprefix("MISSPEC_").split("__")[0].lower() for n in named} <= known


def test_every_path_named_exists() -> None:
    named = set(re.findall(r"`((?:monitor|flows|sql|tests|deploy)/[\w./-]*)`", TEXT))
    assert len(named) > 15
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_complete_pass_prints_what_the_readme_says() -> None:
    *_, shown = blocks("text")
    assert_same(example(), shown)


def test_the_incident_lives_as_the_readme_says(tmp_path: Path) -> None:
    assert_same(incident(tmp_path), life_shown())


@pytest.mark.slow  # 45 s: the whole demonstration
def test_the_demonstration_ends_as_the_readme_says(tmp_path: Path) -> None:
    shown, *_ = blocks("text")
    assert_same(demonstration(tmp_path), shown)


def assert_same(printed: str, shown: str) -> None:
    """Hold words to the letter, and numbers to what another processor may make of them."""
    number = r"\d+(?:\.\d+)?"
    assert [w.split() for w in re.split(number, printed)] == [
        w.split() for w in re.split(number, shown)
    ]
    printed_numbers = [float(x) for x in re.findall(number, printed)]
    assert printed_numbers == pytest.approx(
        [float(x) for x in re.findall(number, shown)], rel=0.02, abs=0.1
    )


def example() -> str:
    """Return what the Python example prints."""
    (source,) = blocks("python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(source, "README.md", "exec"), {})
    return said.getvalue()


def life_shown() -> str:
    """Return the block under the heading of the incident."""
    return re.search(r"## One incident.*?```text\n(.*?)```", TEXT, flags=re.DOTALL)[1]  # type: ignore[index]


def incident(home: Path) -> str:
    """Return an incident's life as the desk sees it: a feed broken for two of five nights."""
    from monitor import jobs
    from monitor.config import load_config
    from monitor.jobs import Target
    from monitor.sandbox import Fault, Sandbox, VirtualClock
    from monitor.sandbox.generate import open_world
    from monitor.store import open_store
    from monitor.store.frames import alerts_frame
    from tests.conftest import evening_ms

    crossed = Fault("crossed", path="get_book_summary_by_currency", amount=0.3)
    said = []
    settings = {"HOME": str(home), "MODELS": "black", "VENUES__DERIBIT__REQUEST_GAP_MS": "0"}
    with pytest.MonkeyPatch.context() as patch:
        # Without a receiver the news goes to the log, where it need not be read twice.
        patch.setattr(logging.getLogger("monitor.desk"), "disabled", True)
        for name, value in settings.items():
            patch.setenv(f"MISSPEC_{name}", value)
        for night in range(5):
            faults = [crossed] if night in (1, 2) else []
            clock = VirtualClock(evening_ms(night))
            with Sandbox(open_world("calm"), clock, faults=faults) as exchange:
                patch.setenv("MISSPEC_VENUES__DERIBIT__URL", exchange.url)
                config = load_config()
                asyncio.run(jobs.run_night(config, Target("deribit", "BTC"), config.rules()))
            jobs.tell(config)
            with open_store(config.database) as store, store.reading() as connection:
                rows = connection.execute(text("SELECT title, body FROM outbox ORDER BY key")).all()
                id_ = alerts_frame(store, all=True)["id"].get(0, "")
            for title, body in rows[len([s for s in said if s.startswith("[")]) :]:
                said += [title, *body.partition("\n\n")[0].splitlines(), ""]
            if night == 1:
                words = ["alerts", "ack", id_, "--verdict", "true", "--note", "feed is crossed"]
                said += asked([*words, "--author", "ann"])
        said += asked(["alerts", "show", id_], "Its life", "It means")
    return "\n".join(said).rstrip() + "\n"


def asked(words: list[str], since: str = "", until: str = "") -> list[str]:
    """Return a command and its answer, from a word on, up to another."""
    answer = CliRunner().invoke(app, words).stdout
    end = answer.index(until) if until else len(answer)
    rows = [line.rstrip() for line in answer[answer.index(since) : end].splitlines()]
    return [f"$ misspec {shlex.join(words)}", *rows, ""]


def demonstration(home: Path) -> str:
    """Return what the demonstration prints, but for where its home is."""
    main = "import sys; from monitor.cli import main; sys.argv[0] = 'misspec'; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, "demo"],
        capture_output=True,
        text=True,
        env=os.environ | {"MISSPEC_HOME": str(home), "PYTHONPATH": str(ROOT)},
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    shown = "export MISSPEC_CONFIG=…/demo/misspec.toml"
    return re.sub(r"export MISSPEC_CONFIG=.*", shown, done.stdout)


def write() -> None:
    """Write both outputs into the README: the demonstration's block is the first, the last ours."""
    first, *_, last = blocks("text")
    with tempfile.TemporaryDirectory() as home:
        written = TEXT.replace(first, demonstration(Path(home)), 1)
        (Path(home) / "incident").mkdir()
        written = written.replace(life_shown(), incident(Path(home) / "incident"), 1)
    before, after = written.rsplit(last, 1)
    (ROOT / "README.md").write_text(before + example() + after, encoding="utf-8")


if __name__ == "__main__":
    write()
