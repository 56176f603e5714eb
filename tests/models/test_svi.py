from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.objective import grid_of, slice_residuals
from monitor.calibration.solve import calibrate
from monitor.models import MODELS
from monitor.models.slices import rows_of
from monitor.numerics.least_squares import Tolerances, solve_bounded
from tests.calibration.chains import grid_of_tenors, quotes_from

SVI = MODELS["svi"]


def test_total_variance_is_gatherals_formula():
    # The example by Vogt in Gatheral and Jacquier (2014): a, b, rho, m, s.
    a, b, rho, m, s = vogt = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
    k = np.array([[-1.5, -0.5, 0.0, 0.5, 1.5]])
    w, _ = SVI.slice_variance(np.array([vogt]), k, np.array([1.0]))
    by_hand = a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + s * s))
    np.testing.assert_allclose(w, by_hand, rtol=1e-15)
    # Their wings: slope b (rho +- 1).
    far, _ = SVI.slice_variance(np.array([vogt]), np.array([[1e6, 1e6 + 1, -1e6, -1e6 - 1]]), None)
    assert far[0, 1] - far[0, 0] == pytest.approx(b * (1 + rho), abs=1e-6)
    assert far[0, 3] - far[0, 2] == pytest.approx(b * (1 - rho), abs=1e-6)


def test_vertex_and_width_stay_near_the_quotes():
    grid = grid_of_tenors(np.array([1.0, 365.0]), n=9)
    lower, upper = (b.reshape(2, 5) for b in SVI.bounds(grid))
    for j in range(2):
        k = grid.k[grid.expiry_index == j]
        width = k[-1] - k[0]
        assert lower[j, 3] == pytest.approx(-0.75 * width)
        assert upper[j, 3] == pytest.approx(0.75 * width)
        assert upper[j, 4] == pytest.approx(2.0 * width)


def test_a_quarter_of_the_tenor_leaves_the_same_vols():
    params = np.array([[0.01, 0.1, -0.3, 0.02, 0.15]])
    k, tau = np.linspace(-0.5, 0.5, 11)[None], np.array([0.4])
    then, _ = SVI.slice_variance(params, k, tau)
    now, _ = SVI.slice_variance(SVI.age(params, tau, tau / 4), k, tau / 4)
    np.testing.assert_allclose(now / (tau / 4), then / tau, rtol=1e-14)


def noisy_short_smiles(seed):
    """Return two dozen one-day smiles so flat that noise decides where the vertex lies."""
    rng = np.random.default_rng(seed)
    grid = grid_of_tenors(np.linspace(1.0, 3.0, 24), vol=0.45, n=16, reach=2.2)
    x = grid.k / np.sqrt(grid.w_ref)[grid.expiry_index]
    iv = 0.45 - 0.012 * x + 0.002 * x * x + 0.004 * rng.standard_normal(grid.n)
    return quotes_from(grid, iv, 0.015)


@pytest.mark.parametrize("seed", range(4))
def test_smiles_ruled_by_noise_converge_from_every_start(seed):
    quotes = noisy_short_smiles(seed)
    fit = calibrate(SVI, quotes)
    assert fit.converged, fit.reason
    assert fit.restarts_cost[-1] < fit.restarts_cost[0] * 1.5
    _, b, rho, _, s = fit.params.reshape(-1, 5).T
    assert np.all(b * (1.0 + np.abs(rho)) <= 2.0 * (1.0 + 1e-12))  # Lee
    assert np.all(s >= 0.05 * np.diff(quotes.k[:2])[0] * (1.0 - 1e-9))


def test_the_search_of_its_own_ends_where_the_general_one_does():
    quotes = noisy_short_smiles(9)
    grid = grid_of(quotes)
    fit = calibrate(SVI, quotes, grid=grid)
    lower, upper = SVI.bounds(grid)
    residuals = slice_residuals(SVI, rows_of(grid), np.arange(grid.m), quotes)
    end = solve_bounded(
        residuals,
        fit.params.reshape(-1, 5),
        lower.reshape(-1, 5),
        upper.reshape(-1, 5),
        Tolerances(max_evaluations=300),
    )
    # To a seventieth of a standard error, where noise makes the search crawl. Beyond Lee's bound,
    # which the general solver does not know, there may be less.
    at_bound = fit.at_bound.reshape(-1, 5)[:, 1] != 0
    own = np.array([residuals(fit.params.reshape(-1, 5), np.arange(grid.m))[0] ** 2]).sum(axis=2)
    np.testing.assert_allclose(end.cost[~at_bound], 0.5 * own[0, ~at_bound], atol=1e-4)


def test_a_wing_at_lees_bound_is_said_to_be_there():
    params = np.array([0.01, 1.25, 0.6, 0.0, 0.1])  # b (1 + rho) = 2
    grid = grid_of_tenors(np.array([30.0]), n=9)
    assert SVI.bounds_hit(params, *SVI.bounds(grid)).tolist() == [0, 1, 0, 0, 0]
    assert not np.any(SVI.bounds_hit(params - [0.0, 0.01, 0.0, 0.0, 0.0], *SVI.bounds(grid)))
