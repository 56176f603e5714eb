"""Refits without strikes and expiries, and records that a model fits best and fails next day."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitor.models import MODELS
from monitor.validation.folds import held_out, strike_folds, subset
from monitor.validation.overfit import overfit_record
from tests.calibration.chains import grid_of_tenors, quotes_by

ADHOC, BLACK = MODELS["adhoc"], MODELS["black"]
TRUE = np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04])
GRID = grid_of_tenors(np.array([3.0, 14.0, 45.0, 120.0, 300.0]), n=15)
NOISE = 0.004
QUOTES = quotes_by(ADHOC, TRUE, GRID, noise=NOISE, rng=np.random.default_rng(1))


def test_a_right_model_errs_by_little_more_than_the_noise_where_it_was_not_shown():
    found = held_out(ADHOC, QUOTES)
    assert found.n_strikes == QUOTES.n and found.n_expiries == QUOTES.n
    assert 0.9 < found.strikes / found.in_sample < 1.3
    # The longest expiry is beyond all others: six coefficients reach there with little error.
    assert found.expiries < 4.0 * NOISE


def test_a_model_per_expiry_says_nothing_of_an_expiry_it_was_not_shown():
    found = held_out(BLACK, QUOTES)
    assert np.isnan(found.expiries) and found.n_expiries == 0
    assert found.strikes > 5.0 * NOISE  # no smile at all


def test_every_quote_is_held_out_once_and_expiries_keep_their_own():
    folds = np.array(list(strike_folds(QUOTES)))
    np.testing.assert_array_equal(folds.sum(axis=0), 1)
    rest = subset(QUOTES, QUOTES.expiry_index != 1)
    assert rest.m == 4 and rest.n == 60
    np.testing.assert_array_equal(rest.tau, np.delete(QUOTES.tau, 1))
    np.testing.assert_array_equal(rest.iv, QUOTES.iv[QUOTES.expiry_index != 1])
    np.testing.assert_array_equal(rest.expiry_index, np.repeat(np.arange(4), 15))


def record(svi_next):
    rng, T = np.random.default_rng(2), 40
    nights = pd.date_range("2026-03-01", periods=T, freq="D", tz="UTC")
    wobble = 1.0 + 0.1 * rng.standard_normal((T, 3))
    inside = pd.DataFrame([0.03, 0.005, 0.04] * wobble, nights, ["adhoc", "svi", "heston"])
    wobble = 1.0 + 0.1 * rng.standard_normal((T, 3))
    outside = pd.DataFrame([0.032, svi_next, 0.042] * wobble, nights, ["adhoc", "svi", "heston"])
    jumps = pd.DataFrame({"svi": np.full(T, 5.0), "heston": np.full(T, 2.0)}, nights)
    used = pd.DataFrame({"adhoc": 6.0, "svi": 50.0, "heston": 5.0}, nights)
    return overfit_record(inside, outside, pd.DataFrame(), jumps, used).set_index("model")


def test_the_model_that_fits_best_and_fails_next_day_is_overfit_and_names_who_beat_it():
    found = record(svi_next=0.06)
    assert found.loc["svi", "overfit_against"] == "adhoc, heston"
    assert found.loc["svi", "hurdle"] == "lost"
    assert found.loc["svi", "ratio"] == pytest.approx(12.0, rel=0.1)
    assert found.loc["heston", "overfit_against"] == ""


def test_the_model_that_fits_best_and_predicts_best_is_not():
    found = record(svi_next=0.01)
    assert found.loc["svi", "overfit_against"] == ""
    assert found.loc["svi", "hurdle"] == "passed"
    # Worse than the benchmark, but not for want of parsimony.
    assert found.loc["heston", "hurdle"] == "lost"
    assert found.loc["svi", "jumpiness_per_point"] == pytest.approx(2.0, rel=0.05)
    assert np.isnan(found.loc["heston", "jumpiness_per_point"])  # it gains nothing
