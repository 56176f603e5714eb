"""A model per expiry moves by the rule; one of the surface moves its states and nothing else."""

import numpy as np
import pytest

from monitor.calibration.solve import calibrate, model_iv
from monitor.models import MODELS
from monitor.pricing.black import black_price
from monitor.stress.revalue import Options, moved_surfaces, revalue
from monitor.stress.scenarios import PORTFOLIO_MARGIN, SCENARIOS, SPOT_MOVES, UNMOVED, Scenario
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

DAYS = np.array([7.0, 30.0, 90.0])
GRID = grid_of_tenors(DAYS)
HESTON = np.array([0.36, 3.0, 0.4, 1.5, -0.3])
ROWS = np.flatnonzero(np.isin(np.arange(GRID.n) % 25, (4, 8, 12, 13, 18)))


def options(grid=GRID, rows=ROWS):
    tau = grid.tau_of_point[rows]
    k = grid.k[rows]
    sign = np.where(k > 0, 1.0, -1.0)
    w = grid.w_ref[grid.expiry_index[rows]]
    return Options(grid.expiry_ms[grid.expiry_index[rows]], tau, k, sign, w)


def values(model, params):
    return revalue(
        MODELS[model], np.asarray(params), GRID.expiry_ms, GRID.tau, options(), PORTFOLIO_MARGIN
    )


def test_the_unmoved_cell_is_the_models_price_now():
    now, after = values("heston", HESTON)
    w = MODELS["heston"].total_variance(HESTON, GRID)[0][ROWS]
    o = options()
    np.testing.assert_allclose(now, black_price(o.k, w, o.sign), rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(after[UNMOVED], now)
    assert set(after) == set(SCENARIOS)


def test_a_move_of_spot_moves_k_and_keeps_the_smile_in_k():
    svi = MODELS["svi"]
    params = np.concatenate([[0.3 * t, 0.2 * t**0.5, -0.3, 0.0, 0.3 * t**0.5] for t in GRID.tau])
    _, after = values("svi", params)
    o = options()
    for move in SPOT_MOVES:
        k = o.k - np.log1p(move)
        a, b, rho, m, s = params.reshape(3, 5)[GRID.expiry_index[ROWS]].T
        w = a + b * (rho * (k - m) + np.hypot(k - m, s))
        want = black_price(k, w, o.sign)
        np.testing.assert_allclose(after[Scenario(move, "same")], want, rtol=1e-12)
    assert svi.per_expiry


def test_a_model_per_expiry_moves_each_expirys_vols_by_the_rule():
    _, after = values("black", [0.6, 0.6, 0.6])
    o = options()
    for move in ("down", "up"):
        iv = PORTFOLIO_MARGIN.moved(np.full(len(o.k), 0.6), o.tau, move)
        want = black_price(o.k, iv**2 * o.tau, o.sign)
        np.testing.assert_allclose(after[Scenario(0.0, move)], want, rtol=1e-12)


@pytest.mark.parametrize(("move", "factor"), [("up", 1.5), ("down", 0.75)])
@pytest.mark.parametrize("name", ["heston", "adhoc"])
def test_a_surface_models_thirty_day_vol_moves_by_the_rule_and_its_structure_stays(
    name, move, factor
):
    model = MODELS[name]
    params = HESTON if name == "heston" else np.array([0.6, -0.1, 0.05, 0.1, 0.0, 0.0])
    moved = moved_surfaces(model, params, options(), PORTFOLIO_MARGIN)[move]
    assert moved is not None
    state = np.array([p.role == "state" for p in model.parameters])
    there = np.where(state, moved.factor * params, params)
    before, after = (float(model_iv(model, p, options().level)[0]) for p in (params, there))
    assert after == pytest.approx(factor * before, rel=1e-7)
    np.testing.assert_allclose(moved.w, model.total_variance(there, options().grid)[0], rtol=1e-7)


@pytest.mark.parametrize("days", [29.0, 30.0])
def test_the_level_is_read_at_thirty_days_whether_or_not_an_expiry_is_there(days):
    o = options(grid_of_tenors(np.array([7.0, days, 90.0])))
    assert o.grid.k[o.level_at] == 0.0
    assert o.grid.tau_of_point[o.level_at] * 365.0 == pytest.approx(30.0)
    assert o.grid.m == (3 if days == 30.0 else 4)
    np.testing.assert_array_equal(o.by_move(o.grid.k), o.moved_k)
    np.testing.assert_array_equal(o.by_move(o.grid.tau_of_point)[0], o.tau)


def test_a_model_that_reverts_within_days_cannot_follow_a_fall_and_says_so():
    # kappa = 50: three quarters of the 30-day variance is the long variance, whatever v0 is.
    fast = np.array([0.30, 50.0, 0.36, 5.0, -0.2])
    surfaces = moved_surfaces(MODELS["heston"], fast, options(), PORTFOLIO_MARGIN)
    assert surfaces["down"] is None
    assert surfaces["up"] is not None
    _, after = values("heston", fast)
    for scenario, c in after.items():
        assert np.isfinite(c).all() == (scenario.vol != "down")


def test_models_that_agree_on_the_surface_agree_on_every_move_of_spot():
    # One Heston's own quotes, fitted by Heston and by SVI: within the strikes they say the same.
    quotes = quotes_by(MODELS["heston"], HESTON, GRID)
    near = np.flatnonzero(GRID.expiry_index == 2)[[8, 12, 16]]
    o = options(rows=near)
    found = {}
    for name in ("heston", "svi"):
        fit = calibrate(MODELS[name], quotes, grid=GRID)
        found[name] = revalue(
            MODELS[name], fit.params, GRID.expiry_ms, GRID.tau, o, PORTFOLIO_MARGIN
        )[1]
    for move in (-0.16, 0.0, 0.16):
        cell = Scenario(move, "same")
        np.testing.assert_allclose(found["svi"][cell], found["heston"][cell], atol=2e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_parameters_that_are_absent_give_absent_values_and_no_error(name):
    model = MODELS[name]
    size = len(model.tiled(GRID))
    now, after = values(name, np.full(size, np.nan))
    assert np.isnan(now).all()
    assert all(np.isnan(c).all() for c in after.values())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_vol_up_is_worth_more_than_same_and_same_more_than_down(name):
    quotes = quotes_from(GRID, 0.6 - 0.1 * GRID.k / np.sqrt(GRID.tau_of_point) * 0.3)
    fit = calibrate(MODELS[name], quotes, grid=GRID)
    _, after = values(name, fit.params)
    for move in SPOT_MOVES:
        down, same, up = (after[Scenario(move, v)] for v in ("down", "same", "up"))
        assert not np.any(up < same - 1e-9)
        assert not np.any(same < down - 1e-9)
