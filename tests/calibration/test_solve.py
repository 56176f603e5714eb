from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.fit import FitStatus
from monitor.calibration.objective import Chart
from monitor.calibration.solve import (
    CalibrationSettings,
    calibrate,
    evaluate,
    grid_of,
    model_iv,
)
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

GRID = grid_of_tenors()
TRUTH = {
    "merton": np.array([0.5, 8.0, -0.05, 0.1]),
    "kou": np.array([0.5, 8.0, 0.4, 0.08, 0.12]),
    "variance_gamma": np.array([0.5, 0.1, -0.2]),
    "svcj": np.array([0.2, 3.0, 0.3, 2.0, -0.4, 2.0, -0.1, 0.15, 0.3, -0.4]),
    "double_heston": np.array([0.1, 12.0, 0.1, 3.0, -0.3, 0.2, 1.0, 0.3, 1.0, -0.1]),
    "black": np.linspace(0.4, 0.8, GRID.m),
    "adhoc": np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04]),
    "svi": np.concatenate(
        [
            [0.1 * t, 0.35 * np.sqrt(t) * 0.6, -0.25, 0.05 * np.sqrt(t), 0.6 * np.sqrt(t)]
            for t in GRID.tau
        ]
    ),
    # Room to every condition between slices: where one binds, the smile is another test's.
    "ssvi": np.concatenate([[0.36 * t, -0.25, 0.4 * np.sqrt(t)] for t in GRID.tau]),
    "sabr": np.concatenate([[0.6, min(3.0, 1.0 / np.sqrt(t)), -0.25] for t in GRID.tau]),
    "heston": np.array([0.3, 3.0, 0.4, 2.0, -0.3]),
    "bates": np.array([0.2, 3.0, 0.3, 2.0, -0.4, 2.0, -0.1, 0.15]),
}
NAMES = sorted(TRUTH)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_recovers_the_parameters_of_its_own_noiseless_surface(name):
    model = MODELS[name]
    fit = calibrate(model, quotes_by(model, TRUTH[name], GRID))
    assert fit.status is FitStatus.CONVERGED, fit.reason
    np.testing.assert_allclose(fit.params, TRUTH[name], rtol=1e-6, atol=1e-7)
    assert fit.cost < 1e-10
    assert not np.any(fit.at_bound)


