from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.arbitrage import durrleman
from monitor.models import MODELS
from monitor.models.ssvi import RHO_MAX
from tests.calibration.chains import grid_of_tenors, quotes_by

SSVI = MODELS["ssvi"]
H = 1e-20  # of a complex step: no cancellation, so the derivative is exact to rounding
K = np.linspace(-3.0, 3.0, 1201)


def printed_variance(params, k):
    """Return SSVI as printed, for complex parameters too."""
    level, rho, psi = params
    phi = psi / level
    return level / 2 * (1 + rho * phi * k + np.sqrt((phi * k + rho) ** 2 + 1 - rho**2))


def admissible_slices(rng, m):
    """Return coordinates of `m` slices, some conditions of which hold with equality."""
    g, u, d = (np.cumsum(rng.exponential(0.1, m) * (rng.random(m) < 0.7)) + 0.02 for _ in range(3))
    top = np.minimum(4.0 * g, 3.99)
    u, d = np.minimum(u, top), np.minimum(d, top)
    lean = (1.0 + RHO_MAX) / (1.0 - RHO_MAX)
    return np.stack([g, np.maximum(u, d / lean), np.maximum(d, u / lean)], axis=1)


def test_variance_is_the_printed_formula_and_its_gradient_agrees_with_complex_steps():
    rng = np.random.default_rng(1)
    for _ in range(50):
        p = np.array([rng.uniform(0.001, 0.5), rng.uniform(-0.95, 0.95), rng.uniform(0.01, 1.5)])
        k = np.sqrt(p[0]) * np.linspace(-4.0, 4.0, 9)
        w, gradient = SSVI.slice_variance(p[None], k[None], None)
        np.testing.assert_allclose(w[0], printed_variance(p, k), rtol=1e-12)
        for j in range(3):
            moved = p.astype(complex)
            moved[j] += 1j * H
            slope = printed_variance(moved, k).imag / H
            np.testing.assert_allclose(gradient[0, :, j], slope, rtol=1e-8, atol=1e-12)


def test_it_is_svi_in_other_parameters():
    # Gatheral and Jacquier (2014), equation 4.1 and section 3: raw SVI with these parameters.
    level, rho, psi = 0.09, -0.35, 0.24
    phi = psi / level
    raw = [0.5 * level * (1 - rho**2), 0.5 * psi, rho, -rho / phi, np.sqrt(1 - rho**2) / phi]
    w, _ = SSVI.slice_variance(np.array([[level, rho, psi]]), K[None], None)
    as_svi, _ = MODELS["svi"].slice_variance(np.array([raw]), K[None], np.array([1.0]))
    np.testing.assert_allclose(w, as_svi, rtol=1e-12)


def test_coordinates_and_parameters_are_one_to_one():
    rng = np.random.default_rng(2)
    y = admissible_slices(rng, 12)
    params, frame = SSVI.from_coordinates(y)
    np.testing.assert_allclose(SSVI.to_coordinates(params), y, rtol=1e-10)
    for j in range(3):
        step = 1e-6 * y[:, j]
        up, down = y.copy(), y.copy()
        up[:, j] += step
        down[:, j] -= step
        slope = (SSVI.from_coordinates(up)[0] - SSVI.from_coordinates(down)[0]) / (
            2 * step[:, None]
        )
        np.testing.assert_allclose(frame[:, :, j], slope, rtol=1e-6, atol=1e-9)


def test_variance_does_not_fall_in_any_coordinate():
    rng = np.random.default_rng(3)
    for y in np.exp(rng.uniform(np.log(0.003), np.log(3.0), (200, 3))):
        params, frame = SSVI.from_coordinates(y[None])
        _, gradient = SSVI.slice_variance(params, K[None], None)
        slope = gradient[0] @ frame[0]
        assert np.min(slope) >= -1e-12 * np.max(np.abs(slope))


@pytest.mark.parametrize("seed", range(20))
def test_what_keeps_the_conditions_has_neither_butterflies_nor_calendars(seed):
    y = admissible_slices(np.random.default_rng(seed), 8)
    A, b = SSVI.constraints(8)
    assert np.min(A @ y.ravel() - b) >= -1e-12
    params, _ = SSVI.from_coordinates(y)
    w, _ = SSVI.slice_variance(params, np.tile(K, (8, 1)), None)
    assert np.all(np.diff(w, axis=0) >= -1e-12)
    for j, slice_variance in enumerate(w):
        # Second differences of a bottom of width g need a grid that is fine beside it.
        fine = np.linspace(-8.0, 8.0, 4001) * y[j, 0]
        g = durrleman(fine, SSVI.slice_variance(params[j : j + 1], fine[None], None)[0][0])
        assert np.min(g) > -1e-4
        assert slice_variance[-1] < 2.0 * K[-1] + 10.0


def test_a_slice_between_two_keeps_the_conditions():
    y = admissible_slices(np.random.default_rng(4), 2)
    between = np.concatenate([y[:1], y[:1] + 0.37 * (y[1:] - y[:1]), y[1:]])
    A, b = SSVI.constraints(3)
    assert np.min(A @ between.ravel() - b) >= -1e-12


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("wings cross", [[0.3, 0.5, 0.5], [0.3, 0.4, 0.6]]),
        ("too steep at the money", [[0.05, 0.5, 0.5], [0.3, 0.5, 0.5]]),
        ("wings beyond the moment bound", [[2.0, 0.5, 0.5], [2.0, 4.5, 0.6]]),
        ("the bottom narrows", [[0.3, 0.5, 0.5], [0.2, 0.6, 0.6]]),
    ],
)
def test_each_way_to_arbitrage_breaks_a_condition(name, broken):
    A, b = SSVI.constraints(2)
    assert np.min(A @ np.array(broken).ravel() - b) < 0.0


def truth_of(grid):
    return np.concatenate([[0.36 * t, -0.25, 0.4 * np.sqrt(t)] for t in grid.tau])


def test_its_own_noiseless_surface_gives_the_parameters_back():
    grid = grid_of_tenors()
    fit = calibrate(SSVI, quotes_by(SSVI, truth_of(grid), grid))
    assert fit.converged, fit.reason
    np.testing.assert_allclose(fit.params, truth_of(grid), rtol=1e-6)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.9])
@pytest.mark.parametrize("bend", [0.1, 0.5, 1.2])
def test_smiles_of_every_lean_and_bend_are_found_from_the_cold_start(rho, bend):
    grid = grid_of_tenors(np.array([1.0, 7.0, 90.0]))
    truth = np.concatenate([[0.36 * t, rho, bend * 0.6 * np.sqrt(t)] for t in grid.tau])
    fit = calibrate(SSVI, quotes_by(SSVI, truth, grid))
    assert fit.converged, fit.reason
    np.testing.assert_allclose(fit.params, truth, rtol=1e-6, atol=1e-7)


def test_a_quarter_of_the_tenor_leaves_the_same_vols():
    params, tau = np.array([[0.09, -0.3, 0.2]]), np.array([0.4])
    then, _ = SSVI.slice_variance(params, K[None], None)
    now, _ = SSVI.slice_variance(SSVI.age(params, tau, tau / 4), K[None], None)
    np.testing.assert_allclose(now / (tau / 4), then / tau, rtol=1e-14)
