"""What a model says of strikes and expiries it was not shown: the fit made again without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.solve import calibrate, grid_of, model_iv
from monitor.market.quotes import Quotes
from monitor.models.base import Model

BLOCK, FOLDS = 3, 5  # neighbouring strikes held out together; parts of the chain
_OF_EXPIRY = "expiry_ms tau forward discount parity_low parity_high".split()


@dataclass(frozen=True)
class HeldOut:
    """Root mean square errors in vol of one model on one chain.

    Attributes
    ----------
    model : str
    in_sample : float
    strikes : float
        At blocks of strikes, by fits without them.
    expiries : float
        At whole expiries, likewise; NaN for a model that has parameters for each expiry and says
        nothing of one it has not seen.
    n_strikes, n_expiries : int
        Quotes behind each.
    """

    model: str
    in_sample: float
    strikes: float
    expiries: float
    n_strikes: int
    n_expiries: int


def subset(quotes: Quotes, kept: BoolArray) -> Quotes:
    """Return a chain of some of its quotes; expiries without any left are gone."""
    columns = {
        name: value[kept]
        for name, value in vars(quotes).items()
        if isinstance(value, np.ndarray) and name not in _OF_EXPIRY and value.shape == (quotes.n,)
    }
    there = np.unique(quotes.expiry_index[kept])
    columns |= {name: getattr(quotes, name)[there] for name in _OF_EXPIRY}
    columns["expiry_index"] = np.searchsorted(there, quotes.expiry_index[kept])
    names = tuple(n for n, k in zip(quotes.instrument, kept.tolist(), strict=True) if k)
    return replace(quotes, **columns, instrument=names)  # type: ignore[arg-type]


def strike_folds(quotes: Quotes) -> Iterator[BoolArray]:
    """Yield what is held out in turn: every fifth block of three neighbouring strikes."""
    first = np.searchsorted(quotes.expiry_index, np.arange(quotes.m))
    place = np.arange(quotes.n) - first[quotes.expiry_index]
    # Each expiry begins with another fold, so that the outermost strikes are spread over all.
    fold = (place // BLOCK + quotes.expiry_index) % FOLDS
    for i in range(FOLDS):
        yield fold == i


def expiry_folds(quotes: Quotes) -> Iterator[BoolArray]:
    """Yield what is held out in turn: each expiry."""
    for j in range(quotes.m):
        yield quotes.expiry_index == j


def held_out(
    model: Model, quotes: Quotes, *, settings: CalibrationSettings | None = None
) -> HeldOut:
    """Return what a model says of quotes that it was not shown."""
    full = calibrate(model, quotes, settings=settings)
    inside = full.iv - quotes.iv
    strikes = _errors(model, quotes, strike_folds(quotes), settings)
    none = np.empty(0)
    expiries = none if model.per_expiry else _errors(model, quotes, expiry_folds(quotes), settings)
    return HeldOut(
        model=model.name,
        in_sample=_rms(inside[np.isfinite(inside)]),
        strikes=_rms(strikes),
        expiries=_rms(expiries),
        n_strikes=len(strikes),
        n_expiries=len(expiries),
    )


def _errors(
    model: Model,
    quotes: Quotes,
    folds: Iterator[BoolArray],
    settings: CalibrationSettings | None,
) -> FloatArray:
    """Return model minus market at all held-out quotes to which the refitted model gives a vol."""
    whole, found = grid_of(quotes), []
    for out in folds:
        if not out.any() or out.all():
            continue
        rest = subset(quotes, ~out)
        fit = calibrate(model, rest, settings=settings)
        params = fit.params
        if model.per_expiry:
            grid = grid_of(rest)
            params = model.carry(params, grid.expiry_ms, grid.tau, whole)
        error = model_iv(model, params, whole)[out] - quotes.iv[out]
        found.append(error[np.isfinite(error)])
    return np.concatenate(found) if found else np.empty(0)


def _rms(x: FloatArray) -> float:
    return float(np.sqrt(np.mean(x * x))) if len(x) else float("nan")
