"""Evidence with a known truth: chains with a known smile, fits that say what a test wants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit, FitStatus
from monitor.diagnostics.base import METRICS, NO_HISTORY, Evidence, History, MetricValue, PastFit
from monitor.diagnostics.lastnight import stderr_of
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS
from monitor.outcome import Rejection

ANY_QUOTE = CleaningRules(min_quotes_per_expiry=1)


def quotes_of(snapshot: Snapshot) -> Quotes:
    """Return the quotes of a snapshot, expiries of a single quote among them."""
    return build_quotes(snapshot, ANY_QUOTE)


def market(snapshot: Snapshot, history: History = NO_HISTORY) -> Evidence:
    """Return the evidence on a chain."""
    return Evidence(snapshot, quotes_of(snapshot), history)


def fit_saying(quotes: Quotes, iv: FloatArray, **changes: object) -> Fit:
    """Return a fit of Black's model that gives these vols and has absorbed nothing."""
    fit = Fit(
        model="black",
        names=tuple(f"sigma@{j}" for j in range(quotes.m)),
        params=np.full(quotes.m, 0.5),
        iv=np.asarray(iv),
        leverage=np.zeros(quotes.n),
        jacobian=np.zeros((quotes.n, quotes.m)),
        covariance=np.eye(quotes.m) * 0.01**2,
        condition=10.0,
        status=FitStatus.CONVERGED,
        reason="",
        cost=1.0,
        evaluations=3,
        at_bound=np.zeros(quotes.m, np.int64),
        restarts_cost=np.array([1.0]),
        restarts_spread=0.0,
    )
    return replace(fit, **changes)


def saying(snapshot: Snapshot, error: FloatArray | float, **changes: object) -> Evidence:
    """Return the evidence on a fit whose vols are the market's plus `error`."""
    on_chain = market(snapshot)
    fit = fit_saying(on_chain.quotes, on_chain.quotes.iv + error, **changes)
    return replace(on_chain, model=MODELS["black"], fit=fit)


def remembered(fit: Fit, quotes: Quotes) -> PastFit:
    """Return what is kept of a fit."""
    errors = stderr_of(fit.covariance)
    return PastFit(
        fit.model, quotes.as_of_ms, quotes.expiry_ms, quotes.tau, fit.names, fit.params, errors
    )


def outcomes(name: str, evidence: Evidence) -> list[MetricValue | Rejection]:
    """Return everything a metric says."""
    return list(METRICS[name].compute(evidence))


def values(name: str, evidence: Evidence) -> dict[str, float]:
    """Return a metric's values by scope."""
    return {o.scope: o.value for o in outcomes(name, evidence) if isinstance(o, MetricValue)}


def value(name: str, evidence: Evidence, scope: str = "chain") -> float:
    """Return one value of a metric."""
    return values(name, evidence)[scope]


def reasons(name: str, evidence: Evidence) -> set[str]:
    """Return the reasons of a metric's rejections."""
    return {o.reason for o in outcomes(name, evidence) if isinstance(o, Rejection)}
