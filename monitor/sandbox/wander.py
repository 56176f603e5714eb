"""What moves from day to day and can be asked for in any order: structure, residuals, mids.

Every process is a stationary autoregression of first order, drawn once for the whole history from
a generator of its own, and read off on straight lines between midnights.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from scipy.signal import lfilter

from monitor.arrays import FloatArray
from monitor.conventions import MS_PER_DAY
from monitor.sandbox.law import Truth
from monitor.sandbox.path import HISTORY_DAYS, HORIZON_DAYS, generator
from monitor.sandbox.recorded import LASTING_KNOTS, LASTING_PERSISTENCE, PASSING_KNOTS

_DAYS = HISTORY_DAYS + HORIZON_DAYS
# A shape further out than this would cost arbitrage at one-day tenors.
_FURTHEST = 2.5
_KNOTS = np.arange(-5.0, 5.1) * LASTING_KNOTS
_PASSING = np.arange(-12.0, 12.1) * PASSING_KNOTS
# The longest an option is listed, with a quarter to spare.
_LIFE_DAYS = 480


class Wandering:
    """How one underlying's truth moves; equal seeds move alike in every world."""

    def __init__(self, seed: int, underlying: str, start_ms: int, truth: Truth) -> None:
        self._seed, self._underlying = seed, underlying
        self._first_ms = start_ms - HISTORY_DAYS * MS_PER_DAY
        self._truth = truth
        self._lasting = lru_cache(maxsize=64)(self._draw_lasting)

    def structure(self, now_ms: int) -> FloatArray:
        """Return the true ``kappa, theta_v, xi, rho`` before any break."""
        t = self._truth
        centre = np.array([t.kappa, t.theta_v, t.xi, t.rho])
        if not any(t.wander.steps):
            return centre
        moved = self._at(self._moves, now_ms)
        return np.append(centre[:3] * np.exp(moved[:3]), np.tanh(np.arctanh(centre[3]) + moved[3]))

    def residual(self, now_ms: int) -> FloatArray | None:
        """Return the residual surface's shapes, (tenors, shapes) in vol; None where it has none."""
        if self._truth.surface is None:
            return None
        standing = np.array(self._truth.surface.standing)
        passing = self._at(self._shapes, now_ms)
        standing[:, : passing.shape[1]] += passing
        return standing

    def mids(self, expiry_ms: int, now_ms: int, x: FloatArray) -> FloatArray:
        """Return how far mids of one expiry lie off for many nights, in standard deviations.

        Parameters
        ----------
        expiry_ms, now_ms : int
        x : ndarray of shape (n,)
            Log-moneyness in deviations to expiry.
        """
        series = self._lasting(expiry_ms)
        day = (now_ms - expiry_ms) / MS_PER_DAY + _LIFE_DAYS
        i = int(np.clip(day, 0, _LIFE_DAYS - 1))
        share = min(max(day - i, 0.0), 1.0)
        knots = series[i] + share * (series[i + 1] - series[i])
        return _smooth(x, _KNOTS, knots)

    def passing(self, expiry_ms: int, now_ms: int, x: FloatArray) -> FloatArray:
        """Return how far mids of one expiry lie off at this moment alone, likewise."""
        day = expiry_ms // MS_PER_DAY
        rng = generator(self._seed, self._underlying, "passing", day, now_ms)
        return _smooth(x, _PASSING, rng.standard_normal(len(_PASSING)))

    @cached_property
    def _moves(self) -> FloatArray:
        wander = self._truth.wander
        draws = generator(self._seed, self._underlying, "structure").standard_normal((_DAYS, 4))
        spread = np.array(wander.steps) / np.sqrt(1.0 - wander.persistence**2)
        return spread * stationary(wander.persistence, draws)

    @cached_property
    def _shapes(self) -> FloatArray:
        surface = self._truth.surface
        assert surface is not None
        deviation = np.array(surface.deviation)
        rng = generator(self._seed, self._underlying, "residual")
        draws = rng.standard_normal((_DAYS, *deviation.shape))
        far = stationary(surface.persistence, draws)
        return deviation * np.clip(far, -_FURTHEST, _FURTHEST)

    def _draw_lasting(self, expiry_ms: int) -> FloatArray:
        day = expiry_ms // MS_PER_DAY
        rng = generator(self._seed, self._underlying, "mids", day)
        draws = rng.standard_normal((_LIFE_DAYS + 1, len(_KNOTS)))
        return stationary(LASTING_PERSISTENCE, draws)

    def _at(self, daily: FloatArray, now_ms: int) -> FloatArray:
        day, rest = divmod(now_ms - self._first_ms, MS_PER_DAY)
        share = rest / MS_PER_DAY
        return np.asarray(daily[day] + share * (daily[day + 1] - daily[day]))


def _smooth(x: FloatArray, at: FloatArray, knots: FloatArray) -> FloatArray:
    """Return a line through independent standard normals, of unit variance everywhere."""
    # Half-way between two independent knots a straight line has half the variance.
    between = ((np.clip(x, at[0], at[-1]) - at[0]) / (at[1] - at[0])) % 1.0
    return np.asarray(np.interp(x, at, knots) / np.sqrt(between**2 + (1.0 - between) ** 2))


def stationary(persistence: float, draws: FloatArray) -> FloatArray:
    """Return autoregressions of unit variance along the first axis, from standard normals."""
    start = (persistence * draws[:1]).astype(np.float64)
    gain = np.sqrt(1.0 - persistence**2)
    rest, _ = lfilter([gain], [1.0, -persistence], draws[1:], axis=0, zi=start)
    return np.concatenate([draws[:1], rest])
