r"""What a smile says of the law of x = ln(S_T / F): its density, and moments without a model.

With w(k) the total variance, d2 = -k/v - v/2, v = sqrt(w), and Durrleman's

.. math:: g(k) = \Bigl(1 - \frac{k w'}{2w}\Bigr)^2 - \frac{w'^2}{4}\Bigl(\frac1w + \frac14\Bigr)
   + \frac{w''}{2}

the density of x is g n(d2) / v (Breeden and Litzenberger, in these coordinates), and P(x < k) is
N(-d2) + n(d2) w' / (2 v). By Carr and Madan's spanning every power of x is a strip of
out-of-the-money options, c their premium over the forward:

.. math:: E\,x^n = \int \{n(n-1)k^{n-2} - n k^{n-1}\}\,c(k)\,e^{-k}\,dk

from which come the variance swap -2 E x and Bakshi, Kapadia and Madan's skewness and kurtosis.

Quotes end somewhere. What lies beyond is bracketed: nothing at all; vol that stays what it was at
the last quote; total variance that goes on rising in a straight line. The middle one is the value,
the furthest of the others its truncation error. *Refused:* a bound without an assumption: above it
exists (a call falls with its strike, so its strip is worth at most c exp(-k) at the last quote),
below there is none, for any mass at zero makes the variance infinite.

References
----------
.. [1] Breeden, D. and Litzenberger, R. (1978). Prices of state-contingent claims implicit in option
   prices. Journal of Business 51(4).
.. [2] Carr, P. and Madan, D. (1998). Towards a theory of volatility trading.
.. [3] Bakshi, G., Kapadia, N. and Madan, D. (2003). Stock return characteristics, skew laws, and
   the differential pricing of individual equity options. Review of Financial Studies 16(1).
.. [4] Jiang, G. and Tian, Y. (2005). The model-free implied volatility and its information content.
   Review of Financial Studies 18(4): truncation and discretisation of the strip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from monitor.arrays import FloatArray
from monitor.errors import DomainError
from monitor.pricing.black import INV_SQRT_2PI
from monitor.pricing.strips import Smile, Strips, continued, premiums_on, reaches_round

# Slopes of total variance stay below Lee's bound of 2, at which no moment is left.
_SLOPE_MAX = 1.9


def derivatives(w: FloatArray, h: float) -> tuple[FloatArray, FloatArray]:
    """Return w' and w'' on an even grid of step `h`, of fourth order; shape as `w`, (..., n).

    The two points at either end are NaN: they have no neighbours.
    """
    w = np.asarray(w, dtype=np.float64)
    slope, curve = np.full_like(w, np.nan), np.full_like(w, np.nan)
    a, b, c, d, e = (w[..., i : w.shape[-1] - 4 + i] for i in range(5))
    slope[..., 2:-2] = (a - 8.0 * b + 8.0 * d - e) / (12.0 * h)
    curve[..., 2:-2] = (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * h * h)
    return slope, curve


def durrleman(k: FloatArray, w: FloatArray, slope: FloatArray, curve: FloatArray) -> FloatArray:
    """Return Durrleman's g from total variance and its derivatives by k, elementwise."""
    bend: FloatArray = (
        (1.0 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1.0 / w + 0.25) + 0.5 * curve
    )
    return bend


