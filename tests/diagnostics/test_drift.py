"""Charts of headlines: what they answer to, and the life of their reference."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import History, Series
from monitor.diagnostics.drift import (
    MARKET_HEADLINES,
    MODEL_HEADLINES,
    reference_end,
)
from monitor.diagnostics.drift_rules import DriftRules
from monitor.models import MODELS
from monitor.numerics.charts import ALLOWANCE
from tests.diagnostics.evidence import fit_saying, market, reasons, values
from tests.market.chains import chain

ON_CHAIN = market(chain(n_strikes=9))
FIT = fit_saying(ON_CHAIN.quotes, ON_CHAIN.quotes.iv)
RULES = DriftRules()
DAY = 86_400_000


def quiet(n, seed=1):
    """Return errors of about 2 vol points that vary by a tenth and remember half of it."""
    e = np.random.default_rng(seed).standard_normal(n + 50)
    x = np.zeros(n + 50)
    for t in range(1, n + 50):
        x[t] = 0.5 * x[t - 1] + 0.1 * e[t]
    return 0.02 * np.exp(x[50:])


def scores(past, tonight, *, headline="rmse_iv", rules=RULES, name="change_score"):
    """Return the change scores of one headline of Black's model, or of the market."""
    who = "black" if name == "change_score" else None
    series = Series(DAY * np.arange(len(past)), past)
    evidence = replace(
        ON_CHAIN,
        history=History(series={(who, headline, "chain"): series}),
        tonight={(who, headline, "chain"): tonight},
        drift=rules,
    )
    if who is not None:
        evidence = replace(evidence, model=MODELS["black"], fit=FIT)
    return values(name, evidence), reasons(name, evidence)


def score(past, tonight, **kwargs):
    return next(iter(scores(past, tonight, **kwargs)[0].values()))


def test_an_ordinary_night_is_within_its_limits_and_a_wild_one_is_not():
    past = quiet(60)
    assert abs(score(past, 0.02)) < 1.0
    assert score(past, 0.40) > 1.0  # 30 deviations of its logarithm


def test_a_smaller_error_is_no_news_and_a_smaller_skew_is():
    past = quiet(60)
    assert score(past, 1e-4) == 0.0
    skew = -0.03 + 0.002 * np.random.default_rng(2).standard_normal(60)
    fall = score(skew, -0.10, headline="rr25", name="smile_change_score")
    rise = score(skew, 0.04, headline="rr25", name="smile_change_score")
    assert fall < -1.0 and rise > 1.0


def test_a_shift_that_lasts_is_found_though_no_night_of_it_is_remarkable():
    past = np.concatenate([quiet(60), 0.02 * np.exp(np.full(30, 0.3))])
    # A level 0.3 higher is three innovations' deviations up, 1.5 of them each night after whitening
    # at phi = 0.5: one night is within its limit, thirty are not.
    assert score(past[:60], past[60]) < 1.0
    assert score(past[:-1], past[-1]) > 1.0


def test_the_score_is_the_cumulative_sum_since_the_renewal_over_a_limit_that_stands_still():
    past = quiet(80, seed=3)
    reference = np.log(past[:60])
    slope, intercept = np.polyfit(reference[:-1], reference[1:], 1)
    residual = reference[1:] - intercept - slope * reference[:-1]
    sigma = math.sqrt(np.sum(residual**2) / (59 - 2))
    sums, ratio = [], []
    for n in range(60, 80):
        x, up = np.log(past[59 : n + 1]), 0.0
        for before, after in itertools.pairwise(x):
            up = max(0.0, up + (after - intercept - slope * before) / sigma - ALLOWANCE)
        sums.append(up)
        ratio.append(score(past[:n], past[n]))
    sums, ratio = np.array(sums), np.array(ratio)
    # Where the sum speaks rather than the single night, one limit explains all nights.
    by_sum = (sums > 0) & (ratio > 0)
    limits = sums[by_sum] / ratio[by_sum]
    assert by_sum.sum() >= 5
    assert np.sum(np.isclose(limits, np.median(limits), rtol=1e-9)) >= 4
    # Where it does not, the single night's share of its own limit is the larger.
    assert np.all(limits <= np.median(limits) * (1.0 + 1e-9))


def test_the_same_past_gives_the_same_score_to_the_last_bit():
    past = quiet(70)
    again = [score(past.copy(), 0.025) for _ in range(2)]
    assert again[0] == again[1] == score(past, 0.025)


def test_what_happened_before_the_reference_began_is_forgotten():
    rules = DriftRules(reference_nights=60)
    wild = np.concatenate([50.0 * quiet(91), quiet(60, seed=5)])
    calm = np.concatenate([quiet(91, seed=6), quiet(60, seed=5)])
    assert reference_end(151, rules) == 151
    assert score(wild, 0.022, rules=rules) == score(calm, 0.022, rules=rules)


@pytest.mark.parametrize(
    ("n", "end"),
    [
        *[(0, None), (19, None), (20, 20), (39, 20), (40, 40), (59, 40), (60, 60), (61, 60)],
        *[(150, 60), (151, 151), (241, 151), (242, 242), (60 + 91 * 7, 60 + 91 * 7)],
    ],
)
def test_a_reference_is_renewed_at_twenty_forty_sixty_and_every_91_nights(n, end):
    assert reference_end(n, RULES) == end


def test_change_is_not_judged_below_twenty_nights_and_says_how_far_it_is():
    found, why = scores(quiet(19), 0.4)
    assert not found and "learning" in why
    assert scores(quiet(20), 0.02)[0]


def test_a_headline_without_a_value_tonight_has_no_score():
    evidence = replace(ON_CHAIN, model=MODELS["black"], fit=FIT, tonight={})
    assert reasons("change_score", evidence) == {"no_value_tonight"}


@pytest.mark.parametrize(
    "past",
    [
        pytest.param(np.full(60, 0.02), id="all equal"),
        pytest.param(np.append(np.full(19, 0.02), 0.03), id="all equal but the last"),
    ],
)
def test_a_past_without_movement_is_no_reference_and_does_not_raise(past):
    found, why = scores(past, 0.02)
    assert not found and "no_reference" in why


def test_a_night_without_any_error_can_be_charted():
    # The logarithm of nothing is that of a ten-millionth of a vol point.
    past = np.append(quiet(59), 0.0)
    assert math.isfinite(score(past, 0.0))


def test_the_budget_of_false_pages_is_shared_by_streams_and_headlines():
    # 91 nights at one page a year among six streams of three headlines: 91 / (365 6 3) each.
    assert RULES.false_alarm_probability(3) == pytest.approx(1.0 - math.exp(-91.0 / 6570.0))
    desk = DriftRules(nights_between_false_pages=365.0, streams=1)
    assert desk.false_alarm_probability(1) == pytest.approx(0.2207, abs=1e-4)


def test_a_stricter_desk_has_wider_limits():
    past = quiet(60)
    lenient = score(past, 0.03, rules=DriftRules(nights_between_false_pages=30.0))
    strict = score(past, 0.03, rules=DriftRules(nights_between_false_pages=3_650.0))
    assert 0.0 < strict < lenient


def test_each_headline_is_a_metric_that_every_night_has():
    names = {h.metric for h in MODEL_HEADLINES + MARKET_HEADLINES}
    assert names == {"rmse_iv", "refreshed_rmse_iv", "structure_jump", "rr25", "bf25", "atm_iv"}
    assert all(h.two_sided for h in MARKET_HEADLINES)
    assert not any(h.two_sided for h in MODEL_HEADLINES)
