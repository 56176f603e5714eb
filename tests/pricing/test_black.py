from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.pricing.black import (
    black_price,
    black_variance_vega,
    black_vega,
    otm_call,
    otm_call_quick,
)
from monitor.pricing.implied import otm_deviation
from tests.pricing.exact import black_exact

MONEYNESS = st.floats(-3.0, 3.0)
DEVIATION = st.floats(1e-3, 6.0)


@given(MONEYNESS, DEVIATION)
def test_put_call_parity_holds_for_any_total_variance(k, v):
    call, put = black_price(np.array(k), np.array(v * v), np.array([1.0, -1.0]))
    assert call - put == pytest.approx(-np.expm1(k), rel=1e-14, abs=1e-15)


@given(MONEYNESS, DEVIATION)
def test_premium_lies_between_intrinsic_value_and_maximum(k, v):
    call, put = black_price(np.array(k), np.array(v * v), np.array([1.0, -1.0]))
    assert max(-np.expm1(k), 0.0) <= call <= 1.0
    assert max(np.expm1(k), 0.0) <= put <= np.exp(k)


@given(st.floats(0.01, 2.0))
def test_a_call_falls_with_strike_and_is_convex_in_it(v):
    strike = np.linspace(0.2, 4.0, 191)
    c = black_price(np.log(strike), np.array(v * v), np.array(1.0))
    slope = np.diff(c) / np.diff(strike)
    # 1e-13: rounding of c over a strike step of 0.02.
    assert np.all(slope <= 1e-13) and np.all(slope >= -1.0 - 1e-13)
    assert np.all(np.diff(slope) >= -1e-13)


@given(MONEYNESS, st.floats(0.0, 4.0), st.floats(0.0, 4.0))
def test_premium_never_falls_with_variance(k, low, high):
    low, high = sorted((low, high))
    c = black_price(np.array(k), np.array([low, high]), np.array(1.0))
    assert c[1] >= c[0] * (1 - 4e-16)


def test_premium_agrees_with_forty_digits_up_to_the_condition_of_the_problem():
    rng = np.random.default_rng(7)
    k = np.concatenate([rng.uniform(-1.5, 1.5, 400), rng.uniform(-0.05, 0.05, 100)])
    v = np.exp(rng.uniform(np.log(0.005), np.log(6.0), 500))
    sign = np.where(k >= 0.0, 1.0, -1.0)
    exact = [black_exact(*a) for a in zip(k, v, sign, strict=True)]
    c = black_price(k, v * v, sign)
    seen = [(i, float(c[i] / e - 1)) for i, e in enumerate(exact) if e > 1e-300]
    # v*v is rounded on the way in: half a unit of w moves ln c by (k/v)^2 of it.
    worst = max(abs(error) / (1.0 + (k[i] / v[i]) ** 2) for i, error in seen)
    assert len(seen) > 400
    assert worst < 2e-15


@pytest.mark.parametrize(
    ("k", "w", "sign", "value"),
    [
        (0.0, 0.0, 1.0, 0.0),
        (0.3, 0.0, 1.0, 0.0),
        (-0.3, 0.0, 1.0, -np.expm1(-0.3)),
        (0.3, 0.0, -1.0, np.expm1(0.3)),
        (0.0, 1e4, 1.0, 1.0),
        (-2.0, 1e4, -1.0, np.exp(-2.0)),
        (8.0, 1e-4, 1.0, 0.0),
    ],
)
def test_premium_at_the_ends_of_variance_is_its_limit(k, w, sign, value):
    assert float(black_price(np.array(k), np.array(w), np.array(sign))) == value


@pytest.mark.parametrize("bad", [(np.nan, 0.1, 1.0), (0.1, np.nan, 1.0), (0.1, -0.1, 1.0)])
def test_nan_and_negative_variance_give_nan(bad):
    assert np.isnan(black_price(*(np.array(a) for a in bad)))


@given(st.floats(-1.0, 1.0), st.floats(0.05, 2.0))
def test_vega_is_the_slope_of_the_premium(k, v):
    step = 1e-4
    up, low = black_price(np.array(k), np.array([(v + step) ** 2, (v - step) ** 2]), np.array(1.0))
    # 1e-7: third derivative times step squared, at most 1 / v^2.
    slope = (up - low) / (2 * step)
    assert float(black_vega(np.array(k), np.array(v * v))) == pytest.approx(slope, abs=1e-5)
    by_variance = float(black_variance_vega(np.array(k), np.array(v * v)))
    assert by_variance == pytest.approx(slope / (2 * v), abs=1e-4)


def test_premium_keeps_the_shape_of_its_arguments():
    k = np.zeros((3, 1))
    assert black_price(k, np.full((1, 4), 0.04), np.array(1.0)).shape == (3, 4)


def test_the_quick_premium_and_its_inverse_are_right_to_twelve_digits():
    v = np.exp(np.linspace(np.log(0.005), np.log(3.0), 200))[:, None]
    x = np.abs(np.linspace(0.0, 6.0, 61)) * v
    v = np.broadcast_to(v, x.shape)
    exact = otm_call(x, v)
    np.testing.assert_allclose(otm_call_quick(x, v), exact, rtol=2e-12)
    priced = exact < 1.0
    back = otm_deviation(x[priced], exact[priced], np.expm1(x[priced]), otm_call_quick)
    np.testing.assert_allclose(back, v[priced], rtol=1e-12)
