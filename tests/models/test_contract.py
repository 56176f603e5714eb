"""What every model must do, whoever wrote it."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.models import MODELS, Grid
from tests.calibration.chains import MS_PER_YEAR, grid_of_tenors, quotes_from

GRID = grid_of_tenors(np.array([1.0, 7.0, 30.0, 180.0]), n=9, reach=2.0)
X = GRID.k / np.sqrt(GRID.tau_of_point)
IV = 0.6 - 0.05 * X + 0.12 * X * X + 0.05 * GRID.tau_of_point
NOISE = np.full(GRID.n, 0.005)
NAMES = sorted(MODELS)


@pytest.fixture(params=NAMES)
def model(request):
    return MODELS[request.param]


def test_a_model_says_what_it_is_and_where_it_comes_from(model):
    assert model.name and model.summary and model.source
    assert MODELS[model.name] is model
    assert model.cadence in ("nightly", "weekly")
    for parameter in model.parameters:
        assert parameter.lower < parameter.upper
        assert parameter.meaning
    assert any(p.role == "state" for p in model.parameters)


def test_cold_starts_are_deterministic_inside_the_bounds_and_have_vols_everywhere(model):
    starts = model.starts(GRID, IV, NOISE)
    lower, upper = model.bounds(GRID)
    np.testing.assert_array_equal(starts, model.starts(GRID, IV, NOISE))
    assert starts.shape[1] == len(lower) == len(upper) == len(model.names(GRID))
    assert np.all((starts >= lower) & (starts <= upper))
    for start in starts:
        w, gradient = model.total_variance(start, GRID)
        assert w.shape == (GRID.n,) and gradient.shape == (GRID.n, len(start))
        assert np.all(w > 0.0)


def test_names_are_distinct_and_name_their_expiry(model):
    names = model.names(GRID)
    assert len(set(names)) == len(names)
    assert all(("@" in name) == model.per_expiry for name in names)
    assert len(model.tiled(GRID)) == len(names)


def test_gradient_is_the_derivative_of_total_variance(model):
    params = model.starts(GRID, IV, NOISE)[0]
    _, gradient = model.total_variance(params, GRID)
    for j, value in enumerate(params):
        step = 1e-3 * max(abs(value), 1e-2)
        moved = []
        for n in (-2, -1, 1, 2):
            there = params.copy()
            there[j] += n * step
            moved.append(model.total_variance(there, GRID)[0])
        # Fourth order: the truncation is below 1e-8 of the scale.
        slope = np.tensordot([1, -8, 8, -1], moved, axes=1) / (12.0 * step)
        scale = np.max(np.abs(slope)) + 1e-12
        np.testing.assert_allclose(gradient[:, j], slope, atol=2e-7 * scale)


def test_an_expiry_alone_has_the_variance_it_has_among_others(model):
    params = model.starts(GRID, IV, NOISE)[0]
    whole = model.total_variance(params, GRID)[0]
    p = len(model.parameters)
    for j in range(GRID.m):
        own = params[j * p : (j + 1) * p] if model.per_expiry else params
        alone = model.total_variance(own, GRID.slice(j))[0]
        np.testing.assert_allclose(alone, whole[GRID.expiry_index == j], rtol=1e-9)


def test_parameters_carried_to_the_same_night_are_the_same(model):
    params = model.starts(GRID, IV, NOISE)[0]
    np.testing.assert_allclose(model.carry(params, GRID.expiry_ms, GRID.tau, GRID), params)


def test_carried_parameters_follow_their_expiry_and_are_absent_for_a_new_one(model):
    params = model.starts(GRID, IV, NOISE)[0]
    # Half a day later the first expiry is nearer, the second is gone, and a new one is listed.
    tau = np.array([0.5, 29.5, 179.5, 400.0]) / 365.0
    listed = np.array([*GRID.expiry_ms[[0, 2, 3]], GRID.expiry_ms[3] + MS_PER_YEAR])
    later = Grid(listed, tau, np.arange(4), np.zeros(4), 0.36 * tau)
    carried = model.carry(params, GRID.expiry_ms, GRID.tau, later)
    iv = np.sqrt(model.total_variance(carried, later)[0] / tau)
    if model.per_expiry:
        assert np.all(np.isfinite(iv[:3])) and np.isnan(iv[3])
        then = np.sqrt(model.total_variance(params, GRID)[0] / GRID.tau_of_point)
        at_money = then[[4, 4 + 18, 4 + 27]]  # k = 0 is the fifth of nine strikes
        np.testing.assert_allclose(iv[:3], at_money, rtol=1e-9)
    else:
        np.testing.assert_array_equal(carried, params)
        assert np.all(np.isfinite(iv))


def test_a_smile_is_fitted_and_the_fit_is_inside_the_bounds(model):
    fit = calibrate(model, quotes_from(GRID, IV, NOISE))
    lower, upper = model.bounds(GRID)
    assert fit.converged, fit.reason
    assert np.all((fit.params >= lower) & (fit.params <= upper))
    assert np.all(np.isfinite(fit.iv))


def test_nan_parameters_give_nan_variance(model):
    w, _ = model.total_variance(np.full(len(model.names(GRID)), np.nan), GRID)
    assert np.all(np.isnan(w))
