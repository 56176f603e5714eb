"""Comparisons through time: nominal size under memory, power against a worse rival."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.validation.rivals import (
    confidence_set,
    diebold_mariano,
    long_run_variance,
    pairs_won,
    vuong,
)


def remembering(rng, T, phi, count=1):
    e = rng.standard_normal((T + 50, count))
    x = np.zeros_like(e)
    for t in range(1, len(e)):
        x[t] = phi * x[t - 1] + e[t]
    return x[50:] * np.sqrt(1 - phi**2)


@pytest.mark.parametrize("lags", [0, 4])
def test_the_statistic_is_that_of_the_library(lags):
    from statsmodels.tsa.stattools import diebold_mariano_test

    rng = np.random.default_rng(1)
    a, b = np.abs(rng.standard_normal((2, 80)))
    # Its loss of a forecast of zero is the forecast squared.
    theirs = diebold_mariano_test(np.zeros(80), a, b, lags=lags, criterion="mse", harvey_adj=True)
    ours = diebold_mariano(a**2, b**2, lags=lags)
    statistic, p_value = tuple(theirs)[:2]
    assert ours.statistic == pytest.approx(float(statistic), rel=1e-10)
    assert ours.p_value == pytest.approx(float(p_value), rel=1e-8)


@pytest.mark.parametrize(("phi", "most"), [(0.0, 0.085), (0.3, 0.11), (0.5, 0.14)])
def test_models_that_lose_alike_are_rarely_told_apart_even_with_memory(phi, most):
    rng = np.random.default_rng(2)
    d = remembering(rng, 120, phi, 1500)
    own = np.mean([diebold_mariano(x, np.zeros(120)).p_value < 0.05 for x in d.T])
    naive = np.mean([diebold_mariano(x, np.zeros(120), lags=0).p_value < 0.05 for x in d.T])
    assert 0.03 < own < most
    if phi:
        assert naive > own + 0.02


def test_a_worse_model_is_told_from_a_better():
    rng = np.random.default_rng(3)
    better, worse = 1.0 + 0.3 * rng.standard_normal(60), 1.2 + 0.3 * rng.standard_normal(60)
    found = diebold_mariano(worse, better)
    assert found.mean > 0.0 and found.p_value < 0.01
    assert pairs_won(np.stack([worse, better], axis=1), ["w", "b"]) == [("b", "w")]
    assert diebold_mariano(better, better).p_value == 1.0
    with pytest.raises(DomainError, match="9 nights"):
        diebold_mariano(np.ones(9), np.zeros(9))


def test_the_long_run_variance_is_the_variance_of_the_sum():
    # AR(1): sigma^2 / (1 - phi)^2 with innovations of variance 1 - phi^2.
    x = remembering(np.random.default_rng(4), 20_000, 0.5)[:, 0]
    assert long_run_variance(x, lags=60) == pytest.approx(3.0, rel=0.12)
    assert long_run_variance(x, lags=0) == pytest.approx(1.0, rel=0.05)


def test_the_set_holds_the_best_as_often_as_it_says_and_drops_the_clearly_worse():
    rng = np.random.default_rng(5)
    held, dropped = 0, 0
    for trial in range(12):
        common = 1.0 + 0.3 * remembering(rng, 30, 0.4)
        losses = common + 0.1 * rng.standard_normal((30, 3)) + np.array([0.0, 0.01, 0.4])
        p = confidence_set(losses, seed=trial)
        held += p[0] > 0.1
        dropped += p[2] <= 0.1
    assert held >= 10 and dropped == 12
    assert confidence_set(np.ones((30, 1))).tolist() == [1.0]


def test_vuong_tells_the_likelier_and_charges_for_parameters():
    rng = np.random.default_rng(6)
    quotes = np.full(60, 400.0)
    first, second = (np.exp(0.1 * rng.standard_normal(60)) for _ in range(2))
    alike = vuong(first, second, (5.0, 5.0), quotes)
    assert alike.p_value > 0.05
    likelier = vuong(0.8 * first, second, (5.0, 5.0), quotes)
    assert likelier.mean > 0.0 and likelier.p_value < 1e-6
    # A fifth less residual is not worth a hundred parameters: 47.5 log 400 / 400 is 0.71.
    charged = vuong(0.8 * first, second, (100.0, 5.0), quotes)
    assert charged.mean < 0.0
