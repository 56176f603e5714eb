from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.pricing.black import black_price, black_vega
from monitor.pricing.implied import InversionStatus, implied_deviation
from tests.pricing.exact import black_exact


def test_inversion_of_exact_premiums_is_right_to_1e_15_over_the_published_grid():
    # The grid of the published comparison: log-moneyness +-1.5, total deviation 0.01 to 3. The
    # best peer reaches 8.9e-16 there, the next 9.8e-15.
    rng = np.random.default_rng(11)
    k, v = rng.uniform(-1.5, 1.5, 1500), np.exp(rng.uniform(np.log(0.01), np.log(3.0), 1500))
    sign = np.where(k >= 0.0, 1.0, -1.0)
    c = np.array([float(black_exact(*a)) for a in zip(k, v, sign, strict=True)])
    seen = c > 1e-300
    found, status = implied_deviation(k, c, sign)
    assert np.all(status[seen] == InversionStatus.OK)
    assert np.max(np.abs(found[seen] / v[seen] - 1.0)) < 1.2e-15


def test_inversion_undoes_the_premium_on_a_hundred_thousand_points():
    k, v = (a.ravel() for a in np.meshgrid(np.linspace(-1.5, 1.5, 421), np.geomspace(0.01, 3, 260)))
    sign = np.where(k >= 0.0, 1.0, -1.0)
    c = black_price(k, v * v, sign)
    seen = c > 1e-300
    found, status = implied_deviation(k[seen], c[seen], sign[seen])
    assert len(found) > 90_000
    assert np.all(status == InversionStatus.OK)
    # Twice the inversion's own error: the premium is rounded too.
    assert np.max(np.abs(found / v[seen] - 1.0)) < 2.5e-15


@given(st.floats(-8.0, 8.0), st.floats(1e-4, 30.0))
def test_inversion_holds_far_outside_the_market_as_far_as_rounding_allows(k, v):
    sign = np.array(1.0 if k >= 0.0 else -1.0)
    c = black_price(np.array(k), np.array(v * v), sign)
    maximum = 1.0 if k >= 0.0 else np.exp(k)
    found, status = implied_deviation(np.array(k), c, sign)
    if c < 1e-305:
        return  # no digits left in a denormal premium
    if status == InversionStatus.ABOVE_MAXIMUM:
        assert c >= maximum * (1 - 4e-16)
        return
    assert status == InversionStatus.OK
    # One unit in the premium's last place, over its slope, and a few of the deviation's own.
    with np.errstate(divide="ignore"):
        unit = 4e-16 * c / (v * black_vega(np.array(k), np.array(v * v)))
    if unit < 0.1:
        assert abs(found / v - 1.0) < 4.0 * unit + 3e-15


@given(st.floats(-0.5, 0.5), st.floats(0.05, 2.0))
def test_an_option_in_the_money_has_the_vol_of_the_other_side(k, v):
    sign = np.array(-1.0 if k >= 0.0 else 1.0)
    c = black_price(np.array(k), np.array(v * v), sign)
    found, status = implied_deviation(np.array(k), c, sign)
    if status == InversionStatus.OK:
        lost = 1e-15 / (v * float(black_vega(np.array(k), np.array(v * v))) + 1e-300)
        assert abs(found / v - 1.0) < 4.0 * lost + 1e-14
    else:
        assert status == InversionStatus.ZERO_TIME_VALUE


OK = InversionStatus.OK


@pytest.mark.parametrize(
    ("k", "c", "sign", "status"),
    [
        (0.1, np.nan, 1.0, InversionStatus.ABSENT),
        (np.nan, 0.1, 1.0, InversionStatus.ABSENT),
        (np.inf, 0.1, 1.0, InversionStatus.ABSENT),
        (0.1, np.inf, 1.0, InversionStatus.ABSENT),
        (0.1, 0.1, np.nan, InversionStatus.ABSENT),
        (0.1, -0.01, 1.0, InversionStatus.BELOW_INTRINSIC),
        (-0.5, 0.3, 1.0, InversionStatus.BELOW_INTRINSIC),  # a call worth at least 0.393
        (0.5, 0.6, -1.0, InversionStatus.BELOW_INTRINSIC),  # a put worth at least 0.649
        (0.1, 0.0, 1.0, InversionStatus.ZERO_TIME_VALUE),
        (0.0, 0.0, -1.0, InversionStatus.ZERO_TIME_VALUE),
        (-0.5, -np.expm1(-0.5), 1.0, InversionStatus.ZERO_TIME_VALUE),
        (0.5, np.expm1(0.5), -1.0, InversionStatus.ZERO_TIME_VALUE),
        (0.1, 1.0, 1.0, InversionStatus.ABOVE_MAXIMUM),
        (0.1, 1.2, -1.0, InversionStatus.ABOVE_MAXIMUM),  # exp(0.1) = 1.105
        (-0.1, 0.95, -1.0, InversionStatus.ABOVE_MAXIMUM),  # exp(-0.1) = 0.905
        (0.1, 0.999999, 1.0, OK),
        (0.1, 1e-290, 1.0, OK),
        (0.0, 1e-12, 1.0, OK),
        (-1.0, 0.9, 1.0, OK),
    ],
)
def test_every_premium_without_a_vol_has_its_reason(k, c, sign, status):
    v, found = implied_deviation(np.array(k), np.array(c), np.array(sign))
    assert InversionStatus(int(found)) is status
    assert np.isfinite(v) == (status is OK)


def test_one_bad_premium_does_not_touch_its_neighbours():
    k = np.linspace(-0.3, 0.3, 7)
    c = black_price(k, np.full(7, 0.09), np.ones(7))
    c[3] = 2.0
    v, status = implied_deviation(k, c, np.ones(7))
    assert status.tolist() == [0, 0, 0, 4, 0, 0, 0]
    np.testing.assert_allclose(np.delete(v, 3), 0.3, rtol=1e-14)


def test_no_premiums_give_no_vols():
    v, status = implied_deviation(np.empty(0), np.empty(0), np.empty(0))
    assert v.shape == status.shape == (0,)
