"""Static arbitrage: in the market's executable quotes, and in the fitted surface."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.outcome import Rejection

_POINTS = 61  # of each slice, when a fitted surface is checked


@metric(
    "butterfly_market",
    unit="count",
    level="market",
    definition="Neighbouring strikes at which buying the butterfly's wings at the ask and selling "
    "its body at the bid brings in money, fees aside.",
    source="Durrleman (2003); Gatheral and Jacquier (2014), section 2.2",
)
def butterfly_market(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the number of executable butterfly violations."""
    quotes = evidence.quotes
    count = tried = 0
    for j in range(quotes.m):
        here = quotes.expiry_index == j
        strike = quotes.strike[here]
        if len(strike) < 3:
            continue
        bid, ask = _as_calls(quotes, here)
        weight = (strike[2:] - strike[1:-1]) / (strike[2:] - strike[:-2])
        cost = weight * ask[:-2] + (1.0 - weight) * ask[2:] - bid[1:-1]
        count += int(np.sum(cost < 0))
        tried += len(cost)
    if tried:
        yield metric.value(evidence, count, n=tried)
    else:
        yield Rejection("metric", "too_few_quotes", metric.name, "no expiry with three strikes")


@metric(
    "calendar_market",
    unit="count",
    level="market",
    definition="Quotes whose bid holds more total variance than the next expiry's ask at the same "
    "log-moneyness.",
    source="Gatheral and Jacquier (2014), lemma 2.1",
)
def calendar_market(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the number of executable calendar violations."""
    quotes = evidence.quotes
    count = tried = 0
    for j in range(quotes.m - 1):
        near, far = quotes.expiry_index == j, quotes.expiry_index == j + 1
        inside = (quotes.k[near] >= quotes.k[far][0]) & (quotes.k[near] <= quotes.k[far][-1])
        k = quotes.k[near][inside]
        sold = quotes.iv_bid[near][inside] ** 2 * quotes.tau[j]
        bought = np.interp(k, quotes.k[far], quotes.iv_ask[far] ** 2) * quotes.tau[j + 1]
        count += int(np.sum(sold > bought))
        tried += len(k)
    if tried:
        yield metric.value(evidence, count, n=tried)
    else:
        yield Rejection("metric", "too_few_expiries", metric.name, "no two expiries overlap in k")


@metric(
    "butterfly_model",
    unit="share",
    level="model",
    definition="Share of the quoted range over which the fitted surface has negative density "
    "(Durrleman's g < 0).",
    source="Gatheral and Jacquier (2014), lemma 2.2",
)
def butterfly_model(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share of the surface with negative density."""
    surface = _surface(evidence)
    if surface is None:
        yield _no_surface(metric, evidence)
        return
    k, w = surface
    g = durrleman(k, w)
    known = np.isfinite(g)
    # Fitted w carries the Fourier integral's error, about 1e-10; second differences magnify it.
    if known.any():
        yield metric.value(evidence, float(np.mean(g[known] < -1e-4)), n=int(known.sum()))
    else:
        yield _no_surface(metric, evidence)


@metric(
    "calendar_model",
    unit="share",
    level="model",
    definition="Share of the common quoted range over which the fitted total variance falls from "
    "one expiry to the next.",
    source="Gatheral and Jacquier (2014), lemma 2.1",
)
def calendar_model(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share of the surface with calendar arbitrage."""
    surface = _surface(evidence)
    if surface is None or len(surface[0]) < 2:
        yield _no_surface(metric, evidence)
        return
    k, w = surface
    pairs = zip(k[:-1], k[1:], w[1:], strict=True)
    later = np.stack([np.interp(x, at, value, np.nan, np.nan) for x, at, value in pairs])
    tried = int(np.isfinite(later - w[:-1]).sum())
    if tried:
        # Straight lines between 61 points overstate a convex w by under a thousandth of it.
        falls = int(np.sum(later - w[:-1] < -1e-3 * np.abs(later)))
        yield metric.value(evidence, falls / tried, n=tried)
    else:
        yield _no_surface(metric, evidence)


def durrleman(k: FloatArray, w: FloatArray) -> FloatArray:
    r"""Return Durrleman's g at the inner points of even grids in k, shape (..., points - 2).

    .. math:: g = (1 - k w'/2w)^2 - \tfrac{w'^2}{4}(\tfrac1w + \tfrac14) + \tfrac{w''}{2}

    NaN where `w` is, and for a slice of one strike, which has no width.
    """
    h = k[..., 1:2] - k[..., :1]
    before, w, after = w[..., :-2], w[..., 1:-1], w[..., 2:]
    k = k[..., 1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (after - before) / (2.0 * h)
        curve = (after - 2.0 * w + before) / h**2
        return (1 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1 / w + 0.25) + 0.5 * curve


def _as_calls(quotes: Quotes, here: np.ndarray) -> tuple[FloatArray, FloatArray]:  # type: ignore[type-arg]
    # A put bought or sold with the forward is a call: c = p + 1 - K/F.
    shift = np.where(quotes.sign[here] < 0, -np.expm1(quotes.k[here]), 0.0)
    return quotes.c_bid[here] + shift, quotes.c_ask[here] + shift


def _surface(evidence: Evidence) -> tuple[FloatArray, FloatArray] | None:
    """Return k and w of shape (m, points) over each expiry's quoted range."""
    assert evidence.fit is not None and evidence.model is not None
    # A slice that was not fitted has no surface; the others still have theirs.
    if not np.any(np.isfinite(evidence.fit.params)) or not evidence.quotes.n:
        return None
    return _dense_surface(evidence.model, evidence.fit, evidence.quotes)


# Two metrics look at one surface: fits and quotes are values, compared by identity.
@lru_cache(maxsize=2)
def _dense_surface(model: Model, fit: Fit, quotes: Quotes) -> tuple[FloatArray, FloatArray]:
    grid = _dense_grid(quotes)
    with np.errstate(all="ignore"):
        w = model.variance(fit.params, grid)
    return grid.k.reshape(quotes.m, -1), w.reshape(quotes.m, -1)


@lru_cache(maxsize=1)
def _dense_grid(quotes: Quotes) -> Grid:
    # One grid for all models of a night, so that they share its Fourier kernels.
    return dense_grid(quotes, _POINTS)


def dense_grid(quotes: Quotes, points: int) -> Grid:
    """Return an even grid in k over each expiry's quoted range."""
    k, w_ref = [], []
    for j in range(quotes.m):
        here = quotes.expiry_index == j
        k.append(np.linspace(quotes.k[here][0], quotes.k[here][-1], points))
        at = float(np.interp(0.0, quotes.k[here], quotes.iv[here]))
        w_ref.append(at**2 * quotes.tau[j])
    index = np.repeat(np.arange(quotes.m), points)
    return Grid(quotes.expiry_ms, quotes.tau, index, np.concatenate(k), np.array(w_ref))


def _no_surface(metric: Metric, evidence: Evidence) -> Rejection:
    model: Model | None = evidence.model
    name = model.name if model is not None else ""
    return Rejection("metric", "no_surface", f"{metric.name}/{name}", "the fit has no full surface")
