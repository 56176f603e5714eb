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
from monitor.diagnostics.smile import at_30_days
from monitor.errors import DomainError
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection
from monitor.pricing.density import MarketMoments, model_free_moments, swap_variance

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
    quotes, model_iv = evidence.quotes, evidence.fit.iv
    tau, gaps = [], []
    for j in range(quotes.m):
        label = f"expiry:{expiry_label(int(quotes.expiry_ms[j]))}"
        here = (quotes.expiry_index == j) & np.isfinite(model_iv)
        market, model = (_swap_vol(quotes, j, here, iv) for iv in (quotes.iv, model_iv))
        if market is None or model is None:
            yield _too_few(metric, label, int(here.sum()))
            continue
        gap = model - market
        tau.append(float(quotes.tau[j]))
        gaps.append(gap)
        yield metric.value(evidence, gap, scope=label, n=int(here.sum()))
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
    return tuple(_moments(quotes, j) for j in range(quotes.m))


def _moments(quotes: Quotes, j: int) -> MarketMoments | None:
    here = quotes.expiry_index == j
    try:
        return model_free_moments(quotes.k[here], quotes.iv[here] ** 2 * quotes.tau[j])
    except DomainError:
        return None


def _swap_vol(quotes: Quotes, j: int, here: BoolArray, iv: FloatArray) -> float | None:
    try:
        return float(
            np.sqrt(swap_variance(quotes.k[here], iv[here] ** 2 * quotes.tau[j]) / quotes.tau[j])
        )
    except DomainError:
        return None


def _at_30(metric: Metric, evidence: Evidence, tau: list[float], values: list[float]) -> Outcome:
    at30 = at_30_days(np.array(tau), np.array(values), metric.name)
    if at30 is None:
        detail = "fewer than two expiries around or beyond 30 days show it"
        return Rejection("metric", "no_30_days", f"{metric.name}/{CHAIN}", detail)
    return metric.value(evidence, at30, n=len(values))


def _too_few(metric: Metric, label: str, n: int) -> Rejection:
    detail = f"{n} quotes; 3 are needed, on both sides of the forward"
    return Rejection("metric", "too_few_quotes", f"{metric.name}/{label}", detail)
