from __future__ import annotations

import numpy as np

from monitor.models import MODELS
from monitor.models.adhoc import FLOOR
from tests.calibration.chains import grid_of_tenors

ADHOC = MODELS["adhoc"]


def test_vol_is_the_stated_polynomial():
    grid = grid_of_tenors(np.array([30.0, 365.0]), n=5)
    a = np.array([0.6, -0.1, 0.2, 0.05, -0.01, 0.03])
    tau = grid.tau_of_point
    x = grid.k / np.sqrt(tau)
    sigma = a[0] + a[1] * x + a[2] * x**2 + a[3] * tau + a[4] * tau**2 + a[5] * x * tau
    w, _ = ADHOC.total_variance(a, grid)
    np.testing.assert_allclose(np.sqrt(w / tau), sigma, rtol=1e-14)


def test_below_the_floor_vol_is_the_floor_and_depends_on_nothing():
    grid = grid_of_tenors(np.array([30.0]), n=5)
    w, gradient = ADHOC.total_variance(np.array([-0.5, 0.0, 0.0, 0.0, 0.0, 0.0]), grid)
    np.testing.assert_allclose(np.sqrt(w / grid.tau_of_point), FLOOR, rtol=1e-14)
    assert np.all(gradient == 0.0)
