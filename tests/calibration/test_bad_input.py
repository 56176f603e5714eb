"""Whatever the chain: a status and a reason, never an exception, never a warning."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.fit import FitStatus
from monitor.calibration.solve import CalibrationSettings, calibrate, evaluate, model_iv
from monitor.errors import DomainError
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_from

# What takes seconds a chain in use takes too long here for every change of anything.
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if MODELS[name].cadence == "weekly" else name
    for name in sorted(MODELS)
]
MINUTE = 1.0 / 1440.0
QUICK = CalibrationSettings(restarts=2, max_evaluations=60)


def smile(grid, level=0.6, slope=-0.1, curve=0.15):
    x = grid.k / np.sqrt(grid.tau_of_point) / level
    return level * (1.0 + slope * x + curve * x * x)


def assert_whole(fit, quotes):
    """Assert that a fit says what it is: every number is there, or said not to be."""
    assert fit.params.shape == (len(fit.names),)
    assert fit.iv.shape == fit.leverage.shape == (quotes.n,)
    assert isinstance(fit.status, FitStatus)
    assert (fit.status is FitStatus.CONVERGED) or fit.reason
    if not np.all(np.isfinite(fit.params)):
        assert fit.reason
    if fit.converged:
        assert np.all(np.isfinite(fit.iv) | np.isnan(fit.leverage))


CHAINS = {
    "one quote": (np.array([30.0]), {"n": 1}),
    "two quotes": (np.array([30.0]), {"n": 2}),
    "one expiry": (np.array([30.0]), {"n": 30}),
    "one quote an expiry": (np.array([1.0, 7.0, 30.0, 90.0]), {"n": 1}),
    "a minute": (np.array([MINUTE]), {"n": 15}),
    "five years": (np.array([1825.0]), {"n": 15}),
    "a minute to five years": (np.array([MINUTE, 1.0, 30.0, 365.0, 1825.0]), {"n": 9}),
    "far wings": (np.array([7.0, 30.0]), {"n": 15, "reach": 8.0}),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_of_odd_shape_ends_with_a_status_and_a_reason(name, chain):
    days, shape = CHAINS[chain]
    grid = grid_of_tenors(days, **shape)
    quotes = quotes_from(grid, smile(grid))
    assert_whole(calibrate(MODELS[name], quotes, settings=QUICK), quotes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.01, 0.05, 8.0, 30.0])
def test_a_chain_of_odd_height_ends_with_a_status_and_a_reason(name, level):
    grid = grid_of_tenors(np.array([1.0, 30.0, 365.0]), vol=level, n=9)
    quotes = quotes_from(grid, smile(grid, level=level), 0.005 * level)
    assert_whole(calibrate(MODELS[name], quotes, settings=QUICK), quotes)


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_smile_is_fitted_by_every_model(name):
    grid = grid_of_tenors(np.array([1.0, 7.0, 30.0, 90.0, 365.0]), n=11)
    quotes = quotes_from(grid, np.full(grid.n, 0.6))
    fit = calibrate(MODELS[name], quotes)
    assert_whole(fit, quotes)
    assert fit.converged, fit.reason
    assert np.max(np.abs(fit.iv - 0.6)) < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_random_vols_end_with_a_status_and_a_reason(name):
    grid = grid_of_tenors(np.array([1.0, 30.0, 365.0]), n=9)
    for seed in range(3):
        iv = np.random.default_rng(seed).uniform(0.05, 3.0, grid.n)
        quotes = quotes_from(grid, iv, 0.002)
        assert_whole(calibrate(MODELS[name], quotes, settings=QUICK), quotes)


@pytest.mark.parametrize("name", NAMES)
def test_no_quotes_are_too_few(name):
    grid = grid_of_tenors(np.empty(0), n=0)
    fit = calibrate(MODELS[name], quotes_from(grid, np.empty(0)))
    assert fit.status is FitStatus.TOO_FEW_QUOTES
    assert fit.reason.startswith("thin:")
    assert fit.iv.shape == (0,)


def test_a_thin_expiry_is_left_out_by_name_and_the_others_are_fitted():
    whole = grid_of_tenors(np.array([7.0, 30.0]), n=9)
    keep = np.ones(18, bool)
    keep[2:9] = False
    thin = type(whole)(
        whole.expiry_ms, whole.tau, whole.expiry_index[keep], whole.k[keep], whole.w_ref
    )
    quotes = quotes_from(thin, smile(thin))
    fit = calibrate(MODELS["svi"], quotes)
    assert fit.converged
    assert fit.reason == "thin: 2026-01-08 (2 quotes for 5 parameters)"
    assert np.all(np.isnan(fit.params[:5])) and np.all(np.isfinite(fit.params[5:]))
    assert np.all(np.isnan(fit.iv[:2])) and np.all(np.isfinite(fit.iv[2:]))
    assert np.all(np.isnan(fit.covariance[:5]))
    inside = 5 + np.flatnonzero(fit.at_bound[5:] == 0)
    assert np.all(np.isfinite(fit.covariance[np.ix_(inside, inside)]))
    assert np.isfinite(fit.cost) and np.isfinite(fit.condition)


@pytest.mark.parametrize("name", NAMES)
def test_fewer_quotes_than_parameters_are_too_few(name):
    model = MODELS[name]
    if len(model.parameters) == 1:
        pytest.skip("one quote is enough for one parameter")
    grid = grid_of_tenors(np.array([30.0]), n=len(model.parameters) - 1)
    fit = calibrate(model, quotes_from(grid, smile(grid)))
    assert fit.status is FitStatus.TOO_FEW_QUOTES
    assert f"({grid.n} quotes for {len(model.parameters)} parameters)" in fit.reason
    assert np.all(np.isnan(fit.params)) and np.all(np.isnan(fit.iv))


def test_an_expiry_without_a_start_is_left_out_by_name():
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=9)
    quotes = quotes_from(grid, smile(grid))
    fit = evaluate(MODELS["black"], quotes, np.array([np.nan, 0.6]))
    assert fit.converged
    assert fit.reason == "not priced: 2026-01-08 (no start)"
    assert np.all(np.isnan(fit.iv[:9])) and np.all(fit.iv[9:] == pytest.approx(0.6))


def test_parameters_that_price_nothing_are_not_priceable():
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=9)
    quotes = quotes_from(grid, smile(grid))
    for model in (MODELS["heston"], MODELS["svi"]):
        nothing = np.full(len(model.bounds(grid)[0]), np.nan)
        for fit in (evaluate(model, quotes, nothing), calibrate(model, quotes, start=nothing)):
            assert fit.status is FitStatus.NOT_PRICEABLE
            assert fit.reason.startswith("not priced:")
            assert np.all(np.isnan(fit.iv))


def test_quotes_without_a_model_vol_are_counted_and_the_others_judged():
    # At rho = -0.999 a call seven deviations up is worth less than rounding.
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=9, reach=7.0)
    quotes = quotes_from(grid, np.full(grid.n, 0.6))
    leaning = np.array([0.3, 1.0, 0.4, 2.0, -0.999])
    free = np.array([True, False, False, False, False])
    for fit in (
        evaluate(MODELS["heston"], quotes, leaning),
        calibrate(MODELS["heston"], quotes, start=leaning, free=free),
    ):
        missing = int(np.isnan(fit.iv).sum())
        assert 0 < missing <= 9
        assert fit.converged
        assert fit.reason == f"no vol: surface ({missing} of 18 quotes)"
        assert np.isfinite(fit.cost)
        np.testing.assert_array_equal(np.isnan(fit.leverage), np.isnan(fit.iv))


def test_svi_with_negative_variance_at_one_quote_is_fitted_to_the_others():
    grid = grid_of_tenors(np.array([7.0, 30.0]), n=9)
    quotes = quotes_from(grid, smile(grid))
    start = calibrate(MODELS["svi"], quotes).params.copy()
    start[0] -= 0.9 * np.min(quotes.iv[:9]) ** 2 * grid.tau[0]
    shifted = quotes.iv[:9] ** 2 * grid.tau[0]
    start[0] = start[0] - np.sort(shifted)[2] + 0.9 * np.min(shifted)
    free = np.array([p.role == "state" for p in MODELS["svi"].tiled(grid)])
    fit = calibrate(MODELS["svi"], quotes, start=start, free=free)
    assert np.all(np.isfinite(fit.params))
    assert fit.converged, fit.reason


@pytest.mark.parametrize("name", NAMES)
def test_frozen_parameters_without_a_vol_give_nan_there_and_no_warning(name):
    grid = grid_of_tenors(np.array([1.0, 365.0]), n=5, reach=40.0)
    model = MODELS[name]
    lower, _ = model.bounds(grid)
    iv = model_iv(model, lower, grid)
    assert iv.shape == (grid.n,)


def test_a_wrong_length_is_the_callers_mistake():
    grid = grid_of_tenors(np.array([30.0]), n=9)
    quotes = quotes_from(grid, smile(grid))
    with pytest.raises(DomainError, match=r"start must have shape \(5,\), had \(4,\)"):
        calibrate(MODELS["heston"], quotes, start=np.zeros(4))
    with pytest.raises(DomainError, match="needs a start"):
        calibrate(MODELS["heston"], quotes, free=np.ones(5, bool))
