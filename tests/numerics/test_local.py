"""Local parabolas: what they reproduce, a slow twin, and the error they state."""

import numpy as np
import pytest

from monitor.numerics.local import local_parabola


def test_a_parabola_is_read_exactly_whatever_the_places_and_the_noise():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-2.0, 3.0, 25))
    y, noise = 0.5 - 0.1 * x + 0.03 * x * x, rng.uniform(0.01, 5.0, 25)
    at = np.linspace(x[0], x[-1], 40)
    found, _ = local_parabola(x, y, noise, at, reach=0.5)
    np.testing.assert_allclose(found, 0.5 - 0.1 * at + 0.03 * at * at, atol=1e-9)


def test_values_and_errors_are_those_of_weighted_least_squares_place_by_place():
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(-2.0, 2.0, 30))
    y, noise = rng.standard_normal(30), rng.uniform(0.5, 2.0, 30)
    at = np.linspace(-1.9, 1.9, 7)
    found, stderr = local_parabola(x, y, noise, at, reach=0.6)
    for i, place in enumerate(at):
        far = np.abs(x - place)
        u = (x - place) / max(1.2 * np.sort(far)[5], 0.6)
        weight = np.maximum(1.0 - np.abs(u) ** 3, 0.0) ** 3
        weight *= np.clip((np.median(noise) / noise) ** 2, 0.01, 1.0)
        X = np.column_stack([np.ones(30), u, u * u])
        row = np.linalg.solve(X.T @ (weight[:, None] * X), X.T * weight)[0]
        assert found[i] == pytest.approx(row @ y)
        assert stderr[i] == pytest.approx(np.sqrt(row**2 @ noise**2))


def test_the_error_stated_is_the_one_made_and_half_of_a_single_point_s():
    rng = np.random.default_rng(3)
    x = np.linspace(-2.0, 2.0, 41)
    at, noise = np.array([0.0, 1.95]), np.full(41, 0.1)
    found = []
    for _ in range(2_000):
        y = x * x + 0.1 * rng.standard_normal(41)
        value, stderr = local_parabola(x, y, noise, at, reach=1.0)
        found.append(value)
    # 2,000 draws: the deviation is good to 1.6 %, three of which are allowed.
    np.testing.assert_allclose(np.std(found, axis=0), stderr, rtol=0.05)
    assert stderr[0] < 0.05


@pytest.mark.parametrize("n", [4, 5, 6])
def test_few_points_are_enough(n):
    x = np.linspace(0.0, 1.0, n)
    found, stderr = local_parabola(x, 1.0 + x * x, np.full(n, 0.1), x, reach=0.1)
    np.testing.assert_allclose(found, 1.0 + x * x, atol=1e-9)
    assert np.isfinite(stderr).all()
