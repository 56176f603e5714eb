"""Residuals of tonight's fit: model minus market, in vol, in coin, in units of what could be known.

``z_spread`` is the residual over the half-spread, descriptive: a right model gives about 0.3 to
0.5. ``z`` is the residual over its own standard deviation: the noise of the quote as the quiet
nights before taught it, less what the fit absorbed of it (leverage). Only ``z`` is for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite, nan, sqrt

import numpy as np

from monitor.arrays import FloatArray, frozen_floats
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
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


@dataclass(frozen=True, eq=False)
class _Placed:
    """Residuals at every place at once: a night asks for thousands of sums of a few numbers.

    Attributes
    ----------
    scope : tuple of str, s of them
    inside : ndarray of shape (s, n)
        One where a quote lies there and its residual is known, else zero.
    x : ndarray of shape (n,)
        Zero where unknown.
    """

    scope: tuple[str, ...]
    inside: FloatArray
    x: FloatArray

    @cached_property
    def n(self) -> FloatArray:
        """Known residuals of each place."""
        return self.inside.sum(axis=1)

    @cached_property
    def mean(self) -> FloatArray:
        """Their mean, NaN of none."""
        return self.inside @ self.x / self.n

    @cached_property
    def mean_error(self) -> FloatArray:
        """Standard error of the mean; not finite of fewer than two."""
        away = (self.x - self.mean[:, None]) * self.inside
        return np.sqrt(np.einsum("ij,ij->i", away, away) / (self.n - 1.0) / self.n)

    @cached_property
    def rms(self) -> FloatArray:
        """Root of their mean square."""
        return np.sqrt(self.inside @ (self.x * self.x) / self.n)

    @cached_property
    def largest(self) -> FloatArray:
        """The largest in size, with its sign."""
        if not len(self.x):
            return np.full(len(self.scope), nan)
        return self.x[np.argmax(np.abs(self.x) * self.inside, axis=1)]


@lru_cache(maxsize=4)
def _membership(quotes: Quotes) -> tuple[tuple[str, ...], FloatArray]:
    scopes, here = zip(*places(quotes), strict=True)
    return scopes, frozen_floats(np.stack(here))


@lru_cache(maxsize=8)  # three summaries ask for each
def _placed(evidence: Evidence, residual: Callable[[Evidence], FloatArray]) -> _Placed:
    values = residual(evidence)
    known = np.isfinite(values)
    scopes, here = _membership(evidence.quotes)
    return _Placed(scopes, here * known, np.where(known, values, 0.0))


def _everywhere(
    metric: Metric,
    evidence: Evidence,
    residual: Callable[[Evidence], FloatArray],
    summary: str,
) -> Iterator[Outcome]:
    """Yield one summary of the residuals at every place that has any."""
    assert evidence.model is not None
    placed = _placed(evidence, residual)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = getattr(placed, summary).tolist()
        errors = placed.mean_error.tolist() if summary == "mean" else [nan] * len(values)
    rows = zip(placed.scope, placed.n.tolist(), values, errors, strict=True)
    for scope, n, value, error in rows:
        if n:
            stderr = error if isfinite(error) else None
            yield metric.value(evidence, value, scope=scope, n=int(n), stderr=stderr)
            continue
        detail = "the model gives no vol at any quote here"
        subject = f"{metric.name}/{evidence.model.name}/{scope}"
        yield Rejection("metric", "no_model_value", subject, detail)


_UNITS: dict[str, tuple[str, Callable[[Evidence], FloatArray], str]] = {
    "iv": ("vol", residual_iv, "model minus market implied vol (mid of bid and ask vol)"),
    "coin": ("coin", residual_coin, "model minus mid premium, as a fraction of the forward"),
    "z": ("1", residual_z, "model minus market vol over its own standard deviation"),
    "z_spread": ("half-spreads", residual_z_spread, "model minus market vol over half the spread"),
}
_Z_NEEDS = "quiet nights, if any; else bid and ask alone"
_SUMMARIES = {
    "bias": ("Mean of", "mean"),
    "rmse": ("Root mean square of", "rms"),
    "max": ("Largest in size, with its sign, of", "largest"),
}


def _register() -> None:
    for unit_name, (unit, residual, what) in _UNITS.items():
        for summary_name, (words, summary) in _SUMMARIES.items():

            def compute(
                metric: Metric,
                evidence: Evidence,
                residual: Callable[[Evidence], FloatArray] = residual,
                summary: str = summary,
            ) -> Iterable[Outcome]:
                return _everywhere(metric, evidence, residual, summary)

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
    quotes, fit = evidence.quotes, evidence.fit
    assert fit is not None
    scopes, here = _membership(quotes)
    inside = here @ ((fit.iv >= quotes.iv_bid) & (fit.iv <= quotes.iv_ask))
    for scope, n, there in zip(scopes, here.sum(axis=1).tolist(), inside.tolist(), strict=True):
        if not n:
            yield Rejection("metric", "no_quotes", f"{metric.name}/{fit.model}/{scope}")
            continue
        share = there / n
        error = sqrt(share * (1.0 - share) / n)
        yield metric.value(evidence, share, scope=scope, n=int(n), stderr=error)
