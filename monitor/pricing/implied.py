r"""The inverse of Black-76: total deviation v = sqrt(w) from a premium, with a reason where none.

An in-the-money premium becomes the out-of-the-money one of the same strike, a put at k a call at
-k; what remains is one equation in v for x = \|k\| >= 0 and 0 < c < 1. In the coordinates

.. math:: u = \ln\Bigl(1 + \frac{e^x - 1}{c\sqrt{2\pi}}\Bigr), \qquad s = x - \ln(1 - c)

the quotient v/s is so smooth, from premiums of 1e-300 up to nearly the forward, that bilinear
interpolation in one table (over ln(1 + u) and sqrt(s)) is right to 1e-4, and one Householder step
of fourth order on ln c then reaches the last digits. *Refused:* iterating from a formula's guess,
which costs two to four evaluations of the error function instead of one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.pricing.black import INV_SQRT_2PI, otm_call

Call = Callable[[FloatArray, FloatArray], FloatArray]
"""Premium over forward of a call at log-moneyness x >= 0 and deviation v, as `otm_call`."""

# Ends of the table: u = 708 is the smallest normal premium, s = 16 a deviation of 11 at the money
# (1000 % vol for a year and more). A coarse table gives the starts for making the fine one.
_U_MAX, _S_MAX = 708.0, 16.0
_I_MAX, _J_MAX = float(np.log1p(_U_MAX)), float(np.sqrt(_S_MAX))
_FINE, _COARSE = (512, 176), (48, 24)
_BISECTIONS = 24  # of ln v from -715 to 6: to 4e-5
# Work on so many points at a time that a core's cache holds them.
_CHUNK = 8192
# Of intrinsic value: below this a time value is rounding.
_ROUNDING = 4e-16


class InversionStatus(IntEnum):
    """Why a premium has an implied vol, or has none."""

    OK = 0
    ABSENT = 1  # premium, log-moneyness or sign is NaN or infinite
    BELOW_INTRINSIC = 2  # below max(+-(1 - K/F), 0)
    ZERO_TIME_VALUE = 3  # intrinsic value to rounding: zero deviation, and no information
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

    Notes
    -----
    Relative error: a few units in the last place of `v`, plus those that the premium's own
    rounding leaves, which grow as the premium nears its maximum or its intrinsic value.

    Examples
    --------
    >>> v, status = implied_deviation(np.zeros(2), np.array([0.07965567455405798, 1.2]), np.ones(2))
    >>> v.round(12), status
    (array([0.2, nan]), array([0, 4]))
    """
    k, c, sign = (np.asarray(a, dtype=np.float64) for a in (k, c, sign))
    if not k.shape == c.shape == sign.shape:
        k, c, sign = np.broadcast_arrays(k, c, sign)
    shape = k.shape
    k, c, sign = k.ravel(), c.ravel(), sign.ravel()
    v, status = np.empty(k.size), np.empty(k.size, np.int64)
    with np.errstate(all="ignore"):
        for start in range(0, k.size, _CHUNK):
            at = slice(start, start + _CHUNK)
            v[at], status[at] = _invert(k[at], c[at], sign[at])
    return v.reshape(shape), status.reshape(shape)


