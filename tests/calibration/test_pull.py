"""Fits drawn to a belief: the objective that is stated, its limits, and what the belief is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from monitor.calibration.prior import FEWEST, Prior, chart_of, expert_prior, last_night_prior
from monitor.calibration.pull import pulled_fit
from monitor.calibration.robust import overconfidence
from monitor.calibration.solve import CalibrationSettings, calibrate, model_iv
from monitor.errors import DomainError
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from

MERTON, HESTON = MODELS["merton"], MODELS["heston"]
GRID = grid_of_tenors(np.array([3.0, 7.0, 30.0, 90.0]), n=11)
SMALL, ONCE = grid_of_tenors(np.array([7.0, 60.0]), n=7), CalibrationSettings(restarts=1)
TRUTH = {"merton": np.array([0.5, 8.0, -0.05, 0.1]), "heston": np.array([0.3, 3.0, 0.4, 2.0, -0.3])}


def noisy(name, seed=1, noise=0.005):
    quotes = quotes_by(
        MODELS[name], TRUTH[name], GRID, noise=noise, rng=np.random.default_rng(seed)
    )
    return quotes, calibrate(MODELS[name], quotes)


def elsewhere(model, params):
    """Return a belief in other parameters than the fitted ones, correlated."""
    chart = chart_of(model, GRID)
    rows = np.random.default_rng(5).standard_normal((len(params), len(params))) + 2 * np.eye(
        len(params)
    )
    return Prior(params, 3.0 * rows, 3.0 * rows @ chart.of(params))


def test_the_end_minimises_the_stated_objective():
    quotes, cold = noisy("merton")
    prior, chart = elsewhere(MERTON, np.array([0.45, 4.0, -0.1, 0.15])), chart_of(MERTON, GRID)
    fit = pulled_fit(MERTON, quotes, cold, prior, phi=1.7)
    assert fit.converged, fit.reason

    def objective(params):
        z = (model_iv(MERTON, params, GRID) - quotes.iv) / quotes.noise
        away = prior.rows @ chart.of(params) - prior.target
        return 0.5 * z @ z / 1.7 + 0.5 * away @ away

    slow = minimize(
        lambda x: objective(x * TRUTH["merton"]),
        cold.params / TRUTH["merton"],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "maxfev": 4000},
    )
    assert objective(fit.params) <= slow.fun * (1.0 + 1e-9)
    np.testing.assert_allclose(fit.params, slow.x * TRUTH["merton"], rtol=1e-4)
    assert fit.restarts_cost[0] == pytest.approx(1.7 * objective(fit.params), rel=1e-9)
    assert fit.cost > cold.cost


@pytest.mark.parametrize("name", ["merton", "heston"])
def test_a_belief_of_no_weight_leaves_the_cold_fit_and_one_of_all_weight_is_believed(name):
    model = MODELS[name]
    quotes, cold = noisy(name)
    believed = TRUTH[name] * np.linspace(0.8, 1.2, len(TRUTH[name]))
    prior, chart = elsewhere(model, believed), chart_of(model, GRID)
    free = pulled_fit(model, quotes, cold, prior.weighted(1e-14), phi=1.0)
    np.testing.assert_allclose(free.params, cold.params, rtol=1e-5)
    np.testing.assert_allclose(free.covariance, cold.covariance, rtol=1e-3)
    held = pulled_fit(model, quotes, cold, prior.weighted(1e12))
    np.testing.assert_allclose(held.params, believed, rtol=1e-5)
    # Between the two, more weight never means nearer to the quotes or further from the belief.
    fits = [pulled_fit(model, quotes, cold, prior.weighted(w)) for w in 10.0 ** np.arange(-6, 7, 2)]
    assert all(fit.converged for fit in fits)
    assert np.all(np.diff([fit.cost for fit in fits]) >= -1e-9 * cold.cost)
    distance = [prior.distance(chart.of(fit.params)) for fit in fits]
    assert np.all(np.diff(distance) <= 1e-9 * distance[0])


def test_the_posterior_covers_the_truth_as_often_as_it_says():
    # Truths drawn from the belief, quotes from each truth: what Bayes promises.
    chart, scores = chart_of(MERTON, GRID), []
    centre = chart.of(TRUTH["merton"])
    rows = np.diag(1.0 / np.array([0.05, 0.3, 0.02, 0.03]))
    prior = Prior(TRUTH["merton"], rows, rows @ centre)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        params = chart.params(centre + rng.standard_normal(4) / np.diag(rows))
        quotes = quotes_by(MERTON, params, SMALL, noise=0.005, rng=rng)
        fit = pulled_fit(MERTON, quotes, calibrate(MERTON, quotes, settings=ONCE), prior, phi=1.0)
        scores.append((fit.params - params) / np.sqrt(np.diagonal(fit.covariance)))
    # Mean squares of forty unit deviates lie within four deviations of one.
    assert np.all(np.abs(np.mean(np.square(scores), axis=0) - 1.0) < 4.0 * np.sqrt(2.0 / 40.0))


def test_quotes_that_share_a_misfit_count_for_what_they_know():
    # Each expiry off by a level of its own: errors robust to that are several times the stated.
    quotes, _ = noisy("merton")
    level = 0.01 * np.array([1.0, -1.0, 0.7, -0.7])[GRID.expiry_index]
    quotes = quotes_from(GRID, quotes.iv + level, 0.005)
    cold = calibrate(MERTON, quotes)
    assert overconfidence(quotes, cold) > 2.0
    error = np.sqrt(np.diagonal(cold.covariance))
    prior = expert_prior(MERTON, GRID, [("lam", cold.params[1] + 3.0 * error[1], error[1])])
    as_said = pulled_fit(MERTON, quotes, cold, prior, phi=1.0)
    tempered = pulled_fit(MERTON, quotes, cold, prior)
    assert tempered.params[1] > as_said.params[1] > cold.params[1]
    assert tempered.covariance[1, 1] > as_said.covariance[1, 1]
    # Quotes as noisy as they say are not found to say more than they know by much.
    assert overconfidence(*noisy("merton", 3)) < 4.0


def test_an_experts_word_is_a_row_in_the_unit_of_the_parameter():
    prior = expert_prior(HESTON, GRID, [("kappa", 3.0, 0.03), ("rho", -0.3, 0.1)])
    chart = chart_of(HESTON, GRID)
    params = np.array([0.3, 3.03, 0.4, 2.0, -0.2])
    away = prior.rows @ chart.of(params) - prior.target
    np.testing.assert_allclose(away, [1.0, 1.0], rtol=0.01)  # one deviation of each
    assert np.isnan(prior.centre[[0, 2, 3]]).all() and prior.centre[4] == -0.3


def test_a_word_about_one_parameter_moves_it_and_spares_the_others():
    quotes, cold = noisy("heston")
    error = np.sqrt(np.diagonal(cold.covariance))
    wish = cold.params[1] + 2.0 * error[1]
    prior = expert_prior(HESTON, GRID, [("kappa", wish, error[1])])
    fit = pulled_fit(HESTON, quotes, cold, prior, phi=1.0)
    # Equal precisions meet half-way, and the posterior is that much surer.
    assert fit.params[1] - cold.params[1] == pytest.approx(error[1], rel=0.15)
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(error[1] / np.sqrt(2.0), rel=0.1)


def walk(rng, nights, sd):
    """Return structure of Heston that moves by a common and an own step each night."""
    steps = rng.standard_normal((nights, 2)) * sd
    y = np.log([3.0, 2.0]) + np.cumsum(steps @ np.array([[1.0, 0.8], [0.0, 0.6]]), axis=0)
    return {"kappa": np.exp(y[:, 0]), "xi": np.exp(y[:, 1])}


def test_last_nights_belief_is_as_wide_as_changes_have_been():
    last = TRUTH["heston"]
    away = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        past = walk(rng, 100, 0.05)
        prior = last_night_prior(HESTON, GRID, last, past)
        assert prior.rows.shape == (2, 5)
        tonight = np.array(last)
        steps = 0.05 * rng.standard_normal(2) @ np.array([[1.0, 0.8], [0.0, 0.6]])
        tonight[[1, 3]] *= np.exp(steps)
        away.append(prior.distance(chart_of(HESTON, GRID).of(tonight)) ** 2)
    # Two unit normal deviates squared and halved: one, within four deviations of 200 of them.
    assert np.mean(away) == pytest.approx(1.0, abs=4.0 / np.sqrt(200.0))


def test_few_nights_or_none_that_moved_are_no_belief():
    last = TRUTH["heston"]
    few = walk(np.random.default_rng(1), FEWEST, 0.2)
    assert last_night_prior(HESTON, GRID, last, few) is None
    assert last_night_prior(HESTON, GRID, last, {}) is None
    still = {"kappa": np.full(50, 50.0), "xi": np.full(50, 2.0)}
    assert last_night_prior(HESTON, GRID, last, still) is None
    one = still | {"xi": walk(np.random.default_rng(1), 50, 0.2)["xi"]}
    prior = last_night_prior(HESTON, GRID, last, one)
    assert np.flatnonzero(np.isfinite(prior.centre)).tolist() == [3]


def test_states_are_not_believed():
    past = walk(np.random.default_rng(1), 50, 0.2) | {"v0": np.linspace(0.1, 0.2, 50)}
    assert np.isnan(last_night_prior(HESTON, GRID, TRUTH["heston"], past).centre[0])


def test_beliefs_join():
    one = expert_prior(HESTON, GRID, [("kappa", 3.0, 1.0)])
    two = last_night_prior(HESTON, GRID, TRUTH["heston"], walk(np.random.default_rng(1), 50, 0.2))
    both = one.joined(two)
    assert both.rows.shape == (3, 5) and both.centre[1] == 3.0
    y = chart_of(HESTON, GRID).of(np.array([0.3, 5.0, 0.4, 1.0, -0.3]))
    squares = 3 * both.distance(y) ** 2
    assert squares == pytest.approx(one.distance(y) ** 2 + 2 * two.distance(y) ** 2)


def test_smiles_of_an_expirys_own_are_not_believed():
    with pytest.raises(DomainError, match="each expiry's own"):
        chart_of(MODELS["svi"], GRID)


def test_without_a_cold_fit_there_is_none_beside_it():
    few = quotes_from(grid_of_tenors(np.array([30.0]), n=3), np.full(3, 0.6))
    cold = calibrate(HESTON, few)
    prior = expert_prior(HESTON, GRID, [("kappa", 3.0, 1.0)])
    assert pulled_fit(HESTON, few, cold, prior) is None
