r"""What prices did within a window: variance, its continuous part, and whether there were jumps.

Of n returns r_i: realised variance is the sum of squares; bipower variation, the sum of products
of neighbours, does not see rare jumps; their difference is the jumps' part. Two tests: one of the
window (did it hold any jump?), one of each return (is it one?).

References
----------
.. [1] Barndorff-Nielsen, O. and Shephard, N. (2006). Econometrics of testing for jumps in financial
   economics using bipower variation. Journal of Financial Econometrics 4(1).
.. [2] Huang, X. and Tauchen, G. (2005). The relative contribution of jumps to total price variance.
   Journal of Financial Econometrics 3(4).
.. [3] Lee, S. and Mykland, P. (2008). Jumps in financial markets: a new nonparametric test and jump
   dynamics. Review of Financial Studies 21(6).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gamma, ndtr

from monitor.arrays import BoolArray, FloatArray
from monitor.errors import DomainError

_MU1 = np.sqrt(2.0 / np.pi)  # E|Z|
_MU43 = 2.0 ** (2.0 / 3.0) * gamma(7.0 / 6.0) / gamma(0.5)  # E|Z|^(4/3)
_RATIO = 0.25 * np.pi**2 + np.pi - 5.0
LEAST = 10  # returns


@dataclass(frozen=True)
class Realised:
    """The variation of one window, not annualised.

    Attributes
    ----------
    n : int
        Returns.
    variance : float
        Sum of squares.
    variance_error : float
        Its standard error as a measure of integrated variance.
    bipower : float
    jump_share : float
        One less bipower over realised variance; negative where chance has it so.
    jump_share_error : float
        Its standard error where there is no jump.
    """

    n: int
    variance: float
    variance_error: float
    bipower: float
    jump_share: float
    jump_share_error: float

    @property
    def jump_z(self) -> float:
        """The ratio statistic of Huang and Tauchen: standard normal without jumps."""
        return self.jump_share / self.jump_share_error


def realised(returns: FloatArray) -> Realised:
    """Return the variation of a window of log returns, shape (n,), evenly spaced.

    Raises
    ------
    DomainError
        With fewer than ten returns, or if nothing moved.
    """
    n = len(returns)
    size = np.abs(returns)
    variance = float(np.sum(size**2))
    bipower = float(np.sum(size[1:] * size[:-1]) * n / (n - 1) / _MU1**2) if n > 1 else 0.0
    if n < LEAST or not variance > 0.0 or not bipower > 0.0:
        raise DomainError(f"{n} returns of which too few move: {LEAST} moving ones are needed")
    triple = (size[2:] * size[1:-1] * size[:-2]) ** (4.0 / 3.0)
    quarticity = float(n * _MU43**-3 * np.sum(triple) * n / (n - 2))
    share_error = np.sqrt(_RATIO / n * max(1.0, quarticity / bipower**2))
    return Realised(
        n=n,
        variance=variance,
        variance_error=float(np.sqrt(2.0 / 3.0 * np.sum(size**4))),
        bipower=bipower,
        jump_share=1.0 - bipower / variance,
        jump_share_error=float(share_error),
    )


def jumps_among(returns: FloatArray, *, window: int, level: float = 0.01) -> BoolArray:
    """Return which returns are jumps by Lee and Mykland's test, shape (n,).

    Parameters
    ----------
    returns : ndarray of shape (n,)
    window : int
        Returns before each that its local deviation is learnt from; the first have no test.
    level : float
        Chance that a path of constant variance without jumps shows any; on one whose variance
        wanders by a third within the window it is about five times that.
    """
    n = len(returns)
    found = np.zeros(n, np.bool_)
    if window < 3 or n <= window:
        return found
    size = np.abs(returns)
    pairs = np.concatenate([[0.0], np.cumsum(size[1:] * size[:-1])])  # pairs[i]: up to return i
    i = np.arange(window, n)
    # K - 2 products of neighbours among the K - 1 returns before i.
    local = np.sqrt((pairs[i - 1] - pairs[i - window + 1]) / (window - 2))
    limit = _jump_limit(len(i), window, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        found[i] = np.where(local > 0.0, size[i] / local > limit, False)
    return found


@lru_cache(maxsize=64)
def _jump_limit(tested: int, window: int, level: float) -> float:
    """Return the size in units of local bipower deviation beyond which a return is a jump.

    Lee and Mykland's Gumbel limit, or the one that allows for the error of a local deviation learnt
    from `window` returns where that is larger: without it their own choice of window calls several
    times too many.
    """
    root = np.sqrt(2.0 * np.log(max(tested, 3)))
    centre = root / _MU1 - (np.log(np.pi) + np.log(np.log(max(tested, 3)))) / (2.0 * _MU1 * root)
    gumbel = float(centre - np.log(-np.log(1.0 - level)) / (_MU1 * root))
    # Products of neighbours: the deviation's logarithm has a variance of 0.652 over their number.
    spread = np.sqrt((_MU1**-4 - 1.0 + 2.0 * (_MU1**-2 - 1.0)) / (4.0 * window))
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    factor = np.exp(spread * nodes)
    allowed = -np.expm1(np.log1p(-level) / tested)

    def excess(limit: float) -> float:
        # A bipower deviation is mu_1 times the returns' own.
        chance = 2.0 * ndtr(-limit * _MU1 * factor)
        return float(weights @ chance / weights.sum()) - allowed

    low, high = gumbel, 4.0 * gumbel
    if excess(low) <= 0.0:
        return gumbel
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return float(high)
