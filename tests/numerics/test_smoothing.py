"""Weighted means: the identity they rest on, the weight a reference calls for, absent nights."""

import numpy as np
import pytest
from scipy import optimize

from monitor.numerics.smoothing import WEIGHTS, smoothed, smoothed_reference, weight_of
from tests.numerics.streams import autoregression


def test_the_mean_of_what_wanders_under_noise_is_an_autoregression_of_its_innovations():
    rng, phi, weight = np.random.default_rng(1), 0.85, 0.45
    e = rng.standard_normal(200)
    x = np.zeros(200)
    for t in range(1, 200):
        x[t] = phi * x[t - 1] + e[t] - (1.0 - weight) * e[t - 1]
    s = smoothed(x[:, None], weight, 0.0)[:, 0]
    # Exactly, once what was before the first night has died away.
    np.testing.assert_allclose(s[40:] - phi * s[39:-1], weight * e[40:], atol=1e-9)


def slow_weight(x):
    """Return the weight by each mean's autoregression, fitted by minimising its squares."""
    log_likelihood = []
    for weight in WEIGHTS:
        mean, means = np.mean(x), []
        for value in x:
            mean = weight * value + (1.0 - weight) * mean
            means.append(mean)
        means = np.array(means)

        def squares(theta, means=means, weight=weight):
            e = (means[1:] - theta[0] - theta[1] * means[:-1]) / weight
            return float(e @ e)

        least = optimize.minimize(squares, [0.0, 0.5], tol=1e-12).fun
        log_likelihood.append(-0.5 * (len(x) - 1) * np.log(least))
    odds = np.exp(np.array(log_likelihood) - max(log_likelihood))
    return float(odds @ WEIGHTS / odds.sum())


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.0])
def test_the_weight_is_the_average_over_likelihoods(noise):
    rng = np.random.default_rng(2)
    x = 3.0 + autoregression(rng, 80, 1, phi=0.85)[:, 0] + noise * rng.standard_normal(80)
    assert weight_of(x) == pytest.approx(slow_weight(x), abs=1e-6)
    assert weight_of(1e4 + 0.01 * x) == pytest.approx(weight_of(x), abs=1e-6)


def test_the_weight_falls_with_noise_and_is_near_one_where_there_is_none():
    rng = np.random.default_rng(3)
    found = []
    for noise in (0.0, 1.0, 2.0):
        wander = autoregression(rng, 120, 100, phi=0.85)
        x = wander + noise * rng.standard_normal(wander.shape)
        found.append(np.mean([weight_of(column) for column in x.T]))
    # Noise of 0, .22 and .53 of the variance calls for 1, .65 and .43; a hundred nights leave it
    # between that and the .7 of even odds.
    assert found[0] > 0.9
    assert 0.65 < found[1] < 0.75
    assert 0.43 < found[2] < found[1] - 0.05


def test_absent_nights_leave_the_mean_where_it_was():
    x = np.random.default_rng(4).standard_normal((30, 2))
    holes = x.copy()
    holes[[3, 9, 10], 0] = np.nan
    there = ~np.isnan(holes[:, 0])
    found = smoothed(holes, np.array([0.5, 0.8]), np.array([0.1, 0.2]))
    np.testing.assert_allclose(found[there, 0], smoothed(x[there, :1], 0.5, 0.1)[:, 0], atol=1e-15)
    np.testing.assert_allclose(found[:, 1], smoothed(x[:, 1:], 0.8, 0.2)[:, 0], atol=1e-15)
    assert np.isnan(found[~there, 0]).all()


def test_a_weight_of_one_leaves_values_as_they_are_to_the_last_bit():
    x = np.random.default_rng(5).standard_normal((30, 2))
    np.testing.assert_array_equal(smoothed(x, 1.0, 0.3), x)


def test_a_reference_begins_at_its_mean():
    x = 5.0 + np.random.default_rng(6).standard_normal(60)
    weight = weight_of(x)
    assert smoothed_reference(x)[0] == pytest.approx(weight * x[0] + (1.0 - weight) * x.mean())
