"""Every nightly model on every recorded chain: what converges, how well it fits; a command.

    python -m tests.benchmarks.chains                     all of ../shared/market-data, 2 processes
    python -m tests.benchmarks.chains --sample 20         every 20th snapshot, for a quick look
    python -m tests.benchmarks.chains --period crash      of one period
    python -m tests.benchmarks.chains --archive FOLDER --workers 8 --model svi --model heston

Each chain is cleaned as a night cleans it and fitted cold, with every restart. Then the fit is laid
on the chain recorded next (about six hours later, also when only a sample is fitted), and the error
is taken over the expiries that both chains quote:

- frozen: every parameter as it was, in log-moneyness to the forward of then, a smile of its own
  expiry aged to the shorter tenor at the same vol (`Model.carry`). That is the market's move.
- refreshed: what the model calls structure as it was, its states fitted anew. That is the model's
  error: a right model has constant structure, whatever its states do (`diagnostics.lastnight`).

Errors are model minus mid, each quote counting once: in vol points, and in units of 1e-4 coin (the
premium over the forward). A chain's number is the root mean square over its quotes; a cell says the
median over the chains of the period, and their 95 % quantile. Quotes to which a model gives no vol
(an expiry with fewer quotes than parameters) count for no error, and their share is said.

The periods are those of the market, as the level of vol a month ahead shows, printed beside them:
calm is January, before anything moved; crash is 5 and 6 February, when bitcoin lost 13.5 % in a day
and vol doubled; decay is 9 February to the end of May, when it fell back. The days between, neither
one nor the other, are in the statuses and in no period.

What the ranking says (vol points, medians over both coins of every seventh chain in calm and decay,
and of every chain in the crash; 22 November 2026):

1. SVI (0.5) leads SABR (1.0 to 1.8) and eSSVI (1.7 to 3.0) in every period: five parameters an
   expiry against three, and eSSVI alone pays for the absence of arbitrage.
2. SVCJ (2.0 to 2.8), Bates (2.3 to 3.0) and Heston (3.4 to 4.4) rank as they nest: smiles of a week
   are steeper than a diffusing variance makes them. The crash doubles the errors of all three.
3. The ad-hoc polynomial (3.2 to 4.6) is Heston's equal until the crash (9 to 10 against 7), and
   ahead of it in coin, where long expiries weigh most: it has a slope and a bend in tenor.
4. Merton and Kou (3.8 to 5.3) and Variance Gamma (6.6 to 7.8) have one law for all tenors and no
   level that moves in time: 14 to 16 in the crash, as Black, who has no smile at all (9 to 16).
5. On the next chain with states refreshed surfaces lose 0 to 15 % and the ranking stands; smiles of
   an expiry's own lose most (SVI 0.5 to 1.1) and stay ahead, but in the crash SVI's fifth parameter
   is dear: 3.3 to 3.9 against SABR's 2.3 to 3.7.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from monitor.archive import SnapshotRef, list_snapshots, read_refs, select
from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.fit import Fit, FitStatus
from monitor.calibration.solve import calibrate, evaluate, grid_of
from monitor.conventions import to_ms
from monitor.diagnostics.base import NO_HISTORY, Evidence
from monitor.diagnostics.residual import residual_coin, residual_iv
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS, Grid, Model

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "market-data"
ARCHIVES = "deribit_dev_*.parquet"  # the files beside it are no chains
NIGHTLY = [name for name, model in MODELS.items() if model.cadence == "nightly"]
CHUNK = 16  # consecutive chains of one unit: one read, and kernels made once for two uses
MONTH = 30.0 / 365.0
WAYS = ("in sample", "frozen", "refreshed")


def _ms(month: int, day: int) -> int:
    return to_ms(datetime(2026, month, day, tzinfo=UTC))


PERIODS = {
    "calm": (0, _ms(2, 1)),
    "crash": (_ms(2, 5), _ms(2, 7)),
    "decay": (_ms(2, 9), _ms(6, 1)),
}


@dataclass(frozen=True)
class Found:
    """What one model made of one chain; errors as (vol, coin) by way, NaN where there is none."""

    underlying: str
    as_of_ms: int
    model: str
    n: int
    status: FitStatus
    reason: str
    refreshed: FitStatus | None
    evaluations: int
    cpu_s: float
    without: float  # share of quotes
    errors: dict[str, tuple[float, float]]
    month_iv: float


def errors_of(snapshot: Snapshot, model: Model, quotes: Quotes, fit: Fit) -> FloatArray:
    """Return a fit's errors in vol and in coin, shape (n, 2)."""
    evidence = Evidence(snapshot, quotes, NO_HISTORY, model=model, fit=fit)
    return np.stack([residual_iv(evidence), residual_coin(evidence)], axis=1)


