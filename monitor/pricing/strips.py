"""Strips of out-of-the-money options: where a smile is integrated, and the variance swap it makes.

A strip's grid holds the outermost quotes and the corner at k = 0 among even points, and its
quadrature is of the fourth order on either side of the corner. Beyond the quotes vol stays what it
is at the last: on a grid as far as eight deviations, or by the formula of a flat smile's tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from monitor.arrays import FloatArray, IntArray
from monitor.errors import DomainError
from monitor.pricing.black import INV_SQRT_2PI, otm_call, otm_call_quick

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


def reaches_round(k: FloatArray, w: FloatArray) -> bool:
    return len(k) >= 3 and bool(k[0] < 0.0 < k[-1])


def premiums_on(k: FloatArray, v: FloatArray) -> FloatArray:
    """Return the out-of-the-money premium over forward at deviation `v`, times exp(-k)."""
    return otm_call(np.abs(k), v) * np.exp(-np.maximum(k, 0.0))


def continued(
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
        self._usable = [i for i, (k, w) in enumerate(smiles) if reaches_round(k, w)]
        if not self._usable:
            return
        parts = [smiles[i] for i in self._usable]
        self._strips, _ = continued(parts, [0.0] * len(parts), _BEYOND)
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
        rates = 2.0 * (self._strips.integral(otm_call_quick(self._x, flat) * self._coin) + ends)
        for i, rate in zip(self._usable, rates.tolist(), strict=True):
            found[i] = rate
        return tuple(found)


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
