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

from monitor.arrays import FloatArray, IntArray
from monitor.errors import DomainError
from monitor.pricing.black import INV_SQRT_2PI, otm_call

Smile = tuple[FloatArray, FloatArray]
"""Log-moneyness and total variance of one expiry's quotes."""

# Ends of the strip, in deviations at the highest vol in sight: what is left beyond is 1e-13 of it.
_REACH = 8.0
_K_MAX = 600.0
_POINTS = 801  # of the strip
_PLACES = np.arange(_POINTS, dtype=np.float64)
_SAME_POINT = 1e-6  # of a step
# Steps beyond the outermost quotes, where vol turns flat: there a formula takes over.
_BEYOND = 3.5
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
    usable = [i for i, (k, w) in enumerate(smiles) if _reaches_round(k, w)]
    if not usable:
        return tuple(found)
    parts = [smiles[i] for i in usable]
    steep = [_outer_slopes(k, w) for k, w in parts]
    # A rising line reaches further than its vol at the last quote would say.
    strips, flat = _continued(parts, [2.0 * max(s) for s in steep])
    grid, rising, within = strips.k, flat * flat, np.ones(len(flat), np.bool_)
    for (k, _), (left, right), (a, b) in zip(parts, steep, pairwise(strips.edges), strict=True):
        low, high = a + np.searchsorted(grid[a:b], k[0]), a + np.searchsorted(grid[a:b], k[-1])
        rising[a:low] += left * (k[0] - grid[a:low])
        rising[high:b] += right * (grid[high:b] - k[-1])
        within[a:low] = within[high + 1 : b] = False
    kept, risen = _strip(grid, flat), _strip(grid, np.sqrt(rising))
    inner = Strips(grid[within], np.append(0, np.cumsum(within))[strips.edges])
    values = _moments(strips, kept)
    others = _moments(inner, kept[within]), _moments(strips, risen)
    for i, value, *beyond in zip(usable, values, *others, strict=True):
        known = [other for other in beyond if other is not None]
        if value is not None and len(known) == len(others):
            found[i] = MarketMoments(value, _furthest(value, known))
    return tuple(found)


class SwapStrips:
    """Where variance swaps are read off smiles quoted at the same strikes: a night has one.

    Continuation beyond the quotes (flat), and None, as for `model_free_moments`.

    Parameters
    ----------
    smiles : sequence of (k, w)
        As for `model_free_moments`; the variances say how fine the grids are, and nothing else.
    """

    def __init__(self, smiles: Sequence[Smile]) -> None:
        self._expiries = len(smiles)
        self._usable = [i for i, (k, w) in enumerate(smiles) if _reaches_round(k, w)]
        if not self._usable:
            return
        parts = [smiles[i] for i in self._usable]
        self._strips, _ = _continued(parts, [0.0] * len(parts), _BEYOND)
        self._x = np.abs(self._strips.k)
        self._coin = np.exp(-np.maximum(self._strips.k, 0.0))
        # Between quotes a straight line, beyond them the last: by place and share of the next.
        places, shares, begin = [], [], 0
        for (k, _), (a, b) in zip(parts, pairwise(self._strips.edges), strict=True):
            place = np.interp(self._strips.k[a:b], k, np.arange(len(k)))
            left = np.minimum(place.astype(np.int64), len(k) - 2)
            places.append(begin + left)
            shares.append(place - left)
            begin += len(k)
        self._place, self._share = np.concatenate(places), np.concatenate(shares)

    def rates(self, variances: Sequence[FloatArray]) -> tuple[float | None, ...]:
        """Return each expiry's rate times tenor, -2 E x, from total variances at its strikes."""
        found: list[float | None] = [None] * self._expiries
        if not self._usable:
            return tuple(found)
        v = np.sqrt(np.concatenate([variances[i] for i in self._usable]))
        k, at, share = self._strips.k, self._place, self._share
        flat = v[at] + share * (v[at + 1] - v[at])
        first, last = self._strips.edges[:-1], self._strips.edges[1:] - 1
        ends = _put_tail(k[first], flat[first]) + _call_tail(k[last], flat[last])
        rates = 2.0 * (self._strips.integral(otm_call(self._x, flat) * self._coin) + ends)
        for i, rate in zip(self._usable, rates.tolist(), strict=True):
            found[i] = rate
        return tuple(found)


def _reaches_round(k: FloatArray, w: FloatArray) -> bool:
    return len(k) >= 3 and bool(k[0] < 0.0 < k[-1])


def _strip(k: FloatArray, v: FloatArray) -> FloatArray:
    """Return the out-of-the-money premium over forward at deviation `v`, times exp(-k)."""
    return otm_call(np.abs(k), v) * np.exp(-np.maximum(k, 0.0))


def _call_tail(k: FloatArray, v: FloatArray) -> FloatArray:
    """Return the integral of a call's premium times exp(-k) from `k` up, at one deviation `v`."""
    d2 = -k / v - 0.5 * v
    gauss = INV_SQRT_2PI * np.exp(-0.5 * d2 * d2)
    below = ndtr(d2)
    return np.asarray(np.exp(-k) * ndtr(d2 + v) - below - v * (d2 * below + gauss))


