"""What a fit says where it has not seen: models made to overfit, and one that describes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import NO_HISTORY, Evidence, History, Series
from monitor.diagnostics.overfitting import BLOCK, is_overfit
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from
from tests.diagnostics.evidence import fit_saying, reasons, saying, value
from tests.market.chains import chain

ADHOC, SVI = MODELS["adhoc"], MODELS["svi"]
TRUE = np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04])
NOISE = 0.005


def on(quotes, model):
    return Evidence(None, quotes, NO_HISTORY, model=model, fit=calibrate(model, quotes))


def polynomial(n, degree, rng):
    """Return the evidence on a polynomial of `degree` + 1 coefficients on `n` noisy quotes."""
    grid = grid_of_tenors(np.array([30.0]), n=n)
    x = grid.k / np.sqrt(grid.w_ref[0])
    iv = 0.6 - 0.03 * x + 0.02 * x * x + NOISE * rng.standard_normal(n)
    quotes = quotes_from(grid, iv, NOISE)
    basis = np.polynomial.chebyshev.chebvander(x / 2.5, degree)
    weights = np.linalg.lstsq(basis, iv, rcond=None)[0]
    fit = fit_saying(
        quotes,
        basis @ weights,
        model="adhoc",
        names=tuple(f"c{i}" for i in range(degree + 1)),
        params=weights,
        jacobian=basis,
        covariance=np.full((degree + 1, degree + 1), np.nan),
        at_bound=np.zeros(degree + 1, np.int64),
    )
    return Evidence(None, quotes, NO_HISTORY, model=ADHOC, fit=fit)


def test_twelve_parameters_on_nine_quotes_are_called_overfit():
    evidence = polynomial(9, 11, np.random.default_rng(1))
    assert value("saturation", evidence) == pytest.approx(12.0 / 9.0)
    assert reasons("heldout_rmse_iv", evidence) == {"undetermined"}
    assert is_overfit(evidence)


@pytest.mark.moves("heldout_ratio")
def test_twelve_parameters_where_three_suffice_err_by_twice_their_residuals_where_held_out():
    rng = np.random.default_rng(2)
    many, few = [polynomial(21, 11, rng) for _ in range(50)], polynomial(21, 2, rng)
    assert np.mean([value("heldout_ratio", e) > 2.0 for e in many]) > 0.9
    assert all(is_overfit(e) for e in many)
    assert value("heldout_ratio", few) < 1.5
    assert not is_overfit(few)


@pytest.mark.moves("heldout_rmse_iv saturation")
def test_twice_the_residuals_are_twice_the_error_held_out_and_no_other_ratio():
    few, thin = (polynomial(n, 2, np.random.default_rng(2)) for n in (21, 9))
    off = few.quotes.iv - few.fit.iv
    louder = replace(few, quotes=replace(few.quotes, iv=few.quotes.iv + off))
    twice = 2.0 * value("heldout_rmse_iv", few)
    assert value("heldout_rmse_iv", louder) == pytest.approx(twice, rel=1e-9)
    for name in ("heldout_ratio", "saturation"):
        assert value(name, louder) == pytest.approx(value(name, few), rel=1e-9)
    assert value("saturation", few) == pytest.approx(3.0 / 21.0)
    assert value("saturation", thin) == pytest.approx(3.0 / 9.0)
    # Thrice the noise that was said, and everywhere: weights among quotes are what they were.
    wide = replace(few, quotes=replace(few.quotes, noise=3.0 * few.quotes.noise))
    for name in ("heldout_rmse_iv", "heldout_ratio", "saturation"):
        assert value(name, wide) == pytest.approx(value(name, few), rel=1e-9)


def test_a_right_model_is_not_called_overfit_on_an_ordinary_chain():
    grid = grid_of_tenors(n=21)
    for model, true in ((ADHOC, TRUE), (SVI, None)):
        params = true
        if params is None:
            # Each expiry's smile to one scale: raw SVI with a trough below the money.
            scale = 0.36 * grid.tau[:, None]
            shape = np.array([0.6, 0.4, -0.3, 0.0, 0.0])
            params = scale * shape + np.array([0.0, 0.0, -0.3, 0.0, 0.0]) * (1 - scale)
            params[:, 4] = 0.6 * np.sqrt(grid.w_ref)
            params = params.ravel()
        quotes = quotes_by(model, params, grid, noise=NOISE, rng=np.random.default_rng(3))
        evidence = on(quotes, model)
        assert not is_overfit(evidence), model.name
        assert 1.0 < value("heldout_ratio", evidence) < 1.9


def test_the_influence_is_that_of_leaving_the_block_out_and_fitting_again():
    grid = grid_of_tenors(np.array([7.0, 60.0]), n=9)
    quotes = quotes_by(ADHOC, TRUE, grid, noise=NOISE, rng=np.random.default_rng(4))
    tau = grid.tau_of_point
    x = grid.k / np.sqrt(tau)
    basis = np.stack([np.ones_like(x), x, x * x, tau, tau * tau, x * tau], axis=1)
    out = np.empty(grid.n)
    for low in range(0, grid.n, BLOCK):  # nine is a whole number of blocks
        rest = np.ones(grid.n, bool)
        rest[low : low + BLOCK] = False
        # Two tenors cannot tell a slope from a curvature in tenor: the shortest solution.
        weights = np.linalg.lstsq(basis[rest], quotes.iv[rest], rcond=None)[0]
        out[~rest] = (basis @ weights - quotes.iv)[~rest]
    evidence = on(quotes, ADHOC)
    assert value("heldout_rmse_iv", evidence) == pytest.approx(np.sqrt(np.mean(out**2)), rel=1e-6)


@pytest.mark.moves("next_night_ratio")
def test_the_next_night_is_set_against_the_last_in_sample():
    evidence = replace(
        saying(chain(n_strikes=9), 0.01),
        tonight={("black", "refreshed_rmse_iv", "chain"): 0.03},
        history=History(
            series={("black", "rmse_iv", "chain"): Series(np.array([1, 2]), np.array([0.5, 0.02]))}
        ),
    )
    assert value("next_night_ratio", evidence) == pytest.approx(1.5)
    refreshed = ("black", "refreshed_rmse_iv", "chain")
    worse = replace(evidence, tonight={refreshed: 0.06})
    assert value("next_night_ratio", worse) == pytest.approx(3.0)
    # The market's own move, tonight's fit and the nights before the last are another matter.
    others = {("black", name, "chain"): 0.5 for name in ("frozen_rmse_iv", "rmse_iv")}
    older = Series(np.array([1, 2]), np.array([0.001, 0.02]))
    same = replace(
        evidence,
        tonight={refreshed: 0.03} | others,
        history=History(series={("black", "rmse_iv", "chain"): older}),
    )
    assert value("next_night_ratio", same) == pytest.approx(1.5)
    assert reasons("next_night_ratio", replace(evidence, tonight={})) == {"no_last_night"}
    assert reasons("next_night_ratio", replace(evidence, history=NO_HISTORY)) == {"no_last_night"}
