"""An installed copy, not editable, works from any folder and has its SQL files."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow  # builds a wheel: 10 s
def test_an_installed_copy_makes_its_database_from_another_folder(tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    # Its dependencies are this environment's: what is tested is what the wheel itself holds.
    (site,) = (environment / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", str(ROOT)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MISSPEC_", "PYTHON"))}
    env["MISSPEC_HOME"] = str(tmp_path / "home")

    def misspec(*arguments: str) -> str:
        command = [str(environment / "bin" / "misspec"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import monitor, flows; print(monitor.__file__, flows.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
        check=True,
    )
    assert all(str(site) in path for path in where.stdout.split())
    assert misspec("--version").startswith("misspec ")
    assert misspec("db", "upgrade").endswith("empty before, current now\n")
    assert misspec("status").strip() == "no pass has been judged yet: misspec nightly"
