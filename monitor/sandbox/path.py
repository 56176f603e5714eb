"""The history of a world's coin: price to the minute, spot variance and basis, from a seed alone.

Days are a random walk drawn once; hours within a day and minutes within an hour are bridges drawn
from the day's own generator. Any moment can be asked for in any order and gives the same answer.
Chance does not depend on the world, so that two worlds of one seed differ by their break alone.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.conventions import MS_PER_DAY, from_ms
from monitor.errors import DomainError

HISTORY_DAYS = 400
HORIZON_DAYS = 3000
MINUTES = 1440
# Nightly deviation of ln v0 and its persistence: gives 2.5 % a night in 30-day vol; recorded chains
# after 20 February 2026 have 3.2 % (BTC) and 2.2 % (ETH).
STATE_PERSISTENCE, STATE_STEP = 0.95, 0.09
# Recorded: mean .032, deviation .003, autocorrelation .89, per year.
BASIS_MEAN, BASIS_PERSISTENCE, BASIS_STEP = 0.032, 0.89, 0.0014
# Correlation of nightly returns with nightly changes of 30-day vol: -.57 BTC, -.28 ETH recorded.
RETURN_STATE_CORRELATION = -0.45


def generator(seed: int, underlying: str, stream: str, *index: int) -> np.random.Generator:
    """Return the generator of one stream of chance; equal arguments give equal draws."""
    return np.random.default_rng([seed, crc32(underlying.encode()), crc32(stream.encode()), *index])


class Path:
    """One underlying's history.

    Parameters
    ----------
    seed : int
    underlying : str
    start_ms : int
        A midnight UTC; the price there is `spot`. History reaches `HISTORY_DAYS` before it.
    spot : float
        Dollars per coin.
    v0 : float
        Median spot variance, per year.
    """

    def __init__(self, seed: int, underlying: str, start_ms: int, spot: float, v0: float) -> None:
        self.seed, self.underlying, self.start_ms = seed, underlying, start_ms
        n = HISTORY_DAYS + HORIZON_DAYS
        draws = generator(seed, underlying, "days").standard_normal((3, n))
        spread = STATE_STEP / np.sqrt(1.0 - STATE_PERSISTENCE**2)
        state = _autoregression(spread * draws[0, 0], STATE_PERSISTENCE, STATE_STEP * draws[0])
        self._basis = BASIS_MEAN + _autoregression(0.0, BASIS_PERSISTENCE, BASIS_STEP * draws[2])
        self._variance = v0 * np.exp(state)
        rho = RETURN_STATE_CORRELATION
        shock = rho * draws[0] + np.sqrt(1.0 - rho**2) * draws[1]
        step = np.sqrt(self._variance / 365.0) * shock - self._variance / 730.0
        level = np.concatenate([[0.0], np.cumsum(step)[:-1]])
        self._level = level + np.log(spot) - level[HISTORY_DAYS]
        self._of_day = lru_cache(maxsize=128)(self._draw_minutes)

    @property
    def first_ms(self) -> int:
        """The first moment of this history."""
        return self.start_ms - HISTORY_DAYS * MS_PER_DAY

    def day_of(self, now_ms: int) -> int:
        """Return the number of the day in this history.

        Raises
        ------
        DomainError
            If the history does not reach there.
        """
        day = (now_ms - self.start_ms) // MS_PER_DAY + HISTORY_DAYS
        if not 0 <= day < len(self._level) - 1:
            raise DomainError(
                f"this world lives from {HISTORY_DAYS} days before to {HORIZON_DAYS} days after "
                f"{from_ms(self.start_ms):%Y-%m-%d}, was asked for {from_ms(now_ms):%Y-%m-%d}"
            )
        return int(day)

    def variance(self, now_ms: int) -> float:
        """Return the spot variance before any break, per year."""
        return float(np.exp(self._between(np.log(self._variance), now_ms)))

    def variances(self, time_ms: IntArray) -> FloatArray:
        """Return `variance` at many times."""
        days = (np.asarray(time_ms) - self.start_ms) / MS_PER_DAY + HISTORY_DAYS
        return np.exp(np.interp(days, np.arange(len(self._variance)), np.log(self._variance)))

    def basis(self, now_ms: int) -> float:
        """Return the growth of the forward with tenor, per year."""
        return self._between(self._basis, now_ms)

    def log_price(self, now_ms: int) -> float:
        """Return the logarithm of the price, jumps of a break not included."""
        day = self.day_of(now_ms)
        within = (now_ms - self.start_ms) % MS_PER_DAY / 60_000
        minutes = self._of_day(day)
        i = int(within)
        return float(minutes[i] + (within - i) * (minutes[i + 1] - minutes[i]))

    def log_minutes(self, start_ms: int, end_ms: int) -> tuple[IntArray, FloatArray]:
        """Return the whole minutes of the days that the window touches, and log prices there."""
        first, last = self.day_of(start_ms), self.day_of(end_ms)
        prices = [self._of_day(day)[:-1] for day in range(first, last + 1)]
        origin = self.start_ms + (first - HISTORY_DAYS) * MS_PER_DAY
        time_ms = origin + 60_000 * np.arange(MINUTES * len(prices), dtype=np.int64)
        return time_ms, np.concatenate(prices)

    def log_range(self, start_ms: int, end_ms: int) -> tuple[float, float]:
        """Return the lowest and highest log price at midnights of the window and at its end."""
        first, last = self.day_of(start_ms), self.day_of(end_ms)
        levels = self._level[first : last + 1]
        now = self.log_price(end_ms)
        return min(float(levels.min()), now), max(float(levels.max()), now)

    def _between(self, daily: FloatArray, now_ms: int) -> float:
        day = self.day_of(now_ms)
        share = (now_ms - self.start_ms) % MS_PER_DAY / MS_PER_DAY
        return float(daily[day] + share * (daily[day + 1] - daily[day]))

    def _draw_minutes(self, day: int) -> FloatArray:
        """Return log prices at the 1441 minutes of a day, ends included."""
        rng = generator(self.seed, self.underlying, "minutes", day)
        scale = np.sqrt(self._variance[day] / 365.0)
        hours = _bridge(rng.standard_normal(24)) * scale / np.sqrt(24.0)
        hours += np.linspace(self._level[day], self._level[day + 1], 25)
        inner = rng.standard_normal((24, 60)) * scale / np.sqrt(MINUTES)
        share = np.arange(1, 61) / 60.0
        walk = np.cumsum(inner, axis=1)
        walk -= walk[:, -1:] * share
        minutes = hours[:-1, None] + np.diff(hours)[:, None] * share + walk
        return np.concatenate([hours[:1], minutes.ravel()])


def _autoregression(first: float, persistence: float, shocks: FloatArray) -> FloatArray:
    """Return x with x[0] = first and x[i+1] = persistence x[i] + shocks[i]."""
    out = np.empty(len(shocks))
    out[0] = first
    for i in range(len(shocks) - 1):
        out[i + 1] = persistence * out[i] + shocks[i]
    return out


def _bridge(steps: FloatArray) -> FloatArray:
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(walk - walk[-1] * np.linspace(0.0, 1.0, len(walk)))