def risk_neutral_density(
    k: FloatArray, w: FloatArray, slope: FloatArray, curve: FloatArray
) -> FloatArray:
    """Return the density of x = ln(S_T / F) at `k`, per unit of x.

    Parameters
    ----------
    k, w, slope, curve : ndarray
        Log-moneyness, total variance and its first two derivatives by k.

    Returns
    -------
    ndarray
        Negative where the smile has butterfly arbitrage; NaN where an argument is.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        v = np.sqrt(w)
        gauss = INV_SQRT_2PI * np.exp(-0.5 * (k / v + 0.5 * v) ** 2)
        return np.asarray(durrleman(k, w, slope, curve) * gauss / v, dtype=np.float64)


def risk_neutral_cdf(k: FloatArray, w: FloatArray, slope: FloatArray) -> FloatArray:
    """Return P(x < k), the undiscounted price of a digital put struck at `k`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        v = np.sqrt(w)
        z = k / v + 0.5 * v  # -d2
        gauss = INV_SQRT_2PI * np.exp(-0.5 * z * z)
        return np.asarray(ndtr(z) + gauss * slope / (2.0 * v), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of x = ln(S_T / F) under the forward measure.

    Attributes
    ----------
    swap : float
        -2 E x: the variance-swap rate times the tenor, dimensionless.
    variance, skew, kurtosis : float
        Central; kurtosis 3 for a normal law.
    """

    swap: float
    variance: float
    skew: float
    kurtosis: float


def moments_of_strip(k: FloatArray, c: FloatArray) -> Moments:
    """Return the moments that out-of-the-money premiums `c` at `k` make, and nothing else.

    Parameters
    ----------
    k : ndarray of shape (n,)
        Rising, zero among them: the strip has a corner there.
    c : ndarray of shape (n,)
        Premium over forward of the put at k <= 0, of the call above.

    Raises
    ------
    DomainError
        If the strip has no variance.
    """
    k = np.asarray(k)
    (moments,) = _moments(Strips(k, np.array([0, len(k)])), np.asarray(c) * np.exp(-k))
    if moments is None:
        raise DomainError(f"a strip of {len(k)} premiums has no variance")
    return moments


@dataclass(frozen=True, slots=True)
class MarketMoments:
    """Moments of quotes, and how far what lies beyond the quotes may move each.

    Attributes
    ----------
    value : Moments
        With vol beyond the outermost quotes as it is there.
    truncation : Moments
        The largest distance from `value` with nothing beyond, or with total variance rising on.
    """

    value: Moments
    truncation: Moments


def model_free_moments(smiles: Sequence[Smile]) -> tuple[MarketMoments | None, ...]:
    """Return the moments of each expiry's quotes, with their truncation error.

    None where there are too few quotes, all lie on one side, or they leave no variance.

    Parameters
    ----------
    smiles : sequence of (k, w), each of shape (n,)
        Log-moneyness of an expiry's quotes, rising strictly, n >= 3, on both sides of zero, and
        total variance there, positive. Between quotes deviation is a straight line in k.
    """
    found: list[MarketMoments | None] = [None] * len(smiles)
    usable = [i for i, (k, w) in enumerate(smiles) if reaches_round(k, w)]
    if not usable:
        return tuple(found)
    parts = [smiles[i] for i in usable]
    steep = [_outer_slopes(k, w) for k, w in parts]
    # A rising line reaches further than its vol at the last quote would say.
    strips, flat = continued(parts, [2.0 * max(s) for s in steep])
    grid, rising, within = strips.k, flat * flat, np.ones(len(flat), np.bool_)
    for (k, _), (left, right), (a, b) in zip(parts, steep, pairwise(strips.edges), strict=True):
        low, high = a + np.searchsorted(grid[a:b], k[0]), a + np.searchsorted(grid[a:b], k[-1])
        rising[a:low] += left * (k[0] - grid[a:low])
        rising[high:b] += right * (grid[high:b] - k[-1])
        within[a:low] = within[high + 1 : b] = False
    kept, risen = premiums_on(grid, flat), premiums_on(grid, np.sqrt(rising))
    inner = Strips(grid[within], np.append(0, np.cumsum(within))[strips.edges])
    values = _moments(strips, kept)
    others = _moments(inner, kept[within]), _moments(strips, risen)
    for i, value, *beyond in zip(usable, values, *others, strict=True):
        known = [other for other in beyond if other is not None]
        if value is not None and len(known) == len(others):
            found[i] = MarketMoments(value, _furthest(value, known))
    return tuple(found)


def _outer_slopes(k: FloatArray, w: FloatArray) -> tuple[float, float]:
    """Return by how much total variance rises outwards per unit of k at either end, at least 0.

    The steeper of two straight lines: from the money to the last quote, and over its outer third.
    """
    level = float(np.interp(0.0, k, w))
    slopes = []
    for end, value in ((k[0], w[0]), (k[-1], w[-1])):
        third = float(np.interp(end * 2.0 / 3.0, k, w))
        rise = max((value - level) / abs(end), (value - third) / abs(end / 3.0), 0.0)
        slopes.append(min(float(rise), _SLOPE_MAX))
    return slopes[0], slopes[1]


def _furthest(value: Moments, others: Sequence[Moments]) -> Moments:
    names = ("swap", "variance", "skew", "kurtosis")
    return Moments(*(max(abs(getattr(o, n) - getattr(value, n)) for o in others) for n in names))


def _moments(strips: Strips, strip: FloatArray) -> list[Moments | None]:
    """Return the moments of each strip of premiums times exp(-k); None where it has no variance."""
    k = strips.k
    weights = np.stack(
        [-np.ones_like(k), 2.0 - 2.0 * k, k * (6.0 - 3.0 * k), k * k * (12.0 - 4.0 * k)]
    )
    found: list[Moments | None] = []
    for first, second, third, fourth in strips.integral(weights * strip).T.tolist():
        variance = second - first * first
        if not variance > 0.0:
            found.append(None)
            continue
        skew = (third - 3.0 * first * second + 2.0 * first**3) / variance**1.5
        kurtosis = (fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4) / (
            variance * variance
        )
        found.append(Moments(-2.0 * first, variance, skew, kurtosis))
    return found