def rms(errors: FloatArray, used: BoolArray) -> tuple[float, float]:
    """Return the root mean square of both columns over the quotes that are used and known."""
    known = errors[used & np.isfinite(errors[:, 0])]
    both = np.sqrt(np.mean(known**2, axis=0)) if len(known) else np.full(2, np.nan)
    return float(both[0]), float(both[1])


def month_iv(quotes: Quotes) -> float:
    """Return the vol at the money a month ahead, linear in total variance between expiries."""
    grid = grid_of(quotes)
    return float(np.sqrt(np.interp(MONTH, grid.tau, grid.w_ref) / MONTH))


def measured(
    names: Sequence[str], refs: Sequence[SnapshotRef], wanted: Sequence[bool]
) -> list[Found]:
    """Return what the models made of the wanted ones of consecutive chains of one underlying."""
    out: list[Found] = []
    before: tuple[Snapshot, Quotes, Grid] | None = None
    pending: list[tuple[Found, Fit]] = []
    for snapshot, is_wanted in zip(read_refs(refs), wanted, strict=True):
        quotes = build_quotes(snapshot, CleaningRules())
        if not quotes.n:
            raise SystemExit(f"{snapshot.as_of:%F %T} {snapshot.underlying}: no quote is left")
        grid = grid_of(quotes)
        if before is not None:
            shared = np.isin(quotes.expiry_ms, before[1].expiry_ms)[quotes.expiry_index]
            out += [
                _next(found, fit, before[1], snapshot, quotes, grid, shared)
                for found, fit in pending
            ]
        pending = []
        if is_wanted:
            pending = [_cold(MODELS[name], snapshot, quotes, grid) for name in names]
        before = snapshot, quotes, grid
    return out + [found for found, _ in pending]


def _cold(model: Model, snapshot: Snapshot, quotes: Quotes, grid: Grid) -> tuple[Found, Fit]:
    begun = time.process_time()
    fit = calibrate(model, quotes, grid=grid)
    spent = time.process_time() - begun
    errors = errors_of(snapshot, model, quotes, fit)
    found = Found(
        underlying=snapshot.underlying,
        as_of_ms=snapshot.as_of_ms,
        model=model.name,
        n=quotes.n,
        status=fit.status,
        reason=fit.reason,
        refreshed=None,
        evaluations=fit.evaluations,
        cpu_s=spent,
        without=float(np.mean(~np.isfinite(fit.iv))),
        errors={"in sample": rms(errors, np.ones(quotes.n, np.bool_))},
        month_iv=month_iv(quotes),
    )
    return found, fit


def _next(
    found: Found,
    fit: Fit,
    then: Quotes,
    snapshot: Snapshot,
    quotes: Quotes,
    grid: Grid,
    shared: BoolArray,
) -> Found:
    model = MODELS[found.model]
    carried = model.carry(fit.params, then.expiry_ms, then.tau, grid)
    if not np.isfinite(carried).any():
        return found
    states = np.array([p.role == "state" for p in model.tiled(grid)])
    refreshed = calibrate(model, quotes, grid=grid, start=carried, free=states)
    errors = {
        "frozen": rms(
            errors_of(snapshot, model, quotes, evaluate(model, quotes, carried, grid=grid)), shared
        ),
        "refreshed": rms(errors_of(snapshot, model, quotes, refreshed), shared),
    }
    return replace(found, refreshed=refreshed.status, errors=found.errors | errors)


def units(
    refs: Sequence[SnapshotRef], sample: int
) -> Iterator[tuple[list[SnapshotRef], list[bool]]]:
    """Yield runs of consecutive chains with which of them to fit; each ends with one to be next."""
    for underlying in sorted({ref.underlying for ref in refs}):
        mine = [ref for ref in refs if ref.underlying == underlying]
        if sample == 1:
            for i in range(0, len(mine), CHUNK):
                part = mine[i : i + CHUNK + 1]
                yield part, [j < CHUNK for j in range(len(part))]
        else:
            for i in range(0, len(mine), sample):
                part = mine[i : i + 2]
                yield part, [True, False][: len(part)]


