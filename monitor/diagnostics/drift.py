"""Has a headline statistic left its own accepted past?

Each model and each market has a few headline statistics that may raise a page; all others
attribute. A headline is charted against a reference, its own earlier nights, with limits that
spend the desk's budget of false pages and know how short the reference is (`numerics.charts`).

The reference has a life cycle, a function of how many nights the stream holds and of nothing else,
so that a replay gives the same answer: below `learning_nights` there is none; it is renewed at
`learning_nights`, half-way, and at `settled_nights`, and every `horizon_nights` from then on, from
the latest `reference_nights` before the renewal. Between renewals limits stand still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, digest_of
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, Series, metric
from monitor.diagnostics.drift_rules import DriftRules
from monitor.errors import DomainError
from monitor.numerics.charts import Limits, fit_autoregression, predictive_limits
from monitor.outcome import Rejection


@dataclass(frozen=True, slots=True)
class Headline:
    """A statistic that may page.

    Attributes
    ----------
    metric : str
    log : bool
        Whether it is charted on the scale of its logarithm, as sizes of errors are.
    two_sided : bool
        Whether a fall is news as well as a rise.
    """

    metric: str
    log: bool
    two_sided: bool

    def scaled(self, value: FloatArray) -> FloatArray:
        """Return values on the charted scale; a zero size is taken as 1e-8."""
        return np.log(np.maximum(value, 1e-8)) if self.log else np.asarray(value)


MODEL_HEADLINES = (
    Headline("rmse_iv", log=True, two_sided=False),
    Headline("refreshed_rmse_iv", log=True, two_sided=False),
    Headline("structure_jump", log=True, two_sided=False),
)
MARKET_HEADLINES = (
    Headline("rr25", log=False, two_sided=True),
    Headline("bf25", log=False, two_sided=True),
    Headline("atm_iv", log=True, two_sided=True),
)
# How liquid the market usually is: triage sets tonight against it.
LIQUIDITY_METRICS = ("width_iv", "half_width_rms_iv", "rejected_share")
HISTORY_METRICS = (
    *((h.metric, CHAIN) for h in MODEL_HEADLINES + MARKET_HEADLINES),
    *((name, CHAIN) for name in LIQUIDITY_METRICS),
)


@metric(
    "change_score",
    unit="limits",
    level="model",
    definition="Largest of a headline's CUSUM and single innovation over its limit, signed: beyond "
    "1 in size the headline has left its reference. Scope: the headline. n: reference nights.",
    source="Page (1954); limits simulated from the predictive distribution, see numerics.charts",
    needs="20 nights",
    after=True,
)
def change_score(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the change scores of the model's headlines."""
    return _scores(metric, evidence, MODEL_HEADLINES)


@metric(
    "smile_change_score",
    unit="limits",
    level="market",
    definition="The same for the model-free smile at 30 days: risk reversal, butterfly, level.",
    source="As change_score",
    needs="20 nights",
    after=True,
)
def smile_change_score(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the change scores of the market's headlines."""
    return _scores(metric, evidence, MARKET_HEADLINES)


def _scores(
    metric: Metric, evidence: Evidence, headlines: tuple[Headline, ...]
) -> Iterator[Outcome]:
    model = evidence.model.name if evidence.model is not None else None
    for headline in headlines:
        subject = f"{metric.name}/{model or 'market'}/{headline.metric}"
        tonight = evidence.tonight.get((model, headline.metric, CHAIN))
        if tonight is None:
            yield Rejection("metric", "no_value_tonight", subject, "the headline has none tonight")
            continue
        past = evidence.history.series.get((model, headline.metric, CHAIN))
        yield _score(metric, evidence, headline, past, tonight, subject, len(headlines))


def _score(
    metric: Metric,
    evidence: Evidence,
    headline: Headline,
    past: Series | None,
    tonight: float,
    subject: str,
    headlines: int,
) -> Outcome:
    rules = evidence.drift
    n = 0 if past is None else len(past)
    end = reference_end(n, rules)
    if past is None or end is None:
        detail = f"{n} of {rules.learning_nights} nights"
        return Rejection("metric", "learning", subject, detail)
    x = headline.scaled(np.append(past.value, tonight))
    reference = headline.scaled(reference_of(past.value, rules))
    try:
        limits = _limits(
            tuple(reference.tolist()),
            rules.false_alarm_probability(headlines),
            rules.horizon_nights,
            headline.two_sided,
        )
    except DomainError as error:
        return Rejection("metric", "no_reference", subject, str(error))
    u = fit_autoregression(reference).innovations(x[end - 1 :])
    score = float(limits.score(u, two_sided=headline.two_sided)[-1])
    scope = f"headline:{headline.metric}"
    return metric.value(evidence, score, scope=scope, n=len(reference))


def reference_end(n: int, rules: DriftRules) -> int | None:
    """Return where the reference of a stream of `n` earlier nights ends; None while learning."""
    if n < rules.learning_nights:
        return None
    if n < rules.settled_nights:
        half = (rules.learning_nights + rules.settled_nights) // 2
        return half if n >= half else rules.learning_nights
    renewals = (n - rules.settled_nights) // rules.horizon_nights
    return rules.settled_nights + renewals * rules.horizon_nights


def reference_of(past: FloatArray, rules: DriftRules) -> FloatArray:
    """Return the values of a stream's past that tonight is set against; all of them while learning.

    Parameters
    ----------
    past : ndarray of shape (n,)
        Of the nights before, oldest first.
    rules : DriftRules
    """
    end = reference_end(len(past), rules)
    return past if end is None else past[max(0, end - rules.reference_nights) : end]


@lru_cache(maxsize=512)
def _limits(
    reference: tuple[float, ...], probability: float, horizon: int, two_sided: bool
) -> Limits:
    # The chance behind the limits is a function of the reference: the same night, the same limits.
    seed = int(digest_of([reference, probability, horizon, two_sided])[:16], 16)
    return predictive_limits(
        np.array(reference),
        false_alarm_probability=probability,
        horizon=horizon,
        two_sided=two_sided,
        rng=np.random.default_rng(seed),
    )
