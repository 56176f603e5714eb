"""What a night costs, by stage; a command, not a test.

    python -m tests.benchmarks.night                      four models and eleven, recorded chains
    python -m tests.benchmarks.night --models black svi heston
    python -m tests.benchmarks.night --learnt 64 --nights 20 --sandbox

Passes run as a backfill's do: measured, judged and stored in a SQLite file, night after night. What
is timed comes after `--learnt` nights, so that charts have their references; a night on which a
reference is renewed costs its limits besides, and is told apart by the slowest night. Seconds of
processor time of one core, means over the timed nights. Without ../shared/market-data the chains
are the sandbox's.

Measured on 22 November 2026 on two cores that fifteen processes wanted, milliseconds, by
`--learnt 22 --nights 5`:

    models                     4       11
    all evidence           210.6    593.6        of it last night's fit 20 and 78, judge 11 and 56
    calibrate               75.2    485.2
    store                   49.4    126.3
    clean                    7.1      9.7

On 28 November 2026, on two cores of a speed that changed by half: all evidence of eleven models
over the cold fits of the same run 1.29 and 1.27 before, .76 and .90 since what is asked twice is
computed once, taking turns; about 375 ms where cold fits took 509.

On 29 November 2026, one after the other: eleven models .87 before, .76 since sums are made at every
place at once and Fourier premiums are inverted by erfcx, which made cold fits cheaper too (389 ms
where fits took 450; 482 where they took 631); four models 125 ms.

Later that day on a host more than twice as fast, by ``--learnt 22 --nights 5``: eleven models
168 ms where fits took 177, four 76 ms where they took 29.
"""

from __future__ import annotations

import argparse
import inspect
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from monitor import assess, pipeline
from monitor.archive import list_snapshots, read_refs, select
from monitor.assessment import Rules, Stream
from monitor.conventions import MS_PER_DAY
from monitor.diagnostics.base import METRICS, Evidence
from monitor.garbage import collect_seldom
from monitor.market.snapshot import Snapshot
from monitor.sandbox.generate import open_world
from monitor.store import open_store
from tests.references import SHARED

RECORDED = SHARED / "market-data" / "deribit_dev_20251230_20260531.parquet"
FOUR = ("black", "adhoc", "svi", "heston")
ELEVEN = (*FOUR, *"ssvi sabr bates merton kou variance_gamma svcj".split())
EVENING_MS = int(22.5 * 3_600_000)
NOT_EVIDENCE = ("clean", "calibrate", "store")


class Stopwatch:
    """Processor time by stage; what a stage asks of another counts there alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._stages, self._since = ["rest"], time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        self.spent[self._stages[-1]] += now - self._since
        self._since = now

    def timed(self, function: Callable[..., Any], stage: Callable[..., str]) -> Callable[..., Any]:
        """Return the function, its time charged to the stage that its arguments say."""

        def charged(*args: Any, **named: Any) -> Any:
            self._turn()
            self._stages.append(stage(*args, **named))
            try:
                return function(*args, **named)
            finally:
                self._turn()
                self._stages.pop()

        return charged


def watch(watch: Stopwatch) -> None:
    """Have every stage of a pass charged to the watch, for the rest of this process."""

    def always(stage: str) -> Callable[..., str]:
        return lambda *args, **named: stage

    modules: dict[Any, dict[str, Callable[..., str]]] = {
        assess: {
            "build_quotes": always("clean"),
            "calibrate": always("calibrate"),
            "refreshed_fit": always("last night's fit"),
        },
        pipeline: {"judge_night": always("judge"), "measure_for": always("rest")},
    }
    for module, functions in modules.items():
        for name, stage in functions.items():
            setattr(module, name, watch.timed(getattr(module, name), stage))
    for name, metric in METRICS.items():
        of = inspect.getclosurevars(metric.compute).nonlocals["function"]
        family = always(f"evidence: {of.__module__.rpartition('.')[2]}")

        def listed(evidence: Evidence, compute: Any = metric.compute) -> list[Any]:
            return list(compute(evidence))

        METRICS.exchange(name, replace(metric, compute=watch.timed(listed, family)))


def recorded(underlying: str, nights: int) -> Iterator[Snapshot]:
    """Yield the last recorded chain of each day."""
    refs = select(list_snapshots([RECORDED]), underlying=[underlying], every="day")
    yield from read_refs(refs[:nights])


def generated(underlying: str, nights: int) -> Iterator[Snapshot]:
    """Yield the evenings of a quiet world."""
    market = open_world("calm-rich", seed=0, break_night=nights)
    for night in range(nights):
        at = market.start_ms + night * MS_PER_DAY + EVENING_MS
        yield market.snapshot(underlying, at, brief=True)


def cost(
    models: Sequence[str], snapshots: Sequence[Snapshot], learnt: int, timer: Stopwatch
) -> tuple[dict[str, float], float]:
    """Return mean seconds a timed night by stage, and the evidence of the slowest night."""
    rules, wall = Rules(models=tuple(models)), datetime(2026, 1, 1, tzinfo=UTC)
    nights = []
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'night.db'}")
        store.upgrade()
        run = timer.timed(pipeline.run_pass, lambda *args, **named: "store")
        for snapshot in snapshots:
            timer.spent.clear()
            stream = Stream(snapshot.venue, snapshot.underlying)
            slot = f"{snapshot.as_of:%Y-%m-%d}"
            run(store, snapshot, rules, stream=stream, slot=slot, wall=wall, tell=False)
            nights.append(dict(timer.spent))
        store.close()
    timed = nights[learnt:]
    stages = sorted({stage for night in timed for stage in night})
    means = {s: float(np.mean([night.get(s, 0.0) for night in timed])) for s in stages}
    return means, max(evidence_of(night) for night in timed)


def evidence_of(spent: dict[str, float]) -> float:
    """Return what a night costs but for its quotes, its fits and its rows."""
    return sum(seconds for stage, seconds in spent.items() if stage not in NOT_EVIDENCE)


def main() -> None:
    """Time nights and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--underlying", default="BTC")
    parser.add_argument("--learnt", type=int, default=24)
    parser.add_argument("--nights", type=int, default=8)
    parser.add_argument("--sandbox", action="store_true")
    asked = parser.parse_args()
    timer = Stopwatch()
    watch(timer)
    collect_seldom()  # as every way in does
    is_recorded = RECORDED.is_file() and not asked.sandbox
    source = recorded if is_recorded else generated
    snapshots = list(source(asked.underlying, asked.learnt + asked.nights))
    sets = [asked.models] if asked.models else [FOUR, ELEVEN]
    found = [cost(models, snapshots, asked.learnt, timer) for models in sets]
    load, kind = os.getloadavg()[0], "recorded" if is_recorded else "sandbox"
    print(f"{len(snapshots) - asked.learnt} {kind} nights of {asked.underlying} after "
          f"{asked.learnt} learnt; milliseconds a night; load {load:.1f}")  # fmt: skip
    print(f"{'models':26s}" + "".join(f"{len(models):>9d}" for models in sets))
    stages = sorted({s for means, _ in found for s in means}, key=lambda s: -found[-1][0].get(s, 0))
    rows = [(s, [means.get(s, 0.0) for means, _ in found]) for s in stages]
    rows.append(("all evidence", [evidence_of(means) for means, _ in found]))
    rows.append(("the slowest night's", [slowest for _, slowest in found]))
    for name, seconds in rows:
        print(f"{name:26s}" + "".join(f"{1e3 * s:9.1f}" for s in seconds))


if __name__ == "__main__":
    main()
