"""Gauss-Legendre rules, computed once for each number of nodes."""

from __future__ import annotations

from functools import lru_cache

from scipy.special import roots_legendre

from monitor.arrays import FloatArray, frozen_floats


# An eigenvalue problem of a few milliseconds, and the same few dozen orders night after night.
@lru_cache(maxsize=1024)
def gauss_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights on [-1, 1], read-only, each of shape (n,).

    Examples
    --------
    >>> x, weight = gauss_legendre(3)
    >>> round(float(weight @ x**4), 15)  # 2 / 5: exact up to degree 5
    0.4
    """
    x, weight = roots_legendre(n)
    return frozen_floats(x), frozen_floats(weight)
