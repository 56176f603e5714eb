"""What worlds are built on, measured: on recorded chains and, by the same ruler, on the worlds.

The numbers of `monitor.sandbox.recorded` come from here; so does the answer whether worlds built on
them are like what they were learnt from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from monitor.archive import list_snapshots, read_refs, select
from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.calibration.solve import calibrate, grid_of
from monitor.conventions import MS_PER_DAY
from monitor.diagnostics.smile import at_30_days, read_smile, slices
from monitor.errors import DomainError, UsageError
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS
from monitor.numerics.charts import fit_autoregression
from monitor.proving.nights import EVENING_MS
from monitor.sandbox.generate import open_world
from monitor.sandbox.recorded import RICH

# After the crash of 5 February 2026 and what it left behind.
SINCE = datetime(2026, 2, 15, tzinfo=UTC)
FITTED = ("svi", "heston", "bates")
SHAPES = ("level", "skew", "curvature", "third", "fourth")
_TENOR_DAYS = (3.0, 7.0, 30.0, 90.0)

Tick = Callable[[], None]


@dataclass(frozen=True)
class Source:
    """Where nights come from: an archive, or a world of some seed.

    Attributes
    ----------
    underlying : str
    archive : tuple of Path
        Empty for a world.
    world : str
    seed, nights : int
    """

    underlying: str
    archive: tuple[Path, ...] = ()
    world: str = ""
    seed: int = 0
    nights: int = 106

    @property
    def name(self) -> str:
        """What a table calls it."""
        return self.world or "recorded"

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the nights.

        Raises
        ------
        UsageError
            If the archive holds none.
        """
        if self.world:
            market = open_world(self.world, seed=self.seed, break_night=self.nights)
            for night in range(self.nights):
                now_ms = market.start_ms + night * MS_PER_DAY + EVENING_MS
                yield market.snapshot(self.underlying, now_ms, brief=True)
            return
        refs = list_snapshots(self.archive)
        chosen = select(refs, underlying=self.underlying, since=SINCE, every="day")
        if not chosen:
            raise UsageError(f"the archive holds no chain of {self.underlying} since {SINCE:%F}")
        yield from read_refs(chosen)


def measure_facts(source: Source, tick: Tick) -> pd.DataFrame:
    """Return facts of one source: columns underlying, source, what, value, low, high."""
    quotes, fits = [], {name: list[Fit]() for name in FITTED}
    for snapshot in source.snapshots():
        found = build_quotes(snapshot, CleaningRules())
        if found.n:
            grid = grid_of(found)
            quotes.append(found)
            for name in FITTED:
                fits[name].append(calibrate(MODELS[name], found, grid=grid))
        tick()
    facts = [*_smiles(quotes), *_mids(quotes), *_fits(quotes, fits), *_residuals(quotes, fits)]
    frame = pd.DataFrame(facts, columns=["what", "value", "low", "high"])
    frame.insert(0, "source", source.name)
    frame.insert(0, "underlying", source.underlying)
    return frame


Fact = tuple[str, float, float, float]


def _spread(what: str, values: FloatArray) -> Fact:
    known = values[np.isfinite(values)]
    value, low, high = (float(np.quantile(known, q)) for q in (0.5, 0.1, 0.9))
    return what, value, low, high


def _moves(what: str, values: FloatArray) -> Iterator[Fact]:
    """Yield the deviation of nightly innovations, and the persistence."""
    known = values[np.isfinite(values)]
    try:
        fit = fit_autoregression(known)
    except DomainError:
        return
    yield f"{what}, nightly innovation", fit.sigma, np.nan, np.nan
    yield f"{what}, persistence", fit.phi, np.nan, np.nan


def _smiles(quotes: Sequence[Quotes]) -> Iterator[Fact]:
    for kind, name in (("atm", "at-the-money vol"), ("rr25", "risk reversal"), ("bf25", "fly")):
        rows = []
        for q in quotes:
            known = [(s.tau, v[0]) for s in slices(q) if (v := read_smile(s, kind)) is not None]
            tau, value = np.array(known, np.float64).reshape(-1, 2).T
            at = [float(np.interp(np.sqrt(d / 365), np.sqrt(tau), value)) for d in _TENOR_DAYS]
            at30 = at_30_days(tau, value, kind)
            at[2] = np.nan if at30 is None else at30
            rows.append(at)
        for i, days in enumerate(_TENOR_DAYS):
            series = 100.0 * np.array(rows)[:, i]
            what = f"{name} at {days:.0f} days, vol points"
            yield _spread(what, series)
            yield from _moves(what, series)


