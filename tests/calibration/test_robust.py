"""Robust errors: the jackknife they are, what they cover, and what they refuse to say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from monitor.calibration.robust import robust_covariance
from monitor.calibration.solve import CalibrationSettings, calibrate
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

ADHOC = MODELS["adhoc"]
TRUTH = np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04])
GRID = grid_of_tenors()
X = GRID.k / np.sqrt(GRID.tau_of_point) / 0.6
IV = np.sqrt(ADHOC.total_variance(TRUTH, GRID)[0] / GRID.tau_of_point)
ONCE = CalibrationSettings(restarts=1)


def fitted(seed, noise=0.0017):
    quotes = quotes_by(ADHOC, TRUTH, GRID, noise=noise, rng=np.random.default_rng(seed))
    return quotes, calibrate(ADHOC, quotes, settings=ONCE)


def test_errors_of_a_linear_model_are_the_jackknifes():
    quotes, fit = fitted(1)
    A, y = fit.jacobian / 0.0017, quotes.iv / 0.0017

    def without(left_out):
        return np.linalg.lstsq(A[~left_out], y[~left_out])[0]

    at = np.arange(GRID.n)
    single = np.array([without(at == i) for i in at]) - fit.params
    np.testing.assert_allclose(robust_covariance(quotes, fit), single.T @ single, rtol=1e-6)
    moves = np.array([without(GRID.expiry_index == j) for j in range(GRID.m)]) - fit.params
    expected = moves.T @ moves * (GRID.m - 1) / GRID.m
    found = robust_covariance(quotes, fit, by_expiry=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def covered(draw, n, *, by_expiry, limit):
    """Return how often the truth lies within `limit` plain and robust errors, each (6,)."""
    plain, robust = [], []
    for seed in range(n):
        noise, e = draw(np.random.default_rng(seed))
        quotes = quotes_from(GRID, IV + e, noise)
        fit = calibrate(ADHOC, quotes, settings=ONCE)
        away = np.abs(fit.params - TRUTH)
        plain.append(away < limit * np.sqrt(np.diagonal(fit.covariance)))
        V = robust_covariance(quotes, fit, by_expiry=by_expiry)
        robust.append(away < limit * np.sqrt(np.diagonal(V)))
    return np.mean(plain, axis=0), np.mean(robust, axis=0)


def test_where_wings_are_noisier_than_said_robust_errors_cover_and_plain_ones_do_not():
    size = 0.0005 + 0.0015 * X**2

    def draw(rng):
        # The size is right on the whole; only its place is wrong.
        return float(np.sqrt(np.mean(size**2))), size * rng.standard_normal(GRID.n)

    plain, robust = covered(draw, 600, by_expiry=False, limit=1.96)
    # 3.4 deviations of a share of 0.95 among 600.
    assert np.all(np.abs(robust - 0.95) < 0.03)
    assert plain.min() < 0.86


def test_where_an_expiry_errs_as_a_whole_errors_by_expiry_cover_and_others_do_not():
    def draw(rng):
        level, slope = rng.standard_normal((2, GRID.m))[:, GRID.expiry_index]
        e = rng.standard_normal(GRID.n) + level + 0.5 * X * slope
        return 0.0017 * np.sqrt(2.0 + 0.25 * np.mean(X**2)), 0.0017 * e

    # Nine expiries know the size to eight degrees of freedom.
    limit = float(student.ppf(0.975, GRID.m - 1))
    plain, by_expiry = covered(draw, 300, by_expiry=True, limit=limit)
    _, by_quote = covered(draw, 100, by_expiry=False, limit=limit)
    # The degrees of freedom are a rule of thumb, not a law: each coefficient has its own.
    assert np.all(np.abs(by_expiry - 0.95) < 0.05) and abs(np.mean(by_expiry) - 0.95) < 0.03
    assert plain.min() < 0.7 and by_quote.min() < 0.7


def test_noise_of_the_size_that_was_said_leaves_errors_as_they_are():
    ratio = []
    for seed in range(20):
        quotes, fit = fitted(seed)
        V = robust_covariance(quotes, fit)
        ratio.append(np.sqrt(np.diagonal(V) / np.diagonal(fit.covariance)))
    assert np.all(np.abs(np.mean(ratio, axis=0) - 1.0) < 0.05)


def test_what_is_held_has_no_error_and_what_is_at_a_bound_has_none_known():
    heston = MODELS["heston"]
    truth = np.array([0.3, 3.0, 0.4, 2.0, -0.3])
    grid = grid_of_tenors(np.array([7.0, 30.0, 90.0]), n=11)
    quotes = quotes_by(heston, truth, grid, rng=np.random.default_rng(2))
    free = np.array([True, False, True, True, True])
    fit = calibrate(heston, quotes, start=truth, free=free)
    V = robust_covariance(quotes, fit)
    assert np.all(V[1] == 0.0) and np.all(V[:, 1] == 0.0) and np.all(np.diagonal(V)[free] > 0.0)
    # Merton's jumps away: nothing is known of their size.
    merton = MODELS["merton"]
    flat = quotes_from(grid, np.full(grid.n, 0.6))
    bound = calibrate(merton, flat)
    V = robust_covariance(flat, bound)
    np.testing.assert_array_equal(np.isnan(np.diagonal(V)), np.isnan(np.diagonal(bound.covariance)))


def test_a_smile_with_as_many_quotes_as_parameters_has_no_robust_error():
    black = MODELS["black"]
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=2)
    keep = np.array([True, True, True, False])  # one quote of the second expiry
    thin = type(grid)(grid.expiry_ms, grid.tau, grid.expiry_index[keep], grid.k[keep], grid.w_ref)
    quotes = quotes_from(thin, np.array([0.6, 0.61, 0.6]))
    V = robust_covariance(quotes, calibrate(black, quotes))
    np.testing.assert_array_equal(np.isnan(np.diagonal(V)), [False, True])


@pytest.mark.parametrize("name", ["sabr", "svi"])
def test_smiles_of_their_own_cannot_be_checked_by_other_expiries(name):
    model = MODELS[name]
    quotes = quotes_from(GRID, 0.6 + 0.02 * X**2, 0.01)
    V = robust_covariance(quotes, calibrate(model, quotes), by_expiry=True)
    assert np.all(np.isnan(np.diagonal(V)))


@pytest.mark.parametrize("name", ["ssvi", "svcj", "adhoc"])
def test_an_empty_chain_has_no_errors(name):
    empty = grid_of_tenors(np.array([]), n=0)
    fit = calibrate(MODELS[name], quotes_from(empty, np.empty(0)))
    quotes = quotes_from(empty, np.empty(0))
    assert np.all(np.isnan(robust_covariance(quotes, fit)))
