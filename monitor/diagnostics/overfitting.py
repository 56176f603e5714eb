r"""Does the model describe the smile, or tonight's noise? What it says of quotes it has not seen.

Blocks of neighbouring strikes are held out without refitting: for a least-squares fit with basis Q
the residual of a held-out block B is, exactly if the model is linear and to first order if not,

.. math:: r_{(B)} = (I - Q_B Q_B')^{-1} r_B

Neighbours are left out together, since one stands in for the other. Real refits, whole expiries
among them, are the weekly validation's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.leftover import Leftover, influence_of
from monitor.outcome import Rejection

BLOCK = 3  # strikes held out together
# Held-out errors of twice the residuals: half of what the fit adapts itself to is noise.
MAX_HELDOUT_RATIO = 2.0
MAX_SATURATION = 0.5  # parameters over quotes: with fewer than two quotes each there is no test
_DECISIVE = 1e-3  # left of a block's variance: below, the fit rests on the block alone


def held_out(left: Leftover, expiry: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return residuals with their block held out, and in sample, both over noise, shape (n,).

    NaN for a block without which the model is not determined.
    """
    out = np.full(left.n, np.nan)
    starts = _blocks(expiry)
    rows = starts[:, None] + np.arange(BLOCK)
    stops = np.append(starts[1:], left.n)
    real = rows < stops[:, None]
    rows = np.where(real, rows, 0)
    Q = np.where(real[:, :, None], left.basis[rows], 0.0)
    r = np.where(real, left.r[rows], 0.0)
    free = np.eye(BLOCK) - Q @ Q.transpose(0, 2, 1)
    least = np.linalg.eigvalsh(free)[:, 0]
    told = least > _DECISIVE
    solved = np.linalg.solve(free[told], r[told][:, :, None])[:, :, 0]
    out[rows[told][real[told]]] = solved[real[told]]
    return out, left.r


def _blocks(expiry: IntArray) -> IntArray:
    """Return where each block begins: every `BLOCK` strikes, anew at every expiry."""
    first = np.flatnonzero(np.diff(expiry, prepend=-1))
    place = np.arange(len(expiry)) - np.repeat(first, np.diff(first, append=len(expiry)))
    return np.flatnonzero(place % BLOCK == 0)


@lru_cache(maxsize=2)
def _held(evidence: Evidence) -> tuple[FloatArray, FloatArray] | None:
    """Return held-out and in-sample residuals in vol of the quotes that have both."""
    assert evidence.fit is not None
    left = influence_of(evidence.quotes, evidence.fit)
    if not left.n:
        return None
    out, inside = held_out(left, evidence.quotes.expiry_index[left.at])
    known = np.isfinite(out)
    if not known.any():
        return None
    return out[known] * left.noise[known], inside[known] * left.noise[known]


def _undetermined(metric: Metric, evidence: Evidence) -> Rejection:
    assert evidence.model is not None
    detail = f"no block of {BLOCK} strikes can be spared: the fit rests on each"
    return Rejection("metric", "undetermined", f"{metric.name}/{evidence.model.name}", detail)


def _rms(x: FloatArray) -> float:
    return float(np.sqrt(np.mean(x * x)))


@metric(
    "heldout_rmse_iv",
    unit="vol",
    level="model",
    definition="Root mean square of model minus market vol at blocks of three neighbouring strikes "
    "held out of the fit in turn, by their influence on it.",
    source="Cook and Weisberg (1982), Residuals and Influence in Regression, chapter 3; blocks",
)
def heldout_rmse_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the error at strikes that the fit has not seen."""
    held = _held(evidence)
    if held is None:
        yield _undetermined(metric, evidence)
    else:
        yield metric.value(evidence, _rms(held[0]), n=len(held[0]))


@metric(
    "heldout_ratio",
    unit="1",
    level="model",
    definition="Error of heldout_rmse_iv over the root mean square of those quotes' residuals in "
    "sample: near 1 the model describes, above 2 it adapts itself to noise more than to the smile.",
    source="Stone (1974), JRSS B 36(2); Cook and Weisberg (1982), chapter 3; blocks",
)
def heldout_ratio(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much worse the fit is where it has not seen."""
    held = _held(evidence)
    if held is None or not np.any(held[1]):
        yield _undetermined(metric, evidence)
    else:
        yield metric.value(evidence, _rms(held[0]) / _rms(held[1]), n=len(held[0]))


def saturation_of(evidence: Evidence) -> float | None:
    """Return free parameters over quotes, of the worst expiry for a model per expiry."""
    fit, model, quotes = evidence.fit, evidence.model, evidence.quotes
    assert fit is not None and model is not None
    free = np.isfinite(fit.params) & (fit.at_bound == 0)
    if not free.any():
        return None
    if not model.per_expiry:
        return float(free.sum()) / quotes.n
    per = free.reshape(quotes.m, -1).sum(axis=1)
    counts = np.bincount(quotes.expiry_index, minlength=quotes.m)
    return float(np.max(per / counts))


@metric(
    "saturation",
    unit="1",
    level="model",
    definition="Free parameters over quotes, of the worst expiry for a model per expiry: at 1 the "
    "fit is exact whatever the market says.",
    source="Own",
)
def saturation(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how close the model comes to a parameter a quote."""
    value = saturation_of(evidence)
    if value is None:
        assert evidence.model is not None
        subject = f"{metric.name}/{evidence.model.name}"
        yield Rejection("metric", "not_fitted", subject, "no parameter was free")
    else:
        yield metric.value(evidence, value, n=evidence.quotes.n)


@metric(
    "next_night_ratio",
    unit="1",
    level="model",
    definition="Tonight's error of last night's structure, states refreshed, over last night's own "
    "error in sample.",
    source="Dumas, Fleming and Whaley (1998), J. Finance 53(6), section III",
    needs="one night",
    after=True,
)
def next_night_ratio(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much worse last night's structure is on quotes of tonight."""
    assert evidence.model is not None
    model = evidence.model.name
    tonight = evidence.tonight.get((model, "refreshed_rmse_iv", CHAIN))
    past = evidence.history.series.get((model, "rmse_iv", CHAIN))
    if tonight is None or past is None or not len(past) or not past.value[-1] > 0.0:
        detail = "no error of last night's structure, or none in sample last night"
        yield Rejection("metric", "no_last_night", f"{metric.name}/{model}", detail)
    else:
        yield metric.value(evidence, tonight / float(past.value[-1]), n=evidence.quotes.n)


def is_overfit(evidence: Evidence) -> bool:
    """Return whether tonight's fit describes noise: too few quotes to tell, or worse by half."""
    used = saturation_of(evidence)
    if used is not None and used >= MAX_SATURATION:
        return True
    held = _held(evidence)
    # What rests on every single block cannot be tested at all.
    return held is None or (
        bool(np.any(held[1])) and _rms(held[0]) > MAX_HELDOUT_RATIO * _rms(held[1])
    )
