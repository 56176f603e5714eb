"""Set-up on a machine that cannot do it says what is missing, in a line or two."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "local.sh"
TOOLS = "sh dirname cat cksum sed mktemp tail rm".split()


def run(folder: Path, python: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script on a machine that has these tools and this Python alone."""
    for tool in TOOLS:
        where = shutil.which(tool)
        if where is None:
            pytest.skip(f"this machine has no {tool}")
        (folder / tool).symlink_to(where)
    if python is not None:
        (folder / "python3").write_text(python)
        (folder / "python3").chmod(0o755)
    project = folder / "a project"
    (project / "deploy").mkdir(parents=True)
    for name in ("deploy/local.sh", "deploy/constraints.txt", "pyproject.toml"):
        shutil.copy(SCRIPT.parents[1] / name, project / name)
    return subprocess.run(
        [str(folder / "sh"), str(project / "deploy/local.sh"), *arguments],
        env={"PATH": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("python", "found"),
    [
        (None, "no python3"),
        (
            '#!/bin/sh\n[ "$1" = "--version" ] && echo "Python 3.9.2" && exit 0\nexit 1\n',
            "Python 3.9.2",
        ),
    ],
)
def test_a_machine_without_a_python_new_enough_is_told(
    tmp_path: Path, python: str | None, found: str
) -> None:
    done = run(tmp_path, python, "demo")
    assert done.returncode == 1
    assert f"Python 3.11 or newer is needed; found {found} on the PATH" in done.stderr
    assert done.stdout == ""


def test_a_python_without_venv_is_told_apart_from_one_too_old(tmp_path: Path) -> None:
    # New enough, but the import of venv and ensurepip fails.
    fake = (
        '#!/bin/sh\n[ "$1" = "--version" ] && echo "Python 3.12.0" && exit 0\n'
        'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac\n'
    )
    done = run(tmp_path, fake, "demo")
    assert done.returncode == 1
    assert "Python 3.12.0 is new enough, but has no venv and ensurepip" in done.stderr
