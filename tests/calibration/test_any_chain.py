"""Random chains, however odd: every model ends with a status and a reason, and nothing warns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.calibration.solve import CalibrationSettings, calibrate, grid_of
from monitor.models import MODELS, Grid
from tests.calibration.chains import AS_OF_MS, MS_PER_YEAR, quotes_from
from tests.calibration.test_bad_input import assert_whole

NIGHTLY = [name for name in MODELS if MODELS[name].cadence == "nightly"]
QUICK = CalibrationSettings(restarts=1, max_evaluations=12)
MINUTE, FIVE_YEARS = 1.0 / 525_600.0, 5.0


@st.composite
def chains(draw):
    """Return quotes of one to four expiries with one to nine strikes each, some of them equal."""
    tau = np.sort(
        np.exp(
            draw(
                st.lists(
                    st.floats(np.log(MINUTE), np.log(FIVE_YEARS)),
                    min_size=1,
                    max_size=4,
                    unique_by=lambda x: round(x, 2),
                )
            )
        )
    )
    counts = [draw(st.integers(1, 9)) for _ in tau]
    level = draw(st.floats(0.05, 8.0))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from(["flat", "smile", "noise", "equal strikes"]))
    index = np.repeat(np.arange(len(tau)), counts)
    x = np.concatenate([np.sort(rng.uniform(-4.0, 4.0, n)) for n in counts])
    if shape == "equal strikes":
        x = np.concatenate([np.full(n, rng.uniform(-2.0, 2.0)) for n in counts])
    iv = level * np.ones(len(x))
    if shape in ("smile", "equal strikes"):
        iv = level * (1.0 - 0.05 * x + 0.05 * x * x)
    if shape == "noise":
        iv = level * rng.uniform(0.2, 3.0, len(x))
    deviation = level * np.sqrt(tau)
    expiry_ms = AS_OF_MS + np.round(tau * MS_PER_YEAR).astype(np.int64)
    grid = Grid(expiry_ms, tau, index, x * deviation[index], deviation**2)
    noise = level * float(np.exp(rng.uniform(np.log(1e-5), np.log(0.19))))
    return quotes_from(grid, iv, noise)


@pytest.mark.parametrize("name", NIGHTLY)
@given(quotes=chains())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_any_chain_ends_with_a_status_and_a_reason(name, quotes):
    model = MODELS[name]
    fit = calibrate(model, quotes, settings=QUICK)
    assert_whole(fit, quotes)
    assert fit.reason or fit.converged
    # Nothing comes out that may not: outside the bounds, or at one without a word.
    lower, upper = model.bounds(grid_of(quotes))
    known = np.isfinite(fit.params)
    rounding = 1e-12 * (np.abs(lower) + np.abs(upper))
    assert np.all((fit.params >= lower - rounding)[known])
    assert np.all((fit.params <= upper + rounding)[known])
    at = known & ((fit.params == lower) | (fit.params == upper))
    assert np.all(fit.at_bound[at] != 0)