def _invert(k: FloatArray, c: FloatArray, sign: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return deviations and statuses of one chunk."""
    x = np.abs(k)
    growth = np.expm1(x)
    left = k < 0.0
    inside = left == (sign > 0.0)
    # A put at -x is exp(-x) calls at x; an option in the money owns its intrinsic value as well.
    otm = np.where(left, c + c * growth, c)
    otm = np.where(inside, otm - growth, otm)
    v = otm_deviation(x, otm, growth)
    # The comparison that NaN fails too.
    wrong = ~(
        (otm > _ROUNDING * growth * inside) & (otm < 1.0) & np.isfinite(x) & (sign * sign > 0)
    )
    status = np.zeros(k.shape, np.int64)
    if np.any(wrong):
        v[wrong] = np.nan
        status[wrong] = _reasons(k[wrong], c[wrong], sign[wrong], otm[wrong], growth[wrong])
    return v, status


def _reasons(
    k: FloatArray, c: FloatArray, sign: FloatArray, otm: FloatArray, growth: FloatArray
) -> IntArray:
    """Return the status of premiums that have no implied vol."""
    known = np.isfinite(k) & np.isfinite(c) & np.isfinite(sign) & (sign != 0.0)
    return np.select(
        [~known, otm >= 1.0, np.abs(otm) <= _ROUNDING * growth],
        [InversionStatus.ABSENT, InversionStatus.ABOVE_MAXIMUM, InversionStatus.ZERO_TIME_VALUE],
        InversionStatus.BELOW_INTRINSIC,
    ).astype(np.int64)


def otm_deviation(
    x: FloatArray, c: FloatArray, growth: FloatArray, call: Call = otm_call
) -> FloatArray:
    """Return v with `otm_call`(x, v) = c for x >= 0 and 0 < c < 1; NaN elsewhere.

    All of shape (n,), ``growth`` = exp(x) - 1. For callers that know their premiums; everyone else
    wants `implied_deviation`. By `otm_call_quick` it is good to twelve digits, in a third of the
    time.
    """
    u = np.log1p(growth * INV_SQRT_2PI / c)
    s = x - np.log1p(-c)
    inside = (u < _U_MAX) & (s < _S_MAX)
    if np.all(inside):
        v = s * _interpolated(u, s, _FINE)
        return v + _step(x, v, c, call)
    v, out = np.empty(x.shape), ~inside
    v[out] = _searched(x[out], c[out])
    x, c, s = x[inside], c[inside], s[inside]
    near = s * _interpolated(u[inside], s, _FINE)
    v[inside] = near + _step(x, near, c, call)
    return v


def _interpolated(u: FloatArray, s: FloatArray, steps: tuple[int, int]) -> FloatArray:
    """Return v / s at (u, s) by bilinear interpolation in the table of that size."""
    i, j = np.log1p(u) * (steps[0] / _I_MAX), np.sqrt(s) * (steps[1] / _J_MAX)
    row, column = i.astype(np.int64), j.astype(np.int64)
    i -= row
    j -= column
    table = _table(steps)
    row *= steps[1] + 2
    row += column
    low, high = table.take(row), table.take(row + 1)
    row += steps[1] + 2
    far, beyond = table.take(row), table.take(row + 1)
    low += j * (high - low)
    far += j * (beyond - far)
    low += i * (far - low)
    return low


def _step(x: FloatArray, v: FloatArray, c: FloatArray, call: Call = otm_call) -> FloatArray:
    """Return the Householder step of fourth order in v towards ln c(v) = ln c."""
    value = call(x, v)
    h, t = x / v, 0.5 * v
    A = h - t
    a = (h + t) * A
    q = A * A
    q *= -0.5
    np.exp(q, out=q)
    q *= INV_SQRT_2PI
    q /= value  # d ln c / dv
    a /= v  # c'' / c'
    h /= v
    newton = np.log1p((c - value) / value)
    newton /= q
    third = q + q
    third -= 3.0 * a
    third *= q
    third += a * a
    third -= 0.25
    h *= h
    h *= 3.0
    third -= h
    third *= newton
    third *= 1.0 / 6.0
    a -= q  # the second derivative of ln c over the first
    third += a
    third *= newton
    third += 1.0
    a *= newton
    a *= 0.5
    a += 1.0
    newton *= a
    newton /= third
    return newton


@lru_cache(maxsize=2)
def _table(steps: tuple[int, int]) -> FloatArray:
    """Return v / s at the nodes of ln(1 + u) and sqrt(s), row by row, one beyond each end."""
    u = np.expm1(np.arange(steps[0] + 2) * (_I_MAX / steps[0]))[:, None]
    u = np.minimum(u, _U_MAX)
    # s = 0 is the normal model's limit, reached long before 1e-9.
    s = np.maximum((np.arange(steps[1] + 2) * (_J_MAX / steps[1])) ** 2, 1e-9)
    with np.errstate(all="ignore"):
        ratio = np.expm1(u) / INV_SQRT_2PI  # (exp(x) - 1) / c
        c = np.expm1(s) / (ratio + np.exp(s))
        x = np.log1p(ratio * c)
        u, s = np.broadcast_to(u, x.shape).ravel(), np.broadcast_to(s, x.shape).ravel()
        x, c = x.ravel(), c.ravel()
        if steps == _COARSE:
            v = _searched(x, c)
        else:
            inside = 1.0 - 1e-6
            v = s * _interpolated(
                np.minimum(u, inside * _U_MAX), np.minimum(s, inside * _S_MAX), _COARSE
            )
            for _ in range(2):
                v += _step(x, v, c)
        table: FloatArray = v / s
    return table


def _searched(x: FloatArray, c: FloatArray) -> FloatArray:
    """Return v by bisection and Householder steps: slow, and good everywhere."""
    low, high = np.full(x.shape, -715.0), np.full(x.shape, 6.0)  # ln v, all doubles and v = 400
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        below = otm_call(x, np.exp(middle)) < c
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    v = np.exp(0.5 * (low + high))
    for _ in range(3):
        step = _step(x, v, c)
        v = np.where(np.abs(step) < 0.1 * v, v + step, v)
    return np.where((c > 0.0) & (c < 1.0), v, np.nan)
