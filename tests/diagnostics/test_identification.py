"""What a fit says of its own trustworthiness, passed on as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by
from tests.diagnostics.evidence import market, reasons, saying, value, values
from tests.market.chains import EXPIRIES, chain

CHAIN = chain(n_strikes=9)


def test_the_condition_is_a_power_of_ten():
    assert value("condition", saying(CHAIN, 0.0, condition=1e3)) == pytest.approx(3.0)


@pytest.mark.moves("condition effective_parameters")
def test_how_well_a_fit_is_told_depends_on_its_expiries_and_not_on_the_width_of_quotes():
    model, true = MODELS["heston"], np.array([0.36, 3.0, 0.30, 1.5, -0.35])

    def fitted(tenors, half_width):
        quotes = quotes_by(model, true, grid_of_tenors(np.array(tenors), n=15), noise=half_width)
        fit = calibrate(model, quotes, start=true)
        return replace(market(CHAIN), quotes=quotes, model=model, fit=fit)

    one, many = fitted([30.0], 0.005), fitted([7.0, 30.0, 90.0, 300.0], 0.005)
    wide = fitted([7.0, 30.0, 90.0, 300.0], 0.015)
    # Of one expiry mean reversion and long variance say the same: hundreds of times as flat.
    assert value("condition", one) > value("condition", many) + 1.0
    for name in ("condition", "effective_parameters", "bounds_hit"):
        assert value(name, wide) == pytest.approx(value(name, many), rel=1e-3, abs=1e-12)
    # A smile for each expiry uses five for each.
    slices = replace(many, model=MODELS["svi"], fit=calibrate(MODELS["svi"], many.quotes))
    assert value("effective_parameters", many) == pytest.approx(5.0, abs=0.01)
    assert value("effective_parameters", slices) == pytest.approx(20.0, abs=0.5)


def test_an_exactly_flat_direction_has_no_condition_and_says_so():
    flat = saying(CHAIN, 0.0, condition=np.inf)
    assert not values("condition", flat)
    assert reasons("condition", flat) == {"flat_direction"}


@pytest.mark.moves("bounds_hit")
def test_parameters_at_either_bound_are_counted():
    assert value("bounds_hit", saying(CHAIN, 0.0, at_bound=np.array([-1, 0, 1]))) == 2.0
    # A fit that is wrong is not therefore at a bound, nor one that is right away from them.
    assert value("bounds_hit", saying(CHAIN, 5.0, at_bound=np.zeros(3, np.int64))) == 0.0
    # Vol of 12 is beyond what Black's model may have, in each of three expiries.
    high = market(chain(lambda k, tau: 12.0 + 0.0 * k, n_strikes=9, expiries=EXPIRIES[:1]))
    fit = calibrate(MODELS["black"], high.quotes)
    assert value("bounds_hit", replace(high, model=MODELS["black"], fit=fit)) == 1.0


@pytest.mark.moves("restarts_spread")
def test_the_spread_of_restarts_is_the_fits_own():
    assert value("restarts_spread", saying(CHAIN, 0.0, restarts_spread=4.5)) == 4.5
    # However far the fit is off, starts that end together do not disagree.
    assert value("restarts_spread", saying(CHAIN, 0.3, cost=1e4, restarts_spread=0.0)) == 0.0


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
