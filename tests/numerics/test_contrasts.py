"""Contrasts see noise and no curve, and say how far neighbours go together."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.numerics.contrasts import contrasts_of, neighbour_correlation, seen_share

CURVES = 10
POINTS = 35
N = CURVES * POINTS
GROUP = np.repeat(np.arange(CURVES), POINTS)


def abscissae(rng):
    return np.sort(rng.uniform(-1.0, 1.0, (CURVES, POINTS)), axis=1).ravel()


def together(rho, rng):
    """Noise of variance one whose neighbours on a curve are correlated by rho."""
    e = rng.standard_normal((CURVES, POINTS))
    for i in range(1, POINTS):
        e[:, i] = rho * e[:, i - 1] + np.sqrt(1.0 - rho * rho) * e[:, i]
    return e.ravel()


def nights(x, scale, draw, count=200):
    """Contrasts of `count` nights of noise on one set of points."""
    return [contrasts_of(x, draw(), scale, GROUP) for _ in range(count)]


def test_a_cubic_has_no_contrast_however_the_points_are_weighed():
    rng = np.random.default_rng(1)
    x, scale = abscissae(rng), rng.uniform(0.1, 3.0, N)
    cubic = 1.0 - 2.0 * x + 3.0 * x**2 + 5.0 * x**3
    found = contrasts_of(x, cubic, scale, GROUP)
    assert len(found.value) == CURVES * (POINTS - 6)
    assert np.max(np.abs(found.value)) < 1e-9 * np.max(np.abs(cubic) / scale)
    # A quartic is no cubic: the contrasts are not blind to everything.
    assert np.max(np.abs(contrasts_of(x, x**4, scale, GROUP).value)) > 1e-6


def test_a_contrast_equals_the_residual_of_a_weighted_cubic_done_by_hand():
    rng = np.random.default_rng(2)
    x, y, scale = np.sort(rng.uniform(0, 1, 7)), rng.standard_normal(7), rng.uniform(0.5, 2.0, 7)
    found = contrasts_of(x, y, scale, np.zeros(7, np.int64))
    coefficients = np.polyfit(x, y, 3, w=1.0 / scale)
    powers = np.vander(x, 4) / scale[:, None]
    hat = powers @ np.linalg.inv(powers.T @ powers) @ powers.T
    by_hand = (y - np.polyval(coefficients, x))[3] / scale[3] / np.sqrt(1.0 - hat[3, 3])
    assert found.middle.tolist() == [3]
    assert found.value[0] == pytest.approx(by_hand, rel=1e-8)
    assert np.sum(found.weight**2) == pytest.approx(1.0, rel=1e-12)


def test_contrasts_of_independent_noise_have_its_variance():
    rng = np.random.default_rng(3)
    scale = rng.uniform(0.5, 2.0, N)
    x = abscissae(rng)
    squares = [
        np.mean(
            contrasts_of(x, np.exp(x) + 1.7 * scale * together(0, rng), scale, GROUP).value ** 2
        )
        for _ in range(200)
    ]
    error = np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - 1.7**2) < 4.0 * error
    assert error < 0.02 * 1.7**2


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.5])
def test_the_correlation_of_neighbours_is_found_by_the_median_of_nights(rho):
    rng = np.random.default_rng(4)
    x, one = abscissae(rng), np.ones(N)
    found = [
        neighbour_correlation(contrasts_of(x, together(rho, rng), one, GROUP)) for _ in range(200)
    ]
    # A night's own error is about 0.2; the median of 200 nights has 1.25 x 0.2 / 14 = 0.02.
    assert np.median(found) == pytest.approx(rho, abs=0.06)


@pytest.mark.parametrize("rho", [0.2, 0.5])
def test_noise_that_goes_together_is_seen_in_part_and_by_how_much_is_known(rho):
    rng = np.random.default_rng(5)
    x = np.tile(np.linspace(0.0, 1.0, POINTS), CURVES)
    squares = [
        np.mean(contrasts_of(x, together(rho, rng), np.ones(N), GROUP).value ** 2)
        for _ in range(200)
    ]
    assert np.mean(squares) == pytest.approx(seen_share(rho), rel=0.03)


def test_short_curves_have_no_contrast_and_no_correlation():
    x = np.arange(12.0)
    found = contrasts_of(x, x**4, np.ones(12), np.repeat([0, 1], 6))
    assert len(found.value) == 0
    assert neighbour_correlation(found) is None
    assert len(contrasts_of(x[:3], x[:3], np.ones(3), np.zeros(3, np.int64)).value) == 0
    assert len(contrasts_of(x[:0], x[:0], np.ones(0), np.zeros(0, np.int64)).value) == 0


def test_curves_without_any_noise_have_no_correlation_of_it():
    x = np.tile(np.linspace(0.0, 1.0, POINTS), CURVES)
    assert neighbour_correlation(contrasts_of(x, np.zeros(N), np.ones(N), GROUP)) is None
