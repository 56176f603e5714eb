"""What no smooth curve explains: contrasts of neighbouring points, and how neighbours go together.

A contrast is a weighted sum of seven neighbours that is nothing for every cubic: a smooth curve
has no part in it, so that its size is noise, whatever the curve is and whoever fits it. Noise that
is itself smooth over seven points cannot be told from a curve by anyone, and is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray

WIDTH = 7
_ORDER = 3
_MIDDLE = WIDTH // 2
# A middle that the curve is bound to reproduce leaves only rounding to look at.
_LEAST_FREE = 1e-3
_RHO = np.linspace(-0.6, 0.95, 156)


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Contrasts of runs of neighbours, one for every point that has three on either side.

    Attributes
    ----------
    middle : ndarray of shape (c,)
        The point each contrast is about.
    weight : ndarray of shape (c, 7)
        On the points ``middle - 3 … middle + 3``, each over its scale; squares sum to one.
    value : ndarray of shape (c,)
        Its variance is that of the points' noise in units of their scale, if neighbours are
        independent.
    """

    middle: IntArray
    weight: FloatArray
    value: FloatArray

    @property
    def points(self) -> IntArray:
        """Return the seven points of each contrast, shape (c, 7)."""
        return self.middle[:, None] + np.arange(-_MIDDLE, WIDTH - _MIDDLE)


def contrasts_of(x: FloatArray, y: FloatArray, scale: FloatArray, group: IntArray) -> Contrasts:
    """Return the contrasts of noisy values on curves.

    Parameters
    ----------
    x, y, scale : ndarray of shape (n,)
        Abscissa, rising strictly within a group; value; a positive guess at its noise.
    group : ndarray of shape (n,)
        Which curve, non-decreasing. Curves of fewer than seven points have no contrast.
    """
    n = len(x)
    runs = max(n - WIDTH + 1, 0)
    first = np.flatnonzero(group[:runs] == group[n - runs :])
    at = first[:, None] + np.arange(WIDTH)
    if not len(at):
        return Contrasts(np.empty(0, np.int64), np.empty((0, WIDTH)), np.empty(0))
    position = (x[at] - x[at[:, :1]]) / (x[at[:, -1:]] - x[at[:, :1]])
    powers = (2.0 * position - 1.0)[:, :, None] ** np.arange(_ORDER + 1)
    basis = np.linalg.qr(powers / scale[at][:, :, None])[0]
    weight = -np.einsum("cip,cp->ci", basis, basis[:, _MIDDLE])
    weight[:, _MIDDLE] += 1.0
    free = weight[:, _MIDDLE]
    seen = free > _LEAST_FREE
    at, weight = at[seen], weight[seen] / np.sqrt(free[seen])[:, None]
    return Contrasts(at[:, _MIDDLE], weight, np.sum(weight * (y / scale)[at], axis=1))


def neighbour_correlation(contrasts: Contrasts) -> float | None:
    """Return rho of noise that goes together like rho^|i - j| along a curve; None where unknown.

    By moments: the products of neighbouring contrasts against their squares, as rho and the known
    weights have them. Between -0.6 and 0.95.
    """
    e, a, middle = contrasts.value, contrasts.weight, contrasts.middle
    beside = np.flatnonzero(np.diff(middle) == 1)
    squares = float(np.sum(e * e))
    if len(beside) < WIDTH or squares <= 0.0:
        return None
    # Within a curve middles run without a gap, but where one is left out or a curve ends.
    same = np.zeros(2 * WIDTH)
    next_ = np.zeros(2 * WIDTH)
    lags = np.abs(np.subtract.outer(np.arange(WIDTH), np.arange(WIDTH)))
    np.add.at(same, lags, a.T @ a)
    shifted = np.abs(np.subtract.outer(np.arange(WIDTH), np.arange(WIDTH) + 1))
    np.add.at(next_, shifted, a[beside].T @ a[beside + 1])
    powers = _RHO[:, None] ** np.arange(2 * WIDTH)
    expected = np.maximum.accumulate((powers @ next_) / (powers @ same))
    ratio = float(np.sum(e[beside] * e[beside + 1])) / squares
    return float(np.interp(ratio, expected, _RHO))


@lru_cache(maxsize=64)
def seen_share(rho: float) -> float:
    """Return which share of the variance of noise with neighbour correlation `rho` contrasts see.

    That of evenly spaced points of one scale: neighbours that go together look like a curve.
    """
    x = np.arange(float(WIDTH))
    one = np.ones(WIDTH)
    weight = contrasts_of(x, np.zeros(WIDTH), one, np.zeros(WIDTH, np.int64)).weight[0]
    lags = np.abs(np.subtract.outer(np.arange(WIDTH), np.arange(WIDTH)))
    return float(weight @ rho**lags @ weight)
