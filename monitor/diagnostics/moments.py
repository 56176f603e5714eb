"""The law that the quotes imply, without a model: its skewness and kurtosis, and whose variance.

Unlike risk reversals and butterflies, which read a smile at two deltas, moments weigh all of it;
what they owe to strikes that nobody quotes is their standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.conventions import expiry_label
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.noise_model import runs
from monitor.diagnostics.smile import at_30_days
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection
from monitor.pricing.density import MarketMoments, model_free_moments
from monitor.pricing.strips import SwapStrips

_SOURCE = "Bakshi, Kapadia and Madan (2003); truncation as in Jiang and Tian (2005)"

Read = Callable[[MarketMoments], tuple[float, float]]


@metric(
    "mf_skew",
    unit="1",
    level="market",
    definition="Model-free skewness of ln(S/F) at expiry, from the strip of mid smiles with vol "
    "flat beyond the quotes; for each expiry, and for the chain at 30 days. Standard error: the "
    "furthest that other continuations beyond the outermost quotes move it.",
    source=_SOURCE,
)
def mf_skew(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the skewness of each expiry and at 30 days."""
    return _read(metric, evidence, lambda m: (m.value.skew, m.truncation.skew))


@metric(
    "mf_kurtosis",
    unit="1",
    level="market",
    definition="Model-free kurtosis of ln(S/F) at expiry, 3 for a normal law; made and judged as "
    "mf_skew.",
    source=_SOURCE,
)
def mf_kurtosis(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the kurtosis of each expiry and at 30 days."""
    return _read(metric, evidence, lambda m: (m.value.kurtosis, m.truncation.kurtosis))


@metric(
    "swap_gap",
    unit="vol",
    level="model",
    definition="Variance-swap vol of the model's smile minus that of the market's, both from "
    "vols at the quotes and flat beyond; for each expiry, and for the chain at 30 days. What a "
    "variance swap marked by the model is wrong by.",
    source="Carr and Madan (1998)",
)
def swap_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap of each expiry and at 30 days."""
    assert evidence.fit is not None
    quotes, iv = evidence.quotes, evidence.fit.iv
    priced = np.isfinite(iv)
    if priced.all():
        strips, market = _swap_strips(quotes), _market_swap_vols(quotes)
    else:
        strips = SwapStrips(_smiles(quotes, quotes.iv, priced))
        market = _swap_vols(strips, quotes, quotes.iv, priced)
    model = _swap_vols(strips, quotes, iv, priced)
    tau, gaps = [], []
    for j, (ours, theirs) in enumerate(zip(model, market, strict=True)):
        label = f"expiry:{expiry_label(int(quotes.expiry_ms[j]))}"
        n = int(np.sum(priced[quotes.expiry_index == j]))
        if ours is None or theirs is None:
            yield _too_few(metric, label, n)
            continue
        tau.append(float(quotes.tau[j]))
        gaps.append(ours - theirs)
        yield metric.value(evidence, gaps[-1], scope=label, n=n)
    yield _at_30(metric, evidence, tau, gaps)


def _read(metric: Metric, evidence: Evidence, read: Read) -> Iterator[Outcome]:
    quotes = evidence.quotes
    tau, known = [], []
    for j, moments in enumerate(market_moments(quotes)):
        label = f"expiry:{expiry_label(int(quotes.expiry_ms[j]))}"
        n = int(np.sum(quotes.expiry_index == j))
        if moments is None:
            yield _too_few(metric, label, n)
            continue
        value, error = read(moments)
        tau.append(float(quotes.tau[j]))
        known.append(value)
        yield metric.value(evidence, value, scope=label, n=n, stderr=error)
    yield _at_30(metric, evidence, tau, known)


@lru_cache(maxsize=2)
def market_moments(quotes: Quotes) -> tuple[MarketMoments | None, ...]:
    """Return every expiry's moments; None where its quotes are too few or on one side."""
    every = np.ones(quotes.n, np.bool_)
    return model_free_moments(_smiles(quotes, quotes.iv, every))


# Once for all models of a night, which differ by their vols alone.
@lru_cache(maxsize=2)
def _swap_strips(quotes: Quotes) -> SwapStrips:
    return SwapStrips(_smiles(quotes, quotes.iv, np.ones(quotes.n, np.bool_)))


@lru_cache(maxsize=2)
def _market_swap_vols(quotes: Quotes) -> list[float | None]:
    return _swap_vols(_swap_strips(quotes), quotes, quotes.iv, np.ones(quotes.n, np.bool_))


def _swap_vols(
    strips: SwapStrips, quotes: Quotes, iv: FloatArray, used: BoolArray
) -> list[float | None]:
    """Return every expiry's variance-swap vol; None as in `market_moments`."""
    rates = strips.rates([w for _, w in _smiles(quotes, iv, used)])
    return [
        None if rate is None else float(np.sqrt(rate / tau))
        for rate, tau in zip(rates, quotes.tau.tolist(), strict=True)
    ]


def _smiles(quotes: Quotes, iv: FloatArray, used: BoolArray) -> list[tuple[FloatArray, FloatArray]]:
    return [
        (quotes.k[s][used[s]], iv[s][used[s]] ** 2 * tau)
        for s, tau in zip(runs(quotes), quotes.tau, strict=True)
    ]


def _at_30(metric: Metric, evidence: Evidence, tau: list[float], values: list[float]) -> Outcome:
    at30 = at_30_days(np.array(tau), np.array(values), metric.name)
    if at30 is None:
        detail = "fewer than two expiries around or beyond 30 days show it"
        return Rejection("metric", "no_30_days", f"{metric.name}/{CHAIN}", detail)
    return metric.value(evidence, at30, n=len(values))


def _too_few(metric: Metric, label: str, n: int) -> Rejection:
    detail = f"{n} quotes; 3 are needed, on both sides of the forward"
    return Rejection("metric", "too_few_quotes", f"{metric.name}/{label}", detail)