def _put_tail(k: FloatArray, v: FloatArray) -> FloatArray:
    """Return the integral of a put's premium times exp(-k) up to `k`, at one deviation `v`."""
    z = k / v + 0.5 * v  # -d2
    gauss = INV_SQRT_2PI * np.exp(-0.5 * z * z)
    below = ndtr(z)
    return np.asarray(np.exp(-k) * ndtr(z - v) - below + v * (z * below + gauss))


def _continued(
    smiles: Sequence[Smile], more: Sequence[float], beyond: float = np.inf
) -> tuple[Strips, FloatArray]:
    """Return strips' grids and the deviation on them, flat in vol beyond the quotes.

    `more`: deviation to be seen beyond the highest of each smile's quotes. `beyond`: steps of the
    grid beyond the outermost quotes at which it may end.
    """
    roots = [np.sqrt(w) for _, w in smiles]
    top = np.array([float(np.max(v)) for v in roots]) + np.asarray(more)
    at = np.array([[k[0], 0.0, k[-1]] for k, _ in smiles])
    # exp(-k) must stay a number, also for vols that no market has.
    low = np.maximum(np.minimum(-_REACH * top, 1.5 * at[:, 0]), -_K_MAX)
    high = np.minimum(np.maximum(_REACH * top, 1.5 * at[:, 2]), _K_MAX)
    step = (high - low) / (_POINTS - 1)
    low, step = low[:, None], step[:, None]
    even = low + step * _PLACES
    # A point all but on one of these would leave a slope of two equal values beside it.
    nearest = np.rint((at - low) / step).astype(np.int64)  # quotes lie well within the ends
    row = np.arange(len(at))[:, None]
    even[row, nearest] = np.where(
        np.abs(even[row, nearest] - at) > _SAME_POINT * step, even[row, nearest], np.nan
    )
    if np.isfinite(beyond):
        even[(even < at[:, :1] - beyond * step) | (even > at[:, 2:] + beyond * step)] = np.nan
    grid = np.sort(np.concatenate([even, at], axis=1), axis=1)  # NaN last
    kept = np.isfinite(grid)
    edges = np.append(0, np.cumsum(kept.sum(axis=1)))
    k_strip = grid[kept]
    deviations = [
        np.interp(k_strip[a:b], k, v)
        for (k, _), v, (a, b) in zip(smiles, roots, pairwise(edges), strict=True)
    ]
    return Strips(k_strip, edges), np.concatenate(deviations)


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


class Strips:
    """Uneven grids one after the other, and the integral of what is given on them.

    Parameters
    ----------
    k : ndarray of shape (n,)
        Rising within each grid, with zero among its inner points: strips have their corner there.
    edges : ndarray of shape (s + 1,)
        Where each grid begins, and the end of the last.

    Raises
    ------
    DomainError
        If a grid has no corner.
    """

    def __init__(self, k: FloatArray, edges: IntArray) -> None:
        self.k, self.edges = k, edges
        corner = np.flatnonzero(k == 0.0)
        inner = len(corner) == len(edges) - 1 and np.all(
            (corner > edges[:-1]) & (corner < edges[1:] - 1)
        )
        if not inner:
            raise DomainError("a strip needs its corner, k = 0, among its inner points")
        # Either side of a corner is smooth by itself: the corner is the end of one and the start
        # of the other.
        at = np.insert(np.arange(len(k)), corner, corner)
        starts = np.sort(np.concatenate([edges[:-1] + np.arange(len(corner)),
                                         corner + np.arange(1, len(corner) + 1)]))  # fmt: skip
        self._weights = np.bincount(at, _smooth(k[at], starts), minlength=len(k))

    def integral(self, y: FloatArray) -> FloatArray:
        """Return the integral of `y`, of shape (..., n), over each grid, shape (..., s)."""
        return np.asarray(np.add.reduceat(y * self._weights, self.edges[:-1], axis=-1))


def _smooth(k: FloatArray, starts: IntArray) -> FloatArray:
    """Return quadrature weights of smooth functions on parts that begin at `starts`.

    Trapezoids corrected by slopes at each point: those of the parabola through it and its
    neighbours, at a part's ends through the three points there.
    """
    n = len(k)
    stops = np.append(starts[1:], n) - 1
    h = np.diff(k)
    h[stops[:-1]] = 0.0  # from one part to the next
    after, before = np.append(h, 0.0), np.insert(h, 0, 0.0)
    weights = 0.5 * (before + after)
    slope = (after * after - before * before) / 12.0
    long = stops - starts > 1  # two points have one slope, which corrects nothing
    inner = np.ones(n, np.bool_)
    inner[starts] = inner[stops] = False
    i = np.flatnonzero(inner)
    a, b, e = before[i], after[i], slope[i]
    weights[i - 1] -= e * b / (a * (a + b))
    weights[i] += e * (b - a) / (a * b)
    weights[i + 1] += e * a / (b * (a + b))
    for i, step in ((starts[long], 1), (stops[long], -1)):
        a, b = np.abs(k[i + step] - k[i]), np.abs(k[i + 2 * step] - k[i + step])
        e = step * slope[i]
        weights[i] -= e * (2.0 * a + b) / (a * (a + b))
        weights[i + step] += e * (a + b) / (a * b)
        weights[i + 2 * step] -= e * a / (b * (a + b))
    return np.asarray(weights)
