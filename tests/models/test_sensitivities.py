"""Greeks of models are derivatives of the premiums that the same engine gives."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.models import MODELS, Grid
from monitor.models.sensitivities import model_greeks
from monitor.pricing.black import black_price
from monitor.pricing.density import derivatives, risk_neutral_density

TAU = np.array([7.0, 60.0, 365.0]) / 365.0
VOL = 0.55
PARAMS = {
    "heston": np.array([0.25, 3.1, 0.4, 2.0, -0.3]),
    "bates": np.array([0.2, 3.0, 0.3, 1.0, -0.4, 2.0, -0.1, 0.15]),
    "adhoc": np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04]),
    "black": np.array([0.5, 0.55, 0.6]),
    "sabr": np.concatenate([[0.55, 0.6 / np.sqrt(t), -0.3] for t in TAU]),
    "ssvi": np.concatenate([[0.3 * t, -0.25, 0.35 * np.sqrt(t)] for t in TAU]),
}
NAMES = sorted(PARAMS)
_NODES = np.array([-3, -2, -1, 1, 2, 3])
_WEIGHTS = np.array([-1, 9, -45, 45, -9, 1]) / 60.0  # sixth order


def grid_at(k, tau=TAU):
    m, n = k.shape
    index = np.repeat(np.arange(m), n)
    return Grid(np.arange(m), tau, index, k.ravel(), VOL**2 * TAU)


K = VOL * np.sqrt(TAU)[:, None] * np.linspace(-2.0, 2.0, 7)
GRID = grid_at(K)
SIGN = np.where(np.arange(GRID.n) % 2 == 0, 1.0, -1.0)


def premium(name, k, params=None, tau=TAU):
    params = PARAMS[name] if params is None else params
    w = MODELS[name].total_variance(params, grid_at(k, tau))[0]
    return black_price(k.ravel(), w, SIGN)


def slope_of(function, step):
    return sum(c * function(i * step) for i, c in zip(_NODES, _WEIGHTS, strict=True)) / step


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_smile_delta_and_gamma_are_derivatives_of_the_dollar_premium(name):
    g = model_greeks(MODELS[name], PARAMS[name], GRID, SIGN)
    h = 0.04 * VOL * np.sqrt(np.repeat(TAU, 7))

    def dollars(shift):  # C at F = exp(shift) over a strike that stays
        return np.exp(shift * h) * premium(name, K - (shift * h).reshape(3, 7))

    by_difference = slope_of(dollars, 1.0) / h
    np.testing.assert_allclose(g.smile_delta, by_difference, atol=1e-7)
    second = [2, -27, 270, -490, 270, -27, 2]
    bend = sum(c * dollars(i) for i, c in zip(range(-3, 4), second, strict=True)) / (180 * h * h)
    # F^2 C_FF = C_yy - C_y by y = ln F.
    np.testing.assert_allclose(g.smile_gamma, bend - by_difference, atol=1e-5 * np.max(g.gamma))
    np.testing.assert_allclose(g.smile_coin_delta, g.smile_delta - premium(name, K), atol=1e-14)


def test_derivatives_by_parameters_are_derivatives_of_premiums(name):
    g = model_greeks(MODELS[name], PARAMS[name], GRID, SIGN)
    for j, value in enumerate(PARAMS[name]):
        step = 1e-3 * max(abs(value), 1e-2)

        def at(x, j=j, step=step):
            moved = PARAMS[name].copy()
            moved[j] += x * step
            return premium(name, K, moved)

        np.testing.assert_allclose(
            g.by_parameter[:, j], slope_of(at, 1.0) / step, atol=1e-7 * (1.0 + 1.0 / abs(value))
        )


@pytest.mark.parametrize("name", ["heston", "bates", "adhoc"])
def test_theta_is_what_a_shorter_tenor_takes_at_fixed_parameters(name):
    g = model_greeks(MODELS[name], PARAMS[name], GRID, SIGN)
    by_difference = slope_of(lambda x: premium(name, K, tau=TAU * (1 + x)), 0.004)
    expected = -by_difference / np.repeat(TAU, 7)
    np.testing.assert_allclose(g.theta, expected, atol=1e-6 * np.max(np.abs(expected)))


@pytest.mark.parametrize("name", ["black", "ssvi"])
def test_theta_of_a_slice_is_that_of_its_vols(name):
    g = model_greeks(MODELS[name], PARAMS[name], GRID, SIGN)
    black = -g.vega * np.sqrt(g.w / np.repeat(TAU, 7)) / (2.0 * np.repeat(TAU, 7))
    np.testing.assert_allclose(g.theta, black, rtol=1e-8)


def test_a_flat_smile_has_the_same_greeks_by_strike_and_by_moneyness():
    g = model_greeks(MODELS["black"], PARAMS["black"], GRID, SIGN)
    np.testing.assert_allclose(g.smile_delta, g.delta, atol=1e-10)
    np.testing.assert_allclose(g.smile_gamma, g.gamma, rtol=1e-8)
    np.testing.assert_allclose(g.smile_coin_delta, g.coin_delta, atol=1e-10)


def test_gamma_by_moneyness_is_the_density():
    k = np.tile(np.linspace(-1.0, 1.0, 2001), (3, 1))
    w = MODELS["heston"].total_variance(PARAMS["heston"], grid_at(k))[0].reshape(3, -1)
    slope, curve = derivatives(w, 1e-3)
    p = risk_neutral_density(k, w, slope, curve)
    at = np.argmin(np.abs(k[0] - K[1, 4]))
    near = grid_at(k[:, at : at + 1])
    g = model_greeks(MODELS["heston"], PARAMS["heston"], near, np.ones(3))
    np.testing.assert_allclose(g.smile_gamma[1:] * np.exp(-k[1:, at]), p[1:, at], rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "params"), [("heston", [0.25, 3.0, 0.4, 1.5, -0.6]), ("sabr", [0.5, 1.2, -0.6])]
)
def test_the_least_variance_delta_leaves_less_variance_than_any_other(name, params):
    params, tau = np.array(params), 0.25
    rng, n, dt = np.random.default_rng(5), 200_000, 1e-5
    grid = Grid(
        np.array([0]), np.array([tau]), np.zeros(1, int), np.array([0.05]), np.array([0.06])
    )
    g = model_greeks(MODELS[name], params, grid, np.ones(1))
    z, e = rng.standard_normal((2, n))
    e = params[-1] * z + np.sqrt(1 - params[-1] ** 2) * e
    if name == "heston":
        move = np.sqrt(params[0] * dt) * z
        state = params[3] * np.sqrt(params[0] * dt) * e
    else:
        move, state = params[0] * np.sqrt(dt) * z, params[0] * params[1] * np.sqrt(dt) * e
    # First order is all there is over a moment: what the option gains, against what was sold.
    gain = g.smile_delta * move + g.by_parameter[0, 0] * state
    best = np.sum(gain * move) / np.sum(move * move)
    # The slope of a regression on 200,000 moves, to four standard errors.
    error = np.std(gain - best * move) / np.std(move) / np.sqrt(n)
    assert abs(g.mv_delta[0] - best) < 4.0 * error
    assert abs(g.mv_delta[0] - g.smile_delta[0]) > 100.0 * error


def test_models_with_jumps_or_without_a_law_have_no_least_variance_delta():
    for name in ("bates", "adhoc", "ssvi"):
        g = model_greeks(MODELS[name], PARAMS[name], GRID, SIGN)
        assert np.all(np.isnan(g.mv_delta)) and np.all(np.isfinite(g.smile_delta))


def test_where_there_is_no_vol_there_are_no_greeks():
    g = model_greeks(MODELS["heston"], np.full(5, np.nan), GRID, SIGN)
    assert all(np.all(np.isnan(value)) for value in vars(g).values())


def test_delta_gamma_and_theta_of_heston_agree_with_quantlibs_prices_bumped():
    ql = pytest.importorskip("QuantLib")
    today, count = ql.Date(1, 1, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    v0, kappa, theta_v, xi, rho = PARAMS["heston"].tolist()
    quote = ql.SimpleQuote(1.0)
    process = ql.HestonProcess(flat, flat, ql.QuoteHandle(quote), v0, kappa, theta_v, xi, rho)
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process), 1e-13, 100_000)
    k, day = 0.1, 60
    exercise = ql.EuropeanExercise(today + day)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, float(np.exp(k))), exercise)
    option.setPricingEngine(engine)

    def price(shift):
        quote.setValue(float(1.0 + shift))
        return option.NPV()

    h = 0.01
    delta = slope_of(price, h)
    second = [2, -27, 270, -490, 270, -27, 2]
    gamma = sum(c * price(i * h) for i, c in zip(range(-3, 4), second, strict=True)) / (180 * h * h)
    tau = day / 365.0
    grid = Grid(
        np.array([0]), np.array([tau]), np.zeros(1, int), np.array([k]), np.array([0.3 * tau])
    )
    g = model_greeks(MODELS["heston"], PARAMS["heston"], grid, np.ones(1))
    assert g.smile_delta[0] == pytest.approx(delta, abs=1e-7)
    assert g.smile_gamma[0] == pytest.approx(gamma, rel=1e-5)
