"""Joint limits: what they depend on, and the price in false alarms that they keep."""

from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.numerics.charts import fit_autoregression
from monitor.numerics.limits import (
    RECIPE,
    SILENT,
    Limits,
    chart,
    chart_last,
    innovations_correlation,
    joint_limits,
)
from monitor.numerics.selfstart import Scores, predictive_scores
from tests.benchmarks.charts import DESK, HORIZON, false_alarms, spread
from tests.numerics.streams import autoregression


def limits_of(*references, seed=0, p=DESK, horizon=HORIZON, correlation=None, paths=1_000, **rest):
    h = len(references)
    return joint_limits(
        references,
        two_sided=[True] * h,
        correlation=np.eye(h) if correlation is None else correlation,
        false_alarm_probability=p,
        horizon=horizon,
        rng=np.random.default_rng(seed),
        paths=paths,
        **rest,
    )


@pytest.fixture(scope="module")
def reference():
    return autoregression(np.random.default_rng(4), 60, 1, phi=0.5)[:, 0]


def test_limits_do_not_depend_on_the_unit_or_the_origin_of_the_values(reference):
    (one,), (other,) = limits_of(reference), limits_of(3.0 + 0.01 * reference)
    # The same draws, scaled: only rounding differs, magnified by the shift.
    assert astuple(other) == pytest.approx(astuple(one), rel=1e-9)


def test_limits_follow_from_reference_and_seed_alone(reference):
    assert limits_of(reference) == limits_of(reference.copy())
    assert limits_of(reference) != limits_of(reference, seed=1)


def test_stored_limits_are_those_of_this_recipe():
    # Runs keep limits and later nights read them. Where these numbers move, raise RECIPE.
    x = np.sin(np.arange(60.0) ** 2)
    (found,) = limits_of(x, paths=200)
    assert RECIPE == 8
    assert astuple(found) == pytest.approx((5.291, 3.30444, 1.7751), abs=1e-5)


def test_limits_are_wider_for_rarer_alarms_longer_horizons_and_more_streams(reference):
    by_rarity = [limits_of(reference, p=p)[0] for p in (0.4, 0.2, 0.05)]
    by_horizon = [limits_of(reference, horizon=n)[0] for n in (10, 30, 91)]
    by_company = [limits_of(*[reference] * h)[0] for h in (1, 3)]
    for narrow, wide in [*pairwise(by_rarity), *pairwise(by_horizon), *pairwise(by_company)]:
        assert wide.cusum > narrow.cusum
        assert wide.step > narrow.step
        assert wide.jump > narrow.jump


def test_streams_that_move_as_one_need_hardly_wider_limits_than_one(reference):
    alone = limits_of(reference)[0]
    as_one = limits_of(*[reference] * 3, correlation=np.full((3, 3), 0.999) + 0.001 * np.eye(3))
    apart = limits_of(*[reference] * 3)
    assert alone.cusum < as_one[0].cusum < apart[0].cusum


def test_a_stream_whose_nights_confirm_nothing_spends_the_budget_on_its_other_charts(reference):
    (every,) = limits_of(reference)
    (fewer,) = limits_of(reference, confirms=[False])
    assert fewer.jump == SILENT
    assert fewer.cusum < every.cusum and fewer.step < every.step
    scores = predictive_scores([reference], np.full((5, 1), reference.max() + 9.0))
    assert chart(scores, two_sided=True).jump.any()
    assert not chart(scores, two_sided=True, confirms=False).jump.any()


def test_the_correlation_of_innovations_is_found_on_the_nights_shared_and_drawn_in():
    rng = np.random.default_rng(6)
    e = rng.multivariate_normal(np.zeros(2), [[1.0, 0.8], [0.8, 1.0]], 400)
    x = np.zeros((400, 2))
    for t in range(1, 400):
        x[t] = np.array([0.2, 0.7]) * x[t - 1] + e[t]
    nights = np.arange(400)
    found = innovations_correlation([x[:, 0], x[100:, 1]], [nights, nights[100:]])
    # 299 pairs know a correlation of .8 to (1 - .64) / sqrt(299) = .02; drawn in by a tenth.
    assert found[0, 1] == found[1, 0] == pytest.approx(0.72, abs=0.06)
    apart = innovations_correlation([x[:, 0], x[:, 1]], [nights, nights + 1_000])
    np.testing.assert_array_equal(apart, np.eye(2))


