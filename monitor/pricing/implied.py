r"""The inverse of Black-76: total deviation v = sqrt(w) from a premium, with a reason where none.

An in-the-money premium is turned into the out-of-the-money one of the same strike, and a put at k
into a call at -k; what remains is one equation in v for x = \|k\| >= 0. It is solved by third-order
Householder steps on ln c below one half and on ln(1 - c) above, from a start that is exact at the
money and right in the limit of small premiums.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from monitor.arrays import FloatArray, IntArray
from monitor.pricing.black import INV_SQRT_2PI, SQRT_HALF, otm_call

_MAX_STEPS = 12


class InversionStatus(IntEnum):
    """Why a premium has an implied vol, or has none."""

    OK = 0
    ABSENT = 1  # premium or log-moneyness is NaN or infinite
    BELOW_INTRINSIC = 2  # below max(+-(1 - K/F), 0)
    ZERO_TIME_VALUE = 3  # exactly intrinsic value: zero deviation, and no information
    ABOVE_MAXIMUM = 4  # at or above 1 for a call, K/F for a put


def implied_deviation(
    k: FloatArray, c: FloatArray, sign: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return total deviations v = sigma sqrt(tau) of premiums, and a status each.

    Parameters
    ----------
    k : ndarray
        Log-moneyness ln(K/F).
    c : ndarray
        Undiscounted premium over forward, broadcast against `k`.
    sign : ndarray
        +1 call, -1 put, broadcast against `k`.

    Returns
    -------
    v : ndarray
        Total deviation; the implied vol is v / sqrt(tau). NaN where the status is not OK.
    status : ndarray of int64
        An `InversionStatus` each.

    Examples
    --------
    >>> v, status = implied_deviation(np.zeros(2), np.array([0.07965567455405798, 1.2]), np.ones(2))
    >>> v.round(12), status
    (array([0.2, nan]), array([0, 4]))
    """
    k, c, sign = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (k, c, sign)))
    with np.errstate(invalid="ignore", over="ignore"):
        intrinsic = np.maximum(-sign * np.expm1(k), 0.0)
        maximum = np.where(sign > 0.0, 1.0, np.exp(k))
        time_value = c - intrinsic
        status = np.select(
            [
                ~(np.isfinite(k) & np.isfinite(c) & np.isfinite(sign)),
                time_value < 0.0,
                time_value == 0.0,
                c >= maximum,
            ],
            [
                InversionStatus.ABSENT,
                InversionStatus.BELOW_INTRINSIC,
                InversionStatus.ZERO_TIME_VALUE,
                InversionStatus.ABOVE_MAXIMUM,
            ],
            InversionStatus.OK,
        ).astype(np.int64)
        ok = status == InversionStatus.OK
        x = np.abs(k[ok])
        normal = time_value[ok] * np.exp(np.maximum(-k[ok], 0.0))
    v = np.full(k.shape, np.nan)
    v[ok] = _otm_deviation(x, normal)
    return v, status


def _otm_deviation(x: FloatArray, c: FloatArray) -> FloatArray:
    """Return v with `otm_call`(x, v) = c for x >= 0, 0 < c < 1, both of shape (n,)."""
    with np.errstate(all="ignore"):
        v = _start(x, c)
        high = c > 0.5
        y = np.where(high, 1.0 - c, c)
        for _ in range(_MAX_STEPS):
            step = _householder(x, v, y, high)
            v_new = v + np.clip(step, -0.5 * v, v)
            done = np.abs(v_new - v) <= 4e-16 * v
            v = v_new
            if np.all(done | ~np.isfinite(step)):
                break
    return v


def _start(x: FloatArray, c: FloatArray) -> FloatArray:
    """Return a start: the normal model's inverse for small deviations, a quantile for large ones.

    The normal model of distance D = 2 sinh(x/2) in units of sqrt(K F) has b / D = n(g)/g - N(-g)
    with b = c exp(-x/2), and its g is h (1 + v^2/24) up to terms of fourth order in v.
    """
    distance = 2.0 * np.sinh(0.5 * x)
    ratio = c * np.exp(-0.5 * x) / distance
    g = np.interp(np.log1p(INV_SQRT_2PI / ratio), _NORMAL_U, _NORMAL_G)
    small = x / g
    # v / (1 + v^2/24) = x / g, by one fixed-point step, which cannot overshoot.
    small = small * (1.0 + np.minimum(small, 1.5) ** 2 / 24.0)
    # c is nearly linear in N(v/2) above the inflection point v^2 = 2 x; exactly so at the money.
    v_turn = np.sqrt(2.0 * x)
    c_turn = otm_call(x, v_turn)
    large = -2.0 * ndtri(ndtr(-0.5 * v_turn) * (1.0 - c) / (1.0 - c_turn))
    return np.where((small < 1.5) & (x > 0.0), small, np.maximum(large, v_turn))


def _normal_table() -> tuple[FloatArray, FloatArray]:
    """Return u = ln(1 + 1 / (sqrt(2 pi) r)) and g where r = n(g)/g - N(-g)."""
    g = np.concatenate([[0.0], np.geomspace(1e-8, 37.0, 4000)])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        r = np.exp(-0.5 * g * g) * (INV_SQRT_2PI / g - 0.5 * erfcx(g * SQRT_HALF))
        u = np.log1p(INV_SQRT_2PI / r)
    u[0] = 0.0
    return u, g


_NORMAL_U, _NORMAL_G = _normal_table()


def _householder(x: FloatArray, v: FloatArray, y: FloatArray, high: np.ndarray) -> FloatArray:
    """Return the third-order step in v towards ln y(v) = ln y."""
    c = otm_call(x, v)
    h, t = np.where(x == 0.0, 0.0, x / v), 0.5 * v
    value = np.where(high, 1.0 - c, c)
    slope = INV_SQRT_2PI * np.exp(-0.5 * (h - t) ** 2)
    q = np.where(high, -slope, slope) / value
    a = (h * h - t * t) / v
    a1 = -3.0 * h * h / (v * v) - 0.25
    newton = np.log(y / value) / q
    g2 = a - q
    g3 = a * a + a1 - 3.0 * q * a + 2.0 * q * q
    return newton * (1.0 + 0.5 * g2 * newton) / (1.0 + newton * (g2 + g3 * newton / 6.0))
