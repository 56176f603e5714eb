"""What a fit says of its own trustworthiness, passed on as it is."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by
from tests.diagnostics.evidence import reasons, saying, value, values
from tests.market.chains import chain

CHAIN = chain(n_strikes=9)


def test_the_condition_is_a_power_of_ten():
    assert value("condition", saying(CHAIN, 0.0, condition=1e3)) == pytest.approx(3.0)


def test_an_exactly_flat_direction_has_no_condition_and_says_so():
    flat = saying(CHAIN, 0.0, condition=np.inf)
    assert not values("condition", flat)
    assert reasons("condition", flat) == {"flat_direction"}


def test_parameters_at_either_bound_are_counted():
    assert value("bounds_hit", saying(CHAIN, 0.0, at_bound=np.array([-1, 0, 1]))) == 2.0


def test_the_spread_of_restarts_is_the_fits_own():
    assert value("restarts_spread", saying(CHAIN, 0.0, restarts_spread=4.5)) == 4.5


def test_a_fit_that_determines_its_parameters_uses_as_many_quotes_as_it_has_of_them():
    model = MODELS["adhoc"]
    grid = grid_of_tenors(n=9)
    quotes = quotes_by(model, np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04]), grid)
    fit = calibrate(model, quotes)
    evidence = saying(CHAIN, 0.0, leverage=fit.leverage)
    # The trace of a projection is the dimension it projects on: six coefficients.
    assert value("effective_parameters", evidence) == pytest.approx(6.0, rel=1e-9)


def test_slices_that_were_not_fitted_use_no_freedom():
    leverage = np.full(saying(CHAIN, 0.0).quotes.n, np.nan)
    leverage[:4] = 0.5
    assert value("effective_parameters", saying(CHAIN, 0.0, leverage=leverage)) == 2.0
    leverage[:] = np.nan
    assert reasons("effective_parameters", saying(CHAIN, 0.0, leverage=leverage)) == {"not_fitted"}
