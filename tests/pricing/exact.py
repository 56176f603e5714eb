"""Black-76 in forty digits: the slow, obvious twin."""

from __future__ import annotations

import mpmath

mpmath.mp.dps = 40


def black_exact(k: float, v: float, sign: float) -> mpmath.mpf:
    """Return the undiscounted premium over forward of a call (+1) or put (-1)."""
    k, v, sign = (mpmath.mpf(a) for a in (k, v, sign))
    d1 = -k / v + v / 2

    def normal(z: mpmath.mpf) -> mpmath.mpf:
        return mpmath.erfc(-z / mpmath.sqrt(2)) / 2

    return sign * (normal(sign * d1) - mpmath.exp(k) * normal(sign * (d1 - v)))
