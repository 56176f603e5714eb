"""Which way imports run, and what the pure core may not touch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each line may import from the lines above it in this list, never from itself or from below.
LINES = [
    "errors",
    "registry outcome arrays garbage",
    "conventions",
    "numerics",
    "pricing",
    "market models",
    "calibration",
    "replication stress",
    "diagnostics",
    "verdict",
    "incidents",
    "assessment",
    "judging",
    "assess",
    "recollect scaleout",
    "archive",
    "venues sandbox store channels settings",
    "config",
    "pipeline health telling questions keeping",
    "jobs watchdog replay scoring",
    "backfill validation",
    "rehearsal report",
    "flows dashboard proving",
    "cli",
]
HEIGHT = {room: height for height, line in enumerate(LINES) for room in line.split()}

PURE = (
    "numerics pricing models market calibration replication stress diagnostics verdict incidents "
    "assess recollect judging"
).split()
# No tables, no database, no network, no files, no machine time, no chance but what is handed in.
FORBIDDEN_IN_PURE = {
    *"pandas pyarrow sqlalchemy alembic ccxt prefect apprise pydantic typer rich".split(),
    *"asyncio http httpx aiohttp requests urllib socket subprocess threading".split(),
    *"io os pathlib shutil tempfile glob sqlite3 time random logging".split(),
}
FORBIDDEN_CALLS = {
    *"open print input datetime.now datetime.utcnow datetime.today date.today".split(),
    *"np.random.seed np.random.normal np.random.uniform np.random.rand np.random.randn".split(),
}
# Each outside library has its rooms; elsewhere it would tie a second place to its ways.
HOMES = {
    "ccxt": {"venues"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "apprise": {"channels"},
    "prefect": {"flows", "cli"},
    "distributed": {"scaleout"},
    "matplotlib": {"report"},
    "arch": {"validation"},
    "statsmodels": {"validation"},
    "plotext": {"report"},
    "typer": {"cli"},
    "pydantic_settings": {"config", "settings"},
}

SOURCES = sorted([*(ROOT / "monitor").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])


def room_of(path: Path) -> str | None:
    """Return the room a file stands in; None for the package's own `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "flows":
        return "flows"
    return None if parts == ("monitor", "__init__") else parts[1]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import of a file, those within functions included."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    return imports_in(path.read_text(encoding="utf-8"), package)


def imports_in(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def rooms_in(imports: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for line, name in imports:
        parts = name.split(".")
        if parts[0] == "flows":
            yield line, "flows"
        elif parts[0] == "monitor" and len(parts) > 1:
            yield line, parts[1]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_imports_only_from_lines_below_its_own(path: Path) -> None:
    room = room_of(path)
    if room is None:
        assert not list(rooms_in(imported(path)))
        return
    assert room in HEIGHT, f"{name_of(path)} stands in no room of the table"
    wrong = [
        f"{name_of(path)}:{line} ({room}) imports {other}"
        for line, other in rooms_in(imported(path))
        # A name under `monitor` that is no room is the package's `__version__` or the like.
        if other in HEIGHT and other != room and HEIGHT[other] >= HEIGHT[room]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", [p for p in SOURCES if room_of(p) in PURE], ids=name_of)
def test_the_core_touches_no_table_database_network_file_clock_or_chance(path: Path) -> None:
    found = [
        f"{name_of(path)}:{line} imports {name}"
        for line, name in imported(path)
        if name.split(".")[0] in FORBIDDEN_IN_PURE
    ]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in FORBIDDEN_CALLS:
            found.append(f"{name_of(path)}:{node.lineno} calls {ast.unparse(node.func)}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_each_outside_library_is_met_only_in_its_own_room(path: Path) -> None:
    room = room_of(path)
    found = [
        f"{name_of(path)}:{line} imports {name}, which belongs in {sorted(HOMES[top])}"
        for line, name in imported(path)
        if (top := name.split(".")[0]) in HOMES and room not in HOMES[top]
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "from monitor.store import open_store",
        "import monitor.store.schema as s",
        "from monitor import store",
        "from ..store import open_store",
        "def f():\n    if True:\n        from monitor.store import schema",
    ],
)
def test_an_upward_import_is_seen_however_it_is_written(source: str) -> None:
    rooms = [room for _, room in rooms_in(imports_in(source, ("monitor", "verdict")))]
    assert rooms == ["store"]
    assert HEIGHT["store"] > HEIGHT["verdict"]
