from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.solve import calibrate, evaluate
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

SABR = MODELS["sabr"]
H = 1e-20  # of a complex step: no cancellation, so the derivative is exact to rounding


def hagan_vol(params, k, tau):
    """Return Hagan's vol as printed, for complex parameters too; k away from zero."""
    alpha, nu, rho = params
    z = -nu / alpha * k
    chi = np.log((np.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
    return alpha * z / chi * (1 + tau * (rho * nu * alpha / 4 + (2 - 3 * rho**2) / 24 * nu**2))


def draws(n, seed=1):
    rng = np.random.default_rng(seed)
    tau = np.exp(rng.uniform(np.log(1 / 365), np.log(2.0), n))
    params = np.stack(
        [
            rng.uniform(0.2, 1.5, n),
            rng.uniform(0.1, 1.2, n) / np.sqrt(tau),
            rng.uniform(-0.9, 0.9, n),
        ],
        axis=1,
    )
    return params, tau


def test_vol_is_the_printed_formula():
    params, tau = draws(200)
    for p, t in zip(params, tau, strict=True):
        # Strikes between the forward and a thousandth of a deviation round the printed chi away.
        k = p[0] * np.sqrt(t) * np.array([[-4.0, -1.0, -0.01, 0.01, 1.0, 4.0]])
        w, _ = SABR.slice_variance(p[None], k, np.array([t]))
        np.testing.assert_allclose(np.sqrt(w / t), hagan_vol(p, k, t), rtol=1e-11)


def test_at_the_money_vol_has_the_limit_of_the_formula_and_no_jump():
    params, tau = draws(50)
    k = np.array([[-1e-6, 0.0, 1e-6]])
    for p, t in zip(params, tau, strict=True):
        w, gradient = SABR.slice_variance(p[None], k, np.array([t]))
        alpha, nu, rho = p
        limit = alpha * (1 + t * (rho * nu * alpha / 4 + (2 - 3 * rho**2) / 24 * nu**2))
        np.testing.assert_allclose(np.sqrt(w / t)[0, 1], limit, rtol=1e-14)
        # d vol / dk = rho nu / 2 at the money, times the braces.
        slope = (w[0, 2] - w[0, 0]) / 2e-6
        np.testing.assert_allclose(slope, limit**2 * rho * nu / alpha * t, rtol=1e-6, atol=1e-8)
        assert np.all(np.isfinite(gradient))


def test_gradient_agrees_with_complex_steps():
    params, tau = draws(100, seed=2)
    for p, t in zip(params, tau, strict=True):
        k = p[0] * np.sqrt(t) * np.array([-4.0, -1.0, -0.2, 0.2, 1.0, 4.0])
        _, gradient = SABR.slice_variance(p[None], k[None], np.array([t]))
        for j in range(3):
            moved = p.astype(complex)
            moved[j] += 1j * H
            slope = (hagan_vol(moved, k, t) ** 2 * t).imag / H
            scale = np.max(np.abs(slope))
            np.testing.assert_allclose(gradient[0, :, j], slope, rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize("seed", range(3))
def test_vols_agree_with_quantlib(seed):
    ql = pytest.importorskip("QuantLib")
    params, tau = draws(20, seed=10 + seed)
    for (alpha, nu, rho), t in zip(params, tau, strict=True):
        for x in (-2.0, -0.5, 0.0, 0.5, 2.0):
            k = x * alpha * np.sqrt(t)
            theirs = ql.sabrVolatility(float(np.exp(k)), 1.0, float(t), alpha, 1.0, nu, rho)
            w, _ = SABR.slice_variance(np.array([[alpha, nu, rho]]), np.array([[k]]), np.array([t]))
            assert np.sqrt(w[0, 0] / t) == pytest.approx(theirs, rel=1e-9)


def test_without_vol_of_vol_the_smile_is_flat():
    k = np.linspace(-1.0, 1.0, 9)[None]
    w, _ = SABR.slice_variance(np.array([[0.6, 1e-9, -0.5]]), k, np.array([0.5]))
    np.testing.assert_allclose(np.sqrt(w / 0.5), 0.6, rtol=1e-8)


def test_where_the_expansion_turns_negative_there_is_no_vol():
    w, _ = SABR.slice_variance(np.array([[2.0, 1.5, -0.99]]), np.zeros((1, 1)), np.array([5.0]))
    assert np.isnan(w[0, 0])


def test_the_expansion_is_right_to_first_order_in_vol_of_vol_squared():
    # At rho = 0 the option is a mixture of Black's over the mean variance V, and at k = 0, to first
    # order in its variance, iv = E sqrt(V) (price linear in the deviation). For small nu^2 tau:
    # V = alpha^2 (1 + nu^2 tau / 2), Var(V) / alpha^4 = 4 nu^2 tau / 3, so that
    # E sqrt V = alpha (1 + nu^2 tau (1/4 - 1/6)) = alpha (1 + nu^2 tau / 12): Hagan's 2/24.
    alpha, tau = 0.01, 1.0
    for nu in (0.01, 0.05):
        w, _ = SABR.slice_variance(np.array([[alpha, nu, 0.0]]), np.zeros((1, 1)), np.array([tau]))
        assert np.sqrt(w[0, 0]) / alpha - 1.0 == pytest.approx(nu**2 * tau / 12.0, rel=1e-6)


def truth_of(grid):
    return np.concatenate([[0.6, 0.8 / np.sqrt(t), -0.3] for t in grid.tau])


def test_its_own_noiseless_surface_gives_the_parameters_back():
    grid = grid_of_tenors()
    fit = calibrate(SABR, quotes_by(SABR, truth_of(grid), grid))
    assert fit.converged, fit.reason
    np.testing.assert_allclose(fit.params, truth_of(grid), rtol=1e-6)


@pytest.mark.parametrize("rho", [-0.95, 0.0, 0.95])
@pytest.mark.parametrize("reach", [0.1, 0.4, 1.0])
def test_smiles_of_every_lean_and_bend_are_found_from_the_cold_start(rho, reach):
    grid = grid_of_tenors(np.array([1.0, 7.0, 90.0]))
    truth = np.concatenate([[0.5, reach / np.sqrt(t), rho] for t in grid.tau])
    fit = calibrate(SABR, quotes_by(SABR, truth, grid))
    assert fit.converged, fit.reason
    np.testing.assert_allclose(fit.params, truth, rtol=1e-6, atol=1e-7)


def test_errors_are_what_the_covariance_says():
    grid = grid_of_tenors(np.array([7.0, 30.0, 90.0]), n=15)
    truth, scores = truth_of(grid), []
    for seed in range(60):
        quotes = quotes_by(SABR, truth, grid, noise=0.0017, rng=np.random.default_rng(seed))
        fit = calibrate(SABR, quotes)
        scores.append((fit.params - truth) / np.sqrt(np.diagonal(fit.covariance)))
    # 60 draws of unit deviation: the mean square lies in 1 +- 4 sqrt(2 / 60) but for one in 10^4.
    assert np.all(np.abs(np.mean(np.square(scores), axis=0) - 1.0) < 4.0 * np.sqrt(2.0 / 60.0))


@pytest.mark.parametrize("params", [[0.6, 9.0, -0.4], [0.6, 9.0, 0.9], [0.9, 2.0, -0.95]])
def test_aged_slices_keep_the_vol_at_the_money_and_its_slope(params):
    params, then, now = np.array([params]), np.array([0.02]), np.array([0.012])
    aged = SABR.age(params, then, now)
    k = np.array([[-1e-4, 0.0, 1e-4]])
    old, new = (
        np.sqrt(SABR.slice_variance(p, k, t)[0][0] / t) for p, t in ((params, then), (aged, now))
    )
    np.testing.assert_allclose(new, old, rtol=1e-12)


def test_vol_of_vol_is_bounded_where_the_expansion_ends():
    grid = grid_of_tenors(np.array([1.0, 365.0]), n=9)
    _, upper = (b.reshape(2, 3) for b in SABR.bounds(grid))
    np.testing.assert_allclose(upper[:, 1] * np.sqrt(grid.tau), 3.0)


def test_a_bad_vector_held_by_the_caller_is_a_recorded_gap():
    grid = grid_of_tenors(np.array([1825.0]), n=5)
    quotes = quotes_from(grid, np.full(5, 0.6))
    fit = evaluate(SABR, quotes, np.array([2.0, 1.5, -0.99]))
    assert np.all(np.isnan(fit.iv)) and "no vol" in fit.reason
