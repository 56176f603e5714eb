"""States found by their own search are those of the general one, and what is not plain is its."""

import numpy as np
import pytest

from monitor.calibration import refresh
from monitor.calibration.fit import FitStatus
from monitor.calibration.refresh import refreshed_fit
from monitor.calibration.solve import CalibrationSettings, calibrate, model_iv
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from
from tests.calibration.test_solve import GRID, TRUTH

NAMES = sorted(TRUTH)
SMILE = 0.6 - 0.03 * GRID.k / np.sqrt(GRID.tau_of_point) + 0.02 * np.cos(7.0 * GRID.k)


def states_of(model, grid=GRID):
    return np.array([p.role == "state" for p in model.tiled(grid)])


def carried_of(name, move=1.1):
    return np.where(states_of(MODELS[name]), TRUTH[name] * move, TRUTH[name])


@pytest.fixture
def alone(monkeypatch):
    """Let nothing be left to the general search."""
    monkeypatch.setattr(refresh, "calibrate", None)


def assert_the_same(fit, other, rtol):
    for name in ("params", "iv", "leverage", "jacobian", "covariance"):
        ours, theirs = getattr(fit, name), getattr(other, name)
        scale = np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale, err_msg=name)
    assert fit.cost == pytest.approx(other.cost, rel=1e-9)
    assert fit.condition == pytest.approx(other.condition)
    np.testing.assert_array_equal(fit.at_bound, other.at_bound)
    kept = "model names status reason restarts_spread".split()
    assert [getattr(fit, name) for name in kept] == [getattr(other, name) for name in kept]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "double_heston"])
def test_the_fit_of_the_states_is_the_general_ones(name, alone):
    model, carried, quotes = MODELS[name], carried_of(name), quotes_from(GRID, SMILE)
    frozen, fit = refreshed_fit(model, quotes, carried, grid=GRID)
    np.testing.assert_allclose(frozen, model_iv(model, carried, GRID), rtol=1e-12)
    free = states_of(model)
    other = calibrate(model, quotes, grid=GRID, start=carried, free=free)
    # The general search stops where the cost would fall by 1e-10 of itself: 1e-5 of an error.
    assert_the_same(fit, other, rtol=1e-6)
    np.testing.assert_array_equal(fit.params[~free], carried[~free])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "double_heston"])
def test_the_end_is_where_the_gradient_vanishes(name, alone):
    quotes = quotes_from(GRID, SMILE)
    _, fit = refreshed_fit(MODELS[name], quotes, carried_of(name, 0.9), grid=GRID)
    slope = fit.jacobian[:, states_of(MODELS[name])] / quotes.noise[:, None]
    cosine = (fit.iv - quotes.iv) / quotes.noise @ slope
    cosine /= np.linalg.norm(slope, axis=0) * np.sqrt(2.0 * fit.cost)
    assert np.all(np.abs(cosine) < 1e-6)


@pytest.mark.parametrize("name", ["svi", "sabr", "black"])
def test_slices_that_were_not_there_last_night_stay_absent(name, alone):
    model, carried, quotes = MODELS[name], carried_of(name), quotes_from(GRID, SMILE)
    p = len(model.parameters)
    carried[p : 2 * p] = np.nan
    frozen, fit = refreshed_fit(model, quotes, carried, grid=GRID)
    other = calibrate(model, quotes, grid=GRID, start=carried, free=states_of(model))
    assert_the_same(fit, other, rtol=1e-6)
    absent = GRID.expiry_index == 1
    for value in (frozen, fit.iv, fit.leverage):
        np.testing.assert_array_equal(np.isnan(value), absent)
    assert "(no start)" in fit.reason


def assert_left_to_the_general(model, quotes, carried, grid=GRID, settings=None):
    free = states_of(model, grid)
    frozen, fit = refreshed_fit(model, quotes, carried, grid=grid, settings=settings)
    other = calibrate(model, quotes, grid=grid, start=carried, free=free, settings=settings)
    assert_the_same(fit, other, rtol=0.0)
    np.testing.assert_allclose(frozen, model_iv(model, carried, grid), rtol=1e-12)
    return fit


def test_two_states_in_one_place_are_left_to_the_general_search():
    assert_left_to_the_general(
        MODELS["double_heston"], quotes_from(GRID, SMILE), carried_of("double_heston")
    )


def test_a_state_that_ends_at_its_bound_is_left_to_the_general_search():
    grid = grid_of_tenors(np.array([30.0]), vol=12.0, n=5, reach=1.0)
    quotes = quotes_from(grid, np.full(5, 12.0))  # sigma is at most 10
    fit = assert_left_to_the_general(MODELS["black"], quotes, np.array([9.0]), grid)
    assert fit.at_bound.tolist() == [1]


def test_quotes_without_a_vol_are_left_to_the_general_search():
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=9, reach=9.0)
    calm = np.array([0.01, 3.0, 0.01, 0.05, 0.0])  # no price nine deviations of 60 % away
    quotes = quotes_from(grid, np.full(grid.n, 0.6))
    fit = assert_left_to_the_general(MODELS["heston"], quotes, calm, grid)
    assert fit.reason.startswith("no vol: surface")


def test_a_starved_search_says_so_as_the_general_one_does():
    settings = CalibrationSettings(max_evaluations=2)
    quotes = quotes_from(GRID, SMILE)
    fit = assert_left_to_the_general(
        MODELS["heston"], quotes, carried_of("heston"), settings=settings
    )
    assert fit.status is FitStatus.MAX_EVALUATIONS


def test_a_chain_without_noise_gives_its_states_back():
    for name in ("heston", "svi", "merton"):
        quotes = quotes_by(MODELS[name], TRUTH[name], GRID)
        _, fit = refreshed_fit(MODELS[name], quotes, carried_of(name), grid=GRID)
        np.testing.assert_allclose(fit.params, TRUTH[name], rtol=1e-6)
