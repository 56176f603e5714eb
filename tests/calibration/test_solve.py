from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.fit import FitStatus
from monitor.calibration.solve import calibrate, evaluate
from monitor.models import MODELS

from .chains import grid_of_tenors, quotes_by

GRID = grid_of_tenors()
TRUTH = {
    "black": np.linspace(0.4, 0.8, GRID.m),
    "adhoc": np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04]),
    "svi": np.concatenate(
        [
            [0.1 * t, 0.35 * np.sqrt(t) * 0.6, -0.25, 0.05 * np.sqrt(t), 0.6 * np.sqrt(t)]
            for t in GRID.tau
        ]
    ),
    "heston": np.array([0.3, 3.0, 0.4, 2.0, -0.3]),
}


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_model_recovers_the_parameters_of_its_own_noiseless_surface(name):
    model = MODELS[name]
    fit = calibrate(model, quotes_by(model, TRUTH[name], GRID))
    assert fit.status is FitStatus.CONVERGED, fit.reason
    np.testing.assert_allclose(fit.params, TRUTH[name], rtol=1e-6, atol=1e-7)
    assert fit.cost < 1e-10


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_evaluating_the_truth_gives_no_residual_and_no_standard_error(name):
    model = MODELS[name]
    quotes = quotes_by(model, TRUTH[name], GRID)
    fit = evaluate(model, quotes, TRUTH[name])
    np.testing.assert_allclose(fit.iv, quotes.iv, atol=1e-12)
    assert np.all(fit.covariance == 0.0)
