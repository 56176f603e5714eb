from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.solve import CalibrationSettings, calibrate
from monitor.diagnostics.base import NO_HISTORY, Evidence
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_from
from tests.diagnostics.evidence import reasons, values
from tests.diagnostics.noisy import SNAPSHOT

GRID = grid_of_tenors(n=15)
X = GRID.k / np.sqrt(GRID.tau_of_point) / 0.6


def evidence(name, iv, noise):
    quotes = quotes_from(GRID, iv, noise)
    fit = calibrate(MODELS[name], quotes, settings=CalibrationSettings(restarts=1))
    return Evidence(SNAPSHOT, quotes, NO_HISTORY, model=MODELS[name], fit=fit)


@pytest.mark.moves("stderr_ratio")
def test_noise_three_times_what_was_said_makes_errors_three_times_as_large():
    e = 0.003 * np.random.default_rng(1).standard_normal(GRID.n)
    found = values("stderr_ratio", evidence("adhoc", 0.6 + 0.02 * X**2 + e, 0.001))
    assert found["robust:quote"] == pytest.approx(3.0, rel=0.2)
    assert found["robust:expiry"] == pytest.approx(3.0, rel=0.5)
    # As large as was said they need no correction, and as much larger they need as much.
    as_said = values("stderr_ratio", evidence("adhoc", 0.6 + 0.02 * X**2 + e, 0.003))
    assert as_said["robust:quote"] == pytest.approx(found["robust:quote"] / 3.0, rel=1e-6)
    twice = values("stderr_ratio", evidence("adhoc", 0.8 + 0.02 * X**2 + 2.0 * e, 0.006))
    assert twice == pytest.approx(as_said, rel=1e-6)


def test_a_misfit_of_whole_smiles_shows_by_expiry():
    # A level of each expiry's own, as no surface of six coefficients has.
    level = 0.01 * np.random.default_rng(2).standard_normal(GRID.m)[GRID.expiry_index]
    found = values("stderr_ratio", evidence("adhoc", 0.6 + 0.02 * X**2 + level, 0.01))
    assert found["robust:expiry"] > 1.5 * found["robust:quote"]


def test_models_per_expiry_are_asked_by_quote_alone():
    assert set(values("stderr_ratio", evidence("sabr", 0.6 + 0.02 * X**2, 0.01))) == {
        "robust:quote"
    }


def test_parameters_without_an_error_have_no_ratio():
    assert reasons("stderr_ratio", evidence("black", np.full(GRID.n, 12.0), 0.01)) == {
        "unidentified"
    }
