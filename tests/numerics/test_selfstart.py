"""Scores by a stream's own past: against a slow twin, and standard normal whatever is true."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from monitor.errors import DomainError
from monitor.numerics.selfstart import FEWEST, STRANGE, normal_score, predictive_scores
from monitor.numerics.smoothing import weight_of
from tests.numerics.streams import autoregression, going_on


def slow_scores(reference, future, weight):
    """Return the scores of one stream, one night ahead and two.

    Each night a regression of its weighted mean by `lstsq` and Student's own law; two nights ahead
    by the delta method, from what the mean would be had the night between come as foretold.
    """
    keep, mean, means = 1.0 - weight, np.mean(reference), []
    for value in (*reference, *future):
        mean = weight * value + keep * mean
        means.append(mean)
    taught, later = means[: len(reference)], means[len(reference) :]
    pairs = list(pairwise(taught))
    last, out, ahead, told = taught[-1], [], [0.0], None
    for value in later:
        if told is not None:
            expected, deviation, dof, next_told = told
            freed = value - keep * (last - next_told)
            ahead.append(stats.norm.ppf(stats.t.cdf((freed - expected) / deviation, dof)))
        x, y = np.array(pairs).T
        X = np.column_stack([np.ones_like(x), x])
        beta = np.linalg.lstsq(X, y, rcond=None)[0]
        dof = len(x) - 2
        s2 = np.sum((y - X @ beta) ** 2) / dof
        row = np.array([1.0, last])
        error = np.sqrt(s2 * (1.0 + row @ np.linalg.inv(X.T @ X) @ row))
        out.append(stats.norm.ppf(stats.t.cdf((value - row @ beta) / error, dof)))
        inverse, (c, phi) = np.linalg.inv(X.T @ X), beta
        # What is freed of the night between, c + phi s - keep (s - told), in c and phi.
        slope = np.array([1.0, c + phi * last]) + (phi - keep) * row
        variance = s2 * (1.0 + (phi - keep) ** 2 + slope @ inverse @ slope)
        told = c + phi * (c + phi * last), np.sqrt(variance), dof, c + phi * last
        # By the innovations' noise: the error of the forecast itself excuses no night.
        alone = stats.norm.ppf(stats.t.cdf((value - row @ beta) / np.sqrt(s2), dof))
        # Nor is what comes after a night where no other ever was.
        if abs(alone) < STRANGE and abs(last - x.mean()) < STRANGE * x.std():
            pairs.append((last, value))
        last = value
    return np.array(out), np.array(ahead)


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_scores_are_those_of_a_regression_made_anew_each_night(noise):
    rng = np.random.default_rng(1)
    x = 7.0 + 0.1 * autoregression(rng, 90, 1, phi=0.6)[:, 0] + noise * rng.standard_normal(90)
    x[70] += 0.8 + 3.0 * noise  # not learnt from
    found = predictive_scores([x[:40]], x[40:, None])
    weight = weight_of(x[:40])
    np.testing.assert_array_equal(found.weight, [weight])
    u, ahead = slow_scores(x[:40], x[40:], weight)
    # Wallace's approximation of the deviate is good to two hundredths at 38 degrees of freedom.
    np.testing.assert_allclose(found.u[:, 0], u, atol=0.02)
    np.testing.assert_allclose(found.ahead[:, 0], ahead, atol=0.02)
    assert abs(u[30]) > STRANGE


def test_scores_of_what_wanders_under_noise_are_unrelated_and_a_night_that_went_confirms_nothing():
    rng = np.random.default_rng(12)
    lag, confirmed = [], []
    for _ in range(100):
        x = autoregression(rng, 92, 1, phi=0.9)[:, 0] + 1.8 * rng.standard_normal(92)
        u = predictive_scores([x[:60]], x[60:, None]).u[:, 0]
        lag.append(np.mean(u[1:] * u[:-1]))
        x[75] += 20.0
        scores = predictive_scores([x[:60]], x[60:, None])
        assert scores.u[15, 0] > STRANGE
        confirmed.append(scores.ahead[16, 0])
    # A first-order autoregression of the values themselves leaves -0.12: three deviations of the
    # mean of 100 correlations over 31 nights are 0.05.
    assert abs(np.mean(lag)) < 0.08
    assert np.std(confirmed) == pytest.approx(1.0, abs=0.25)
    assert abs(np.mean(confirmed)) < 0.3


def test_the_nights_after_a_step_teach_neither_that_it_is_usual_nor_that_all_stays_where_it_is():
    held, told_off, slopes = [], 0, []
    for seed in range(20):
        x = autoregression(np.random.default_rng(seed), 76, 1, phi=0.5)[:, 0]
        x[64:] += 10.0
        scores = predictive_scores([x[:60]], x[60:, None])
        u = scores.u[:, 0]
        held.append(u[5:].mean())
        told_off += bool(u[4] > STRANGE)
        slopes.append(scores.phi[-1, 0] - scores.phi[0, 0])
    assert told_off == 20
    assert np.max(slopes) < 0.1
    # Half of ten deviations is unforetold on every night of the step. Were the forecast's own error
    # an excuse, the step would be learnt, and the median score be 1.5.
    assert np.median(held) > 2.0


def test_the_normal_deviate_of_a_student_deviate_is_good_to_two_hundredths():
    z = np.linspace(-8.0, 8.0, 81)
    for dof in (10.0, 20.0, 100.0):
        exact = stats.norm.ppf(stats.t.cdf(z, dof))
        assert np.max(np.abs(normal_score(z, np.array(dof)) - exact)) < 0.02


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_scores_are_standard_normal_and_unrelated_whatever_the_stream(phi):
    rng = np.random.default_rng(2)
    first, second, lag = [], [], []
    for _ in range(300):
        x = autoregression(rng, 90, 1, phi=phi)[:, 0]
        scores = predictive_scores([x[:60]], x[60:, None])
        u = scores.u[:, 0]
        first.append(u[0])
        second.append(scores.ahead[1, 0])
        lag.append(np.mean(u[1:] * u[:-1]))
    # 300 draws: the deviation is good to 4 %, three of which are allowed.
    assert np.std(first) == pytest.approx(1.0, abs=0.12)
    assert np.std(second) == pytest.approx(1.0, abs=0.12)
    # Least squares leans towards too little memory by about (1 + 3 phi) / n, and the mean that is
    # scored towards noise, for sixty nights cannot rule it out: .06 more. What is left of it, and
    # three deviations of the mean of 300 correlations over 29 nights.
    assert abs(np.mean(lag)) < (1 + 3 * phi) / 60 + 0.06 + 3.0 / np.sqrt(300 * 29)


def test_scores_do_not_depend_on_the_unit_or_the_origin():
    x = autoregression(np.random.default_rng(3), 80, 1, phi=0.5)[:, 0]
    one = predictive_scores([x[:60]], x[60:, None])
    other = predictive_scores([1e4 + 0.01 * x[:60]], 1e4 + 0.01 * x[60:, None])
    # Adding 1e4 rounds the values to 1e-12, a ten-billionth of their deviation.
    np.testing.assert_allclose(other.u, one.u, atol=1e-8)
    np.testing.assert_allclose(other.deviation, 0.01 * one.deviation, rtol=1e-8)


def test_streams_are_scored_side_by_side_as_each_alone_and_absent_nights_are_passed_over():
    x = autoregression(np.random.default_rng(4), 80, 2, phi=0.5)
    long, short = x[:, 0], x[10:, 1]
    future = np.full((20, 2), np.nan)
    future[:, 0], future[5:, 1] = long[60:], short[55:]
    found = predictive_scores([long[:60], short[:55]], future)
    alone = (
        predictive_scores([long[:60]], long[60:, None]),
        predictive_scores([short[:55]], short[55:, None]),
    )
    np.testing.assert_allclose(found.u[:, 0], alone[0].u[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.u[5:, 1], alone[1].u[:, 0], atol=1e-12)
    np.testing.assert_allclose(found.ahead[5:, 1], alone[1].ahead[:, 0], atol=1e-12)
    assert not found.u[:5, 1].any()


def test_a_night_harder_to_foretell_has_a_smaller_score_and_lost_freedom_a_wider_one():
    x = autoregression(np.random.default_rng(5), 61, 1, phi=0.5)[:, 0]
    plain = predictive_scores([x[:60]], x[60:, None])
    harder = predictive_scores([x[:60]], x[60:, None], inflation=np.array([[4.0]]))
    lost = predictive_scores([x[:60]], x[60:, None], lost=6)
    assert abs(harder.u[0, 0]) == pytest.approx(0.5 * abs(plain.u[0, 0]), rel=0.05)
    assert lost.deviation[0, 0] == pytest.approx(plain.deviation[0, 0] * np.sqrt(57 / 51))


def test_a_reference_that_is_too_short_or_does_not_move_is_refused():
    night = np.zeros((1, 1))
    with pytest.raises(DomainError, match=f"scores need {FEWEST} values, had {FEWEST - 1}"):
        predictive_scores([np.arange(FEWEST - 1.0) % 3], night)
    with pytest.raises(DomainError, match="moves"):
        predictive_scores([np.full(30, 2.5)], night)


def test_a_step_is_learnt_in_time_where_a_fixed_reference_would_stand_still():
    rng = np.random.default_rng(6)
    x = autoregression(rng, 60, 1, phi=0.0)[:, 0]
    after = 2.0 + going_on(rng, 0.0, 120, 1, phi=0.0)
    u = predictive_scores([x], after).u[:, 0]
    assert np.mean(u[:5]) > 1.0
    assert np.mean(u[-20:]) < 0.5 * np.mean(u[:20])


def test_few_streams_scored_at_once_are_many_scored_night_by_night_to_the_last_bit():
    rng = np.random.default_rng(5)
    reference, future = rng.standard_normal(40), rng.standard_normal((30, 2))
    future[rng.random(future.shape) < 0.1] = np.nan
    future[[7, 8, 20, 21], [0, 0, 1, 0]] = [9.0, -9.0, 40.0, 12.0]  # not learnt from
    future[0, 1] = np.nan
    inflation, lost = rng.choice([1.0, 3.0], future.shape), np.array([0, 4])
    few = predictive_scores([reference], future, inflation=inflation, lost=lost)
    many = predictive_scores(
        [reference], np.tile(future, 20), inflation=np.tile(inflation, 20), lost=np.tile(lost, 20)
    )
    assert np.sum(np.abs(few.u) > STRANGE) > 2
    for name in ("u", "phi", "deviation", "ahead"):
        np.testing.assert_array_equal(getattr(many, name), np.tile(getattr(few, name), 20))
