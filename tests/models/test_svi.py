from __future__ import annotations

import numpy as np
import pytest

from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors

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
    params = np.array([0.01, 0.1, -0.3, 0.02, 0.15])
    k, tau = np.linspace(-0.5, 0.5, 11)[None], 0.4
    then, _ = SVI.slice_variance(params[None], k, np.array([tau]))
    now, _ = SVI.slice_variance(SVI.age(params, tau, tau / 4)[None], k, np.array([tau / 4]))
    np.testing.assert_allclose(now / (tau / 4), then / tau, rtol=1e-14)
