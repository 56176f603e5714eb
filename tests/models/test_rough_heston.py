"""Rough Heston's rational function against the Adams scheme, which solves the equation itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma

from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.solve import calibrate
from monitor.models import MODELS, Grid
from monitor.models.heston import heston_log_cf
from monitor.models.rough_heston import rough_heston_log_cf
from monitor.pricing.black import black_price
from monitor.pricing.implied import implied_deviation
from tests.calibration.chains import grid_of_tenors, quotes_by

ROUGH = MODELS["rough_heston"]
SETS = {
    "index": np.array([0.04, 2.0, 0.05, 0.1, 0.4, -0.65]),  # about what an equity index has
    "coin": np.array([0.25, 4.0, 0.4, 0.12, 1.2, -0.3]),
    "smooth": np.array([0.25, 4.0, 0.4, 0.35, 2.0, 0.4]),
}
TENORS = [1 / 365, 30 / 365, 1.0]
# What the rational function is off by, in shares of the level of vol: an approximation's own size.
OFF = {"index": 0.003, "coin": 0.001, "smooth": 0.008}


def adams_log_cf(params, u, tau, steps):
    """Return ln phi(u - i/2; tau) by the Adams scheme of Diethelm, Ford and Freed (2004)."""
    v0, kappa, theta_v, hurst, nu, rho = params
    alpha, a, dt = hurst + 0.5, u - 0.5j, tau / steps
    j = np.arange(steps + 1.0)

    def slope(h):
        return -0.5 * a * (a + 1j) + 1j * rho * nu * a * h + 0.5 * nu * nu * h * h

    F = np.zeros((steps + 1, len(u)), complex)
    F[0] = slope(np.zeros(len(u)))
    once, twice = dt**alpha / gamma(alpha + 1), dt**alpha / gamma(alpha + 2)
    for n in range(steps):
        guess = ((n + 1 - j[: n + 1]) ** alpha - (n - j[: n + 1]) ** alpha) @ F[: n + 1] * once
        weight = np.empty(n + 1)
        weight[0] = n ** (alpha + 1) - (n - alpha) * (n + 1) ** alpha
        back = n - j[1 : n + 1]
        weight[1:] = (back + 2) ** (alpha + 1) + back ** (alpha + 1) - 2 * (back + 1) ** (alpha + 1)
        F[n + 1] = slope(twice * (weight @ F[: n + 1] + slope(guess)))
    curve = theta_v + (v0 - theta_v) * np.exp(-kappa * (tau - j * dt))
    return np.trapezoid(F * curve[:, None], dx=dt, axis=0)


@pytest.mark.parametrize("tau", TENORS)
@pytest.mark.parametrize("name", SETS)
def test_the_characteristic_function_is_that_of_the_adams_scheme(name, tau):
    params = SETS[name]
    u = np.array([0.05, 0.5, 1.0, 2.0, 4.0]) / np.sqrt(params[0] * tau)
    coarse, fine = (adams_log_cf(params, u, tau, steps) for steps in (300, 600))
    ours, _ = rough_heston_log_cf(params, u, np.full(5, tau), False)
    own_error = np.max(np.abs(np.exp(fine) - np.exp(coarse)))
    assert own_error < 1e-3
    # Of phi it is half as much again.
    assert np.max(np.abs(np.exp(ours) - np.exp(fine))) < 1.5 * OFF[name] + own_error


@pytest.mark.parametrize("tau", TENORS)
@pytest.mark.parametrize("name", SETS)
def test_vols_are_those_of_the_adams_scheme(name, tau):
    params = SETS[name]
    level = params[2] + (params[0] - params[2]) * -np.expm1(-params[1] * tau) / (params[1] * tau)
    w_ref = level * tau
    k = np.sqrt(w_ref) * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    node, weight = np.polynomial.legendre.leggauss(48)
    u = 4.5 / np.sqrt(w_ref) * (1.0 + node)
    phi = np.exp(adams_log_cf(params, u, tau, 300))
    black = np.exp(-0.5 * w_ref * (u * u + 0.25))
    kernel = np.exp(-1j * u * k[:, None]) * (4.5 / np.sqrt(w_ref) * weight / (u * u + 0.25))
    sign = np.where(k >= 0.0, 1.0, -1.0)
    c = black_price(k, np.full(5, w_ref), sign)
    c = c + np.exp(0.5 * k) / np.pi * np.real(kernel @ (black - phi))
    adams_vol = implied_deviation(k, c, sign)[0] / np.sqrt(tau)
    grid = Grid(np.array([0]), np.array([tau]), np.zeros(5, np.int64), k, np.array([w_ref]))
    vol = np.sqrt(ROUGH.total_variance(params, grid)[0] / tau)
    # The integral's end at nine deviations takes a thousandth of the level at most.
    np.testing.assert_allclose(vol, adams_vol, atol=(OFF[name] + 0.001) * np.sqrt(level))


@pytest.mark.parametrize("name", SETS)
def test_gradient_is_the_derivative(name):
    params = SETS[name]
    u, tau = np.linspace(0.1, 60.0, 12), np.tile([0.01, 0.5], 6)
    _, gradient = rough_heston_log_cf(params, u, tau, True)
    for j, value in enumerate(params):
        step = 2e-3 * abs(value)
        moved = []
        for n in (-3, -2, -1, 1, 2, 3):
            there = params.copy()
            there[j] = value + n * step
            moved.append(rough_heston_log_cf(there, u, tau, False)[0])
        slope = np.tensordot([-1, 9, -45, 45, -9, 1], moved, axes=1) / (60.0 * step)
        scale = np.max(np.abs(slope))
        np.testing.assert_allclose(gradient[j], slope, rtol=1e-8, atol=1e-9 * scale)


def test_without_vol_of_variance_it_is_black_with_the_forward_curve():
    v0, kappa, theta_v = 0.2, 3.0, 0.5
    grid = grid_of_tenors(np.array([1.0, 30.0, 365.0]), n=5)
    params = np.array([v0, kappa, theta_v, 0.1, 1e-6, -0.3])
    w, _ = ROUGH.total_variance(params, grid)
    tau = grid.tau_of_point
    expected = theta_v * tau + (v0 - theta_v) * -np.expm1(-kappa * tau) / kappa
    np.testing.assert_allclose(w, expected, rtol=1e-5)


def test_near_one_half_it_is_heston_without_reversion():
    # The kernel is flat there: V = xi_0 + nu int sqrt(V) dW, Heston's at kappa -> 0.
    u, tau = np.linspace(0.1, 12.0, 20), np.full(20, 0.25)
    rough, _ = rough_heston_log_cf(np.array([0.3, 1.0, 0.3, 0.499, 1.0, -0.4]), u, tau, False)
    heston, _ = heston_log_cf(np.array([0.3, 1e-7, 0.3, 1.0, -0.4]), u, tau, False)
    assert np.max(np.abs(np.exp(rough) - np.exp(heston))) < 3e-3


def test_the_skew_explodes_at_short_tenors_like_a_power_of_the_tenor():
    # d vol / dk at the money goes like tau^(H - 1/2) (Fukasawa 2011).
    tau = np.array([1.0, 4.0, 16.0]) / 365.0
    h = 1e-3 * np.sqrt(0.25 * tau)[:, None]
    k = (np.array([-1.0, 1.0]) * h).ravel()
    grid = Grid(np.arange(3), tau, np.repeat(np.arange(3), 2), k, 0.25 * tau)
    for hurst in (0.05, 0.25):
        w, _ = ROUGH.total_variance(np.array([0.25, 1.0, 0.25, hurst, 0.3, -0.6]), grid)
        skew = np.diff(np.sqrt(w.reshape(3, 2) / tau[:, None]), axis=1)[:, 0] / (2 * h[:, 0])
        power = np.diff(np.log(-skew)) / np.log(4.0)
        np.testing.assert_allclose(power, hurst - 0.5, atol=0.03)


def test_its_own_noiseless_surface_gives_the_parameters_back():
    grid = grid_of_tenors(np.array([2.0, 7.0, 30.0, 90.0, 365.0]), n=9)
    truth = SETS["coin"]
    settings = CalibrationSettings(restarts=1)
    fit = calibrate(ROUGH, quotes_by(ROUGH, truth, grid), settings=settings)
    assert fit.converged, fit.reason
    np.testing.assert_allclose(fit.params, truth, rtol=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_the_integral_over_time_has_nodes_enough(name, monkeypatch):
    params = SETS[name]
    u = np.tile(np.array([0.1, 1.0, 4.0, 20.0]) / np.sqrt(params[0]), 2)
    tau = np.repeat([1 / 365, 1.0], 4)
    found = rough_heston_log_cf(params, u, tau, False)[0]
    monkeypatch.setattr("monitor.models.rough_heston._NODES", 100)
    many = rough_heston_log_cf(params, u, tau, False)[0]
    np.testing.assert_allclose(np.exp(found), np.exp(many), atol=2e-9)
