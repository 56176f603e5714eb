"""Draws from what a reference leaves possible, against integration over a grid."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

from monitor.numerics.posterior import (
    MOVING,
    MOVING_WEIGHTS,
    TAIL_WEIGHTS,
    TAILS,
    posterior_draws,
)
from tests.numerics.streams import autoregression


def grid_moments(x):
    """Return mean and deviation of (phi, log scale), and weights of (moving, tail), by brute force.

    A twin that shares nothing but the formula: every (intercept, phi, log scale, tail, moving) of a
    grid, innovations one after the other.
    """
    x = x - np.mean(x)
    size = float(np.std(x))
    c = np.linspace(-2.5, 2.5, 31) * size
    phi = np.linspace(-0.9899, 0.9899, 53)
    log_s = np.log(size) + np.linspace(-2.5, 1.5, 31)
    C, PHI, LOG_S = np.meshgrid(c, phi, log_s, indexing="ij")
    S = np.exp(LOG_S)
    logs = []
    for (theta, odds), (df, prior) in product(
        zip(MOVING, MOVING_WEIGHTS, strict=True), zip(TAILS, TAIL_WEIGHTS, strict=True)
    ):
        log = np.full(C.shape, np.log(prior * odds))
        e = np.zeros(C.shape)
        for before, after in pairwise(x):
            e = after - C - PHI * before - theta * e
            log += stats.t.logpdf(e / S, df) - LOG_S
        gain = (1.0 + 2.0 * PHI * theta + theta**2) / (1.0 - PHI**2)
        sd = S * np.sqrt(df / (df - 2.0) * gain)
        log += stats.norm.logpdf(x[0], C / (1.0 - PHI), sd) - 0.5 * np.log(1.0 - PHI**2)
        logs.append(np.where(PHI > 0.7, log, -np.inf) if theta else log)
    weight = np.exp(np.array(logs) - np.max(logs))
    weight /= weight.sum()
    both = []
    for value in (PHI, LOG_S):
        mean = float(np.sum(weight * value))
        both.append((mean, float(np.sqrt(np.sum(weight * (value - mean) ** 2)))))
    return both, weight.sum(axis=(1, 2, 3)).reshape(len(MOVING), len(TAILS))


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(8)
    x = np.zeros(16)
    for t in range(1, 16):
        x[t] = 0.7 * x[t - 1] + rng.standard_t(3)
    return 10.0 + x


def test_draws_have_the_moments_that_a_grid_gives(reference):
    n = 40_000
    draws = posterior_draws(reference, rng=np.random.default_rng(9), n=n)
    (phi, log_scale), tails = grid_moments(reference)
    for drawn, (mean, sd) in ((draws.phi, phi), (np.log(draws.scale), log_scale)):
        # Weights and resampling leave about a tenth of the draws' worth; the grid's own error is
        # below a hundredth of a deviation.
        assert np.mean(drawn) == pytest.approx(mean, abs=0.04 * sd)
        assert np.std(drawn) == pytest.approx(sd, rel=0.05)
    share = [[np.mean((draws.moving == m) & (draws.df == df)) for df in TAILS] for m in MOVING]
    np.testing.assert_allclose(share, tails, atol=0.02)


def test_draws_are_stationary_and_follow_the_scale_of_the_reference(reference):
    one = posterior_draws(reference, rng=np.random.default_rng(9), n=500)
    other = posterior_draws(-3.0 + 1e-3 * reference, rng=np.random.default_rng(9), n=500)
    assert np.all(np.abs(one.phi) < 1.0)
    np.testing.assert_allclose(other.phi, one.phi, atol=1e-9)
    np.testing.assert_allclose(other.scale, 1e-3 * one.scale, rtol=1e-8)


def test_normal_references_are_given_light_tails_and_wild_ones_heavy():
    rng = np.random.default_rng(10)
    tame = np.mean([posterior_draws(rng.standard_normal(120), rng=rng, n=400).df for _ in range(9)])
    wild = np.mean([posterior_draws(rng.standard_t(3, 120), rng=rng, n=400).df for _ in range(9)])
    assert tame > 60.0  # mostly the normal, at 100
    assert wild < 15.0  # mostly 3 and 6


def test_noise_on_top_of_what_wanders_is_told_from_an_autoregression():
    rng = np.random.default_rng(11)
    wandering = autoregression(rng, 180, 9, phi=0.9).T
    noisy = wandering + 2.3 * rng.standard_normal(wandering.shape)  # as large as what wanders
    plain, mixed = (
        np.mean([posterior_draws(x, rng=rng, n=400).moving for x in of])
        for of in (wandering, noisy)
    )
    assert mixed < -0.5 < -0.15 < plain


def test_the_last_innovation_is_what_the_model_leaves_of_the_last_night(reference):
    draws = posterior_draws(reference, rng=np.random.default_rng(9), n=200)
    x = reference - draws.centre
    e = np.zeros(200)
    for before, after in pairwise(x):
        e = after - draws.intercept - draws.phi * before - draws.moving * e
    np.testing.assert_allclose(draws.last, e, atol=1e-9)
