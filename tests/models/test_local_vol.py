"""The diffusion has the smiles it was made from, and the delta of a diffusion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from monitor.calibration.solve import calibrate
from monitor.models import MODELS, Grid
from monitor.pricing.greeks import smile_delta
from monitor.pricing.implied import implied_deviation
from tests.calibration.chains import grid_of_tenors, quotes_from

LOCAL, SSVI = MODELS["local_vol"], MODELS["ssvi"]
GRID = grid_of_tenors(np.array([2.0, 7.0, 30.0, 90.0, 365.0]), n=13, reach=2.5)
SIGN = np.where(GRID.k >= 0.0, 1.0, -1.0)
# Vol of 60 % at short tenors to 50 %, skewed; slopes rise with the tenor.
PARAMS = np.concatenate(
    [[0.25 * t + 0.11 * t**0.9, -0.25, 0.4 * np.sqrt(t) * (1.0 - 0.2 * t)] for t in GRID.tau]
)


def constant(vol, tau):
    """Return a surface of one vol, as flat as eSSVI can be."""
    return np.concatenate([[vol**2 * t, 0.0, 1e-5] for t in tau])


def test_a_flat_surface_diffuses_at_its_own_vol():
    k = np.linspace(-1.0, 1.0, 9)
    for t in (0.01, 0.3, 2.0):
        variance = LOCAL.local_variance(constant(0.5, GRID.tau), GRID.tau, t, k)
        np.testing.assert_allclose(variance, 0.25, rtol=2e-3)


def test_local_variance_is_dupires_quotient_of_the_surface():
    k, h = np.linspace(-0.4, 0.4, 9), 1e-4
    y = LOCAL.to_coordinates(PARAMS.reshape(-1, 3))

    def w(t, k):  # between the third and the fourth expiry
        share = (t - GRID.tau[2]) / (GRID.tau[3] - GRID.tau[2])
        params, _ = LOCAL.from_coordinates((y[2] + share * (y[3] - y[2]))[None])
        return LOCAL.slice_variance(params, k[None], None)[0][0]

    t = 0.15
    growth = (w(t + h, k) - w(t - h, k)) / (2 * h)
    slope = (w(t, k + h) - w(t, k - h)) / (2 * h)
    curve = (w(t, k + h) - 2 * w(t, k) + w(t, k - h)) / h**2
    v = w(t, k)
    g = (1 - k * slope / (2 * v)) ** 2 - slope**2 / 4 * (1 / v + 0.25) + curve / 2
    np.testing.assert_allclose(LOCAL.local_variance(PARAMS, GRID.tau, t, k), growth / g, rtol=1e-5)


def test_local_variance_is_positive_wherever_the_surface_has_no_arbitrage():
    rng = np.random.default_rng(1)
    k = np.linspace(-3.0, 3.0, 61)
    for _ in range(20):
        noisy = 0.6 + 0.05 * rng.standard_normal(GRID.n) + 0.2 * np.abs(GRID.k)
        fit = calibrate(SSVI, quotes_from(GRID, noisy, 0.02))
        for t in (0.001, 0.02, 0.05, 0.2, 0.7, 1.5):
            variance = LOCAL.local_variance(fit.params, GRID.tau, t, k)
            assert np.all(np.isfinite(variance)) and np.all(variance >= 0.0)


def test_the_diffusion_reprices_the_fit():
    c, _ = LOCAL.diffused(PARAMS, GRID, SIGN)
    vol = implied_deviation(GRID.k, c, SIGN)[0] / np.sqrt(GRID.tau_of_point)
    w, _ = SSVI.total_variance(PARAMS, GRID)
    # A tenth of a vol point, of the scheme's steps in k and time.
    np.testing.assert_allclose(vol, np.sqrt(w / GRID.tau_of_point), atol=1e-3)


def test_the_fit_is_essvis():
    x = GRID.k / np.sqrt(GRID.tau_of_point)
    quotes = quotes_from(GRID, 0.6 - 0.05 * x + 0.1 * x * x)
    np.testing.assert_array_equal(calibrate(LOCAL, quotes).params, calibrate(SSVI, quotes).params)


def test_delta_of_a_flat_surface_is_blacks():
    _, delta = LOCAL.diffused(constant(0.6, GRID.tau), GRID, SIGN)
    v = 0.6 * np.sqrt(GRID.tau_of_point)
    expected = SIGN * ndtr(SIGN * (-GRID.k / v + 0.5 * v))
    np.testing.assert_allclose(delta, expected, atol=2e-3)


def test_put_and_call_deltas_differ_by_one():
    _, call = LOCAL.diffused(PARAMS, GRID, np.ones(GRID.n))
    _, put = LOCAL.diffused(PARAMS, GRID, -np.ones(GRID.n))
    np.testing.assert_allclose(call - put, 1.0, atol=1e-12)


def test_delta_is_what_a_simulated_hedger_would_hold():
    # Monte Carlo of the diffusion itself: the pathwise derivative of the payoff at a month.
    rng, n, steps, tau = np.random.default_rng(7), 40_000, 60, float(GRID.tau[2])
    x, tangent = np.zeros(n), np.ones(n)
    h = 1e-4
    for i in range(steps):
        dt = tau / steps
        vol, above = (
            np.sqrt(LOCAL.local_variance(PARAMS, GRID.tau, (i + 0.5) * dt, x + d)) for d in (0.0, h)
        )
        by_x = (above - vol) / h
        z = np.sqrt(dt) * rng.standard_normal(n)
        tangent *= 1.0 + by_x * (z - vol * dt)
        x += vol * z - 0.5 * vol * vol * dt
    here = GRID.expiry_index == 2
    _, delta = LOCAL.diffused(PARAMS, GRID, np.ones(GRID.n))
    for k, ours in zip(GRID.k[here][3:10], delta[here][3:10], strict=True):
        paths = np.where(x > k, np.exp(x) * tangent, 0.0)
        error = np.std(paths) / np.sqrt(n)
        assert abs(np.mean(paths) - ours) < 4.0 * error + 3e-3  # sixty steps of Euler's scheme


def test_under_a_put_skew_the_diffusions_delta_is_below_that_of_a_floating_smile():
    # Local vol falls as spot rises: the smile moves against the spot, not with it.
    w, _ = SSVI.total_variance(PARAMS, GRID)
    h = 1e-5
    up = Grid(GRID.expiry_ms, GRID.tau, GRID.expiry_index, GRID.k + h, GRID.w_ref)
    slope = (SSVI.total_variance(PARAMS, up)[0] - w) / h
    floating = smile_delta(GRID.k, w, slope, np.ones(GRID.n))
    _, delta = LOCAL.diffused(PARAMS, GRID, np.ones(GRID.n))
    money = np.flatnonzero(np.abs(GRID.k) < 1e-12)
    assert len(money) == GRID.m and np.all(delta[money] < floating[money] - 0.01)


def test_absent_parameters_give_absent_values():
    c, delta = LOCAL.diffused(np.full(len(PARAMS), np.nan), GRID, SIGN)
    assert np.isnan(c).all() and np.isnan(delta).all()


@pytest.mark.parametrize("t", [1e-4, 3.0, 30.0, 300.0])
def test_beyond_the_fits_tenors_variance_goes_on_growing(t):
    variance = LOCAL.local_variance(PARAMS, GRID.tau, t, np.linspace(-0.5, 0.5, 5))
    assert np.all(variance > 0.0)
    # At the money it is about the variance of the nearest tenor's vol, 70 % and 60 %.
    assert 0.2 < variance[2] < 0.6
