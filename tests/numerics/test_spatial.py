"""Tests of pattern: right size behind any fit, power where neighbours err alike, none elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.numerics.spatial import (
    moran,
    neighbours,
    orthonormal_basis,
    outside,
    sign_changes,
)

GROUPS, EACH = 8, 24
GROUP = np.repeat(np.arange(GROUPS), EACH)
X = np.tile(np.linspace(-2.5, 2.5, EACH), GROUPS)
EDGES = neighbours(GROUP, X)
POWERS = np.stack([X**i for i in range(5)], axis=1)
FITS = {
    "one surface of six": np.stack([X**0, X, X**2, GROUP, GROUP**2, X * GROUP], axis=1) * 1.0,
    "five an expiry": np.hstack([np.where((j == GROUP)[:, None], POWERS, 0.0) for j in range(8)]),
}


@pytest.mark.parametrize("what", sorted(FITS))
def test_both_tests_have_their_size_behind_fits_of_few_and_of_many_parameters(what):
    rng = np.random.default_rng(5)
    basis = orthonormal_basis(FITS[what])
    found = []
    for _ in range(1500):
        # Of a size that neither test is told.
        r = outside(basis, 3.7 * rng.standard_normal(len(GROUP)))
        found.append((moran(r, basis, EDGES), -sign_changes(r, basis, GROUP)))
    z = np.array(found)
    # 1,500 trials: the mean has a deviation of 0.026, the deviation one of 0.018.
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=0.08)
    np.testing.assert_allclose(z.std(axis=0), 1.0, atol=0.06)
    rejected = np.mean(z > 1.645, axis=0)
    assert np.all((rejected > 0.035) & (rejected < 0.068)), rejected


def test_taking_fitted_residuals_for_noise_would_acquit_a_model_of_many_parameters():
    basis = orthonormal_basis(FITS["five an expiry"])
    rng = np.random.default_rng(6)
    none = np.zeros((len(GROUP), 0))
    naive = [
        moran(outside(basis, rng.standard_normal(len(GROUP))), none, EDGES) for _ in range(200)
    ]
    assert np.mean(naive) < -1.5  # the fit itself sets neighbours against one another


def test_a_bent_wing_is_seen_by_both_and_a_single_wild_quote_by_neither():
    basis = orthonormal_basis(FITS["one surface of six"])
    rng = np.random.default_rng(7)
    noise = rng.standard_normal(len(GROUP))
    bent = outside(basis, noise + 2.0 * np.sin(2.0 * X))
    assert moran(bent, basis, EDGES) > 5.0
    assert sign_changes(bent, basis, GROUP) < -4.0
    wild = noise.copy()
    wild[50] += 12.0
    wild = outside(basis, wild)
    assert abs(moran(wild, basis, EDGES)) < 2.5
    assert abs(sign_changes(wild, basis, GROUP)) < 2.5


def test_neighbours_lie_along_a_smile_and_across_to_the_nearest_of_the_next():
    group, x = np.array([0, 0, 0, 1, 1]), np.array([-1.0, 0.0, 1.0, -0.1, 5.0])
    pairs = {tuple(p) for p in neighbours(group, x).tolist()}
    assert pairs == {(0, 1), (1, 2), (3, 4), (1, 3)}


def test_a_basis_spans_what_its_columns_span_whatever_their_size():
    jacobian = np.array([[1e-8, 0.0, 1e-8], [0.0, 1e6, 0.0], [0.0, 0.0, 0.0]])
    basis = orthonormal_basis(jacobian)
    assert basis.shape == (3, 2)  # two of the three columns are one
    np.testing.assert_allclose(outside(basis, np.eye(3)), np.diag([0.0, 0.0, 1.0]), atol=1e-12)


def test_without_a_residual_or_a_neighbour_there_is_no_test():
    full = np.eye(4)
    group, one = np.zeros(4, np.int64), np.zeros((0, 2), np.int64)
    assert moran(np.zeros(4), full, neighbours(group, np.arange(4.0))) is None
    assert sign_changes(np.zeros(4), full, group) is None
    assert moran(np.ones(4), np.zeros((4, 0)), one) is None
    assert orthonormal_basis(np.zeros((4, 2))).shape == (4, 0)