def test_a_score_is_the_nearest_of_three_charts_to_its_limit_with_its_sign():
    u = np.array([0.0, 1.5, -2.0, -2.0])[:, None]
    ahead = np.array([0.0, 1.5, 1.0, -1.2])[:, None]
    scores = Scores(u, np.full_like(u, 0.5), np.ones_like(u), ahead, np.ones(1))
    charted = chart(scores, two_sided=True)
    # Sums: 0; 1 up; 1.5 down; 3 down. Steps: nothing; (0 + .75) / 1.118 (two nights); then down
    # (1.5 - 1) / 1.118 is less than what the sum has; last (-2 - 1) / 1.118 = -2.683.
    np.testing.assert_allclose(charted.cusum[:, 0], [0.0, 1.0, -1.5, -3.0])
    assert charted.step[-1, 0] == pytest.approx(-3.0 / np.sqrt(1.25))
    np.testing.assert_allclose(charted.jump[:, 0], [0.0, 0.0, 1.0, -1.2])
    by_sum = charted.score([Limits(cusum=2.0, step=100.0, jump=100.0)])[-1, 0]
    by_step = charted.score([Limits(cusum=100.0, step=2.0, jump=100.0)])[-1, 0]
    by_jump = charted.score([Limits(cusum=100.0, step=100.0, jump=1.0)])[-1, 0]
    assert (by_sum, by_step, by_jump) == pytest.approx((-1.5, -1.5 / np.sqrt(1.25), -1.2))


@pytest.mark.parametrize("nights", [1, 2, 30])
def test_the_last_night_charted_alone_is_that_of_all_nights(reference, nights):
    rng = np.random.default_rng(8)
    scores = predictive_scores([reference], rng.standard_normal((nights, 4)) * 2.0)
    sides = np.array([True, False, True, False])
    every, last = chart(scores, two_sided=sides), chart_last(scores, two_sided=sides)
    for name in ("cusum", "step", "jump", "nights"):
        expected = getattr(every, name)[-1:]
        np.testing.assert_allclose(getattr(last, name), expected, atol=1e-12)


@pytest.mark.parametrize("reference", [np.full(30, 2.5), np.arange(30.0), np.arange(4.0)])
def test_a_reference_without_innovations_is_refused(reference):
    with pytest.raises(DomainError):
        limits_of(reference, p=0.1, horizon=5, paths=50)


def test_limits_stay_finite_where_most_values_are_equal():
    # A stuck feed: thirty equal values, five that move.
    (limits,) = limits_of(np.append(np.zeros(30), [1.0, -1.0, 0.5, 2.0, -1.0]))
    assert np.isfinite(astuple(limits)).all()
    assert min(astuple(limits)) > 0.0


# What it costs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [0.0, 0.8])
def test_the_chance_of_a_false_alarm_is_about_as_stated_at_sixty_nights(phi):
    chance = false_alarms(60, phi, references=50, paths=400, futures=60)
    # A quarter of the nominal chance is what the method owes. The rest is the sample's: over many
    # references the chance has a deviation of .14 to .18 (400 each), here over the root of 50.
    assert np.mean(chance) == pytest.approx(DESK, abs=0.25 * DESK + 3.0 * 0.18 / np.sqrt(50))


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_three_headlines_together_keep_the_chance_of_one(rho):
    chance = false_alarms(60, 0.5, references=20, paths=400, futures=60, headlines=3, rho=rho)
    assert np.mean(chance) == pytest.approx(DESK, abs=0.25 * DESK + 3.0 * 0.18 / np.sqrt(20))


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 120, 180])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_chance_of_a_false_alarm_is_within_a_quarter_of_the_stated_one(phi, n):
    chance = false_alarms(n, phi, references=500)
    # Two standard errors, about 0.02, for 500 references.
    slack = 0.25 * DESK + 2.0 * np.std(chance) / np.sqrt(len(chance))
    assert np.mean(chance) == pytest.approx(DESK, abs=slack)
    low, high = spread(chance)
    assert 0.0 <= low < np.mean(chance) < high < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_joint_limits_cost_no_more_than_stated_whatever_the_correlation(rho):
    chance = false_alarms(60, 0.5, references=300, headlines=3, rho=rho)
    # Draws of phi are independent between streams, which makes limits of streams that move as one
    # too careful: .13 of .22 at a correlation of .9. Two standard errors of the mean are .02.
    assert 0.5 * DESK - 0.02 < np.mean(chance) < 1.25 * DESK + 0.02


def test_a_large_step_is_found_in_two_nights_and_a_night_alone_in_none(reference):
    (limits,) = limits_of(reference, p=0.04)
    fit = fit_autoregression(reference)
    quiet = np.full(12, fit.intercept / (1.0 - fit.phi))
    step, flash = quiet.copy(), quiet.copy()
    step[6:] += 7.0 * fit.sigma
    flash[6] += 7.0 * fit.sigma
    scores = [
        chart(predictive_scores([reference], x[:, None]), two_sided=True).score([limits])[:, 0]
        for x in (step, flash)
    ]
    assert np.flatnonzero(np.abs(scores[0]) > 1.0)[0] == 7
    assert not (np.abs(scores[1]) > 1.0).any()
