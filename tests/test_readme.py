"""The README says nothing that was not run: its commands, settings, paths, example and output.

``python tests/test_readme.py`` runs the example and the demonstration and writes what they print.
"""

from __future__ import annotations

import contextlib
import io
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
        text = TEXT.replace(first, demonstration(Path(home)), 1)
    before, after = text.rsplit(last, 1)
    (ROOT / "README.md").write_text(before + example() + after, encoding="utf-8")


if __name__ == "__main__":
    write()
