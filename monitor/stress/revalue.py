"""Options revalued by a model in each scenario.

A move of spot moves every forward alike, so an option's k moves and the smile stays where it is in
k: every model here prices by k. A move of vol is the model's own affair:

- a model per expiry has a smile for each expiry and no opinion how they move together: its vols
  move by the scenario's rule, expiry by expiry;
- a model of the whole surface has states, which move, and structure, which does not: its states
  are scaled by the one factor at which its 30-day vol at the money moves as the rule says at 30
  days. What other tenors do then is the model's statement, and what it is asked for here.

Where no factor within the parameters' bounds gives that 30-day vol the model cannot say what the
scenario is worth (a Heston model that reverts within days does not believe in a 30-day vol a
quarter lower), and has no value there. *Refused:* moving its structure too, which is another model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.calibration.solve import model_iv
from monitor.models.base import Grid, Model
from monitor.pricing.black import black_price
from monitor.stress.scenarios import (
    REFERENCE_DAYS,
    SCENARIOS,
    SPOT_MOVES,
    UNMOVED,
    VOL_MOVES,
    Scenario,
    VolMove,
    VolRule,
)

_LEVEL_TAU = REFERENCE_DAYS / 365.0
_MAX_STEPS = 40
# Of the 30-day vol: from here the rest of the way is foretold, which misses 5e-6 of a gain at most
# on 29 recorded nights of seven models.
_CLOSE = 0.02


@dataclass(frozen=True, eq=False)
class Options:
    """Options to be revalued, sorted by (tau, k).

    Attributes
    ----------
    expiry_ms : ndarray of shape (l,)
    tau, k, sign : ndarray of shape (l,)
    w : ndarray of shape (l,)
        The market's total variance: it sets the accuracy of Fourier prices, not their value.
    """

    expiry_ms: IntArray
    tau: FloatArray
    k: FloatArray
    sign: FloatArray
    w: FloatArray

    @cached_property
    def moved_k(self) -> FloatArray:
        """Log-moneyness after each move of spot, shape (s, l)."""
        return np.asarray(self.k - np.log1p(np.array(SPOT_MOVES))[:, None], dtype=np.float64)

    @cached_property
    def _placed(self) -> tuple[Grid, IntArray]:
        """The grid of all moved points and the level's, and each one's place in it, level last."""
        tau = np.append(np.tile(self.tau, len(SPOT_MOVES)), _LEVEL_TAU)
        k = np.append(self.moved_k.ravel(), 0.0)
        # By tenor: the level's may be an expiry's as well.
        tenors, index = np.unique(tau, return_inverse=True)
        order = np.lexsort((k, index))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        own, first = np.unique(self.tau, return_index=True)
        expiry_ms = np.zeros(len(tenors), np.int64)
        expiry_ms[np.searchsorted(tenors, own)] = self.expiry_ms[first]
        nearest = [
            np.flatnonzero(self.tau == t)[np.argmin(np.abs(self.k[self.tau == t]))] for t in own
        ]
        w_ref = np.interp(tenors, own, self.w[nearest])
        return Grid(expiry_ms, tenors, index[order], k[order], w_ref), place

    @property
    def grid(self) -> Grid:
        """All moved points and the level's, as a model is asked for them."""
        return self._placed[0]

    @property
    def level_at(self) -> int:
        """Place in the grid of the point at which the level of a surface is read."""
        return int(self._placed[1][-1])

    @cached_property
    def level(self) -> Grid:
        """That point alone."""
        zero, at = np.zeros(1, np.int64), self.grid.expiry_index[self.level_at]
        return Grid(
            zero, self.grid.tau[at : at + 1], zero, np.zeros(1), self.grid.w_ref[at : at + 1]
        )

    def by_move(self, values: FloatArray) -> FloatArray:
        """Return a grid's values as rows of spot moves, shape (s, l)."""
        return values[self._placed[1][:-1]].reshape(len(SPOT_MOVES), -1)


