"""The law behind a smile: densities that are laws, and moments against laws that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from monitor.errors import DomainError
from monitor.models import MODELS, Grid
from monitor.pricing.black import black_price
from monitor.pricing.density import (
    derivatives,
    model_free_moments,
    moments_of_strip,
    risk_neutral_cdf,
    risk_neutral_density,
)
from monitor.pricing.implied import implied_deviation
from monitor.pricing.strips import SwapStrips

LAM, MU, DELTA, SIGMA, TAU = 1.5, -0.15, 0.2, 0.5, 0.25


def merton(k):
    """Return out-of-the-money premiums of Merton's model by its Poisson sum."""
    sign = np.where(k > 0.0, 1.0, -1.0)
    total, rate = np.zeros(len(k)), LAM * TAU
    mean = math.exp(MU + 0.5 * DELTA**2) - 1.0
    for n in range(60):
        chance = math.exp(-rate + n * math.log(rate) - math.lgamma(n + 1))
        shift = -rate * mean + n * (MU + 0.5 * DELTA**2)
        w = np.full(len(k), SIGMA**2 * TAU + n * DELTA**2)
        total += chance * math.exp(shift) * black_price(k - shift, w, sign)
    return total


def merton_moments():
    """Return swap, variance, skewness and kurtosis from Merton's cumulants."""
    rate = LAM * TAU
    mean = math.exp(MU + 0.5 * DELTA**2) - 1.0
    k1 = -0.5 * SIGMA**2 * TAU - rate * mean + rate * MU
    k2 = SIGMA**2 * TAU + rate * (MU**2 + DELTA**2)
    k3 = rate * (MU**3 + 3 * MU * DELTA**2)
    k4 = rate * (MU**4 + 6 * MU**2 * DELTA**2 + 3 * DELTA**4)
    return -2 * k1, k2, k3 / k2**1.5, 3.0 + k4 / k2**2


def merton_quotes(reach, n=41):
    k = np.linspace(-reach, reach, n)
    c = merton(k)
    v, _ = implied_deviation(k, c, np.where(k > 0.0, 1.0, -1.0))
    return k, v * v


def test_a_flat_smile_is_a_normal_law():
    k, w = np.linspace(-2.0, 2.0, 801), np.full(801, 0.09)
    slope, curve = derivatives(w, k[1] - k[0])
    normal = np.exp(-0.5 * ((k + 0.045) / 0.3) ** 2) / (0.3 * math.sqrt(2 * math.pi))
    inner = slice(2, -2)
    density = risk_neutral_density(k, w, slope, curve)
    np.testing.assert_allclose(density[inner], normal[inner], rtol=1e-7)
    cdf = risk_neutral_cdf(k, w, slope)[inner]
    np.testing.assert_allclose(cdf, ndtr((k + 0.045) / 0.3)[inner], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("heston", [0.25, 3.1, 0.4, 2.0, -0.3]),
        ("bates", [0.2, 3.0, 0.3, 1.0, -0.4, 2.0, -0.1, 0.15]),
        ("ssvi", [0.04, -0.3, 0.15]),
    ],
)
def test_a_models_density_is_a_law_and_a_martingale(name, params):
    k, tau = np.linspace(-2.4, 1.6, 1601), 0.1
    grid = Grid(np.array([0]), np.array([tau]), np.zeros(1601, np.int64), k, np.array([0.04]))
    w, _ = MODELS[name].total_variance(np.array(params), grid)
    h = k[1] - k[0]
    slope, curve = derivatives(w, h)
    p = risk_neutral_density(k, w, slope, curve)
    known = np.isfinite(p)
    k, p, cdf = k[known], p[known], risk_neutral_cdf(k, w, slope)[known]
    beyond = cdf[0] + 1.0 - cdf[-1]
    # A Fourier premium is right to 1e-11, which second differences over h magnify.
    assert np.min(p) > -1e-4
    assert np.trapezoid(p, k) + beyond == pytest.approx(1.0, abs=1e-6)
    # The upper end takes the rest with it: up to 5 P(x > 1.6).
    assert np.trapezoid(p * np.exp(k), k) == pytest.approx(1.0, abs=1e-6 + 5.0 * beyond)
    summed = cdf[0] + np.concatenate([[0.0], np.cumsum(0.5 * h * (p[1:] + p[:-1]))])
    np.testing.assert_allclose(summed, cdf, atol=1e-5)


def test_the_density_of_a_smile_with_a_butterfly_is_negative_there():
    k = np.linspace(-1.0, 1.0, 401)
    w = 0.09 + 0.06 * np.exp(-((k - 0.3) ** 2) / 0.005)
    slope, curve = derivatives(w, k[1] - k[0])
    p = risk_neutral_density(k, w, slope, curve)
    assert np.nanmin(p) < -0.1 and abs(k[np.nanargmin(p)] - 0.3) < 0.1


