"""The law of residuals against matrices written out, and against fits of simulated chains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate, evaluate, grid_of
from monitor.diagnostics.noise_model import CELLS, UNLEARNT, NoiseModel
from monitor.diagnostics.residual_law import law_of_fit, law_of_last_night
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_from
from tests.diagnostics.evidence import fit_saying

GRID = grid_of_tenors(np.array([7.0, 30.0, 120.0]), n=13, reach=2.0)
RNG = np.random.default_rng(1)
HALF = RNG.uniform(0.002, 0.01, GRID.n)
TOGETHER = NoiseModel(RNG.uniform(0.2, 1.5, len(CELLS)), np.zeros(len(CELLS)), 0.4, 30)
SMILE = 0.6 - 0.05 * GRID.k + 0.1 * GRID.k**2
QUOTES = quotes_from(GRID, SMILE, HALF)


def covariance(noise):
    deviation = noise.deviation(QUOTES)
    same = QUOTES.expiry_index[:, None] == QUOTES.expiry_index
    apart = np.abs(np.subtract.outer(np.arange(QUOTES.n), np.arange(QUOTES.n)))
    return np.where(same, noise.rho**apart, 0.0) * np.outer(deviation, deviation)


def slow_hat(jacobian, used):
    """The hat matrix of weighted least squares on the quotes used, written out."""
    weight = np.where(used, HALF**-2.0, 0.0)
    return (
        jacobian @ np.linalg.pinv(jacobian.T @ (weight[:, None] * jacobian)) @ (jacobian.T * weight)
    )


def dense(p):
    return RNG.standard_normal((QUOTES.n, p))


def sliced():
    own = (QUOTES.expiry_index[:, None] == np.arange(QUOTES.m)).astype(float)
    return np.hstack([own, own * GRID.k[:, None], own * GRID.k[:, None] ** 2])


@pytest.mark.parametrize("jacobian", [dense(4), sliced(), np.zeros((QUOTES.n, 2))])
@pytest.mark.parametrize("left_out", [0, 6])
@pytest.mark.parametrize("noise", [UNLEARNT, TOGETHER])
def test_variances_and_sums_are_those_of_the_matrices_written_out(jacobian, left_out, noise):
    used = np.ones(QUOTES.n, bool)
    used[RNG.choice(QUOTES.n, left_out, replace=False)] = False
    p = jacobian.shape[1]
    fit = fit_saying(QUOTES, SMILE, jacobian=jacobian, at_bound=np.zeros(p, np.int64))
    law = law_of_fit(QUOTES, fit, noise, used=used)
    left = np.eye(QUOTES.n) - slow_hat(jacobian, used)
    expected = left @ covariance(noise) @ left.T
    np.testing.assert_allclose(law.variance, np.diag(expected), rtol=1e-7)
    weights = RNG.standard_normal((QUOTES.n, 3))
    np.testing.assert_allclose(law.of_sums(weights), weights.T @ expected @ weights, rtol=1e-7)
    np.testing.assert_allclose(law.answered(weights), -left @ weights, atol=1e-9)


def test_a_quote_left_out_has_more_variance_than_its_noise_and_a_fitted_one_less():
    fit = fit_saying(QUOTES, SMILE, jacobian=dense(4), at_bound=np.zeros(4, np.int64))
    used = np.arange(QUOTES.n) % 3 > 0
    law = law_of_fit(QUOTES, fit, replace(UNLEARNT), used=used)
    own = UNLEARNT.deviation(QUOTES) ** 2
    assert np.all(law.variance[~used] > own[~used])
    within = law_of_fit(QUOTES, fit, UNLEARNT)
    assert np.all(within.variance < own)


def test_a_parameter_at_a_bound_and_a_flat_one_take_nothing():
    jacobian = dense(3)
    free = law_of_fit(QUOTES, fit_saying(QUOTES, SMILE, jacobian=jacobian[:, :2],
                      at_bound=np.zeros(2, np.int64)), UNLEARNT)  # fmt: skip
    held = fit_saying(QUOTES, SMILE, jacobian=jacobian, at_bound=np.array([0, 0, 1]))
    np.testing.assert_allclose(law_of_fit(QUOTES, held, UNLEARNT).variance, free.variance)
    twice = np.hstack([jacobian[:, :2], jacobian[:, 1:2]])
    flat = fit_saying(QUOTES, SMILE, jacobian=twice, at_bound=np.zeros(3, np.int64))
    np.testing.assert_allclose(law_of_fit(QUOTES, flat, UNLEARNT).variance, free.variance)


def test_a_quote_reproduced_by_construction_has_no_variance_to_judge_by():
    jacobian = np.zeros((QUOTES.n, 1))
    jacobian[4] = 1.0
    fit = fit_saying(QUOTES, SMILE, jacobian=jacobian, at_bound=np.zeros(1, np.int64))
    variance = law_of_fit(QUOTES, fit, UNLEARNT).variance
    assert np.isnan(variance[4])
    assert np.isfinite(np.delete(variance, 4)).all()


def drawn(rng, noise, iv):
    deviation = noise.deviation(QUOTES)
    e = rng.standard_normal(QUOTES.n)
    for i in range(1, QUOTES.n):
        if QUOTES.expiry_index[i] == QUOTES.expiry_index[i - 1]:
            e[i] = noise.rho * e[i - 1] + np.sqrt(1.0 - noise.rho**2) * e[i]
    return quotes_from(GRID, iv + deviation * e, HALF)


def test_last_nights_structure_on_tonights_quotes_scatters_as_its_law_says():
    model = MODELS["svi"]
    grid = grid_of(QUOTES)
    truth = calibrate(model, QUOTES)
    names = [p.role == "state" for p in model.tiled(grid)]
    rng, z = np.random.default_rng(2), []
    for _ in range(60):
        then = calibrate(model, drawn(rng, TOGETHER, truth.iv), start=truth.params)
        tonight = drawn(rng, TOGETHER, truth.iv)
        refreshed = calibrate(model, tonight, start=then.params, free=np.array(names))
        errors = np.sqrt(np.where(np.diag(then.covariance) >= 0, np.diag(then.covariance), np.nan))
        law = law_of_last_night(tonight, refreshed, errors, np.array(names), TOGETHER)
        z.append((refreshed.iv - tonight.iv) / np.sqrt(law.variance))
    # 60 x 39 values in some 60 x 20 independent ones: the root mean square errs by 2 %.
    assert np.sqrt(np.mean(np.square(z))) == pytest.approx(1.0, abs=0.06)
    inside = np.mean(np.abs(z) < 1.96)
    assert 0.93 < inside < 0.97


def test_with_nothing_refreshed_and_nothing_known_the_law_is_the_quotes_noise():
    model = MODELS["svi"]
    fit = evaluate(model, QUOTES, calibrate(model, QUOTES).params)
    none = np.zeros(len(fit.params), bool)
    law = law_of_last_night(QUOTES, fit, np.full(len(fit.params), np.nan), none, TOGETHER)
    np.testing.assert_allclose(law.variance, TOGETHER.deviation(QUOTES) ** 2)
