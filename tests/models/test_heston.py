from __future__ import annotations

import mpmath
import numpy as np
import pytest

from monitor.models import MODELS, Grid
from monitor.models.heston import heston_log_cf
from monitor.pricing.black import black_price
from tests.calibration.chains import grid_of_tenors
from tests.models.brute import calls, heston
from tests.models.slow import heston_bates_cf, heston_log_cf_by_riccati
from tests.references import published

HESTON = MODELS["heston"]
TEXTBOOK = np.array([0.04, 1.5, 0.06, 0.5, -0.7])
# Each at an edge of what fits to recorded chains reach.
CORNERS = {
    "textbook": TEXTBOOK,
    "recorded": np.array([0.25, 3.1, 0.4, 4.0, -0.3]),
    "violent": np.array([1.0, 8.0, 0.5, 20.0, -0.6]),
    "leaning": np.array([0.2, 2.0, 0.3, 3.0, -0.95]),
    "rising": np.array([0.1, 0.5, 0.5, 3.0, 0.5]),
    "quiet": np.array([0.3, 3.0, 0.4, 0.01, -0.3]),
    "cold": np.array([0.005, 3.0, 0.4, 4.0, -0.3]),
}
TENORS = {"day": 1 / 365, "month": 1 / 12, "year": 1.0, "five years": 5.0}


def expected_variance(params, tau):
    v0, kappa, theta_v = params[:3]
    return theta_v * tau + (v0 - theta_v) * (1.0 - np.exp(-kappa * tau)) / kappa


def grid_at(k, tau, w_ref):
    k = np.atleast_1d(np.asarray(k, dtype=float))
    index = np.zeros(len(k), np.int64)
    return Grid(np.array([0]), np.array([tau]), index, k, np.array([w_ref]))


def premiums(params, k, tau, sign):
    """Return premiums over forward at total variances of the model."""
    w, _ = HESTON.total_variance(params, grid_at(k, tau, expected_variance(params, tau)))
    return black_price(np.asarray(k, dtype=float), w, np.asarray(sign, dtype=float))


@pytest.mark.parametrize("corner", CORNERS)
def test_the_printed_characteristic_function_is_one_at_zero_and_at_minus_i(corner):
    cf = heston_bates_cf(CORNERS[corner], 0.25)
    with mpmath.workdps(30):
        for z in (mpmath.mpc(1e-25), mpmath.mpc(1e-25, -1.0)):
            assert abs(cf(z) - 1) < 1e-20


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("tenor", TENORS)
def test_log_characteristic_function_agrees_with_the_printed_one_in_thirty_digits(corner, tenor):
    params, tau = CORNERS[corner], TENORS[tenor]
    scale = np.sqrt(expected_variance(params, tau))
    u = np.array([0.0, 0.1, 1.0, 3.0, 9.0, 30.0]) / scale
    psi, _ = heston_log_cf(params, u, np.full(6, tau), False)
    with mpmath.workdps(30):
        cf = heston_bates_cf(params, tau)
        exact = [complex(cf(mpmath.mpc(a, -0.5))) for a in u]
    # Rounding of psi, of which xi = 0.01 loses 1e-16 / xi^2 in the imaginary part.
    np.testing.assert_allclose(np.exp(psi), exact, atol=2e-11 if corner == "quiet" else 1e-13)


@pytest.mark.parametrize("corner", ["textbook", "recorded", "violent", "rising"])
def test_no_branch_of_the_logarithm_is_crossed(corner):
    params, tau = CORNERS[corner], 5.0
    u = np.array([0.5, 2.0, 7.0, 15.0])
    psi, _ = heston_log_cf(params, u, np.full(4, tau), False)
    by_riccati = [heston_log_cf_by_riccati(params, a - 0.5j, tau) for a in u]
    np.testing.assert_allclose(psi, by_riccati, rtol=1e-8)


def test_characteristic_function_is_hermitian_and_at_most_its_value_at_zero():
    u = np.linspace(0.0, 60.0, 400)
    for params in CORNERS.values():
        psi, _ = heston_log_cf(params, u, np.full(400, 0.1), False)
        mirror, _ = heston_log_cf(params, -u, np.full(400, 0.1), False)
        np.testing.assert_allclose(mirror, np.conj(psi), rtol=1e-12, atol=1e-13)
        # phi(u - i/2) / phi(-i/2) is a characteristic function of another measure.
        assert np.all(psi.real <= psi.real[0] + 1e-14)


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize(
    ("file", "tolerance"),
    # Relative 1e-12 of the price; of the short ones, 1e-15 of the forward: the integral's rounding.
    [("heston_alan_lewis.csv", 1e-12), ("heston_alan_lewis_short.csv", 1e-13)],
)
def test_premiums_agree_with_alan_lewis(file, tolerance, row):
    line = {name: float(value) for name, value in published(file)[row].items()}
    T, discount = line["T"], np.exp(-line["r"] * line["T"])
    forward = line["spot"] * np.exp((line["r"] - line["q"]) * T)
    params = np.array([line[name] for name in ("v0", "kappa", "theta", "sigma", "rho")])
    k = np.log(line["strike"] / forward)
    if (file, row) == ("heston_alan_lewis_short.csv", 4):
        # The call is worth 1.3e-15 of the forward: told to be out of reach, not guessed.
        assert np.isnan(premiums(params, [k], T, [1.0]))
        return
    for name, sign in (("put", -1.0), ("call", 1.0)):
        premium = float(premiums(params, [k], T, [sign])[0]) * forward * discount
        assert premium == pytest.approx(line[name], rel=tolerance, abs=1e-13)


