r"""Control charts of standard-normal scores, and what they say against their limits.

Three charts page: a cumulative sum, which finds shifts that last; the likeliest step of the last
nights, which knows what a step does to the forecasts of an autocorrelated stream; and the jump that
two nights agree on. The first two look at tamed scores: a night counts in full up to two deviations
and by its logarithm beyond, so that how far a lone night may stray, which no short reference can
tell, hardly moves a limit. What tames the third is the second night. Beside them runs evidence that
holds whenever one looks, for people and not for pages.

The third is worth a night. At one price in false alarms it lifts the share of steps of 4 and 5
deviations that are found within two nights from .23 and .54 to .37 and .69 at phi = .5, and from
.07 and .20 to .15 and .35 at .8 (60 nights of reference, the desk's budget); within ten nights 3
deviations are found .68 for .72 of the time. Limits are no less true for it:
``python -m tests.benchmarks.charts`` prints both.

*Refused:* an exponentially weighted mean (EWMA) in the step's place or beside it. At one price in
false alarms step and cumulative sum find of steps of 1, 2 and 3 deviations, put into streams with
60 nights of reference, .52, 1 and 1 within ten nights at phi = 0, .19, .73 and .99 at .5, and .15,
.61 and .96 at .8; the best of three means (weights .1, .2, .4) .55, .99 and 1, .20, .65 and .93,
and .16, .41 and .71. Within five nights none is better by more than .01, and of half a deviation
all find as little. ``python -m tests.benchmarks.charts --ewma`` prints the table.
*Refused:* a chart of the single night. Its limit is a matter of the tail, 6 to 11 deviations at the
desk's budget; and what came and went overnight is no change.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.errors import DomainError

# Half the shift, in innovations' deviations, that the cumulative sum is tuned to: one deviation.
ALLOWANCE = 0.5
# Nights looked back over for the onset of a step, and nights that it must have lasted.
WINDOW, LEAST = 8, 2
# Up to where a night's score counts in full, and as how much it counts at most: less than the
# limit of a cumulative sum, so that no single night makes an alarm of either chart.
_FULL, _MOST = 2.0, 4.0
# What is bet on: means of a quarter, half and a whole deviation; a score beyond three counts as
# three. The logarithm of wealth is held below what a double can hold.
_BETS, _BET_UP_TO, _RICHEST = (0.25, 0.5, 1.0), 3.0, 690.0


@dataclass(frozen=True, slots=True)
class AutoRegression:
    """A fitted AR(1): intercept c = mu (1 - phi), phi, innovation deviation.

    Attributes
    ----------
    intercept, phi, sigma : float
    n : int
        Transitions it was fitted to.
    """

    intercept: float
    phi: float
    sigma: float
    n: int

    def innovations(self, x: FloatArray) -> FloatArray:
        """Return the whitened innovations of consecutive values, shape (len(x) - 1,)."""
        x = np.asarray(x, dtype=np.float64)
        return (x[1:] - self.intercept - self.phi * x[:-1]) / self.sigma


def fit_autoregression(x: FloatArray) -> AutoRegression:
    """Return the least-squares AR(1) of a reference.

    Parameters
    ----------
    x : ndarray of shape (T,)
        Consecutive values, T >= 5.

    Raises
    ------
    DomainError
        If there are fewer than five values, or they leave no innovations: all equal but the last,
        or each an exact function of the one before.
    """
    x = np.asarray(x, dtype=np.float64)
    if len(x) < 5:
        raise DomainError(f"an autoregression needs at least 5 values, had {len(x)}")
    before, now, n = x[:-1], x[1:], len(x) - 1
    low, high = float(before.min()), float(before.max())
    size = max(1.0, -low, high, abs(float(x[-1])))
    if high - low <= 1e-12 * size:
        raise DomainError("an autoregression needs values that differ; all were equal")
    # About the mean, the two columns are orthogonal however far the values lie from zero.
    centre, level = float(before.sum()) / n, float(now.sum()) / n
    away, rise = before - centre, now - level
    phi = float(away @ rise) / float(away @ away)
    left = rise - phi * away
    sigma = sqrt(float(left @ left) / (n - 2))
    if sigma <= 1e-9 * (max(high, float(x[-1])) - min(low, float(x[-1]))):
        raise DomainError("an autoregression needs noise; each value follows from the one before")
    return AutoRegression(level - phi * centre, phi, sigma, n)


def tamed(u: FloatArray) -> FloatArray:
    """Return scores that count in full up to two, by their logarithm beyond, and four at most."""
    size = np.abs(u)
    beyond = np.maximum(size - _FULL, 0.0)
    return np.asarray(np.copysign(np.minimum(np.minimum(size, _FULL) + np.log1p(beyond), _MOST), u))


def cusum(u: FloatArray, *, two_sided: BoolArray | bool) -> FloatArray:
    """Return the running cumulative-sum statistic of scores.

    Parameters
    ----------
    u : ndarray of shape (T, ...)
    two_sided : bool or ndarray of shape (...)
        Whether a fall counts as well as a rise.

    Returns
    -------
    ndarray of shape (T, ...)
        The larger of the upper and (if two-sided) the lower sum, signed by the side it is on.

    References
    ----------
    .. [1] Page, E. S. (1954). Continuous inspection schemes. Biometrika 41.
    """
    u = np.asarray(u, dtype=np.float64)
    up, down = _reflected(u - ALLOWANCE), _reflected(-u - ALLOWANCE) * two_sided
    return np.asarray(np.where(up >= down, up, -down))


def _reflected(steps: FloatArray) -> FloatArray:
    """Return the sums of steps that never fall below zero: how far each is above the lowest yet."""
    sums = np.cumsum(steps, axis=0)
    return np.asarray(sums - np.minimum(np.minimum.accumulate(sums, axis=0), 0.0))


@dataclass(frozen=True, slots=True)
class Steps:
    """The likeliest step as of each night; arrays of shape (T, ...).

    Attributes
    ----------
    z : ndarray
        Size over its standard error, signed; zero where two nights are not there yet.
    nights : ndarray
        How long it has lasted; 0 where there is none.
    """

    z: FloatArray
    nights: IntArray


def likeliest_steps(
    u: FloatArray,
    phi: FloatArray,
    *,
    two_sided: BoolArray | bool,
    weight: FloatArray | float = 1.0,
) -> Steps:
    r"""Return the likeliest step within the last eight nights, two nights long at least.

    A step of size :math:`\delta` on night s shows as :math:`\delta` in the forecast error of that
    night, and in each later one as :math:`(1 - \phi)\delta` and a share :math:`1 - \lambda` of what
    it showed as the night before: generalised least squares of the scores on that signature, for
    each onset.

    Parameters
    ----------
    u, phi : ndarray of shape (T, ...)
        Scores, and the autocorrelation they were made with.
    two_sided : bool or ndarray of shape (...)
        Whether a fall counts as well as a rise.
    weight : float or ndarray of shape (...)
        :math:`\lambda`, of a night in the mean that was scored; see `smoothing`.
    """
    u, rest, keep = np.asarray(u, dtype=np.float64), 1.0 - np.asarray(phi), 1.0 - weight
    best, lasted = np.zeros_like(u), np.zeros(u.shape, dtype=np.int64)
    # By onset: what the step shows as k - 1 nights after it, and sums over all its nights.
    shows, along, squares = np.ones_like(u), u, np.ones_like(u)
    for k in range(2, min(WINDOW, len(u)) + 1):
        shows = rest[k - 1 :] + keep * shows[:-1]
        along = along[:-1] + shows * u[k - 1 :]
        squares = squares[:-1] + shows * shows
        z = along / np.sqrt(squares)
        z = np.where(two_sided, z, np.maximum(z, 0.0))
        better = np.abs(z) > np.abs(best[k - 1 :])
        best[k - 1 :] = np.where(better, z, best[k - 1 :])
        lasted[k - 1 :] = np.where(better, k, lasted[k - 1 :])
    return Steps(best, lasted)


def confirmed_jumps(u: FloatArray, ahead: FloatArray, *, two_sided: BoolArray | bool) -> FloatArray:
    """Return the jump that two nights agree on: the smaller of what each says of the level.

    Last night as foretold the night before, and tonight as foretold then too. What came and went
    overnight is none, and neither score need be tamed: it takes two nights to raise it.

    Parameters
    ----------
    u, ahead : ndarray of shape (T, ...)
        Scores one night ahead and two, see `selfstart`.
    two_sided : bool or ndarray of shape (...)
        Whether a fall counts as well as a rise.

    Returns
    -------
    ndarray of shape (T, ...)
        Signed; zero where the two disagree about the side, and on the first night.
    """
    before = np.concatenate([np.zeros_like(u[:1]), u[:-1]])
    size = np.minimum(np.abs(before), np.abs(ahead))
    agree = (np.sign(before) == np.sign(ahead)) & ((ahead > 0.0) | two_sided)
    return np.asarray(np.where(agree, np.copysign(size, ahead), 0.0))


def latest_step(
    u: FloatArray,
    phi: FloatArray,
    *,
    two_sided: BoolArray | bool,
    weight: FloatArray | float = 1.0,
) -> Steps:
    """Return the last night of `likeliest_steps`, arrays of shape (1, ...), without those before.

    Parameters
    ----------
    u, phi : ndarray of shape (T, ...)
    two_sided : bool or ndarray of shape (...)
    weight : float or ndarray of shape (...)
    """
    none = Steps(np.zeros((1, *u.shape[1:])), np.zeros((1, *u.shape[1:]), np.int64))
    u, rest, keep = u[-WINDOW:], 1.0 - phi[-WINDOW:], 1.0 - weight
    if len(u) < LEAST:
        return none
    # Onsets side by side, each followed to the last night; the latest onset has one night to go.
    shows, along, squares = np.ones_like(u), u.copy(), np.ones_like(u)
    for k in range(1, len(u)):
        shows[: len(u) - k] = rest[k:] + keep * shows[: len(u) - k]
        along[: len(u) - k] += shows[: len(u) - k] * u[k:]
        squares[: len(u) - k] += shows[: len(u) - k] ** 2
    z = (along / np.sqrt(squares))[-LEAST::-1]
    z = np.where(two_sided, z, np.maximum(z, 0.0))
    longest = np.argmax(np.abs(z), axis=0)[None]
    best = np.take_along_axis(z, longest, axis=0)
    return Steps(best, np.where(best == 0.0, 0, longest + LEAST))


def evidence_of_change(u: FloatArray, *, two_sided: BoolArray | bool) -> FloatArray:
    r"""Return an e-detector of a lasting change of mean: it may be looked at on any night.

    Each night is a bet that scores have a mean other than zero; who begins to bet anew each night
    and lets the stakes stand holds, where nothing has changed, no more than the nights that have
    passed, on the average and whenever one looks. So it exceeds A no sooner than after A nights on
    the average, whatever the law of the scores, if their mean is zero and their variance one at
    most given the past.

    Parameters
    ----------
    u : ndarray of shape (T, ...)
        Scores; they count up to three deviations.
    two_sided : bool or ndarray of shape (...)
        Whether a fall counts as well as a rise.

    Returns
    -------
    ndarray of shape (T, ...)
        In nights; no more than 1e12.

    Notes
    -----
    Each bet is divided by what it may at most be worth on the average (Bennett):

    .. math:: E\,e^{\lambda u} \le 1 + (e^{\lambda c} - 1 - \lambda c) / c^2, \qquad |u| \le c

    The stakes are spread evenly over three :math:`\lambda` and over both sides.

    References
    ----------
    .. [1] Shin, J., Ramdas, A. and Rinaldo, A. (2024). E-detectors: a nonparametric framework for
       sequential change detection. New England Journal of Statistics in Data Science 2(2).
    """
    u = np.clip(u, -_BET_UP_TO, _BET_UP_TO)
    stakes = np.array(_BETS).reshape(-1, *[1] * (u.ndim - 1))
    at_most = 1.0 + (np.expm1(stakes * _BET_UP_TO) - stakes * _BET_UP_TO) / _BET_UP_TO**2
    bets = stakes * u[:, None]
    won = np.stack([bets, -bets], axis=2) - np.log(at_most)[:, None]
    # Of the bet begun on each night the logarithm of what it won since is a difference of sums.
    sums = np.cumsum(won, axis=0)
    held = sums + np.logaddexp.accumulate(won - sums, axis=0)
    wealth = np.exp(np.minimum(held, _RICHEST)).mean(axis=1)
    up, down = wealth[:, 0], wealth[:, 1]
    falls = np.asarray(two_sided, dtype=np.float64)
    return np.asarray(np.minimum((up + falls * down) / (1.0 + falls), 1e12))
