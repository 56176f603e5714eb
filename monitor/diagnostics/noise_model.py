"""How far a mid can be off by chance: learnt from earlier nights by width, delta and tenor.

All that one quote says is that the value lies between bid and ask: a uniform law, whose deviation
is the half-width over root three. That is the guess every cell starts from. What neighbouring
strikes say against each other (`numerics.contrasts`) then tells how far off mids are, without any
model: a model's own residual is its misfit, not noise. Widths are counted in ticks, because a
market one tick wide is off by rounding alone, and one of many ticks by a small part of its width.

A cell with little to go by is drawn to the whole chain's level, and that to the guess, so that no
deviation is ever zero. Pure: the same nights give the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from monitor.arrays import FloatArray, IntArray, frozen_floats, frozen_ints
from monitor.diagnostics.base import CHAIN, NO_HISTORY, History
from monitor.diagnostics.places import WINGS, wing_index
from monitor.market.quotes import Quotes
from monitor.numerics.contrasts import seen_share

TICKS = ("1", "2", "3-4", "5+")
_TICK_EDGES = (1.5, 2.5, 4.5)
TENORS = ("week", "month", "far")
_TENOR_EDGES = (8.0 / 365.0, 35.0 / 365.0)  # a daily and the next weekly; then the next monthly
CELLS = tuple(f"cell:{t}/{w}/{tenor}" for t in TICKS for w in WINGS for tenor in TENORS)

# Observations' worth of belief in the guess, and of each cell's in the level of the chain.
_BELIEF = 20.0
# Nights' worth of belief that neighbours are independent.
_BELIEF_NIGHTS = 5.0
_MOST_RHO = 0.8
# A night whose noise is so many robust deviations above the others' is no quiet one.
_QUIET = 3.0


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """The law of mids around their true vols.

    Attributes
    ----------
    power : ndarray of shape (cells,)
        Variance of each cell over the guess.
    weight : ndarray of shape (cells,)
        How many observations stand behind it.
    rho : float
        Correlation of neighbouring strikes of an expiry; of strikes i and j, rho^|i - j|.
    nights : int
        Quiet nights learnt from.
    """

    power: FloatArray
    weight: FloatArray
    rho: float
    nights: int

    def __post_init__(self) -> None:
        for name in ("power", "weight"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))

    def deviation(self, quotes: Quotes) -> FloatArray:
        """Return the standard deviation of each mid vol, shape (n,), positive."""
        return _deviation(self, quotes)

    def together(self, quotes: Quotes, x: FloatArray) -> FloatArray:
        """Return the correlation matrix of the quotes' noise times `x`, of shape (n, p)."""
        if self.rho == 0.0 or not quotes.n:
            return np.array(x)
        return np.concatenate([_decaying(self.rho, s.stop - s.start) @ x[s] for s in runs(quotes)])


# What is one for all models of a night is made once: chains and noises are compared by identity.
@lru_cache(maxsize=8)
def _deviation(noise: NoiseModel, quotes: Quotes) -> FloatArray:
    return frozen_floats(guess(quotes) * np.sqrt(noise.power[cell_index(quotes)]))


def guess(quotes: Quotes) -> FloatArray:
    """Return the deviation of a value of which bid and ask say all, shape (n,)."""
    return np.asarray(quotes.noise / np.sqrt(3.0))


@lru_cache(maxsize=4)
def cell_index(quotes: Quotes) -> IntArray:
    """Return the place of each quote in `CELLS`, shape (n,). Read-only."""
    ticks = np.digitize((quotes.c_ask - quotes.c_bid) / quotes.tick, _TICK_EDGES)
    tenors = tenor_index(quotes)[quotes.expiry_index]
    return frozen_ints((ticks * len(WINGS) + wing_index(quotes)) * len(TENORS) + tenors)


def tenor_index(quotes: Quotes) -> IntArray:
    """Return the place of each expiry in `TENORS`, shape (m,)."""
    return np.digitize(quotes.tau, _TENOR_EDGES)


@lru_cache(maxsize=4)
def runs(quotes: Quotes) -> tuple[slice, ...]:
    """Return where each expiry's quotes stand."""
    edges = np.searchsorted(quotes.expiry_index, np.arange(quotes.m + 1)).tolist()
    return tuple(slice(a, b) for a, b in pairwise(edges))


@lru_cache(maxsize=256)
def _decaying(rho: float, n: int) -> FloatArray:
    return frozen_floats(rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))))


UNLEARNT = NoiseModel(np.ones(len(CELLS)), np.zeros(len(CELLS)), 0.0, 0)


@lru_cache(maxsize=8)
def learnt_noise(history: History = NO_HISTORY) -> NoiseModel:
    """Return the noise of the quiet nights of a history; the guess where it holds none.

    Reads the metrics ``noise_power``, ``noise_weight`` and ``noise_neighbour``.
    """
    level = history.series.get((None, "noise_power", CHAIN))
    if level is None:
        return UNLEARNT
    quiet = level.as_of_ms[_is_quiet(level.value)]
    power, weight = np.zeros(len(CELLS)), np.zeros(len(CELLS))
    for i, cell in enumerate(CELLS):
        p = history.series.get((None, "noise_power", cell))
        w = history.series.get((None, "noise_weight", cell))
        if p is not None and w is not None and len(p) == len(w):
            use = np.isin(p.as_of_ms, quiet)
            weight[i] = w.value[use].sum()
            power[i] = np.sum(p.value[use] * w.value[use])
    rho = _rho(history, quiet)
    seen, total = seen_share(rho), weight.sum()
    chain = (_BELIEF + power.sum() / seen) / (_BELIEF + total)
    cells = (_BELIEF * chain + power / seen) / (_BELIEF + weight)
    return NoiseModel(cells, weight, rho, len(quiet))


def _is_quiet(level: FloatArray) -> IntArray:
    """Return which nights are no louder than the others: a broken night teaches nothing."""
    x = np.log(np.maximum(level, 1e-12))
    middle = np.median(x)
    spread = 1.4826 * np.median(np.abs(x - middle))
    return np.flatnonzero(x <= middle + _QUIET * max(float(spread), 0.05))


def _rho(history: History, quiet: IntArray) -> float:
    series = history.series.get((None, "noise_neighbour", CHAIN))
    if series is None:
        return 0.0
    values = series.value[np.isin(series.as_of_ms, quiet)]
    if not len(values):
        return 0.0
    drawn = float(np.median(values)) * len(values) / (len(values) + _BELIEF_NIGHTS)
    return round(min(max(drawn, 0.0), _MOST_RHO), 3)
