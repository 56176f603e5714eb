"""What is said of a fit drawn towards a belief, and what is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.pull import Pulled, pulled_fit
from monitor.calibration.solve import CalibrationSettings, calibrate, grid_of
from monitor.diagnostics.base import NO_HISTORY, Evidence, History, Series
from monitor.diagnostics.pulling import prior_of
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by
from tests.diagnostics.evidence import outcomes, reasons, remembered, value, values
from tests.diagnostics.noisy import SNAPSHOT

HESTON = MODELS["heston"]
TRUTH = np.array([0.3, 3.0, 0.4, 2.0, -0.3])
GRID = grid_of_tenors(np.array([7.0, 30.0, 90.0]), n=11)
QUOTES = quotes_by(HESTON, TRUTH, GRID, noise=0.005, rng=np.random.default_rng(1))
FIT = calibrate(HESTON, QUOTES, settings=CalibrationSettings(restarts=1))
SAID = [("kappa", 6.0, 0.5)]
NAMES = ("pulled_param", "pull_cost", "pull_distance")


def evidence(prior=None):
    pulled = None if prior is None else Pulled(prior, pulled_fit(HESTON, QUOTES, FIT, prior))
    return Evidence(SNAPSHOT, QUOTES, NO_HISTORY, model=HESTON, fit=FIT, pulled=pulled)


def history(nights=40, odd=0):
    """Return a past of Heston whose structure moved by a tenth a night."""
    rng, times = np.random.default_rng(2), np.arange(nights) * 86_400_000
    series = {}
    for i, name in enumerate(("kappa", "theta_v", "xi", "rho")):
        moved = TRUTH[i + 1] * np.exp(0.1 * rng.standard_normal(nights))
        kept = slice(odd * i, None)
        series["heston", "param", f"param:{name}"] = Series(times[kept], moved[kept])
    return History(fits={"heston": remembered(FIT, QUOTES)}, series=series)


def test_a_belief_moves_the_fit_at_a_price_and_lessens_the_distance():
    told = evidence(prior_of(HESTON, GRID, NO_HISTORY, SAID, follow=False))
    found = values("pulled_param", told)
    assert FIT.params[1] < found["param:kappa"] < 6.0
    assert found.keys() == {f"param:{name}" for name in FIT.names}
    assert value("pull_cost", told) > 0.0
    distance = values("pull_distance", told)
    assert distance["fit:pulled"] < distance["fit:cold"]
    # In coordinates: the logarithm of kappa, whose deviation is a twelfth.
    away = abs(np.log(FIT.params[1] / 6.0)) * 12.0
    assert distance["fit:cold"] == pytest.approx(away)


@pytest.mark.moves("pulled_param pull_cost pull_distance")
def test_a_firmer_belief_pulls_further_and_one_that_the_quotes_share_not_at_all():
    loose, firm, shared = (
        evidence(prior_of(HESTON, GRID, NO_HISTORY, [("kappa", mean, deviation)], follow=False))
        for mean, deviation in ((6.0, 1.0), (6.0, 0.25), (float(FIT.params[1]), 0.25))
    )
    kappa = [value("pulled_param", e, "param:kappa") for e in (shared, loose, firm)]
    assert kappa[0] == pytest.approx(FIT.params[1], rel=1e-4)
    assert kappa[0] < kappa[1] - 0.05 < kappa[2] - 0.1
    cost = [value("pull_cost", e) for e in (shared, loose, firm)]
    assert cost[0] == pytest.approx(0.0, abs=1e-9)
    assert cost[0] < cost[1] < cost[2]
    # In its own deviations a firm belief is four times as far from the same quotes.
    cold = [value("pull_distance", e, "fit:cold") for e in (shared, loose, firm)]
    assert cold == pytest.approx([0.0, cold[1], 4.0 * cold[1]], abs=1e-9)


def test_errors_are_those_that_quotes_and_belief_leave():
    told = evidence(prior_of(HESTON, GRID, NO_HISTORY, SAID, follow=False))
    error = {o.scope: o.stderr for o in outcomes("pulled_param", told)}
    assert error["param:kappa"] < min(0.5, np.sqrt(FIT.covariance[1, 1]))


def test_where_nobody_believes_anything_nothing_is_fitted():
    for name in NAMES:
        assert reasons(name, evidence()) == {"no_belief"}


def test_a_fit_that_did_not_converge_says_nothing():
    prior = prior_of(HESTON, GRID, NO_HISTORY, SAID, follow=False)
    short = pulled_fit(HESTON, QUOTES, FIT, prior, settings=CalibrationSettings(max_evaluations=2))
    for name in NAMES:
        told = replace(evidence(), pulled=Pulled(prior, short))
        assert reasons(name, told) == {"not_converged"}
        assert reasons(name, replace(told, pulled=Pulled(prior, None))) == {"not_fitted"}


def test_last_night_is_believed_where_that_is_asked_for_and_was_learnt():
    grid = grid_of(QUOTES)
    assert prior_of(HESTON, grid, history(), [], follow=False) is None
    assert prior_of(HESTON, grid, history(15), [], follow=True) is None
    prior = prior_of(HESTON, grid, history(), [], follow=True)
    np.testing.assert_array_equal(prior.centre[1:], FIT.params[1:])
    assert np.isnan(prior.centre[0])
    both = prior_of(HESTON, grid, history(), SAID, follow=True)
    assert len(both.target) == 5 and both.centre[1] == 6.0
    # Only nights that have every parameter tell how they move together: 40 less thirty.
    assert prior_of(HESTON, grid, history(40, odd=10), [], follow=True) is None


def test_smiles_of_an_expirys_own_have_no_second_fit():
    assert prior_of(MODELS["svi"], GRID, history(), [], follow=True) is None