@pytest.mark.parametrize(
    ("corner", "tenor"),
    [
        ("recorded", "day"),
        ("cold", "day"),
        ("violent", "year"),
        ("leaning", "year"),
        ("rising", "year"),
    ],
)
def test_premiums_at_the_corners_agree_with_the_slow_twin(corner, tenor):
    params, tau = CORNERS[corner], TENORS[tenor]
    deviation = float(np.sqrt(expected_variance(params, tau)))
    k = deviation * np.array([-2.5, 0.5])
    call = premiums(params, k, tau, np.ones(2))
    exact = calls(heston(params), k, tau, deviation)
    assert np.max(np.abs(call - exact)) / deviation < 2e-9  # relative vol, at the money


@pytest.mark.parametrize("seed", range(6))
def test_vols_agree_with_quantlib(seed):
    ql = pytest.importorskip("QuantLib")
    rng = np.random.default_rng(seed)
    v0, theta_v = rng.uniform(0.1, 0.8, 2)
    params = np.array(
        [v0, rng.uniform(0.5, 8), theta_v, rng.uniform(0.3, 2), rng.uniform(-0.7, 0.4)]
    )
    grid = grid_of_tenors(np.array([7.0, 90.0, 365.0]), n=5, reach=1.5)
    w, _ = HESTON.total_variance(params, grid)

    today, count = ql.Date(1, 1, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    spot = ql.QuoteHandle(ql.SimpleQuote(1.0))
    v0, kappa, theta_v, xi, rho = params.tolist()
    process = ql.HestonProcess(flat, flat, spot, v0, kappa, theta_v, xi, rho)
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process), 192)
    for i in range(grid.n):
        days = round(365 * grid.tau_of_point[i])
        sign = 1.0 if grid.k[i] >= 0.0 else -1.0
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        payoff = ql.PlainVanillaPayoff(kind, float(np.exp(grid.k[i])))
        option = ql.VanillaOption(payoff, ql.EuropeanExercise(today + days))
        option.setPricingEngine(engine)
        ours = float(black_price(grid.k[i], w[i], np.array(sign)))
        assert ours == pytest.approx(option.NPV(), abs=1e-9)  # their quadrature


@pytest.mark.parametrize("corner", ["textbook", "recorded", "violent", "rising"])
def test_gradient_is_the_derivative_of_total_variance(corner):
    params = CORNERS[corner]
    vol = np.sqrt(expected_variance(params, 0.25) / 0.25)
    grid = grid_of_tenors(np.array([2.0, 30.0, 365.0]), vol=vol, n=7, reach=2.0)
    _, gradient = HESTON.total_variance(params, grid)
    for j, value in enumerate(params):
        # Sixth order: truncation and rounding both stay below 1e-9 at this step.
        step = 4e-3 * abs(value) * min(1.0, (1 - abs(params[4])) / 0.3)
        moved = []
        for n in (-3, -2, -1, 1, 2, 3):
            there = params.copy()
            there[j] = value + n * step
            moved.append(HESTON.total_variance(there, grid)[0])
        by_difference = np.tensordot([-1, 9, -45, 45, -9, 1], moved, axes=1) / (60.0 * step)
        scale = np.max(np.abs(by_difference))
        np.testing.assert_allclose(gradient[:, j], by_difference, rtol=1e-7, atol=1e-8 * scale)


def test_vol_of_variance_near_zero_is_black_with_the_expected_variance():
    params = np.array([0.3, 2.0, 0.5, 0.01, 0.0])
    grid = grid_of_tenors(np.array([1.0, 30.0, 365.0]), n=5, reach=2.0)
    w, _ = HESTON.total_variance(params, grid)
    # The first correction is of order xi^2.
    np.testing.assert_allclose(w, expected_variance(params, grid.tau_of_point), rtol=1e-4)


def test_premiums_of_a_smile_are_convex_in_strike_and_within_bounds():
    strike = np.linspace(0.5, 1.8, 131)
    for params in (CORNERS["textbook"], CORNERS["recorded"], CORNERS["violent"]):
        c = premiums(params, np.log(strike), 0.25, np.ones(131))
        slope = np.diff(c) / np.diff(strike)
        assert np.all(c >= np.maximum(1.0 - strike, 0.0)) and np.all(c <= 1.0)
        assert np.all(slope <= 1e-12) and np.all(slope >= -1.0 - 1e-12)
        assert np.all(np.diff(slope) >= -1e-11)


def test_the_reference_variance_does_not_change_the_answer():
    params, k = CORNERS["recorded"], np.linspace(-0.2, 0.2, 9)
    exact = expected_variance(params, 0.1)
    w = [HESTON.total_variance(params, grid_at(k, 0.1, f * exact))[0] for f in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(w[0], w[1], rtol=1e-9)
    np.testing.assert_allclose(w[2], w[1], rtol=1e-9)


def test_a_premium_too_small_to_be_computed_has_no_variance_rather_than_a_wrong_one():
    params = CORNERS["leaning"]
    w, _ = HESTON.total_variance(params, grid_at([0.0, 1.0], 1 / 365, params[0] / 365))
    assert np.isfinite(w[0])
    assert np.isnan(w[1])


def test_variance_without_its_gradient_is_the_same():
    model, grid = (
        MODELS["heston"],
        Grid(
            np.array([1, 2]),
            np.array([0.1, 0.5]),
            np.repeat([0, 1], 9),
            np.tile(np.linspace(-0.4, 0.4, 9), 2),
            np.array([0.03, 0.15]),
        ),
    )
    params = np.array([0.3, 2.0, 0.35, 1.0, -0.3])
    w = model.total_variance(params, grid)[0]
    # One column of a product of matrices is summed in another order than six.
    np.testing.assert_allclose(model.variance(params, grid), w, rtol=1e-12)
