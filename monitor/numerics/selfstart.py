r"""Scores of a stream by its own past: what each night is under all that the nights before taught.

A stream is foretold by a first-order autoregression fitted to all nights learnt so far and not to
the night that is scored,

.. math:: u_t = \Phi^{-1}\{F_{\nu_t}(e_t / s_t)\}, \qquad e_t = x_t - \hat c_t - \hat\phi_t x_{t-1}

with :math:`F_\nu` Student's law, :math:`\nu_t` its degrees of freedom and :math:`s_t` the error of
the forecast, the fit's own included. Under no change the scores are standard normal whatever mean,
deviation and autocorrelation truly are, nearly independent, and the reference goes on growing:
little is lost to its shortness. What is foretold is the stream freed of its noise (`smoothing`).

*Refused:* a reference fitted once and taken as it is for 91 nights. At 60 nights and phi = 0.8 the
error of its mean and of phi adds up night after night, and a cumulative sum of such innovations
needs a limit of 38 where one of these scores needs 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.errors import DomainError
from monitor.numerics.smoothing import smoothed, weight_of

# A night that no continuation explains is not learnt from: a step would teach that steps are usual.
STRANGE = 3.5
# A fit may say that a stream wanders for ever; its steps could then never be told from its walk.
_PHI_LOW, _PHI_HIGH = -0.3, 0.97
FEWEST = 8  # values of a reference, beyond the degrees of freedom that are lost


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of c streams over T nights; each array of shape (T, c).

    Attributes
    ----------
    u : ndarray
        Standard normal under no change.
    phi : ndarray
        As fitted before each night.
    deviation : ndarray
        Of each night's forecast, in the stream's own unit.
    ahead : ndarray
        Scores by what was foretold two nights before, the night between not looked at; 0 where
        either night is absent.
    weight : ndarray of shape (c,)
        Of tonight in the mean that is foretold; 1 where the stream itself is.
    """

    u: FloatArray
    phi: FloatArray
    deviation: FloatArray
    ahead: FloatArray
    weight: FloatArray


def predictive_scores(
    references: Sequence[FloatArray],
    future: FloatArray,
    *,
    inflation: FloatArray | None = None,
    lost: IntArray | int = 0,
) -> Scores:
    """Return each later night's score under what the reference and the nights between teach.

    Parameters
    ----------
    references : sequence of c ndarrays of shape (n_i,), or of one that serves all columns
        Consecutive values, oldest first.
    future : ndarray of shape (T, c)
        The nights to be scored. NaN: no such night; it is scored 0 and teaches nothing.
    inflation : ndarray of shape (T, c), optional
        Factor of each night's predictive variance, where a night is harder to foretell than those
        learnt from.
    lost : int or ndarray of shape (c,)
        Degrees of freedom that making the stream out of others has cost.

    Raises
    ------
    DomainError
        If a reference holds fewer than `FEWEST` values beyond those lost, or hardly moves.
    """
    taught = [_taught(np.asarray(x, dtype=np.float64)) for x in references]
    fewest = FEWEST + int(np.max(lost))
    if min(t.n for t in taught) < fewest:
        raise DomainError(f"scores need {fewest} values, had {min(t.n for t in taught)}")
    T, c = future.shape
    one = len(taught) == 1
    weight = taught[0].weight if one else np.array([t.weight for t in taught])
    x = np.broadcast_to([t.last for t in taught], (c,))
    y = smoothed(
        future - np.array([t.centre for t in taught]), weight, taught[0].last if one else x
    )
    factor = np.ones((T, c)) if inflation is None else inflation
    sums = np.stack([t.sums for t in taught], axis=1)
    if c > T:  # many streams side by side, as simulated ones are
        sums = np.broadcast_to(sums, (6, c))
    score = _by_night if c > T else _at_once
    return score(y, np.isnan(y), x, sums, factor, lost, np.broadcast_to(weight, (c,)))