def _single_threaded() -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def statuses(found: Sequence[Found], names: Sequence[str]) -> None:
    """Print how fits ended, and what they cost."""
    print("\nHow cold fits ended, restarts included; CPU and evaluations are of a median fit")
    print(
        "model            fits  converged  max_eval  stalled  nothing   not conv.  refreshed n.c."
        "  no vol   CPU ms  evaluations"
    )
    for name in names:
        mine = [f for f in found if f.model == name]
        count = Counter(f.status for f in mine)
        nothing = count[FitStatus.TOO_FEW_QUOTES] + count[FitStatus.NOT_PRICEABLE]
        converged = count[FitStatus.CONVERGED]
        again = [f.refreshed for f in mine if f.refreshed is not None]
        short = np.mean([s is not FitStatus.CONVERGED for s in again]) if again else np.nan
        print(
            f"{name:15s} {len(mine):5d}  {converged:9d}  {count[FitStatus.MAX_EVALUATIONS]:8d}  "
            f"{count[FitStatus.STALLED]:7d}  {nothing:7d}  {1 - converged / len(mine):9.2%}  "
            f"{short:14.2%}  {np.mean([f.without for f in mine]):6.2%}  "
            f"{1e3 * np.median([f.cpu_s for f in mine]):7.1f}  "
            f"{np.median([f.evaluations for f in mine]):11.0f}"
        )
    for f in [f for f in found if f.status is not FitStatus.CONVERGED][:20]:
        when = datetime.fromtimestamp(f.as_of_ms / 1e3, UTC)
        print(f"  {f.underlying} {when:%F %H:%M} {f.model}: {f.reason}")


def errors(found: Sequence[Found], names: Sequence[str]) -> None:
    """Print how far models are from the chain they were fitted to, and from the next."""
    for underlying in sorted({f.underlying for f in found}):
        for period, (low, high) in PERIODS.items():
            here = [f for f in found if f.underlying == underlying and low <= f.as_of_ms < high]
            if not here:
                continue
            chains = {f.as_of_ms: f for f in here}.values()
            level = np.array([f.month_iv for f in chains])
            quotes = np.median([f.n for f in chains])
            print(
                f"\n{underlying}, {period}: {len(chains)} chains of {quotes:.0f} quotes; vol a "
                f"month ahead {np.median(level):.0%} ({level.min():.0%} to {level.max():.0%})"
            )
            print(
                f"{'median / 95 %':15s}"
                + "".join(f"  {way:>14s} vp" for way in WAYS)
                + "".join(f"  {way:>11s} 1e-4" for way in WAYS)
            )
            for name in names:
                mine = [f for f in here if f.model == name]
                cells = [
                    scale * np.array([f.errors[way][unit] for f in mine if way in f.errors])
                    for unit, scale in ((0, 1e2), (1, 1e4))
                    for way in WAYS
                ]
                row = "".join(f"  {_cell(x):>{17 if i < 3 else 16}s}" for i, x in enumerate(cells))
                print(f"{name:15s}{row}")


def _cell(x: FloatArray) -> str:
    x = x[np.isfinite(x)]
    return f"{np.median(x):.2f} / {np.quantile(x, 0.95):.2f}" if len(x) else "-"


def main() -> None:
    """Fit, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, action="append", help="files or folders")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=1, metavar="K", help="every K-th chain")
    parser.add_argument("--period", choices=PERIODS, help="the chains of this period alone")
    parser.add_argument("--model", action="append", choices=sorted(MODELS))
    parser.add_argument("--underlying", action="append")
    asked = parser.parse_args()
    names = asked.model or NIGHTLY
    paths = asked.archive or sorted(RECORDED.glob(ARCHIVES))
    if not paths:
        raise SystemExit(f"no recorded chains in {RECORDED}: name an --archive")
    _single_threaded()  # before a worker loads numpy
    refs = select(list_snapshots(paths), underlying=asked.underlying, every="snapshot")
    if asked.period:
        low, high = PERIODS[asked.period]
        refs = tuple(ref for ref in refs if low <= ref.as_of_ms < high)
    begun, found = time.perf_counter(), []
    fresh = multiprocessing.get_context("spawn")  # a fork keeps the threads of this process's BLAS
    with ProcessPoolExecutor(asked.workers, fresh) as pool:
        jobs = [pool.submit(measured, names, *unit) for unit in units(refs, asked.sample)]
        for job in jobs:
            found += job.result()
    wall, cpu = time.perf_counter() - begun, sum(f.cpu_s for f in found)
    chains = len({(f.underlying, f.as_of_ms) for f in found})
    print(
        f"{chains} chains, {len(found)} cold fits in {wall:.0f} s on {asked.workers} processes; "
        f"cold fits {cpu:.0f} s of CPU, {1e3 * cpu / chains:.0f} ms a chain"
    )
    statuses(found, names)
    errors(found, names)


if __name__ == "__main__":
    main()
