r"""A smooth curve read off scattered noisy points: a parabola about each place, by near points.

Straight lines between two quotes err by their distance squared, so that what is read drifts as
strikes become sparse in deviations, without any change of the smile; and they hold the whole noise
of two quotes. A parabola through all quotes about a place errs by a fixed width instead, and holds
the noise of half a dozen.

References
----------
.. [1] Cleveland, W. S. (1979). Robust locally weighted regression. JASA 74(368).
.. [2] Fan, J. and Gijbels, I. (1996). Local Polynomial Modelling and Its Applications.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray

# Points that a parabola is laid through at the least, and how much further than the last of them
# the weights reach, so that it counts.
_FEWEST, _FURTHER = 6, 1.2
# Of the weight of a usual point: one far noisier than others still holds the parabola.
_LEAST_WEIGHT = 1e-2


def local_parabola(
    x: FloatArray, y: FloatArray, noise: FloatArray, at: FloatArray, *, reach: float
) -> tuple[FloatArray, FloatArray]:
    """Return values and standard errors of local parabolas.

    Parameters
    ----------
    x, y, noise : ndarray of shape (n,)
        Different places, values and their standard errors, n >= 4.
    at : ndarray of shape (m,)
        Where the curve is read, between the first and the last place.
    reach : float
        How far off points count, tricube; further where it holds fewer than six.

    Returns
    -------
    value, stderr : ndarray of shape (m,)
        The error is that of independent noise alone.
    """
    away = x - at[:, None]
    far = np.abs(away)
    kth = min(_FEWEST, len(x)) - 1
    reaches = np.maximum(_FURTHER * np.partition(far, kth, axis=1)[:, kth], reach)[:, None]
    u = away / reaches
    trust = np.clip((np.median(noise) / noise) ** 2, _LEAST_WEIGHT, 1.0)
    weight = np.maximum(1.0 - np.abs(u) ** 3, 0.0) ** 3 * trust
    first, second = weight * u, weight * u * u
    s0, s1, s2 = weight.sum(1), first.sum(1), second.sum(1)
    s3, s4 = (second * u).sum(1), (second * u * u).sum(1)
    # The first row of the normal equations' inverse: what each point counts in the value.
    a, b, c = s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2
    share = (a[:, None] * weight + b[:, None] * first + c[:, None] * second) / (
        s0 * a + s1 * b + s2 * c
    )[:, None]
    return share @ y, np.sqrt(share**2 @ noise**2)
