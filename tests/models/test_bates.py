from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from monitor.models import MODELS
from monitor.models.merton import merton_jumps_log_cf
from monitor.pricing.black import black_price
from tests.calibration.chains import grid_of_tenors
from tests.models.brute import bates, calls
from tests.models.slow import heston_bates_cf
from tests.models.test_heston import grid_at
from tests.references import published

BATES, HESTON = MODELS["bates"], MODELS["heston"]
RECORDED = np.array([0.1, 6.0, 0.22, 3.8, -0.27, 19.0, -0.01, 0.056])
RARE = np.array([0.12, 2.7, 0.27, 1.3, -0.25, 0.04, -0.9, 0.8])


def merton_call(k, w, lam_tau, mu_j, sigma_j):
    """Return the premium over forward by Merton's Poisson sum over Black's."""
    mean = math.exp(mu_j + 0.5 * sigma_j**2) - 1.0
    total = 0.0
    for n in range(80):
        weight = math.exp(-lam_tau + n * math.log(lam_tau) - math.lgamma(n + 1))
        growth = math.exp(-lam_tau * mean + n * (mu_j + 0.5 * sigma_j**2))
        c = black_price(np.array(k - math.log(growth)), np.array(w + n * sigma_j**2), np.array(1.0))
        total += weight * growth * float(c)
    return total


@pytest.mark.parametrize("row", range(3))
def test_bates_without_vol_of_variance_is_merton(row):
    line = published("bates_vs_merton.csv")[row]
    names = "spot strike r q T_years v0 kappa theta sigma rho intensity mean_log_jump jump_vol"
    S, K, r, q, T, *params = (float(line[name]) for name in names.split())
    forward = S * math.exp((r - q) * T)
    k, v = math.log(K / forward), params[0] * T
    # Read past the model's own bound on xi: here the formula itself is on trial.
    w, _ = BATES.total_variance(np.array(params), grid_at([k], T, v + params[5] * T * 0.08))
    call = float(black_price(np.array(k), w[0], np.array(1.0)))
    expected = merton_call(k, v, params[5] * T, params[6], params[7])
    assert call == pytest.approx(expected, rel=float(line["rel_tolerance"]))


def test_without_jumps_bates_is_heston():
    grid = grid_of_tenors(np.array([1.0, 30.0, 365.0]), n=7)
    w, gradient = BATES.total_variance(np.concatenate([RECORDED[:5], [0.0, -0.1, 0.2]]), grid)
    plain, plain_gradient = HESTON.total_variance(RECORDED[:5], grid)
    np.testing.assert_allclose(w, plain, rtol=1e-12)
    np.testing.assert_allclose(gradient[:, :5], plain_gradient, rtol=1e-9, atol=1e-12)


def test_jumps_are_a_martingale():
    # At z = -i the exponent vanishes: on the contour, E exp(X/2) <= 1 and equality at no jumps.
    u, tau = np.linspace(0.0, 50.0, 200), np.full(200, 0.3)
    psi, _ = merton_jumps_log_cf(RECORDED[5:], u, tau, False)
    assert psi[0].imag == 0.0 and psi[0].real < 0.0
    assert np.all(psi.real <= psi.real[0] + 1e-15)
    with mpmath.workdps(30):
        for z in (mpmath.mpc(1e-25), mpmath.mpc(1e-25, -1.0)):
            assert abs(heston_bates_cf(RECORDED, 0.3)(z) - 1) < 1e-20


@pytest.mark.parametrize("params", [RECORDED, RARE], ids=["frequent", "rare"])
@pytest.mark.parametrize("tau", [1 / 365, 30 / 365, 1.0])
def test_premiums_agree_with_the_slow_twin(params, tau):
    deviation = math.sqrt((params[0] + params[5] * (params[6] ** 2 + params[7] ** 2)) * tau)
    k = deviation * np.array([-1.5, 0.0, 2.0])
    w, _ = BATES.total_variance(params, grid_at(k, tau, deviation**2))
    call = black_price(k, w, np.ones(3))
    exact = calls(bates(params), k, tau, deviation)
    assert np.max(np.abs(call - exact)) / deviation < 2e-9  # relative vol, at the money


@pytest.mark.parametrize("params", [RECORDED, RARE], ids=["frequent", "rare"])
def test_gradient_is_the_derivative_of_total_variance(params):
    grid = grid_of_tenors(np.array([2.0, 30.0, 365.0]), vol=0.45, n=7, reach=1.5)
    _, gradient = BATES.total_variance(params, grid)
    for j, value in enumerate(params):
        step = 3e-3 * abs(value)
        moved = []
        for n in (-3, -2, -1, 1, 2, 3):
            there = params.copy()
            there[j] = value + n * step
            moved.append(BATES.total_variance(there, grid)[0])
        by_difference = np.tensordot([-1, 9, -45, 45, -9, 1], moved, axes=1) / (60.0 * step)
        scale = np.max(np.abs(by_difference))
        np.testing.assert_allclose(gradient[:, j], by_difference, rtol=1e-7, atol=1e-8 * scale)


@pytest.mark.parametrize("seed", range(3))
def test_vols_agree_with_quantlib(seed):
    ql = pytest.importorskip("QuantLib")
    rng = np.random.default_rng(seed)
    params = [
        *(0.3, rng.uniform(1, 6), 0.4, rng.uniform(0.3, 2), rng.uniform(-0.6, 0.3)),
        *(rng.uniform(0.5, 5), rng.uniform(-0.2, 0.1), rng.uniform(0.05, 0.3)),
    ]
    grid = grid_of_tenors(np.array([30.0, 365.0]), n=5, reach=1.5)
    w, _ = BATES.total_variance(np.array(params), grid)
    today, count = ql.Date(1, 1, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    spot = ql.QuoteHandle(ql.SimpleQuote(1.0))
    engine = ql.BatesEngine(ql.BatesModel(ql.BatesProcess(flat, flat, spot, *params)), 192)
    for i in range(grid.n):
        sign = 1.0 if grid.k[i] >= 0.0 else -1.0
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        payoff = ql.PlainVanillaPayoff(kind, float(np.exp(grid.k[i])))
        exercise = ql.EuropeanExercise(today + round(365 * grid.tau_of_point[i]))
        option = ql.VanillaOption(payoff, exercise)
        option.setPricingEngine(engine)
        ours = float(black_price(grid.k[i], w[i], np.array(sign)))
        assert ours == pytest.approx(option.NPV(), abs=1e-9)  # their quadrature
