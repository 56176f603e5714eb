"""Distances of two samples: their values by definition, their limits of the stated size."""

import numpy as np
import pytest
from scipy import stats

from monitor.errors import DomainError
from monitor.numerics.twosample import distances

KINDS = ("ks", "wasserstein", "psi")


def test_distances_are_those_of_their_definitions():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(60), 0.4 + 1.3 * rng.standard_normal(20)
    found = distances(a, b, size=0.05)
    assert found.ks.value == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-12)
    expected = stats.wasserstein_distance(a, b) / np.std(a)
    assert found.wasserstein.value == pytest.approx(expected, rel=1e-12)
    # Tenths of the pooled sample: 80 values in bins of eight; empty ones hold half a value.
    edges = np.sort(np.append(a, b))[7:-1:8]
    p = np.maximum(np.bincount(np.searchsorted(edges, a), minlength=10), 0.5) / 60
    q = np.maximum(np.bincount(np.searchsorted(edges, b), minlength=10), 0.5) / 20
    assert found.psi.value == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=1e-12)


def chance_of(i, n=60, m=20):
    """Return the exact chance that the largest distance is i / n or more, equal laws."""
    a = np.arange(float(n))
    b = a[[i + j * (n - i) // m for j in range(m)]] - 0.5  # i of `a` lie below all of them
    found = stats.ks_2samp(a, b, method="exact")
    assert found.statistic == pytest.approx(i / n)
    return found.pvalue


def test_the_limit_of_the_largest_distance_is_the_exact_one():
    rng = np.random.default_rng(2)
    limit = distances(rng.standard_normal(60), rng.standard_normal(20), size=0.05).ks.limit
    at = round(limit * 60)
    # 999 deals know a chance of 5 % to 0.7 %, three of which are allowed.
    assert chance_of(at + 1) < 0.05 + 0.02
    assert chance_of(at) > 0.05 - 0.02


@pytest.mark.parametrize(("n", "m"), [(60, 10), (120, 30)])
def test_each_limit_is_exceeded_as_rarely_as_stated(n, m):
    rng = np.random.default_rng(3)
    beyond = dict.fromkeys(KINDS, 0)
    for _ in range(2_000):
        # Heavy tails and light ones: the limits are of ranks and of the values at hand.
        found = distances(rng.standard_t(3, n), rng.standard_t(3, m), size=0.05)
        for kind in KINDS:
            one = getattr(found, kind)
            beyond[kind] += one.value > one.limit
    # 2,000 trials know a chance of 5 % to 0.49 %, and 999 deals a limit of it to 0.69 %: three of
    # both together are 2.5 %. Distances in whole numbers of steps are rarer than stated.
    for kind in KINDS:
        assert 0.05 - 0.025 < beyond[kind] / 2_000 < 0.05 + 0.025, kind


def test_a_shift_and_a_wider_spread_are_found():
    rng = np.random.default_rng(4)
    a = rng.standard_normal(120)
    for b in (1.5 + rng.standard_normal(30), 4.0 * rng.standard_normal(30)):
        found = distances(a, b, size=0.01)
        assert found.wasserstein.value > found.wasserstein.limit
        assert found.psi.value > found.psi.limit


def test_equal_values_are_one_step_of_both_functions():
    a, b = np.repeat([0.0, 1.0], 10), np.repeat([0.0, 1.0], 5)
    assert distances(a, b, size=0.05).ks.value == 0.0


def test_distances_do_not_depend_on_unit_or_origin():
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal(40), rng.standard_normal(12)
    one, other = distances(a, b, size=0.05), distances(3 + 7 * a, 3 + 7 * b, size=0.05)
    assert other.psi == one.psi and other.ks == one.ks
    assert other.wasserstein.value == pytest.approx(one.wasserstein.value, rel=1e-9)


def test_samples_that_are_too_small_or_do_not_spread_are_refused():
    with pytest.raises(DomainError, match="had 40 and 4"):
        distances(np.arange(40.0), np.arange(4.0), size=0.05)
    with pytest.raises(DomainError, match="spread"):
        distances(np.ones(40), np.arange(10.0), size=0.05)