def revalue(
    model: Model,
    params: FloatArray,
    expiry_ms: IntArray,
    tau: FloatArray,
    options: Options,
    rule: VolRule,
) -> tuple[FloatArray, dict[Scenario, FloatArray]]:
    """Return the options' premiums by a model, now and in each scenario.

    Parameters
    ----------
    model : Model
    params : ndarray of shape (P,)
        Fitted to the expiries `expiry_ms` at tenors `tau`, both of shape (m,).
    options : Options
    rule : VolRule

    Returns
    -------
    now : ndarray of shape (l,)
        Premium over forward. NaN where the model gives none.
    after : mapping of Scenario to ndarray of shape (l,)
        Premium over the moved forward. NaN where the model gives none, everywhere where it cannot
        follow the move of vol.
    """
    grid = options.grid
    carried = model.carry(params, expiry_ms, tau, grid)
    if not np.isfinite(carried).any():
        absent = np.full(len(options.k), np.nan)
        return absent, dict.fromkeys(SCENARIOS, absent)
    if model.per_expiry:
        unmoved = options.by_move(model_iv(model, carried, grid))
        iv = np.stack([rule.moved(unmoved, options.tau, move) for move in VOL_MOVES])
        w = iv * iv * options.tau
    else:
        surfaces = moved_surfaces(model, carried, options, rule)
        nowhere = np.full(grid.n, np.nan)
        found = (surfaces[move] for move in VOL_MOVES)
        w = np.stack([options.by_move(nowhere if s is None else s.w) for s in found])
    c = black_price(options.moved_k, w, options.sign)
    after = {
        scenario: c[VOL_MOVES.index(scenario.vol), SPOT_MOVES.index(scenario.spot)]
        for scenario in SCENARIOS
    }
    return after[UNMOVED], after


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface model's answer with its states scaled by one factor.

    Attributes
    ----------
    factor : float
    w, by_factor : ndarray of shape (n,) or (1,)
        Total variance on the options' grid, or at its level alone, and its derivative by the
        factor; NaN where there is none.
    level, slope : float
        30-day vol at the money, and its derivative likewise.
    """

    factor: float
    w: FloatArray
    by_factor: FloatArray
    level: float
    slope: float


def moved_surfaces(
    model: Model, params: FloatArray, options: Options, rule: VolRule
) -> dict[VolMove, Surface | None]:
    """Return a surface model after each move of vol, its states scaled so that its level moves.

    Parameters
    ----------
    model : Model
        With one vector for the whole surface.
    params : ndarray of shape (P,)
    options : Options
    rule : VolRule

    Returns
    -------
    mapping of {"down", "same", "up"} to Surface or None
        On the options' grid. None where no factor within the bounds gives the level.
    """
    is_state = np.array([p.role == "state" for p in model.tiled(options.grid)])
    lower, upper = (bound[is_state] for bound in model.bounds(options.grid))
    states = np.where(is_state, params, 0.0)

    def scaled(factor: float, whole: bool = True) -> Surface:
        grid, at = (options.grid, options.level_at) if whole else (options.level, 0)
        there = np.where(is_state, factor * states, params)
        with np.errstate(all="ignore"):
            w, gradient = model.total_variance(there, grid)
            w, by_factor = np.where(w > 0.0, w, np.nan), gradient @ states
            level = float(np.sqrt(w[at] / _LEVEL_TAU))
            slope = float(by_factor[at]) / (2.0 * level * _LEVEL_TAU)
        return Surface(factor, w, by_factor, level, slope)

    def moved(move: VolMove, before: Surface | None) -> Surface | None:
        here, aim = now, float(rule.moved(level, tau, move)[0])
        for _ in range(_MAX_STEPS):
            if not (np.isfinite(here.level) and here.slope > 0.0):
                return None
            wanted = _factor_at(aim, here, before)
            # A step is kept from leaving the model's ground.
            factor = float(np.clip(wanted, 0.1 * here.factor, 10.0 * here.factor))
            factor = _within(factor, states[is_state], lower, upper)
            if factor == wanted and abs(here.level - aim) <= _CLOSE * aim:
                found = here if len(here.w) == options.grid.n else scaled(here.factor)
                return replace(found, factor=wanted, w=_between(now, found, wanted), level=aim)
            if factor == here.factor:
                return None
            # The step meant to be the last asks for all points; one cut short is not.
            before, here = here, scaled(factor, whole=factor == wanted)
        return None

    now = scaled(1.0)
    level, tau = np.array([now.level]), np.array([_LEVEL_TAU])
    up = moved("up", None)
    # The way up shows how the level bends.
    return {"down": moved("down", up), "same": now, "up": up}


def _factor_at(aim: float, here: Surface, before: Surface | None) -> float:
    """Return the factor at which the level is foretold to be `aim`.

    By the cubic through both surfaces and their slopes, factor by level: variance is nearly linear
    in states that are variances, vol in those that are vols. By the straight line here where there
    is no other surface, or the cubic turns back.
    """
    step = (aim - here.level) / here.slope
    if before is not None and before.level != here.level:
        width = before.level - here.level
        chord = (before.factor - here.factor) / width
        t = (aim - here.level) / width
        first, second = 1.0 / here.slope - chord, 1.0 / before.slope - chord
        cubic = (aim - here.level) * (chord + (1.0 - t) * ((1.0 - t) * first - t * second))
        step = cubic if cubic * step > 0.0 else step
    return here.factor + step


def _between(one: Surface, other: Surface, factor: float) -> FloatArray:
    """Return total variance at a factor, by the cubic through two surfaces and their slopes."""
    width = other.factor - one.factor
    if width == 0.0:
        return one.w + (factor - one.factor) * one.by_factor
    t = (factor - one.factor) / width
    chord = (other.w - one.w) / width
    first, second = one.by_factor - chord, other.by_factor - chord
    bend = width * t * (1.0 - t) * ((1.0 - t) * first - t * second)
    return np.asarray(one.w + (factor - one.factor) * chord + bend)


def _within(factor: float, states: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Return the factor nearest `factor` that keeps positive states between their bounds."""
    positive = states > 0.0
    least = np.max(lower[positive] / states[positive], initial=0.0)
    most = np.min(upper[positive] / states[positive], initial=np.inf)
    return float(np.clip(factor, least, most))