def _mids(quotes: Sequence[Quotes]) -> Iterator[Fact]:
    """Yield how mids stray from marks, in half-spreads: how far, how long, how alike."""
    nights, beside = [], {1: list[FloatArray](), 5: list[FloatArray]()}
    for q in quotes:
        z = (q.iv - q.mark_iv) / (0.5 * (q.iv_ask - q.iv_bid))
        z = np.where(np.abs(z) < 4.0, z, np.nan)
        nights.append(dict(zip(q.instrument, z, strict=True)))
        for lag, pairs in beside.items():
            same = q.expiry_index[lag:] == q.expiry_index[:-lag]
            pairs.append(np.stack([z[lag:][same], z[:-lag][same]]))
    every = np.array([z for night in nights for z in night.values()])
    yield "mid off mark, half-spreads rms", float(np.sqrt(np.nanmean(every**2))), np.nan, np.nan
    for lag in (1, 10):
        found_twice = [
            (z, later[name])
            for night, later in zip(nights[:-lag], nights[lag:], strict=True)
            for name, z in night.items()
            if name in later
        ]
        yield (
            f"mid off mark, shared after {lag} nights",
            _shared(np.array(found_twice).T),
            np.nan,
            np.nan,
        )
    for lag, found in beside.items():
        what = f"mid off mark, shared {lag} strikes away"
        yield what, _shared(np.concatenate(found, axis=1)), np.nan, np.nan


def _shared(pairs: FloatArray) -> float:
    known = pairs[:, np.isfinite(pairs).all(axis=0)]
    return float(np.corrcoef(known[0], known[1])[0, 1])


def _fits(quotes: Sequence[Quotes], fits: dict[str, list[Fit]]) -> Iterator[Fact]:
    for name, found in fits.items():
        rmse = np.array(
            [
                100.0 * np.sqrt(np.nanmean((f.iv - q.iv) ** 2))
                for f, q in zip(found, quotes, strict=True)
            ]
        )
        yield _spread(f"{name} misfit, vol points", rmse)
        yield from _moves(f"{name} misfit, logarithm", np.log(rmse))
    for name in ("heston", "bates"):
        params = np.array([f.params for f in fits[name]])
        for i, parameter in enumerate(fits[name][0].names):
            yield _spread(f"{name} {parameter}", params[:, i])


def _residuals(quotes: Sequence[Quotes], fits: dict[str, list[Fit]]) -> Iterator[Fact]:
    """Yield the shapes of what Bates leaves over, in vol points; see `sandbox.law.Surface`."""
    surface = RICH["BTC"].surface
    assert surface is not None
    days = np.array(surface.days)
    found = np.array([_shapes(q, f.iv, days) for q, f in zip(quotes, fits["bates"], strict=True)])
    for i, tenor_days in enumerate(days):
        for j, shape in enumerate(SHAPES):
            series = 100.0 * found[:, i, j]
            yield _spread(f"bates residual at {tenor_days:.0f} days, {shape}", series)
    kept = [
        _shared(np.array(list(pairwise(found[:, i, j]))).T)
        for i in range(len(days))
        for j in range(3)
    ]
    yield _spread("bates residual, shared after 1 night", np.array(kept))


def _shapes(q: Quotes, iv: FloatArray, days: FloatArray) -> FloatArray:
    """Return the shapes' vols by ridge regression in units of noise, shape (tenors, shapes)."""
    tau = q.tau[q.expiry_index]
    smiles = slices(q)
    level = np.array([np.interp(0.0, s.k, s.iv) for s in smiles])[q.expiry_index]
    u = np.tanh(0.5 * q.k / (level * np.sqrt(tau)))
    legendre = np.polynomial.legendre.legvander(u, len(SHAPES) - 1)
    where = np.log(np.clip(365.0 * tau, days[0], days[-1]))
    hats = np.stack([np.interp(where, np.log(days), e) for e in np.eye(len(days))], axis=1)
    weight = 1.0 / np.maximum(q.noise, 0.005)
    residual = q.iv - iv
    known = np.isfinite(residual)
    A = ((hats[:, :, None] * legendre[:, None, :]).reshape(len(u), -1) * weight[:, None])[known]
    b = (residual * weight)[known]
    # A prior deviation of two vol points keeps shapes apart that few quotes tell apart.
    prior = np.eye(A.shape[1]) / 0.02**2
    return np.asarray(np.linalg.solve(A.T @ A + prior, A.T @ b).reshape(len(days), len(SHAPES)))
