"""From true vols to quotes as makers make them: widths, ticks, missing sides, marks, open interest.

The laws were fitted by eye to medians over the 306 nightly chains of January to May 2026 (last
snapshot of each UTC day), by tenor and delta; `tests/sandbox/test_likeness.py` measures both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.special import ndtr, ndtri

from monitor.arrays import BoolArray, FloatArray
from monitor.pricing.black import black_price, black_vega
from monitor.sandbox.rows import TICK, TICK_ABOVE, TICK_LIMIT


@dataclass(frozen=True, slots=True)
class Habits:
    """How one underlying is quoted.

    Attributes
    ----------
    width : float
        Widths in units of BTC's.
    in_the_money_width : tuple of float
        Bid-ask in coin at absolute deltas `ITM_DELTAS`.
    """

    width: float
    in_the_money_width: tuple[float, ...]


# Recorded medians in coin; an option deep in the money is quoted for form's sake.
ITM_DELTAS = (0.5, 0.7, 0.85, 0.925, 0.965, 0.985, 0.9925, 1.0)
HABITS: Mapping[str, Habits] = {
    "BTC": Habits(1.0, (0.001, 0.0035, 0.0055, 0.007, 0.011, 0.0235, 0.0255, 0.04)),
    "ETH": Habits(1.55, (0.002, 0.007, 0.0215, 0.030, 0.0515, 0.08, 0.09, 0.15)),
}
# Half-width in vol before rounding: short options cost a maker gamma, long and far ones liquidity.
HALF_WIDTH_SHORT, HALF_WIDTH, HALF_WIDTH_LONG, HALF_WIDTH_FAR = 0.0003, 0.0009, 0.0011, 0.015
_LEAST_HALF_WIDTH_TICKS = 0.25
_WIDTH_SPREAD = 0.35
_MOST_OFF = 0.95
_ITM_ABSENT = 0.01
_NO_OPEN_INTEREST, _NO_VOLUME = 0.16, 0.50


@dataclass(frozen=True, eq=False)
class Mood:
    """How makers stand tonight, apart from their habits. Arrays of shape (n,).

    Attributes
    ----------
    smooth : ndarray
        How far each mid lies off with its neighbours, in standard deviations of the whole.
    own : float
        Part of the variance of mids that is each strike's own, and new every time.
    spread : float
        Deviation of a maker's centre from the mark, in half-widths.
    width : ndarray
        Multiplies widths.
    quoted : ndarray of bool
        Whether there is a market at all.
    """

    smooth: FloatArray
    own: float
    spread: float
    width: FloatArray
    quoted: BoolArray


@dataclass(frozen=True, eq=False)
class Quoted:
    """Prices in coin; NaN = absent. All of shape (n,)."""

    bid: FloatArray
    ask: FloatArray
    mark: FloatArray
    mark_iv: FloatArray


def quote(
    k: FloatArray,
    w: FloatArray,
    tau: FloatArray,
    is_call: BoolArray,
    habits: Habits,
    mood: Mood,
    rng: np.random.Generator,
) -> Quoted:
    """Return quotes around true total variances.

    Parameters
    ----------
    k, w, tau : ndarray of shape (n,)
        Log-moneyness, true total variance, tenor in years.
    is_call : ndarray of shape (n,)
    habits : Habits
    mood : Mood
    rng : Generator
    """
    sign = np.where(is_call, 1.0, -1.0)
    fair = black_price(k, w, sign)
    deviation = np.sqrt(w)
    delta = ndtr(sign * (-k / deviation + 0.5 * deviation))
    in_the_money = sign * k < 0.0
    draws = rng.standard_normal((2, len(k)))
    absent = rng.random((2, len(k))) < _ITM_ABSENT * in_the_money
    half = half_width(delta, tau, black_vega(k, w) * np.sqrt(tau), fair, habits)
    wide = 0.5 * np.interp(delta, ITM_DELTAS, habits.in_the_money_width)
    half = np.where(in_the_money, np.maximum(half, wide), half) * np.exp(_WIDTH_SPREAD * draws[0])
    half = half * mood.width
    stray = mood.smooth + np.sqrt(mood.own) * draws[1]
    # What is fair stays inside the spread: else some strike of hundreds would always offer the
    # forward away from where it is, which on the recorded chains 0.4 % of expiries do.
    centre = fair + half * np.clip(mood.spread * stray, -_MOST_OFF, _MOST_OFF)
    bid, ask = to_tick(centre - half, up=False), to_tick(centre + half, up=True)
    # A maker who would bid nothing does not bid; nobody offers for nothing.
    bid = np.where((bid <= 0.0) | absent[0] | ~mood.quoted, np.nan, bid)
    ask = np.where(absent[1] | ~mood.quoted, np.nan, np.maximum(ask, TICK))
    return Quoted(bid, ask, np.round(fair, 6), np.round(deviation / np.sqrt(tau), 4))


def half_width(
    delta: FloatArray, tau: FloatArray, vega: FloatArray, fair: FloatArray, habits: Habits
) -> FloatArray:
    """Return the half-width in coin before rounding to ticks; `vega` in coin a unit of vol."""
    vol = HALF_WIDTH_SHORT / np.sqrt(tau) + HALF_WIDTH + HALF_WIDTH_LONG * tau
    vol = vol * (1.0 + HALF_WIDTH_FAR / np.maximum(np.minimum(delta, 1.0 - delta), 0.003))
    least = _LEAST_HALF_WIDTH_TICKS * np.where(fair > TICK_LIMIT, TICK_ABOVE, TICK)
    return np.maximum(habits.width * vol * vega, least)


def to_tick(price: FloatArray, *, up: bool) -> FloatArray:
    """Return prices on the venue's ticks, rounded away from the middle."""
    tick = np.where(price > TICK_LIMIT, TICK_ABOVE, TICK)
    # A price on a tick stays there whatever the last bit of the division says.
    steps = price / tick
    n = np.ceil(steps - 1e-9) if up else np.floor(steps + 1e-9)
    return np.round(n * tick, 4)


def interest(names: Sequence[str], day: int) -> tuple[FloatArray, FloatArray]:
    """Return open interest and the day's volume, in coins, by name alone."""
    standing = np.array([crc32(name.encode()) for name in names]) / 2.0**32
    traded = np.array([crc32(f"{day}{name}".encode()) for name in names]) / 2.0**32
    return _lognormal(standing, _NO_OPEN_INTEREST, 5.4, 2.0), _lognormal(
        traded, _NO_VOLUME, 2.5, 2.0
    )


def _lognormal(uniform: FloatArray, zero: float, mean: float, deviation: float) -> FloatArray:
    rest = np.clip((uniform - zero) / (1.0 - zero), 1e-9, 1.0 - 1e-9)
    return np.where(uniform < zero, 0.0, np.round(np.exp(mean + deviation * ndtri(rest)), 1))
