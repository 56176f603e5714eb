"""Nights as the rules see them: numbers, past verdicts, fits, made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.calibration.fit import Fit, FitStatus
from monitor.diagnostics.base import History, MetricValue, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.market.snapshot import Snapshot
from monitor.outcome import Rejection
from monitor.verdict.base import PastVerdict, Status, Verdict
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judge import judge_model
from monitor.verdict.market import MARKET, judge_market
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules
from tests.market.chains import chain

RULES, DRIFT = JudgementRules(), DriftRules()
MARKING = ModelUse("marking", max_rmse_iv=0.01, min_inside_share=0.85)
HEDGING = ModelUse("hedging", max_rmse_iv=0.06)
BENCHMARK = ModelUse("benchmark", max_rmse_iv=0.01, min_inside_share=0.85)
SEEING = Verdict(MARKET, Status.ADEQUATE, "data fit to judge by")
SNAPSHOT: Snapshot = chain(n_strikes=3)
# A night on which nothing is wrong with anything.
GOOD = {
    "rmse_iv": 0.005,
    "inside_share": 0.95,
    "rmse_z_spread": 2.0,
    "condition": 2.0,
    "bounds_hit": 0.0,
    "restarts_spread": 0.1,
}
GOOD_MARKET = {
    "n_quotes": 400.0,
    "rejected_share": 0.1,
    "rejected_share@reason:crossed": 0.0,
    "parity_gap": 0.0,
    "mark_rmse_z_spread": 0.4,
    "chain_age": 60.0,
    "listed_share": 1.0,
    "atm_iv": 0.50,
    "rr25": -0.03,
    "bf25": 0.01,
}


def past_nights(*beyond: str | tuple[str, ...], status: Status = Status.ADEQUATE):
    """Return past verdicts, oldest first, each with what was beyond; '' for nothing."""
    return tuple(
        PastVerdict(i, status, (b,) if isinstance(b, str) and b else tuple(b))
        for i, b in enumerate(beyond)
    )


def numbers(model, values, *, past=(), usual=None, nights=60, history=None, learning=False):
    """Return a subject's numbers.

    `values` by metric, or by ``metric@scope``; scores count `nights` of reference.
    """
    metrics = []
    for name, value in values.items():
        metric, _, scope = name.partition("@")
        metrics.append(MetricValue(metric, model, scope or "chain", value, "", nights))
    series = {
        (model, metric, "chain"): Series(np.arange(nights), np.full(nights, value))
        for metric, value in (usual or {}).items()
    }
    history = replace(history or History(), series=series)
    subject = f"change_score/{model or 'market'}/rmse_iv"
    rejections = [Rejection("metric", "learning", subject, "7 of 20 nights")] if learning else []
    return Numbers.of(model, metrics, rejections, history, past)


def fit(**changes) -> Fit:
    """Return a converged fit of two parameters."""
    made = Fit(
        model="m",
        names=("kappa", "rho"),
        params=np.array([1.0, -0.5]),
        iv=np.full(3, 0.5),
        leverage=np.zeros(3),
        jacobian=np.ones((3, 2)),
        covariance=np.eye(2),
        condition=100.0,
        status=FitStatus.CONVERGED,
        reason="",
        cost=1.0,
        evaluations=5,
        at_bound=np.zeros(2, np.int64),
        restarts_cost=np.array([1.0]),
        restarts_spread=0.1,
    )
    return replace(made, **changes)


def judged(values=None, *, use=HEDGING, of=None, market=SEEING, rules=RULES, **night) -> Verdict:
    """Return the verdict on a model whose numbers are good but for `values`."""
    found = numbers("m", GOOD | (values or {}), **night)
    return judge_model("m", fit() if of is None else of, found, market, use, rules, DRIFT)


def market_judged(values=None, *, snapshot=SNAPSHOT, rules=RULES, **night) -> Verdict:
    """Return the market's verdict on a night that is good but for `values`; None takes one out."""
    mixed = GOOD_MARKET | (values or {})
    found = numbers(None, {k: v for k, v in mixed.items() if v is not None}, **night)
    return judge_market(snapshot, found, rules, DRIFT)