def _by_night(
    y: FloatArray,
    absent: BoolArray,
    x: FloatArray,
    sums: FloatArray,
    factor: FloatArray,
    lost: IntArray | int,
    weight: FloatArray,
) -> Scores:
    u, phis, deviations, ahead = np.empty((4, *y.shape))
    before: _Forecast | None = None
    for t in range(len(y)):
        told = _foretold(sums, x, lost)
        now = np.where(absent[t], told.value, y[t])
        deviation = np.sqrt(told.variance * factor[t])
        u[t] = normal_score((now - told.value) / deviation, told.dof)
        if before is None:
            ahead[t] = 0.0
        else:
            twice = _two_ahead(before, y[t - 1], y[t], factor[t - 1], factor[t], weight)
            ahead[t] = np.where(absent[t] | absent[t - 1], 0.0, twice)
        phis[t], deviations[t] = told.phi, deviation / weight
        learnt = ~absent[t] & ~_strange(now, told, factor[t])
        sums = sums + learnt * _terms(x, now)
        x = np.where(absent[t], x, y[t])
        before = told
    return Scores(u, phis, deviations, ahead, weight)


def _at_once(
    y: FloatArray,
    absent: BoolArray,
    x: FloatArray,
    sums: FloatArray,
    factor: FloatArray,
    lost: IntArray | int,
    weight: FloatArray,
) -> Scores:
    """Return the same, all nights of a stream together.

    Nearly every night is learnt from. Where one turns out strange it is struck from what is
    learnt, and its stream is scored again.
    """
    T, c = y.shape
    # What each night is foretold from: the night before it, or the last there was.
    seen = np.concatenate([x[None], y])
    at = np.concatenate([np.zeros((1, c), np.int64), np.where(absent, 0, 1)])
    at = np.maximum.accumulate(at * np.arange(T + 1)[:, None], axis=0)
    before = np.take_along_axis(seen, at, axis=0)[:-1]
    teaches = ~absent
    terms = np.where(teaches, _terms(before, y), 0.0)
    while True:
        learnt = np.concatenate([np.broadcast_to(sums[:, None], (6, 1, c)), terms[:, :-1]], axis=1)
        told = _foretold(np.cumsum(learnt, axis=1), before, lost)
        deviations = np.sqrt(told.variance * factor)
        u = normal_score(np.where(absent, 0.0, (y - told.value) / deviations), told.dof)
        strange = teaches & _strange(y, told, factor)
        if not strange.any():
            ahead = np.zeros_like(u)
            earlier = _Forecast(*(part[:-1] for part in told))
            twice = _two_ahead(earlier, y[:-1], y[1:], factor[:-1], factor[1:], weight)
            ahead[1:] = np.where(absent[1:] | absent[:-1], 0.0, twice)
            return Scores(u, told.phi, deviations / weight, ahead, weight)
        struck = np.flatnonzero(strange.any(axis=0))
        first = np.argmax(strange, axis=0)[struck]
        teaches[first, struck] = False
        terms[:, first, struck] = 0.0


@dataclass(frozen=True, slots=True)
class _Taught:
    """What a reference teaches: of its means about its centre the sums over transitions, the last.

    `weight` is that of a night in the mean.
    """

    n: int
    centre: float
    weight: float
    last: float
    sums: FloatArray


def _taught(x: FloatArray) -> _Taught:
    # About the mean, sums of squares lose no digits however far the values lie from zero.
    centre = float(x.sum()) / max(len(x), 1)
    size = max(1.0, float(np.abs(x).max(initial=0.0)))
    if len(x) < 2 or float(x[:-1].max() - x[:-1].min()) <= 1e-12 * size:
        raise DomainError("scores need a reference that moves; its values were all equal")
    weight = weight_of(x)
    y = smoothed((x - centre)[:, None], weight, 0.0)[:, 0]
    return _Taught(len(x), centre, weight, float(y[-1]), _terms(y[:-1], y[1:]).sum(axis=1))


