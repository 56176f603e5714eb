"""Every greek is the derivative it says it is, and one published ticker's digits come out."""

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.special import erfc

from monitor.conventions import tenor, to_ms
from monitor.pricing import greeks
from monitor.pricing.black import black_price

RNG = np.random.default_rng(20260205)
N = 400
K = RNG.uniform(-0.6, 0.6, N)
TAU = RNG.uniform(0.01, 2.0, N)
IV = RNG.uniform(0.25, 1.5, N)
W = IV * IV * TAU
SIGN = np.where(RNG.random(N) < 0.5, 1.0, -1.0)
# Options whose premium is nothing have derivatives that are nothing: no digits to compare.
ALIVE = np.abs(K) < 3.0 * np.sqrt(W)

H = 1e-20  # of a complex step: no cancellation, so the derivative is exact to rounding
_NODES = np.array([-3, -2, -1, 1, 2, 3])
_WEIGHTS = np.array([-1, 9, -45, 45, -9, 1]) / 60.0  # sixth order


def complex_price(k, w, sign):
    """Return Black-76 from its textbook form, which takes complex arguments."""
    v = np.sqrt(w)
    d1 = -k / v + 0.5 * v
    return sign * (_normal(sign * d1) - np.exp(k) * _normal(sign * (d1 - v)))


def _normal(z):
    return 0.5 * erfc(-z / np.sqrt(2.0))


def slope(function, step):
    """Return the derivative at 0 of a function of a shift, by a sixth-order difference."""
    return sum(c * function(i * step) for i, c in zip(_NODES, _WEIGHTS, strict=True)) / step


def close(got, want, rel):
    np.testing.assert_allclose(got[ALIVE], want[ALIVE], rtol=rel, atol=rel)


def test_delta_is_the_derivative_of_the_dollar_premium_by_the_forward():
    # C = F c(ln K/F): at F = 1, K = exp(k).
    moved = (1 + 1j * H) * complex_price(K - np.log(1 + 1j * H), W + 0j, SIGN)
    close(greeks.delta(K, W, SIGN), moved.imag / H, 1e-12)


def test_coin_delta_is_the_derivative_of_the_coin_premium_by_log_forward():
    moved = complex_price(K - 1j * H, W + 0j, SIGN)
    close(greeks.coin_delta(K, W, SIGN), moved.imag / H, 1e-12)
    by_difference = slope(lambda y: black_price(K - y, W, SIGN), 3e-3)
    close(greeks.coin_delta(K, W, SIGN), by_difference, 2e-7)


def test_smile_delta_is_the_derivative_while_the_smile_moves_with_the_forward():
    def variance(k):
        return TAU * (IV - 0.3 * (k - K) + 0.8 * (k - K) ** 2) ** 2

    w_slope = -0.6 * IV * TAU
    factor = 1 + 1j * H
    k = K - np.log(factor)
    moved = factor * complex_price(k, variance(k), SIGN)
    close(greeks.smile_delta(K, W, w_slope, SIGN), moved.imag / H, 1e-12)


def test_smile_delta_of_a_flat_smile_is_delta():
    flat = np.zeros(N)
    np.testing.assert_array_equal(greeks.smile_delta(K, W, flat, SIGN), greeks.delta(K, W, SIGN))


def test_gamma_is_the_change_of_delta_per_unit_of_log_forward():
    by_difference = slope(lambda y: greeks.delta(K - y, W, SIGN), 1e-3)
    close(greeks.gamma(K, W), by_difference, 1e-7)


def test_vega_is_the_derivative_of_the_premium_by_vol():
    moved = complex_price(K + 0j, (IV + 1j * H) ** 2 * TAU, SIGN)
    close(greeks.vega(K, W, TAU), moved.imag / H, 1e-12)


def test_vanna_is_the_derivative_of_delta_by_vol_and_of_vega_by_log_forward():
    def by_vol(x):
        return greeks.delta(K, (IV + x) ** 2 * TAU, SIGN)

    close(greeks.vanna(K, W, TAU), slope(by_vol, 1e-3), 1e-7)
    # d/dF (F dc/d sigma) = vega + d vega/d ln F.
    moved = slope(lambda y: greeks.vega(K - y, W, TAU), 1e-3)
    close(greeks.vanna(K, W, TAU), greeks.vega(K, W, TAU) + moved, 1e-7)


