"""Residuals of tonight's fit: model minus market, in vol, in coin, in units of what could be known.

``z_spread`` is the residual over the half-spread, descriptive: a right model gives about 0.3 to
0.5. ``z`` is the residual over its own standard deviation: the noise of the quote as the quiet
nights before taught it, less what the fit absorbed of it (leverage). Only ``z`` is for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import sqrt

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence, Metric, MetricValue, Outcome, metric
from monitor.diagnostics.noise_model import NoiseModel, learnt_noise
from monitor.diagnostics.places import places
from monitor.diagnostics.residual_law import tonights_law
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection
from monitor.pricing.black import black_price

SOURCE = "Residual analysis; Christoffersen and Jacobs (2004) on loss functions"


def residual_iv(evidence: Evidence) -> FloatArray:
    """Return model minus market vol, shape (n,); NaN where the model gives none."""
    assert evidence.fit is not None
    return evidence.fit.iv - evidence.quotes.iv


def residual_coin(evidence: Evidence) -> FloatArray:
    """Return model minus mid premium as a fraction of the forward, shape (n,)."""
    assert evidence.fit is not None
    quotes = evidence.quotes
    w = evidence.fit.iv**2 * quotes.tau[quotes.expiry_index]
    return black_price(quotes.k, w, quotes.sign) - 0.5 * (quotes.c_bid + quotes.c_ask)


def residual_z(evidence: Evidence) -> FloatArray:
    """Return the residual over its standard deviation, shape (n,).

    A quote that the fit reproduces by construction (leverage one) has no residual to judge: NaN.
    """
    assert evidence.fit is not None
    return standardised(evidence.quotes, evidence.fit, learnt_noise(evidence.history))


def standardised(quotes: Quotes, fit: Fit, noise: NoiseModel) -> FloatArray:
    """Return the residuals of a fit over their standard deviations by a noise, shape (n,)."""
    return (fit.iv - quotes.iv) / np.sqrt(tonights_law(quotes, fit, noise).variance)


def residual_z_spread(evidence: Evidence) -> FloatArray:
    """Return the residual over half the bid–ask width in vol, shape (n,)."""
    quotes = evidence.quotes
    return residual_iv(evidence) / (0.5 * (quotes.iv_ask - quotes.iv_bid))


@lru_cache(maxsize=8)  # three summaries ask for each
def _by_place(
    evidence: Evidence, residual: Callable[[Evidence], FloatArray]
) -> tuple[tuple[str, FloatArray], ...]:
    """Return the known residuals at every place."""
    values = residual(evidence)
    known = np.isfinite(values)
    if known.all():
        return tuple((scope, values[here]) for scope, here in places(evidence.quotes))
    return tuple((scope, values[here & known]) for scope, here in places(evidence.quotes))


def _everywhere(
    metric: Metric,
    evidence: Evidence,
    residual: Callable[[Evidence], FloatArray],
    summary: Callable[[FloatArray], float],
    stderr: Callable[[FloatArray], float] | None = None,
) -> Iterator[Outcome]:
    """Yield one summary of the residuals at every place that has any."""
    assert evidence.model is not None
    for scope, known in _by_place(evidence, residual):
        if not len(known):
            detail = "the model gives no vol at any quote here"
            subject = f"{metric.name}/{evidence.model.name}/{scope}"
            yield Rejection("metric", "no_model_value", subject, detail)
            continue
        error = stderr(known) if stderr is not None and len(known) > 1 else None
        yield metric.value(evidence, summary(known), scope=scope, n=len(known), stderr=error)


# As numpy's mean and std have it, without their preparations: a night asks a thousand times.
def _mean(x: FloatArray) -> float:
    return float(np.add.reduce(x)) / len(x)


def _mean_error(x: FloatArray) -> float:
    away = x - _mean(x)
    return sqrt(float(np.add.reduce(away * away)) / (len(x) - 1)) / sqrt(len(x))


def _rms(x: FloatArray) -> float:
    return sqrt(_mean(x * x))


def _largest(x: FloatArray) -> float:
    return float(x[np.argmax(np.abs(x))])


_UNITS: dict[str, tuple[str, Callable[[Evidence], FloatArray], str]] = {
    "iv": ("vol", residual_iv, "model minus market implied vol (mid of bid and ask vol)"),
    "coin": ("coin", residual_coin, "model minus mid premium, as a fraction of the forward"),
    "z": ("1", residual_z, "model minus market vol over its own standard deviation"),
    "z_spread": ("half-spreads", residual_z_spread, "model minus market vol over half the spread"),
}
_Z_NEEDS = "quiet nights, if any; else bid and ask alone"
_SUMMARIES: dict[str, tuple[str, Callable[[FloatArray], float]]] = {
    "bias": ("Mean of", _mean),
    "rmse": ("Root mean square of", _rms),
    "max": ("Largest in size, with its sign, of", _largest),
}


def _register() -> None:
    for unit_name, (unit, residual, what) in _UNITS.items():
        for summary_name, (words, summary) in _SUMMARIES.items():

            def compute(
                metric: Metric,
                evidence: Evidence,
                residual: Callable[[Evidence], FloatArray] = residual,
                summary: Callable[[FloatArray], float] = summary,
            ) -> Iterable[Outcome]:
                error = _mean_error if summary is _mean else None
                return _everywhere(metric, evidence, residual, summary, error)

            definition = f"{words} {what}; for the chain, each wing and each expiry."
            register = metric(
                f"{summary_name}_{unit_name}",
                unit=unit,
                level="model",
                definition=definition,
                source=SOURCE,
                needs=_Z_NEEDS if unit_name == "z" else "none",
            )
            register(compute)


_register()


@metric(
    "inside_share",
    unit="share",
    level="model",
    definition="Share of quotes whose model vol lies within bid and ask; at every place.",
    source="Acceptance by the bid-ask interval; Cont (2006), Mathematical Finance 16(3)",
)
def inside_share(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share; a quote without a model vol counts as outside."""
    quotes = evidence.quotes
    assert evidence.fit is not None
    iv = evidence.fit.iv
    inside = (iv >= quotes.iv_bid) & (iv <= quotes.iv_ask)
    for scope, here in places(quotes):
        n = int(here.sum())
        if not n:
            yield Rejection("metric", "no_quotes", f"{metric.name}/{evidence.fit.model}/{scope}")
            continue
        share = float(inside[here].mean())
        error = float(np.sqrt(share * (1 - share) / n))
        yield MetricValue(metric.name, evidence.fit.model, scope, share, metric.unit, n, error)
