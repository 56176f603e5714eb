r"""Do two samples come from one law? Three distances, with limits for the sizes at hand.

All three look at where the two distribution functions of the pooled sample part: how far at most
(Kolmogorov and Smirnov), how far in all (Wasserstein, in deviations of the reference), and in how
many tenths (the population stability index). Their limits are those of the same samples with the
labels dealt out at random: exact for any continuous law and any sizes.

*Refused:* the industry's 0.1 and 0.25 for the stability index. Without any change it is about
(1/n + 1/m) times a chi-square of nine: with 250 and 20 values it exceeds 0.25 nine times in ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.errors import DomainError

_BINS = 10
_DEALS = 999  # so that a limit is an order statistic: exceeded with exactly the stated chance
# A bin's share is no smaller than half a value's: an empty one would be infinitely far away.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance between two samples, and what it exceeds by chance as rarely as stated.

    Attributes
    ----------
    value, limit : float
    """

    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Distances:
    """The three distances between two samples."""

    ks: Distance
    wasserstein: Distance
    psi: Distance


def distances(reference: FloatArray, recent: FloatArray, *, size: float) -> Distances:
    """Return how far the recent sample lies from the reference, and limits of the stated size.

    Parameters
    ----------
    reference : ndarray of shape (n,)
    recent : ndarray of shape (m,)
    size : float
        Chance of exceeding a limit where nothing has changed and values are exchangeable.

    Raises
    ------
    DomainError
        If either sample has fewer than five values, or the reference no spread.
    """
    n, m = len(reference), len(recent)
    if min(n, m) < 5:
        raise DomainError(f"two samples of five values at least are compared, had {n} and {m}")
    deviation = float(np.std(reference))
    if deviation <= 0.0:
        raise DomainError("a reference without spread is no measure of distance")
    pooled = np.concatenate([reference, recent])
    order = np.argsort(pooled, kind="stable")
    gaps = np.diff(pooled[order]) / deviation
    apart = _apart((order < n)[None, :])
    # Equal values lie on one step of both functions: only where the next differs do they part.
    ks = float(np.max(np.abs(apart[0, :-1]) * (gaps > 0.0))) / (n * m)
    psi = float(_stability(apart, n, m)[0])
    dealt = _dealt(n, m)
    far = float(np.abs(apart[0, :-1]) @ gaps) / (n * m)
    return Distances(
        Distance(ks, _limit(dealt.ks, size)),
        Distance(far, _limit(dealt.apart[:, :-1] @ gaps / (n * m), size)),
        Distance(psi, _limit(dealt.psi, size)),
    )


def _limit(values: FloatArray, size: float) -> float:
    """Return what one more value of the kind exceeds with the stated chance at most."""
    at = min(int(np.ceil((1.0 - size) * (len(values) + 1))), len(values)) - 1
    return float(np.partition(values, at)[at])


def _apart(is_reference: BoolArray) -> IntArray:
    """Return the reference's distribution function minus the other's after each pooled value.

    In units of 1 / (n m), whole numbers: equal distances are equal to the last bit.
    """
    n = int(np.sum(is_reference[0]))
    m = is_reference.shape[1] - n
    return np.cumsum(np.where(is_reference, m, -n), axis=1)


@dataclass(frozen=True, eq=False)
class _Dealt:
    """Samples whose labels were dealt out at random: functions apart, and two of the distances.

    Only ranks enter these two, so that they serve all samples of the two sizes.
    """

    apart: FloatArray  # sizes, of which Wasserstein's distance takes all
    ks: FloatArray
    psi: FloatArray


@lru_cache(maxsize=32)
def _dealt(n: int, m: int) -> _Dealt:
    rng = np.random.default_rng([n, m])
    labels = np.broadcast_to(np.arange(n + m) < n, (_DEALS, n + m))
    apart = _apart(rng.permuted(labels, axis=1))
    sizes = np.abs(apart).astype(np.float64)
    return _Dealt(sizes, np.max(sizes, axis=1) / (n * m), _stability(apart, n, m))


def _stability(apart: IntArray, n: int, m: int) -> FloatArray:
    """Return the population stability index over tenths of the pooled sample, for each row."""
    size = n + m
    edges = np.unique(np.round(np.linspace(0, size, _BINS + 1)).astype(int))
    at = np.hstack([np.zeros((len(apart), 1), np.int64), apart[:, edges[1:] - 1]])
    # Of the values of a bin, r m - (width - r) n is the rise: so many, r, are the reference's.
    width = np.diff(edges)
    r = (np.diff(at, axis=1) + width * n) // size
    p = np.maximum(r, _HALF) / n
    q = np.maximum(width - r, _HALF) / m
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=1))
