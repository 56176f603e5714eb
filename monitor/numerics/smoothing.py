r"""Noise on top of what wanders, smoothed away as far as a stream's reference shows it.

What is measured is what wanders from night to night and the noise of tonight's mids on top: an
autoregression that takes back a part of each innovation,

.. math:: x_t = c + \phi x_{t-1} + e_t - (1 - \lambda)\,e_{t-1}, \qquad 0 < \lambda \le 1

whose exponentially weighted mean, :math:`s_t = \lambda x_t + (1 - \lambda)s_{t-1}`, is an
autoregression of first order with innovations :math:`\lambda e_t` (Muth 1960). So a stream is
scored as that mean is, and nothing else need know of the noise. Where there is none
:math:`\lambda = 1`.

It is worth more than limits that allow for noise. Scored as first-order autoregressions the smile's
two wings, thirty seeds of two coins, reach within 91 quiet nights in one of twenty cumulative sums
of 11.2 and 11.0 and steps of 4.2; scored so 7.7 to 8.1 and 3.9, and at limits of that size .87 for
.63 (sum) and all for .98 (step) of put wings off by one vol point are found within five nights.
Streams of phi = .85 and .9 under noise of .4 and .5 of the variance, 60 nights, raise a false alarm
at .221 stated in .26 and .30 of 91 nights (``python -m tests.benchmarks.charts --noise``), and .38
and .40 scored as they are.
*Refused:* the one weight of the highest likelihood, which sixty nights do not know; odds of one
half on no noise at all, with which those are .02 and .03 more. Streams that have none raise .21 and
.17 either way (phi = 0, .8), and their scores keep a correlation of .09 from night to night or .06.

References
----------
.. [1] Muth, J. F. (1960). Optimal properties of exponentially weighted forecasts. JASA 55(290).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from monitor.arrays import FloatArray

# Of tonight in the mean. Noise of a fifth to a half of the variance on what wanders by phi = .8 to
# .9, as nightly risk reversals and butterflies have it, makes .7 to .4.
WEIGHTS = np.array([1.0, 0.8, 0.6, 0.4])


def weight_of(reference: FloatArray) -> float:
    """Return the weight of tonight in the mean that a reference calls for, from 0.4 to 1.

    The average of `WEIGHTS`, each as likely as its autoregression's residuals make it: normal
    innovations, level, phi and scale as fitted, even odds.

    Parameters
    ----------
    reference : ndarray of shape (T,)
        Consecutive values, T >= 5, not all equal.
    """
    x = np.asarray(reference, dtype=np.float64)
    means = _filters(len(x)) @ (x - x.sum() / len(x))
    before, now = means[:, :-1], means[:, 1:]
    n = now.shape[1]
    away = before - before.sum(axis=1, keepdims=True) / n
    rise = now - now.sum(axis=1, keepdims=True) / n
    Sxx, Sxy = np.sum(away * away, axis=1), np.sum(away * rise, axis=1)
    Syy = np.sum(rise * rise, axis=1)
    tiny = 1e-12 * float(x @ x) / len(x) + 1e-300
    left = np.maximum(Syy - Sxy * Sxy / np.maximum(Sxx, tiny), tiny)
    # Means with weights sum to the same innovations, each times its weight.
    log_likelihood = -0.5 * n * np.log(left / WEIGHTS**2)
    odds = np.exp(log_likelihood - log_likelihood.max())
    return float(odds @ WEIGHTS / odds.sum())


@lru_cache(maxsize=256)
def _filters(n: int) -> FloatArray:
    """Return what makes means of n values, from zero on, for each weight: (weights, n, n)."""
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    keep = (1.0 - WEIGHTS)[:, None, None]
    made: FloatArray = np.where(lag >= 0, keep ** np.maximum(lag, 0), 0.0)
    return made * WEIGHTS[:, None, None]


def smoothed(x: FloatArray, weight: FloatArray | float, start: FloatArray | float) -> FloatArray:
    """Return exponentially weighted means of columns.

    Parameters
    ----------
    x : ndarray of shape (T, c)
        NaN: no such night; the mean stays what it was, and is not said.
    weight : float or ndarray of shape (c,)
        Of each night in the mean.
    start : float or ndarray of shape (c,)
        The mean before the first night.
    """
    c = x.shape[1]
    if np.ndim(weight) == 0 and not np.isnan(x).any():  # many streams at once, as simulated ones
        one = float(weight)
        if one == 1.0:
            return x
        before = (1.0 - one) * np.broadcast_to(start, (1, c))
        means, _ = lfilter([one], [1.0, one - 1.0], x, axis=0, zi=before)
        return np.asarray(means)
    out = np.full_like(x, np.nan)
    weights, starts = np.broadcast_to(weight, (c,)), np.broadcast_to(start, (c,))
    for i in range(c):
        there = ~np.isnan(x[:, i])
        keep = 1.0 - weights[i]
        means, _ = lfilter([weights[i]], [1.0, -keep], x[there, i], zi=[keep * starts[i]])
        out[there, i] = means
    return out


def smoothed_reference(reference: FloatArray) -> FloatArray:
    """Return a reference's own weighted means, which begin at its mean, shape (T,)."""
    x = np.asarray(reference, dtype=np.float64)
    return np.asarray(smoothed(x[:, None], weight_of(x), float(x.sum()) / len(x))[:, 0])
