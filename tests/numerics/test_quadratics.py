from __future__ import annotations

import numpy as np

from monitor.numerics.quadratics import bounded_step, learnt_part, promise, times, trusted_part


def symmetric(rng, size, p):
    A = rng.normal(size=(size, p, p))
    return A + A.transpose(0, 2, 1)


def convex(rng, size, p):
    A = rng.normal(size=(size, p + 3, p))
    return A.transpose(0, 2, 1) @ A


def test_the_learnt_part_is_symmetric_and_right_along_the_step():
    rng = np.random.default_rng(1)
    S, step = symmetric(rng, 40, 4), rng.normal(size=(40, 4))
    turn = times(convex(rng, 40, 4), step)
    bend = rng.normal(size=(40, 4))
    new = learnt_part(S, step, turn, bend)
    np.testing.assert_allclose(new, new.transpose(0, 2, 1), atol=1e-10)
    np.testing.assert_allclose(times(new, step), bend, rtol=1e-8, atol=1e-8)


def test_nothing_is_learnt_where_the_cost_is_not_convex_along_the_step():
    rng = np.random.default_rng(2)
    S, step, bend = symmetric(rng, 5, 3), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    np.testing.assert_array_equal(learnt_part(S, step, -step, bend), S)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(learnt_part(S, 0.0 * step, step, bend), S)


def test_the_trusted_part_leaves_a_twentieth_of_every_curvature():
    rng = np.random.default_rng(3)
    H, scale = convex(rng, 60, 5), np.ones((60, 5))
    S = symmetric(rng, 60, 5) * np.exp(rng.uniform(-3.0, 3.0, 60))[:, None, None]
    kept = trusted_part(S, H, np.zeros(60), scale)
    for h, k in zip(H, kept, strict=True):
        L = np.linalg.inv(np.linalg.cholesky(h))
        assert np.linalg.eigvalsh(L @ (h + k) @ L.T)[0] >= 0.05 - 1e-9


def test_a_part_that_keeps_the_cost_convex_is_trusted_whole_in_any_units():
    rng = np.random.default_rng(4)
    H, S = convex(rng, 30, 4), convex(rng, 30, 4)
    for scale in (np.ones((30, 4)), np.exp(rng.normal(size=(30, 4)))):
        np.testing.assert_allclose(trusted_part(S, H, np.zeros(30), scale), S, rtol=1e-7, atol=1e-9)


def test_no_other_step_promises_more_than_one_without_damping():
    rng = np.random.default_rng(5)
    H, g = convex(rng, 20, 2), rng.normal(size=(20, 2))
    wide = np.full((20, 2), 50.0)
    free = np.zeros((20, 2), np.bool_)
    step = bounded_step(H, np.zeros(20), g, -wide, wide, np.ones((20, 2)), free)
    best = promise(H, g, step)
    for _ in range(200):
        other = step + rng.normal(size=(20, 2)) * 0.1
        assert np.all(promise(H, g, other) <= best + 1e-12)
