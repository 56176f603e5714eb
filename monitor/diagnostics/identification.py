"""How far the fit itself can be trusted: flat directions, bounds, restarts that disagree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.outcome import Rejection


@metric(
    "condition",
    unit="log10",
    level="model",
    definition="Decimal logarithm of the condition number of the column-scaled Jacobian in units "
    "of noise; the worst slice for a model per expiry.",
    source="Belsley, Kuh and Welsch (1980), Regression Diagnostics, chapter 3",
)
def condition(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the condition, or a rejection where a direction is exactly flat."""
    fit = evidence.fit
    assert fit is not None
    if np.isfinite(fit.condition) and fit.condition > 0:
        yield metric.value(evidence, float(np.log10(fit.condition)), n=evidence.quotes.n)
    else:
        yield Rejection("metric", "flat_direction", f"condition/{fit.model}", "exactly flat")


@metric(
    "bounds_hit",
    unit="count",
    level="model",
    definition="Number of parameters at a bound.",
    source="Own",
)
def bounds_hit(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the number of parameters at a bound."""
    assert evidence.fit is not None
    at = evidence.fit.at_bound
    yield metric.value(evidence, float(np.count_nonzero(at)), n=len(at))


@metric(
    "restarts_spread",
    unit="1",
    level="model",
    definition="Largest distance, in standard errors, between the best parameters and those of "
    "starts that end within 0.1 % of the best cost.",
    source="Own; ill-posedness as in Cont and Tankov (2004), chapter 13",
)
def restarts_spread(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far starts that fit alike disagree."""
    fit = evidence.fit
    assert fit is not None
    if np.isfinite(fit.restarts_spread):
        yield metric.value(evidence, fit.restarts_spread, n=len(fit.restarts_cost))
    else:
        yield Rejection("metric", "unidentified", f"restarts_spread/{fit.model}", "no errors known")


@metric(
    "effective_parameters",
    unit="count",
    level="model",
    definition="Trace of the hat matrix: how many quotes' worth of freedom the fit used.",
    source="Ye (1998), JASA 93(441)",
)
def effective_parameters(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the sum of leverages."""
    assert evidence.fit is not None
    leverage = evidence.fit.leverage
    known = leverage[np.isfinite(leverage)]
    if len(known):
        yield metric.value(evidence, float(known.sum()), n=len(known))
    else:
        subject = f"{metric.name}/{evidence.fit.model}"
        yield Rejection("metric", "not_fitted", subject, "no quote was fitted")
