"""Slices fitted together: the optimum under the conditions, and errors that know what binds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from monitor.calibration.fit import FitStatus
from monitor.calibration.solve import CalibrationSettings, calibrate, evaluate, model_iv
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

SSVI = MODELS["ssvi"]
GRID = grid_of_tenors(np.array([3.0, 7.0, 14.0, 30.0]), n=15)
# The third slice's wings lie below the second's: its parameters break the order.
CROSSED = np.array(
    [[0.003, -0.2, 0.03], [0.007, -0.2, 0.06], [0.0135, -0.1, 0.045], [0.03, -0.2, 0.12]]
)


def slack(params, grid=GRID):
    A, b = SSVI.constraints(grid.m)
    return A @ SSVI.to_coordinates(params.reshape(-1, 3)).ravel() - b


def crossed_quotes(rng=None):
    return quotes_by(SSVI, CROSSED.ravel(), GRID, noise=0.003, rng=rng)


def test_a_fit_keeps_every_condition_where_the_market_does_not():
    assert slack(CROSSED).min() < -1e-3
    fit = calibrate(SSVI, crossed_quotes())
    assert fit.converged, fit.reason
    assert slack(fit.params).min() >= -1e-14
    assert fit.cost > 1.0  # what the market's arbitrage costs, in noise


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_fit_is_the_optimum_under_the_conditions(seed):
    quotes = crossed_quotes(np.random.default_rng(seed))
    fit = calibrate(SSVI, quotes)
    _, frame = SSVI.from_coordinates(SSVI.to_coordinates(fit.params.reshape(-1, 3)))
    z = (fit.iv - quotes.iv) / quotes.noise
    slope = ((z @ (fit.jacobian / quotes.noise[:, None])).reshape(-1, 1, 3) @ frame).ravel()
    A, _ = SSVI.constraints(GRID.m)
    binding = A[slack(fit.params) < 1e-10]
    # Karush, Kuhn and Tucker: the cost's slope is carried by the binding conditions, each pushing.
    _, left = nnls(binding.T, slope)
    assert len(binding) and left < 1e-4 * np.linalg.norm(slope)
    # And no admissible point near is better.
    rng, y = np.random.default_rng(seed), SSVI.to_coordinates(fit.params.reshape(-1, 3))
    for _ in range(50):
        near = SSVI.settled(y * rng.uniform(0.99, 1.01, y.shape))
        params = SSVI.from_coordinates(near)[0].ravel()
        near_z = (model_iv(SSVI, params, GRID) - quotes.iv) / quotes.noise
        assert 0.5 * near_z @ near_z >= fit.cost * (1.0 - 1e-9)


def test_where_no_condition_binds_the_slices_are_fitted_apart():
    params = np.concatenate([[0.36 * t, -0.25, 0.4 * np.sqrt(t)] for t in GRID.tau])
    quotes = quotes_by(SSVI, params, GRID, noise=0.001, rng=np.random.default_rng(1))
    whole = calibrate(SSVI, quotes)
    for j in range(GRID.m):
        here = GRID.expiry_index == j
        alone = calibrate(SSVI, quotes_from(GRID.slice(j), quotes.iv[here], quotes.noise[here]))
        np.testing.assert_allclose(whole.params[3 * j : 3 * j + 3], alone.params, rtol=1e-7)


def test_what_binds_takes_its_direction_from_the_errors():
    fit = calibrate(SSVI, crossed_quotes(np.random.default_rng(2)))
    binding = int(np.sum(slack(fit.params) < 1e-10))
    assert binding > 0
    assert np.sum(fit.leverage) == pytest.approx(12 - binding, abs=1e-6)
    rank = np.linalg.matrix_rank(fit.covariance, tol=1e-10 * np.trace(fit.covariance))
    assert rank <= 12 - binding


def test_joint_errors_are_as_large_as_they_say():
    # Around the constrained optimum itself: what a refit of the fitted surface scatters by.
    truth = calibrate(SSVI, crossed_quotes()).params
    error = np.sqrt(np.diagonal(calibrate(SSVI, quotes_by(SSVI, truth, GRID)).covariance))
    scores = []
    for seed in range(60):
        quotes = quotes_by(SSVI, truth, GRID, noise=0.0005, rng=np.random.default_rng(seed))
        fit = calibrate(SSVI, quotes)
        scores.append((fit.params - truth) / (0.1 * error))
    # On a face of the set, estimates move less than free ones, never more.
    assert np.all(np.mean(np.square(scores), axis=0) < 1.0 + 4.0 * np.sqrt(2.0 / 60.0))


def test_a_fit_with_parameters_held_is_not_moved():
    quotes = crossed_quotes()
    held = evaluate(SSVI, quotes, CROSSED.ravel())
    np.testing.assert_array_equal(held.params, CROSSED.ravel())
    free = np.tile([True, False, False], GRID.m)
    states = calibrate(SSVI, quotes, start=CROSSED.ravel(), free=free)
    np.testing.assert_allclose(states.params, CROSSED.ravel(), rtol=1e-6)


def test_a_thin_expiry_leaves_the_others_in_order():
    keep = np.ones(GRID.n, bool)
    keep[17:30] = False  # two quotes of the second expiry
    thin = type(GRID)(GRID.expiry_ms, GRID.tau, GRID.expiry_index[keep], GRID.k[keep], GRID.w_ref)
    iv = model_iv(SSVI, CROSSED[[0, 1, 2, 3]].ravel(), thin)
    iv[thin.expiry_index == 3] *= 0.6  # below the third's variance
    fit = calibrate(SSVI, quotes_from(thin, iv))
    assert fit.status is FitStatus.CONVERGED and "thin: 2026-01-08" in fit.reason
    assert np.all(np.isnan(fit.params[3:6]))
    kept = np.delete(fit.params.reshape(-1, 3), 1, axis=0)
    A, b = SSVI.constraints(3)
    assert np.min(A @ SSVI.to_coordinates(kept).ravel() - b) >= -1e-14


def test_too_few_joint_evaluations_are_named():
    settings = CalibrationSettings(max_evaluations=2)
    fit = calibrate(SSVI, crossed_quotes(np.random.default_rng(3)), settings=settings)
    assert fit.status is FitStatus.MAX_EVALUATIONS
    assert "(2 joint evaluations)" in fit.reason
    assert slack(fit.params).min() >= -1e-14


@pytest.mark.parametrize("level", [0.05, 8.0])
def test_total_variance_that_falls_with_tenor_is_fitted_without_arbitrage(level):
    grid = grid_of_tenors(np.array([1.0, 7.0, 30.0, 365.0]), vol=level, n=11)
    # A crash: a day at four times the vol of a month.
    vol = level * np.array([4.0, 1.2, 0.5, 0.25])[grid.expiry_index]
    x = grid.k / np.sqrt(grid.tau_of_point) / level
    fit = calibrate(SSVI, quotes_from(grid, vol * (1.0 - 0.1 * x + 0.1 * x * x), 0.01 * level))
    assert fit.converged, fit.reason
    assert slack(fit.params, grid).min() >= -1e-14
