"""Ours beside its peers on the same numbers: accuracy first, then speed; a command, not a test.

    python tests/benchmarks/peers.py                  everything
    python tests/benchmarks/peers.py vols heston      some tables: vols heston bates slices models
    python tests/benchmarks/peers.py --rounds 15

Peers come from PyPI, into an environment of their own where this one should stay as it is:

    pip install numpy scipy mpmath QuantLib pyfeng fourier-option-pricer lbriv \
        vanilla-option-pricers py_vollib_vectorized vollib

One that is not installed has a row that says so; one that fails, a row with its own words. All run
in this process on one core (BLAS on one thread), in turn, round after round, so that what disturbs
one disturbs all; times are CPU time, the median of the rounds after one to warm up (compilation,
caches). A ratio is their time over ours in the same run. Nothing fails on a slow machine.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import time
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

OURS = "misspec"


@dataclass(frozen=True)
class Runner:
    """One way to do a task.

    Attributes
    ----------
    name : str
    distribution : str
        On PyPI; empty for ours.
    prepare : callable
        Takes the task's data and returns what is timed, imports and set-up apart.
    part : float
        Share of the task that is timed; below one for the slowest, whose time is scaled up.
    """

    name: str
    distribution: str
    prepare: Callable[[Any], Callable[[], Any]]
    part: float = 1.0


@dataclass(frozen=True)
class Row:
    """What one runner came to: its answer, and the CPU seconds of the whole task."""

    name: str
    answer: Any
    seconds: float
    note: str = ""


def race(runners: Sequence[Runner], data: Any, rounds: int) -> list[Row]:
    """Return every runner's answer and median time, all taken in turn."""
    ready, rows = [], {}
    for runner in runners:
        try:
            version = importlib.metadata.version(runner.distribution) if runner.distribution else ""
            work = runner.prepare(data)
            started = time.process_time()
            answer = _quietly(work)
            first = time.process_time() - started
        except (ImportError, importlib.metadata.PackageNotFoundError):
            rows[runner.name] = Row(runner.name, None, float("nan"), "not installed")
        except Exception as error:  # a peer may fail in any way of its own; the table says how
            words = str(error).splitlines()
            note = f"failed: {type(error).__name__}: {words[0] if words else ''}"[:70]
            rows[runner.name] = Row(runner.name, None, float("nan"), note)
        else:
            ready.append((runner, work, answer, version, first))
    times: dict[str, list[float]] = {runner.name: [] for runner, *_ in ready}
    for turn in range(rounds):
        for runner, work, _, _, first in ready:
            # What takes seconds is not repeated as often as what takes milliseconds.
            if turn * first > 6.0 and turn >= 2:
                continue
            started = time.process_time()
            _quietly(work)
            times[runner.name].append(time.process_time() - started)
    for runner, _, answer, version, _ in ready:
        taken = sorted(times[runner.name])
        seconds = taken[len(taken) // 2] / runner.part
        note = f"timed on {runner.part:.0%}" if runner.part < 1.0 else ""
        rows[runner.name] = Row(f"{runner.name} {version}".strip(), answer, seconds, note)
    return [rows[runner.name] for runner in runners]


def _quietly(work: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    cells = [list(columns), *[list(row) for row in rows]]
    widths = [max(len(row[j]) for row in cells) for j in range(len(columns))]
    print(f"\n{title}")
    for i, row in enumerate(cells):
        print("  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
        if i == 0:
            print("  " + "  ".join("-" * w for w in widths))


def ratio(row: Row, rows: Sequence[Row]) -> str:
    """Return a row's time over ours."""
    ours = next(r.seconds for r in rows if r.name.startswith(OURS))
    return f"{row.seconds / ours:.1f}" if row.answer is not None else ""


def main() -> None:
    """Run the tables asked for."""
    from tests.benchmarks import peers_slices, peers_surfaces, peers_vols

    tables = {
        "vols": peers_vols.show,
        "heston": peers_surfaces.show_heston,
        "bates": peers_surfaces.show_bates,
        "slices": peers_slices.show,
        "models": peers_surfaces.show_models,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*tables, []], default=[])
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for name in given.tables or tables:
        tables[name](given.rounds)


if __name__ == "__main__":
    # A peer installs a package named `tests`, which would be found before this folder.
    root = Path(__file__).resolve().parents[2]
    own = types.ModuleType("tests")
    own.__path__ = [str(root / "tests")]
    sys.modules["tests"] = own
    sys.path.insert(0, str(root))
    main()