def _terms(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return what a transition adds to the sums: 1, x, y, xx, xy, yy."""
    return np.array([np.ones_like(y), x, y, x * x, x * y, y * y])


class _Forecast(NamedTuple):
    """The next value as foretold, and what is needed to foretell the one after it.

    Attributes
    ----------
    value, variance, dof
        Of the next value.
    phi, level, mean
        Expected is ``level + phi (last - mean)``.
    noise
        The innovations' variance.
    n, Sxx
        Transitions learnt from, and the sum of their squares about `mean`.
    away
        ``last - mean``.
    """

    value: FloatArray
    variance: FloatArray
    dof: FloatArray
    phi: FloatArray
    level: FloatArray
    mean: FloatArray
    noise: FloatArray
    n: FloatArray
    Sxx: FloatArray
    away: FloatArray


def _strange(y: FloatArray, told: _Forecast, factor: FloatArray) -> BoolArray:
    """Return which nights are not learnt from: far off, by the innovations' noise alone, or after.

    The forecast from a night far away errs by its slope's error times the way as well: by that,
    the nights after a step would count as usual, and teach within three of them that it is. And
    what comes after a night where no other ever was would teach the slope alone: that what is far
    away stays there.
    """
    z = (y - told.value) / np.sqrt(told.noise * factor)
    after = told.away**2 * told.n >= STRANGE**2 * told.Sxx
    return np.asarray((np.abs(normal_score(z, told.dof)) >= STRANGE) | after)


def _two_ahead(
    told: _Forecast,
    last: FloatArray,
    y: FloatArray,
    between: FloatArray,
    now: FloatArray,
    weight: FloatArray,
) -> FloatArray:
    """Return the scores of values two nights after the last that they are foretold from.

    To first order in the errors of level and slope; `last` is the night between, which the mean
    `y` still holds a part of and is freed from; `between` and `now` are the factors of either
    night's variance.
    """
    keep = 1.0 - weight
    lasts = told.phi - keep  # of the night between
    next_away = told.value - told.mean
    expected = told.level + told.phi * next_away + keep * (last - told.value)
    learnt = (1.0 + lasts) ** 2 / told.n + (next_away + lasts * told.away) ** 2 / told.Sxx
    variance = told.noise * (now * (1.0 + learnt) + lasts**2 * between)
    return normal_score((y - expected) / np.sqrt(variance), told.dof)


def _foretold(sums: FloatArray, x: FloatArray, lost: IntArray | int) -> _Forecast:
    """Return the next value's forecast from the sums of what was learnt."""
    n, sx, sy, sxx, sxy, syy = sums
    mx, my = sx / n, sy / n
    Sxx, Sxy, Syy = np.maximum(sxx - sx * mx, 1e-300), sxy - sx * my, syy - sy * my
    phi = np.clip(Sxy / Sxx, _PHI_LOW, _PHI_HIGH)
    dof = n - 2.0 - lost
    left = np.maximum(Syy - 2.0 * phi * Sxy + phi * phi * Sxx, 1e-300)
    away = x - mx
    noise = left / dof
    variance = noise * (1.0 + 1.0 / n + away * away / Sxx)
    return _Forecast(my + phi * away, variance, dof, phi, my, mx, noise, n, Sxx, away)


def normal_score(z: FloatArray, dof: FloatArray) -> FloatArray:
    """Return the normal deviate as far out as a Student deviate, by Wallace's approximation.

    Within 0.02 of the exact one for ten degrees of freedom and more.

    References
    ----------
    .. [1] Wallace, D. L. (1959). Bounds on normal approximations to Student's and the chi-square
       distributions. Annals of Mathematical Statistics 30(4), section 3.
    """
    size = np.sqrt(dof * np.log1p(z * z / dof)) * (8.0 * dof + 1.0) / (8.0 * dof + 3.0)
    return np.copysign(size, z)
