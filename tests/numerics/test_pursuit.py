"""Parts add up, one cause gets what it explains, and noise has no cause."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.numerics.pursuit import pursue

ROWS, COLUMNS, EACH = 6, 3, 8
CELL = np.repeat(np.arange(ROWS * COLUMNS), EACH)
TABLE = np.hstack(
    [
        np.ones((len(CELL), 1)),
        CELL[:, None] % COLUMNS == np.arange(COLUMNS),
        CELL[:, None] // COLUMNS == np.arange(ROWS),
        CELL[:, None] == np.arange(ROWS * COLUMNS),
    ]
).astype(float)


def taken_apart(target, atoms=TABLE, limit=14.0):
    return pursue(target, atoms, atoms.T @ atoms, limit)


def slow(target, atoms, limit):
    """The same by least squares from scratch at each step."""
    picked, left = [], [float(target @ target)]
    while True:
        tried = []
        for b in range(atoms.shape[1]):
            chosen = atoms[:, [*picked, b]]
            new = np.linalg.matrix_rank(chosen, tol=1e-3) > len(picked)
            rest = target - chosen @ np.linalg.lstsq(chosen, target, rcond=None)[0]
            tried.append(left[-1] - float(rest @ rest) if new else 0.0)
        best = int(np.argmax(tried))
        if tried[best] <= limit:
            return picked, -np.diff(left), left[-1]
        picked.append(best)
        left.append(left[-1] - tried[best])


@given(st.integers(0, 2**32 - 1))
def test_parts_sum_to_the_whole(seed):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((40, 30)) @ np.diag(10.0 ** rng.uniform(-6, 6, 30))
    atoms[:, 10:20] = atoms[:, :10] + 1e-3 * atoms[:, 10:20]
    target = rng.standard_normal(40) * 10.0 ** rng.uniform(-6, 6)
    found = pursue(target, atoms, 0.0 * atoms.T @ atoms, 0.0)
    whole = float(target @ target)
    assert abs(found.gain.sum() + found.left - whole) < 1e-9 * whole
    assert np.all(found.gain >= 0.0)
    assert len(set(found.picked.tolist())) == len(found.picked)


@pytest.mark.parametrize("seed", range(5))
def test_it_takes_what_least_squares_from_scratch_takes(seed):
    rng = np.random.default_rng(seed)
    target = rng.standard_normal(len(CELL)) + TABLE[:, rng.integers(1, 10, 3)] @ [4.0, -6.0, 5.0]
    picked, gains, left = slow(target, TABLE, 14.0)
    found = taken_apart(target)
    assert found.picked.tolist() == picked
    np.testing.assert_allclose(found.gain, gains, rtol=1e-9)
    assert found.left == pytest.approx(left, rel=1e-9)
    assert len(picked) >= 2


@pytest.mark.parametrize("cause", [0, 2, 5, 17])
def test_one_cause_alone_gets_all_it_explains(cause):
    found = taken_apart(7.0 * TABLE[:, cause])
    assert found.picked.tolist() == [cause]
    assert found.left < 1e-20 * found.gain[0]


def test_of_two_equal_causes_the_coarser_is_taken():
    twice = np.hstack([TABLE[:, :1], TABLE[:, :1]])
    assert taken_apart(np.ones(len(CELL)), twice, 1.0).picked.tolist() == [0]


def test_causes_that_differ_by_rounding_alone_are_equal():
    target = TABLE[:, 1] * 10.0
    twin = TABLE[:, [1]] + 1e-14 * target[:, None]
    for atoms in (np.hstack([TABLE[:, [1]], twin]), np.hstack([twin, TABLE[:, [1]]])):
        assert taken_apart(target, atoms).picked.tolist() == [0]


def test_noise_has_a_cause_as_seldom_as_was_said():
    rng = np.random.default_rng(1)
    limit = 12.1  # two-sided 5 % over 28 causes, as if they did not overlap
    caused = [
        len(taken_apart(rng.standard_normal(len(CELL)), limit=limit).picked) for _ in range(1000)
    ]
    # Overlapping causes are fewer than they are counted: a little below 1.4 %.
    assert 0.002 < np.mean(np.array(caused) > 0) < 0.02


def test_what_moves_anyway_is_no_cause():
    rng = np.random.default_rng(2)
    target = rng.standard_normal(len(CELL)) + 3.0 * TABLE[:, 2]
    moves = np.outer(TABLE.T @ TABLE[:, 2], TABLE.T @ TABLE[:, 2]) * 3.0**2
    assert 2 in taken_apart(target).picked
    assert not len(pursue(target, TABLE, TABLE.T @ TABLE + moves, 14.0).picked)
