"""Which combination of parameters is not told, by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import NO_HISTORY, Evidence
from monitor.diagnostics.flatness import is_unidentified, weakest
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by
from tests.diagnostics.evidence import reasons, saying, value, values
from tests.market.chains import chain

HESTON, SVI = MODELS["heston"], MODELS["svi"]
TRUE = np.array([0.36, 3.0, 0.30, 1.5, -0.35])
NOISE = 0.01
FIVE = np.array([7.0, 30.0, 60.0, 120.0, 300.0])


def on(tenors, rng, n=25):
    quotes = quotes_by(HESTON, TRUE, grid_of_tenors(tenors, n=n), noise=NOISE, rng=rng)
    return Evidence(None, quotes, NO_HISTORY, model=HESTON, fit=calibrate(HESTON, quotes))


def at_truth(tenors, noise=NOISE, true=TRUE):
    grid = grid_of_tenors(tenors, n=25)
    quotes = quotes_by(HESTON, true, grid, noise=noise)
    fit = calibrate(HESTON, quotes, start=true)
    return Evidence(None, quotes, NO_HISTORY, model=HESTON, fit=fit)


def test_heston_on_one_expiry_is_called_unidentified_and_on_five_it_is_not():
    rng = np.random.default_rng(1)
    one = [is_unidentified(on(np.array([30.0]), rng)) for _ in range(10)]
    five = [is_unidentified(on(FIVE, rng)) for _ in range(10)]
    assert sum(one) >= 9
    assert sum(five) == 0


def test_the_ridge_of_mean_reversion_is_named_on_one_expiry():
    found = weakest(at_truth(np.array([30.0])))
    assert {"kappa", "theta_v"} <= set(found.names)
    assert "rho" not in found.names
    (scope,) = values("weakest_direction", at_truth(np.array([30.0])))
    assert scope == f"direction:{'/'.join(found.names)}"


def test_the_deviation_is_that_of_repeated_fits_along_the_direction():
    evidence = at_truth(FIVE)
    found = weakest(evidence)
    rng = np.random.default_rng(2)
    fits = []
    for _ in range(60):
        quotes = quotes_by(HESTON, TRUE, grid_of_tenors(FIVE, n=25), noise=NOISE, rng=rng)
        fits.append(calibrate(HESTON, quotes, start=TRUE).params)
    scaled = (np.array(fits) - TRUE) / np.array([TRUE[0], TRUE[1], TRUE[2], TRUE[3], 0.495])
    largest = np.sqrt(np.linalg.eigvalsh(np.cov(scaled.T))[-1])
    assert found.deviation == pytest.approx(largest, rel=0.35)  # 60 fits: 9 %, and curvature


@pytest.mark.moves("weakest_direction")
def test_what_the_quotes_tell_least_they_tell_thrice_as_ill_where_they_are_thrice_as_wide():
    narrow, wide = (values("weakest_direction", at_truth(FIVE, noise)) for noise in (0.01, 0.03))
    assert wide == pytest.approx({scope: 3.0 * v for scope, v in narrow.items()}, rel=1e-3)
    # How far it fits is another matter: the same Jacobian, vols that are off.
    evidence = at_truth(FIVE)
    off = replace(evidence, fit=replace(evidence.fit, iv=evidence.fit.iv + 0.05))
    assert values("weakest_direction", off) == values("weakest_direction", evidence)


def test_an_exactly_flat_direction_is_named_in_the_rejection():
    evidence = saying(chain(n_strikes=9), 0.0)
    flat = evidence.fit.jacobian.copy()
    flat[:] = 0.0
    flat[:, 0] = 1.0
    named = saying(chain(n_strikes=9), 0.0, jacobian=flat)
    # A level an expiry, and the vols of two expiries answer to none of them.
    assert reasons("weakest_direction", named) == {"flat_direction"}
    none = saying(chain(n_strikes=9), 0.0, params=np.full(evidence.quotes.m, np.nan))
    assert reasons("weakest_direction", none) == {"not_fitted"}


@pytest.mark.moves("feller")
def test_fellers_ratio_is_of_models_with_a_square_root_variance():
    evidence = at_truth(FIVE)
    assert value("feller", evidence) == pytest.approx(2 * 3.0 * 0.30 / 1.5**2, rel=1e-4)
    twice = at_truth(FIVE, true=TRUE * [1.0, 1.0, 1.0, 2.0, 1.0])
    assert value("feller", twice) == pytest.approx(0.25 * value("feller", evidence), rel=1e-4)
    # Neither where variance is tonight, nor what it goes with, nor how wide the market is.
    other = at_truth(FIVE, noise=0.02, true=TRUE * [1.4, 1.0, 1.0, 1.0, -1.0])
    assert value("feller", other) == pytest.approx(value("feller", evidence), rel=1e-4)
    assert reasons("feller", saying(chain(n_strikes=9), 0.0)) == {"no_variance_process"}
