"""Realised measures: unbiased without jumps, blind or not to them, tests of their nominal size."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.numerics.realised import jumps_among, realised

N = 720  # hours of thirty days


def paths(rng, count, n=N):
    """Return returns of a variance that wanders by a factor of two, and their true variance."""
    log = 0.3 * np.sin(np.linspace(0.0, 9.0, n)) + 0.05 * np.cumsum(
        rng.standard_normal((count, n)), axis=1
    ) / np.sqrt(24.0)
    sd = 0.005 * np.exp(log)
    return sd * rng.standard_normal((count, n)), np.sum(sd**2, axis=1)


def test_both_measures_are_unbiased_without_jumps_and_errors_cover():
    r, true = paths(np.random.default_rng(1), 400)
    found = [realised(x) for x in r]
    error = np.array([f.variance - t for f, t in zip(found, true, strict=True)])
    scale = np.array([f.variance_error for f in found])
    assert abs(np.mean(error / true)) < 0.015
    assert 0.9 < np.std(error / scale) < 1.1
    assert abs(np.mean([f.bipower / t - 1.0 for f, t in zip(found, true, strict=True)])) < 0.015


def test_the_window_test_has_its_size_and_sees_jumps_that_bipower_does_not():
    rng = np.random.default_rng(2)
    r, true = paths(rng, 1500)
    z = np.array([realised(x).jump_z for x in r])
    assert 0.035 < np.mean(z > 1.645) < 0.068
    assert np.mean(z > 3.09) < 0.006
    jumped = r[:100].copy()
    jumped[:, 300] += 0.09  # eighteen hourly deviations
    seen = [realised(x) for x in jumped]
    assert np.mean([f.jump_z > 3.09 for f in seen]) > 0.95
    added = 0.09**2 / true[:100]
    assert np.mean([f.jump_share for f in seen]) == pytest.approx(
        np.mean(added / (1 + added)), rel=0.3
    )


def test_the_test_of_each_return_rarely_calls_a_calm_path_and_finds_the_jump_where_it_is():
    rng = np.random.default_rng(3)
    steady = 0.005 * rng.standard_normal((1500, N))
    called = np.array([jumps_among(x, window=100).any() for x in steady])
    assert np.mean(called) < 0.018  # 1 % and three deviations of 0.26 %
    r, _ = paths(rng, 1000)
    called = np.array([jumps_among(x, window=100).any() for x in r])
    assert np.mean(called) < 0.075  # variance wanders within the window too: five times as many
    jumped = r[:100].copy()
    jumped[:, 500] = 0.06
    hits = np.array([jumps_among(x, window=100) for x in jumped])
    assert np.mean(hits[:, 500]) > 0.95
    assert hits.sum() - hits[:, 500].sum() <= 4


def test_the_limit_of_each_return_is_the_published_one():
    # |L| limits at 1 %: n = 288 gives 5.395, n = 1440 gives 5.777; local deviation times 0.7979.
    # It is for a local deviation without error: one of many returns.
    window = 20_000
    for n, limit in ((288, 5.395), (1440, 5.777)):
        calm = np.full(window + n, 1.0)
        for size, is_jump in ((limit - 0.01, False), (limit + 0.01, True)):
            r = calm.copy()
            r[-1] = size  # before it, neighbours' products are one: so is the local deviation
            assert jumps_among(r, window=window)[-1] == is_jump


def test_too_short_or_motionless_windows_are_refused():
    for bad in (np.ones(5), np.zeros(50), np.zeros(0)):
        with pytest.raises(DomainError, match="returns"):
            realised(bad)
    assert not jumps_among(np.ones(50), window=100).any()
