r"""Black-76 in dimensionless form: the premium over the forward as a function of k and w.

With v = sqrt(w), h = \|k\|/v and t = v/2 the out-of-the-money premium of a call at k >= 0 is

.. math:: c = \tfrac12 e^{-(h-t)^2/2}\{E(h-t) - E(h+t)\}, \qquad E(z) = \mathrm{erfcx}(z/\sqrt2),

the put at k <= 0 is exp(k) times the call at -k, and the in-the-money side adds intrinsic value.
Written so, a premium of 1e-300 keeps as many digits as its arguments determine.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, ndtr

from monitor.arrays import FloatArray

SQRT_HALF = 0.7071067811865476
SQRT_2_OVER_PI = 0.7978845608028654
INV_SQRT_2PI = 0.3989422804014327

# Below both, E(h-t) - E(h+t) loses digits and its Taylor series in t does not: the loss of the
# difference, seen from the implied vol, is about 1 / (4 t) units in the last place at the money
# and 1 / (2 h t) = 1 / k away from it.
_SERIES_T = 0.25
_SERIES_K = 0.5
_SERIES_TERMS = 8


def black_price(k: FloatArray, w: FloatArray, sign: FloatArray) -> FloatArray:
    """Return the undiscounted Black-76 premium over the forward, c = C / (D F).

    Parameters
    ----------
    k : ndarray
        Log-moneyness ln(K/F).
    w : ndarray
        Total variance, broadcast against `k`. Zero gives intrinsic value.
    sign : ndarray
        +1 call, -1 put, broadcast against `k`.

    Returns
    -------
    ndarray
        Premium over forward. NaN where an argument is NaN or `w` is negative.

    Notes
    -----
    The relative error is a few units in the last place times the condition of the problem,
    1 + k^2/w, down to the smallest normal double.

    References
    ----------
    .. [1] Black, F. (1976). The pricing of commodity contracts. Journal of Financial Economics 3.
    .. [2] Jaeckel, P. (2015). Let's be rational. Wilmott 2015(75), sections 2 and 6.

    Examples
    --------
    >>> float(black_price(np.array(0.0), np.array(0.04), np.array(1.0)).round(12))
    0.079655674554
    """
    k, w, sign = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (k, w, sign)))
    with np.errstate(invalid="ignore"):
        v = np.sqrt(w)
    otm = otm_call(np.abs(k), v) * np.exp(np.minimum(k, 0.0))
    # -expm1(k) is 1 - K/F without the cancellation of nearly equal numbers.
    return otm + np.maximum(-sign * np.expm1(k), 0.0)


def black_vega(k: FloatArray, w: FloatArray) -> FloatArray:
    """Return dc / d sqrt(w), the same for call and put.

    The derivative by implied vol is this times sqrt(tau).

    Parameters
    ----------
    k, w : ndarray
        Log-moneyness and total variance, broadcast against each other.

    Returns
    -------
    ndarray
        n(d1) with d1 = -k / sqrt(w) + sqrt(w) / 2. NaN where an argument is NaN or `w` negative.

    Examples
    --------
    >>> float(black_vega(np.array(0.0), np.array(0.04)).round(12))
    0.396952547477
    """
    k, w = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (k, w)))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        v = np.sqrt(w)
        h = np.where(k == 0.0, 0.0 * v, k / v)
        return INV_SQRT_2PI * np.exp(-0.5 * (h - 0.5 * v) ** 2)


def black_variance_vega(k: FloatArray, w: FloatArray) -> FloatArray:
    """Return dc / dw, the derivative by total variance: `black_vega` / (2 sqrt(w)).

    Infinite at k = 0, w = 0, where the premium has no derivative by variance.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        v = np.sqrt(np.asarray(w, dtype=np.float64))
        return np.where(v > 0.0, black_vega(k, w) / (2.0 * v), np.where(k == 0.0, np.inf, 0.0 * v))


def otm_call(x: FloatArray, v: FloatArray) -> FloatArray:
    """Return the premium over forward of a call at log-moneyness `x` >= 0, deviation `v` >= 0.

    Both of one shape. NaN where an argument is NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        h = np.where(x == 0.0, 0.0 * v, x / v)
        t = 0.5 * v
        A = h - t
        gauss = 0.5 * np.exp(-0.5 * A * A)
        upper = erfcx((h + t) * SQRT_HALF)
        # erfcx overflows below -26; there the first term is the normal integral itself.
        c = np.where(
            A > 0.0,
            gauss * (erfcx(np.maximum(A, 0.0) * SQRT_HALF) - upper),
            ndtr(-A) - gauss * upper,
        )
        # v = 0 away from the money: exp(-inf) times a finite difference, exactly zero.
        c = np.where(np.isinf(h), 0.0, c)
        small = (t < _SERIES_T) & (x < _SERIES_K) & (h < 40.0)
        if np.any(small):
            c = np.array(c)
            c[small] = gauss[small] * small_deviation_difference(h[small], t[small])
    return c


def small_deviation_difference(h: FloatArray, t: FloatArray) -> FloatArray:
    """Return E(h-t) - E(h+t) by its odd Taylor series in `t`.

    For t < 0.25 and h t < 0.25. The derivatives of E follow from E' = h E - sqrt(2/pi) and
    E^(n+1) = h E^(n) + n E^(n-1).
    """
    even = erfcx(h * SQRT_HALF)
    odd = h * even - SQRT_2_OVER_PI
    power = 2.0 * t
    total = power * odd
    t2 = t * t
    for n in range(1, 2 * _SERIES_TERMS, 2):
        even = h * odd + n * even
        odd = h * even + (n + 1) * odd
        power = power * t2 / ((n + 1) * (n + 2))
        total = total + power * odd
    return -total