@pytest.mark.parametrize("name", NAMES)
def test_evaluating_the_truth_gives_no_residual_and_no_standard_error(name):
    model = MODELS[name]
    quotes = quotes_by(model, TRUTH[name], GRID)
    fit = evaluate(model, quotes, TRUTH[name])
    np.testing.assert_allclose(fit.iv, quotes.iv, atol=1e-10)
    # Without a gradient, sums over nodes are taken in another order.
    alone = model_iv(model, TRUTH[name], grid_of(quotes))
    np.testing.assert_allclose(fit.iv, alone, rtol=1e-13)
    assert np.all(fit.covariance == 0.0)
    assert np.all(fit.leverage == 0.0)
    assert fit.converged


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_is_the_first_bit_for_bit(name):
    model = MODELS[name]
    quotes = quotes_by(model, TRUTH[name], GRID, rng=np.random.default_rng(1))
    grid = grid_of(quotes)
    first, second = calibrate(model, quotes, grid=grid), calibrate(model, quotes, grid=grid)
    other = calibrate(model, quotes)
    for field in ("params", "iv", "covariance", "leverage", "restarts_cost"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
        np.testing.assert_array_equal(getattr(first, field), getattr(other, field))


@pytest.mark.parametrize("name", NAMES)
def test_leverage_sums_to_the_number_of_parameters_that_the_data_determine(name):
    model = MODELS[name]
    fit = calibrate(model, quotes_by(model, TRUTH[name], GRID, rng=np.random.default_rng(2)))
    determined = int(np.sum(fit.at_bound == 0))
    assert np.sum(fit.leverage) == pytest.approx(determined, abs=1e-6)
    assert np.all((fit.leverage >= 0.0) & (fit.leverage <= 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_the_end_of_a_fit_is_a_minimum(name):
    model = MODELS[name]
    quotes = quotes_by(model, TRUTH[name], GRID, rng=np.random.default_rng(3))
    fit, grid = calibrate(model, quotes), grid_of(quotes)
    lower, upper = model.bounds(grid)
    error = np.sqrt(np.where(np.isfinite(d := np.diagonal(fit.covariance)), d, 0.0))
    rng = np.random.default_rng(4)
    for _ in range(20):
        # A tenth of a standard error moves the cost by about a hundredth.
        near = fit.params + 0.1 * error * rng.standard_normal(len(error))
        z = (model_iv(model, np.clip(near, lower, upper), grid) - quotes.iv) / quotes.noise
        assert 0.5 * np.sum(z * z) > fit.cost * (1.0 - 1e-9)


def test_standard_errors_cover_the_truth_as_often_as_they_say():
    model, truth = MODELS["heston"], TRUTH["heston"]
    grid = grid_of_tenors(np.array([7.0, 30.0, 90.0, 365.0]), n=15)
    scores = []
    for seed in range(40):
        fit = calibrate(
            model,
            quotes_by(model, truth, grid, rng=np.random.default_rng(100 + seed)),
            settings=CalibrationSettings(restarts=1),
        )
        scores.append((fit.params - truth) / np.sqrt(np.diagonal(fit.covariance)))
    # 200 correlated scores of unit deviation: a mean square of five columns of 40 each lies in
    # 1 +- 4 sqrt(2 / 40) but for one case in ten thousand.
    mean_square = np.mean(np.square(scores), axis=0)
    assert np.all(np.abs(mean_square - 1.0) < 4.0 * np.sqrt(2.0 / 40.0))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a thousand fits
@pytest.mark.parametrize("name", sorted(TRUTH.keys() - {"adhoc"}))
def test_two_standard_errors_cover_the_truth_nineteen_times_in_twenty(name):
    model, truth = MODELS[name], TRUTH[name]
    inside = []
    for seed in range(1000):
        quotes = quotes_by(model, truth, GRID, noise=0.0017, rng=np.random.default_rng(seed))
        fit = calibrate(model, quotes, settings=CalibrationSettings(restarts=1))
        error = np.sqrt(np.diagonal(fit.covariance))
        inside.append(np.where(np.isnan(error), np.nan, np.abs(fit.params - truth) < 1.96 * error))
    # Four standard deviations of a share of 0.95 among 1,000 are 2.8 points.
    covered = np.nanmean(inside, axis=0)
    assert np.all(np.abs(covered - 0.95) < 0.03), dict(zip(model.names(GRID), covered, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_stays_and_what_is_free_moves(name):
    model = MODELS[name]
    quotes = quotes_by(model, TRUTH[name], GRID)
    free = np.array([p.role == "state" for p in model.tiled(GRID)])
    start = np.where(free, TRUTH[name] * 1.05, TRUTH[name])
    fit = calibrate(model, quotes, start=start, free=free)
    assert fit.converged, fit.reason
    np.testing.assert_array_equal(fit.params[~free], TRUTH[name][~free])
    np.testing.assert_allclose(fit.params[free], TRUTH[name][free], rtol=1e-6)
    error = np.diagonal(fit.covariance)
    assert np.all(error[~free] == 0.0) and np.all(error[free] > 0.0)
    assert len(fit.restarts_cost) == 1 and fit.restarts_spread == 0.0


def test_a_parameter_held_outside_its_bounds_stays_there():
    model = MODELS["heston"]
    start = TRUTH["heston"].copy()
    start[4] = -0.995
    free = np.array([True, False, False, False, False])
    fit = calibrate(model, quotes_by(model, TRUTH["heston"], GRID), start=start, free=free)
    assert fit.params[4] == -0.995
    assert not fit.at_bound[4]


def test_a_parameter_at_its_bound_is_said_to_be_there_and_has_no_standard_error():
    model = MODELS["black"]
    grid = grid_of_tenors(np.array([30.0]), vol=12.0, n=5, reach=1.0)
    fit = calibrate(model, quotes_from(grid, np.full(5, 12.0)))  # sigma is at most 10
    assert fit.at_bound.tolist() == [1]
    assert fit.params.tolist() == [10.0]
    assert np.isnan(fit.covariance[0, 0])
    assert fit.converged


def test_slices_have_independent_errors():
    model = MODELS["svi"]
    fit = calibrate(model, quotes_by(model, TRUTH["svi"], GRID, rng=np.random.default_rng(5)))
    for i in range(GRID.m):
        for j in range(GRID.m):
            block = fit.covariance[5 * i : 5 * i + 5, 5 * j : 5 * j + 5]
            assert i == j or np.all((block == 0.0) | np.isnan(block))


def test_starts_that_end_in_one_place_have_no_spread():
    model = MODELS["heston"]
    fit = calibrate(model, quotes_by(model, TRUTH["heston"], GRID, rng=np.random.default_rng(6)))
    assert len(fit.restarts_cost) == 3
    assert fit.restarts_cost[0] == pytest.approx(fit.cost)
    np.testing.assert_allclose(fit.restarts_cost, fit.cost, rtol=1e-6)
    assert fit.restarts_spread < 0.01  # standard errors


def test_too_few_evaluations_are_named_with_their_number():
    model = MODELS["heston"]
    quotes = quotes_by(model, TRUTH["heston"], GRID)
    fit = calibrate(model, quotes, settings=CalibrationSettings(restarts=1, max_evaluations=2))
    assert fit.status is FitStatus.MAX_EVALUATIONS
    assert fit.reason == "max_evaluations: surface (2 evaluations)"
    assert np.all(np.isfinite(fit.iv))


def test_svi_survives_a_smile_of_one_day_and_of_a_corner():
    model = MODELS["svi"]
    grid = grid_of_tenors(np.array([1.0, 1.5]), n=12, reach=4.0)
    truth = np.array([0.0004, 0.05, -0.6, -0.01, 0.002, 0.0007, 0.02, 0.8, 0.0, 0.03])
    fit = calibrate(model, quotes_by(model, truth, grid, noise=0.01))
    assert fit.converged, fit.reason
    assert np.max(np.abs(fit.iv - quotes_by(model, truth, grid).iv)) < 1e-4


def test_the_reference_variance_is_that_of_the_quote_nearest_the_money():
    grid = grid_of_tenors(np.array([30.0]), n=7)
    iv = np.linspace(0.5, 0.8, 7)
    assert grid_of(quotes_from(grid, iv)).w_ref[0] == iv[3] ** 2 * grid.tau[0]


def test_what_is_searched_by_its_logarithm_comes_back_exactly_at_a_bound():
    lower, upper = np.array([0.0, -1.0]), np.array([200.0, 1.0])
    chart = Chart(lower, upper, np.array([0.01, np.nan]))
    for x in (lower, upper):
        np.testing.assert_array_equal(chart.params(chart.of(x)), x)
    x = np.array([3.0, 0.5])
    np.testing.assert_allclose(chart.params(chart.of(x)), x, rtol=1e-14)
    step = 1e-6
    slope = (chart.params(chart.of(x) + step) - chart.params(chart.of(x) - step)) / (2.0 * step)
    np.testing.assert_allclose(chart.slope(x), slope, rtol=1e-8)


def test_jumps_that_are_not_there_are_said_to_be_at_their_bound_or_to_have_no_size():
    # Heston's own surface leaves Bates' jumps nothing to explain.
    quotes = quotes_by(MODELS["heston"], TRUTH["heston"], GRID)
    fit = calibrate(MODELS["bates"], quotes)
    lam, mu_j, sigma_j = fit.params[5:]
    assert fit.at_bound[5] == -1 or lam * (mu_j**2 + sigma_j**2) < 1e-3
    assert np.max(np.abs(fit.iv - quotes.iv)) < 1e-5
