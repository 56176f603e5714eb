"""What stands where: the top level, the size of modules, the word each package says of itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {"pyproject.toml", "README.md", "flows", "monitor", "sql", "tests", "deploy"}
BUILT = {"build", "dist"}  # what tools leave behind; git ignores it
CODE = sorted(p for top in ("monitor", "flows", "sql", "tests") for p in (ROOT / top).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    visible = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
    extra = {n for n in visible - TOP_LEVEL - BUILT if not n.endswith(".egg-info")}
    assert not extra
    assert visible >= TOP_LEVEL


def test_no_module_is_longer_than_400_lines() -> None:
    long = {name_of(p): n for p in CODE if (n := len(p.read_text().splitlines())) > 400}
    assert not long


def test_a_flow_is_shorter_than_100_lines() -> None:
    flows = sorted((ROOT / "flows").glob("*.py"))
    assert flows
    long = {name_of(p): n for p in flows if (n := len(p.read_text().splitlines())) >= 100}
    assert not long


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(p)
        for p in CODE
        if p.relative_to(ROOT).parts[0] != "tests"
        and p.read_text().strip()
        and ast.get_docstring(ast.parse(p.read_text())) is None
    ]
    assert not silent


@pytest.mark.parametrize(
    "package", sorted(p.parent for p in (ROOT / "monitor").glob("*/__init__.py")), ids=name_of
)
def test_every_package_says_what_it_may_import(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert "import" in docstring.lower(), f"{name_of(package)} does not say what it may import"


def test_the_text_of_the_project_names_no_path_of_one_machine() -> None:
    suffixes = {".py", ".md", ".toml", ".sh", ".sql", ".txt", ".yaml", ".ini"}
    # Spelt in two halves, so that this file does not find itself.
    homes = ["/" + folder + "/" for folder in ("work", "root", "home")]
    found = [
        name_of(p)
        for top in TOP_LEVEL - {"pyproject.toml", "README.md"}
        for p in (ROOT / top).rglob("*")
        if p.suffix in suffixes and p.is_file()
        for home in homes
        if home in p.read_text(encoding="utf-8")
    ]
    assert not found
