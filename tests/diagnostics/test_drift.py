"""Charts of headlines: what they answer to, what is stored of them, and what they find."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import METRICS, History, MetricValue, Series
from monitor.diagnostics.charting import _limits
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.headlines import LEVEL, SMILE_HEADLINES
from monitor.models import MODELS
from tests.diagnostics.evidence import fit_saying, market, outcomes, reasons, values
from tests.market.chains import chain

ON_CHAIN = market(chain(n_strikes=9))
FIT = fit_saying(ON_CHAIN.quotes, ON_CHAIN.quotes.iv)
RULES = DriftRules(streams=6)
DAY = 86_400_000


def quiet(n, seed=1):
    """Return errors of about 2 vol points that vary by a tenth and remember half of it."""
    e = np.random.default_rng(seed).standard_normal(n + 50)
    x = np.zeros(n + 50)
    for t in range(1, n + 50):
        x[t] = 0.5 * x[t - 1] + 0.1 * e[t]
    return 0.02 * np.exp(x[50:])


def night(past, tonight, *, headline="rmse_iv", who="black", rules=RULES, also=None):
    """Return the evidence on a night of one headline, with other series beside it."""
    series = {(who, headline, "chain"): Series(DAY * np.arange(len(past)), past)} | (also or {})
    evidence = replace(
        ON_CHAIN,
        history=History(series=series),
        tonight={} if tonight is None else {(who, headline, "chain"): tonight},
        drift=rules,
    )
    return evidence if who is None else replace(evidence, model=MODELS[who], fit=FIT)


def score(past, tonight, **kwargs):
    return values("change_score", night(past, tonight, **kwargs))["headline:rmse_iv"]


def through(past, **kwargs):
    """Return the scores of the last nights, each judged by those before it."""
    return np.array([score(past[:n], past[n], **kwargs) for n in range(60, len(past))])


def test_an_ordinary_night_is_within_its_limits_and_two_wild_ones_are_not():
    past = quiet(60)
    assert abs(score(past, 0.02)) < 1.0
    assert score(np.append(past, 0.40), 0.40) > 1.0  # 30 deviations of its logarithm


def test_a_night_that_came_and_went_is_no_change():
    past = quiet(70, seed=2)
    past[65] = 0.40
    assert np.all(np.abs(through(past)) < 1.0)


def test_a_smaller_error_is_no_news_and_a_lower_level_is():
    past = quiet(60)
    assert score(np.append(past, 1e-4), 1e-4) == 0.0
    level = 25.0 * past
    at = night(np.append(level, 0.1), 0.1, headline="atm_iv", who=None)
    assert values("smile_change_score", at)["headline:atm_iv"] < -1.0


def test_a_shift_that_lasts_is_found_though_no_night_of_it_is_remarkable():
    past = np.concatenate([quiet(60), quiet(30, seed=7) * np.exp(0.3)])
    # A level 0.3 higher is three innovations' deviations up, half of it each night after whitening
    # at phi = 0.5: one night is within its limits, thirty are not.
    found = through(past)
    assert found[0] < 1.0
    assert found.max() > 1.0


def test_the_same_past_gives_the_same_score_to_the_last_bit():
    past = quiet(70)
    again = [score(past.copy(), 0.025) for _ in range(2)]
    assert again[0] == again[1] == score(past, 0.025)


def test_what_happened_before_the_reference_began_is_forgotten():
    rules = DriftRules(reference_nights=60)
    wild = np.concatenate([50.0 * quiet(91), quiet(60, seed=5)])
    calm = np.concatenate([quiet(91, seed=6), quiet(60, seed=5)])
    assert score(wild, 0.022, rules=rules) == score(calm, 0.022, rules=rules)


def test_change_is_not_judged_below_twenty_nights_and_says_how_far_it_is():
    early = night(quiet(19), 0.4)
    assert not values("change_score", early)
    said = next(o for o in outcomes("change_score", early) if o.subject.endswith("/rmse_iv"))
    assert (said.reason, said.detail) == ("learning", "19 of 20 nights")
    assert values("change_score", night(quiet(20), 0.02))


def test_a_headline_without_a_value_tonight_has_no_score():
    assert "no_value_tonight" in reasons("change_score", night(quiet(60), None))


@pytest.mark.parametrize(
    "past",
    [
        pytest.param(np.full(60, 0.02), id="all equal"),
        pytest.param(np.append(np.full(19, 0.02), 0.03), id="all equal but the last"),
    ],
)
def test_a_past_without_movement_is_no_reference_and_does_not_raise(past):
    at = night(past, 0.02)
    assert not values("change_score", at)
    assert "no_reference" in reasons("change_score", at)


def test_a_night_without_any_error_can_be_charted():
    # The logarithm of nothing is that of a ten-millionth of a vol point.
    past = np.append(quiet(59), 0.0)
    assert math.isfinite(score(past, 0.0))


# What is stored ---------------------------------------------------------------------------------


def stored(evidence, names):
    """Return what a night would leave of its charts to the next, as series of one night."""
    found = [o for name in names for o in outcomes(name, evidence) if isinstance(o, MetricValue)]
    at = np.array([DAY * 1_000])
    return {
        (o.model, o.metric, o.scope): Series(at, np.array([o.value]))
        for o in found
        if (o.metric, o.scope) in HISTORY_METRICS
    }


def test_a_night_reads_the_limits_of_last_night_where_the_reference_is_the_same():
    past = quiet(70)
    names = ("change_limit", "change_score")
    left = stored(night(past[:69], past[69]), ("change_limit",))
    assert len(left) == 4  # the law, and the three limits of the one headline
    _limits.cache_clear()
    with_limits = night(past, 0.02, also=left)
    again = [values(name, with_limits) for name in names]
    assert _limits.cache_info().misses == 0
    alone = [values(name, night(past, 0.02)) for name in names]
    assert _limits.cache_info().misses == 1
    assert again == alone


def test_limits_of_another_reference_are_not_read():
    left = stored(night(quiet(69, seed=8), 0.02), ("change_limit",))
    _limits.cache_clear()
    found = values("change_limit", night(quiet(70), 0.02, also=left))
    assert _limits.cache_info().misses == 1
    assert found == values("change_limit", night(quiet(70), 0.02))


def test_a_run_stores_which_reference_its_verdict_stands_on():
    found = values("reference", night(quiet(150), 0.02))
    begins, ends = found["begins:rmse_iv"], found["ends:rmse_iv"]
    assert (begins, ends) == (19700101, 19700301)  # sixty nights from the first
    later = values("reference", night(quiet(151), 0.02))
    assert later["version:rmse_iv"] != found["version:rmse_iv"]
    assert later["ends:rmse_iv"] == 19700531
    assert values("reference", night(quiet(149), 0.02)) == values(
        "reference", night(quiet(149), 0.9)
    )


def test_nights_beyond_the_limits_are_left_out_of_the_next_reference():
    past = quiet(170)
    at = DAY * np.arange(60, 170)
    alarms = np.where((at >= DAY * 80) & (at < DAY * 99), 1.3, 0.2)
    also = {("black", "change_score", "headline:rmse_iv"): Series(at, alarms)}
    found = values("reference", night(past, 0.02, also=also))
    assert found["ends:rmse_iv"] == 19700619  # the 170th night: 91 adequate ones after the 60th
    assert values("reference", night(past, 0.02))["ends:rmse_iv"] == 19700531


def test_every_stored_number_that_a_night_wants_is_asked_for_once():
    assert len(set(HISTORY_METRICS)) == len(HISTORY_METRICS)
    for headline in (*SMILE_HEADLINES, LEVEL):
        assert ("smile_change_score", f"headline:{headline.name}") in HISTORY_METRICS
        assert set(headline.sources) <= set(HISTORY_METRICS)


# What is beside the score -----------------------------------------------------------------------


def test_the_size_is_against_the_references_median_on_the_charted_scale():
    past = quiet(70)
    found = values("change_size", night(past, 0.03))["headline:rmse_iv"]
    assert found == pytest.approx(math.log(0.03 / np.median(past[:60])))


# Of a model's error and of the market's level: what is said of each has names of its own.
WHOSE = {"": ("black", "rmse_iv"), "smile_": (None, "atm_iv")}
CHARTS = (
    pytest.param(
        "",
        marks=pytest.mark.moves(
            "change_score change_size change_evidence drift_ks drift_wasserstein drift_psi"
        ),
    ),
    pytest.param(
        "smile_",
        marks=pytest.mark.moves(
            "smile_change_score smile_change_size smile_change_evidence smile_drift_ks "
            "smile_drift_wasserstein smile_drift_psi"
        ),
    ),
)


@pytest.mark.parametrize("prefix", CHARTS)
def test_evidence_and_distances_grow_with_a_shift_and_stay_small_without_one(prefix):
    who, headline = WHOSE[prefix]
    past = quiet(72, seed=4)
    shifted = np.concatenate([past[:60], 2.2 * past[60:]])

    def said(name, nights):
        at = night(nights, nights[-1], headline=headline, who=who)
        return values(f"{prefix}{name}", at)[f"headline:{headline}"]

    for name in ("change_evidence", "drift_ks", "drift_wasserstein", "drift_psi"):
        assert said(name, past) < said(name, shifted), name
        if name != "change_evidence":
            assert said(name, past) < 1.0, name
    # Twelve nights of no change are worth twelve on the average; half is bet on a fall of a level.
    assert said("change_evidence", shifted) > (2 if prefix else 4) * 12
    # On its second night: charts learn on, and a shift of twelve nights ago is hardly news.
    assert abs(said("change_score", past)) < 1.0 < said("change_score", shifted[:62])
    grown = said("change_size", shifted) - said("change_size", past)
    assert grown == pytest.approx(math.log(2.2))


@pytest.mark.parametrize("prefix", WHOSE)
def test_a_level_that_was_always_there_is_no_change_and_the_markets_width_is_none(prefix):
    who, headline = WHOSE[prefix]
    past = quiet(72, seed=4)
    wide = {
        (owner, name, "chain"): Series(DAY * np.arange(72), np.linspace(0.01, 0.3, 72))
        for owner, name in ((None, "width_iv"), ("black", "frozen_rmse_iv"), ("svi", "rmse_iv"))
    }
    names = ("change_score", "change_evidence", "change_size", "drift_ks", "drift_wasserstein")
    for name in (*names, "drift_psi", "change_limit", "reference"):
        plain, beside = (
            values(f"{prefix}{name}", night(past, 0.02, headline=headline, who=who, also=also))
            for also in (None, wide)
        )
        assert plain == beside != {}
        if name not in ("change_score", "change_limit", "reference"):
            high = night(5.0 * past, 0.1, headline=headline, who=who)
            assert values(f"{prefix}{name}", high) == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("", marks=pytest.mark.moves("change_limit reference")),
        pytest.param("smile_", marks=pytest.mark.moves("smile_change_limit smile_reference")),
    ],
)
def test_limits_and_reference_follow_from_its_nights_and_not_from_those_after_it(prefix):
    who, headline = WHOSE[prefix]
    past = quiet(72, seed=4)

    def said(name, nights, tonight, rules=RULES):
        at = night(nights, tonight, headline=headline, who=who, rules=rules)
        return values(f"{prefix}{name}", at)

    # A tenth of the false pages wants wider limits.
    strict = said("change_limit", past, 0.02, replace(RULES, streams=60))
    for chart in (f"cusum:{headline}", f"step:{headline}"):
        assert strict[chart] > 1.1 * said("change_limit", past, 0.02)[chart]
    shifted = np.concatenate([past[:60], 3.0 * past[60:]])
    for name in ("change_limit", "reference"):
        assert said(name, shifted, 0.2) == said(name, past[:60], 0.02)
        assert said(name, past[:20], 0.02) != said(name, past, 0.02)


def test_distances_need_eight_nights_since_the_reference():
    assert "too_few_nights" in reasons("drift_ks", night(quiet(66), 0.02))
    assert values("drift_ks", night(quiet(67), 0.02))
    # So that the first that can be told is on the night after 27.
    assert "too_few_nights" in reasons("drift_ks", night(quiet(26), 0.02))
    assert values("drift_ks", night(quiet(27), 0.02))
    assert METRICS["drift_ks"].needs == "20 nights and 7 since"


def test_the_budget_of_a_stream_is_its_share_of_the_desks():
    # One page in 365 nights over six streams: 91 / (365 * 6) expected in 91 nights.
    assert RULES.false_alarm_probability == pytest.approx(1.0 - math.exp(-91 / 2190))
    alone = replace(RULES, streams=1)
    assert alone.false_alarm_probability == pytest.approx(1.0 - math.exp(-91 / 365))