def test_volga_is_the_derivative_of_vega_by_vol():
    def vega(x):
        return greeks.vega(K, (IV + x) ** 2 * TAU, TAU)

    close(greeks.volga(K, W, TAU), slope(vega, 1e-3), 1e-7)


def test_theta_is_the_loss_of_premium_as_the_tenor_shortens():
    moved = complex_price(K + 0j, IV**2 * (TAU + 1j * H), SIGN)
    close(greeks.theta(K, W, TAU), -moved.imag / H, 1e-12)


def test_put_and_call_deltas_differ_by_one_and_coin_deltas_by_the_strike_over_the_forward():
    call, put = np.ones(N), -np.ones(N)
    np.testing.assert_allclose(greeks.delta(K, W, call) - greeks.delta(K, W, put), 1.0, rtol=1e-14)
    # c - p = 1 - K/F, so F d(c - p)/dF = K/F.
    gap = greeks.coin_delta(K, W, call) - greeks.coin_delta(K, W, put)
    np.testing.assert_allclose(gap, np.exp(K), rtol=1e-12)


def test_an_absent_variance_gives_absent_greeks():
    k, w, one = np.zeros(1), np.array([np.nan]), np.ones(1)
    for value in (
        greeks.delta(k, w, one),
        greeks.coin_delta(k, w, one),
        greeks.smile_delta(k, w, one, one),
        greeks.gamma(k, w),
        greeks.vega(k, w, one),
        greeks.vanna(k, w, one),
        greeks.volga(k, w, one),
        greeks.theta(k, w, one),
    ):
        assert np.isnan(value).all()


# Deribit, BTC-27SEP24-40000-C, 2023-11-10 05:18:31 UTC, as quoted in ccxt pull request 19908.
FORWARD = 39165.86  # underlying_price
TICKER_TAU = float(
    tenor(
        to_ms(datetime(2023, 11, 10, 5, 18, 31, tzinfo=UTC)),
        np.array([to_ms(datetime(2024, 9, 27, 8, tzinfo=UTC))]),
    )[0]
)
TICKER_K = np.log(40000.0 / FORWARD)
TICKER_W = np.array(0.6086**2 * TICKER_TAU)  # mark_iv 60.86, printed to four digits
CALL = np.array(1.0)


def test_the_published_ticker_has_these_greeks():
    # The printed vol is rounded by up to 5e-5, which vanna and volga turn into the tolerances.
    assert greeks.delta(TICKER_K, TICKER_W, CALL) == pytest.approx(0.59833, abs=1.5e-5)
    vega = FORWARD * greeks.vega(TICKER_K, TICKER_W, TICKER_TAU) / 100
    assert vega == pytest.approx(142.30122, rel=1e-5)
    theta = FORWARD * greeks.theta(TICKER_K, TICKER_W, TICKER_TAU) / 365
    assert theta == pytest.approx(-13.4441, rel=1e-4)


def test_smile_gamma_is_the_change_of_smile_delta_per_unit_of_log_forward():
    def smile(k):
        iv = IV - 0.3 * (k - K) + 0.8 * (k - K) ** 2
        return TAU * iv**2, 2 * TAU * iv * (-0.3 + 1.6 * (k - K)), iv

    def at(y):
        w, w_slope, _ = smile(K - y)
        return greeks.smile_delta(K - y, w, w_slope, SIGN)

    w, w_slope, iv = smile(K)
    w_curve = 2 * TAU * ((-0.3) ** 2 + iv * 1.6)
    close(greeks.smile_gamma(K, w, w_slope, w_curve), slope(at, 1e-3), 1e-6)


def test_black_greeks_agree_with_quantlibs_calculator():
    ql = pytest.importorskip("QuantLib")
    for k, w, tau, sign in list(zip(K, W, TAU, SIGN, strict=True))[:100]:
        kind = ql.Option.Call if sign > 0 else ql.Option.Put
        payoff = ql.PlainVanillaPayoff(kind, float(np.exp(k)))
        black = ql.BlackCalculator(payoff, 1.0, float(np.sqrt(w)))
        assert greeks.delta(k, w, sign) == pytest.approx(black.deltaForward(), abs=1e-12)
        assert greeks.gamma(k, w) == pytest.approx(black.gammaForward(), rel=1e-9)
        assert greeks.vega(k, w, tau) == pytest.approx(black.vega(float(tau)), rel=1e-9)
        assert greeks.theta(k, w, tau) == pytest.approx(black.theta(1.0, float(tau)), rel=1e-9)