def test_a_strip_of_black_has_the_moments_of_a_normal_law():
    k = np.linspace(-3.0, 3.0, 1201)
    m = moments_of_strip(k, black_price(k, np.full(1201, 0.09), np.where(k > 0.0, 1.0, -1.0)))
    assert m.swap == pytest.approx(0.09, rel=1e-9)
    # Slopes at the corner are one-sided, of second order in a step of 0.005.
    assert m.variance == pytest.approx(0.09, rel=1e-8)
    assert m.skew == pytest.approx(0.0, abs=1e-7)
    assert m.kurtosis == pytest.approx(3.0, rel=1e-7)


def test_a_strip_of_merton_has_mertons_cumulants():
    k = np.linspace(-6.0, 5.0, 4401)
    m = moments_of_strip(k, merton(k))
    expected = merton_moments()
    got = (m.swap, m.variance, m.skew, m.kurtosis)
    np.testing.assert_allclose(got, expected, rtol=1e-7)


@pytest.mark.parametrize("reach", [0.5, 0.8, 1.2])
def test_the_truth_lies_within_the_truncation_error(reach):
    (found,) = model_free_moments([merton_quotes(reach)])
    assert found is not None
    for name, truth in zip(("swap", "variance", "skew", "kurtosis"), merton_moments(), strict=True):
        error = abs(getattr(found.value, name) - truth)
        # Straight lines between forty quotes cost up to 3e-4 of a moment besides.
        assert error <= getattr(found.truncation, name) + 3e-4 * abs(truth), name


def test_truncation_matters_less_the_further_quotes_reach_and_more_the_higher_the_moment():
    narrow, wide = (
        found.truncation for found in model_free_moments([merton_quotes(r) for r in (0.5, 1.2)])
    )
    for name in ("swap", "variance", "skew", "kurtosis"):
        assert getattr(wide, name) < 0.5 * getattr(narrow, name)
    assert narrow.swap / 0.1 < narrow.skew < narrow.kurtosis


def test_a_tilt_moves_the_skew_and_a_bend_the_kurtosis():
    k = np.linspace(-0.8, 0.8, 33)
    x = k / 0.3

    def moments(tilt, bend):
        (found,) = model_free_moments([(k, (0.3 * (1.0 + tilt * x + bend * x * x)) ** 2)])
        return found.value

    even = moments(0.0, 0.02)
    assert even.skew == pytest.approx(moments(0.0, 0.0).skew, abs=0.12)
    assert moments(-0.05, 0.02).skew < even.skew - 0.2 < moments(0.05, 0.02).skew - 0.4
    assert moments(0.0, 0.04).kurtosis > even.kurtosis + 0.2 > moments(0.0, 0.0).kurtosis + 0.4


def test_the_same_smile_in_its_own_deviations_has_the_same_shape():
    k = np.linspace(-1.0, 1.0, 41)
    v = 0.3 * (1.0 - 0.05 * k / 0.3 + 0.02 * (k / 0.3) ** 2)
    # Small, so that the drift of half a variance, which does not scale, is little beside it.
    smiles = [(0.1 * s * k, (0.1 * s * v) ** 2) for s in (1.0, 0.5)]
    large, small = (found.value for found in model_free_moments(smiles))
    assert small.skew == pytest.approx(large.skew, abs=0.02)
    assert small.kurtosis == pytest.approx(large.kurtosis, abs=0.02)


def swap_variances(smiles):
    return SwapStrips(smiles).rates([w for _, w in smiles])


@pytest.mark.parametrize("k", [[0.1, 0.2, 0.3], [-0.1, 0.1], []])
def test_quotes_that_cannot_have_moments_have_none_and_others_keep_theirs(k):
    few, good = (np.array(k), np.full(len(k), 0.09)), merton_quotes(0.8)
    assert model_free_moments([few, good]) == (None, *model_free_moments([good]))
    assert swap_variances([few, good]) == (None, *swap_variances([good]))
    assert model_free_moments([few]) == swap_variances([few]) == (None,)


def test_smiles_taken_together_are_those_taken_one_by_one():
    smiles = [merton_quotes(reach) for reach in (0.5, 0.8, 1.2)]
    one_by_one = [model_free_moments([smile])[0] for smile in smiles]
    for a, b in zip(model_free_moments(smiles), one_by_one, strict=True):
        # Sums over grids that begin elsewhere in memory may differ in the last place.
        for name in ("swap", "variance", "skew", "kurtosis"):
            assert getattr(a.value, name) == pytest.approx(getattr(b.value, name), rel=1e-12)
    swaps = [m.value.swap for m in one_by_one]
    # Read off another grid, which reaches less far.
    assert swap_variances(smiles) == pytest.approx(swaps, rel=1e-4)


@pytest.mark.parametrize("vol", np.linspace(0.1, 0.9, 33))
def test_a_flat_smile_has_its_own_variance_however_its_grid_falls(vol):
    # Middles of even grids come out as zero or as a rounding beside it, by chance of the ends.
    k = np.linspace(-0.3, 0.3, 13)
    (swap,) = swap_variances([(k, np.full(13, vol**2))])
    assert swap == pytest.approx(vol**2, rel=1e-7)


def test_a_strip_without_its_corner_is_refused():
    with pytest.raises(DomainError, match="corner"):
        moments_of_strip(np.array([-0.2, -0.1, 0.1, 0.2]), np.full(4, 0.01))
