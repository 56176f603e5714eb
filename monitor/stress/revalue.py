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

from dataclasses import dataclass
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

_MAX_STEPS = 40
_CLOSE = 1e-7  # relative, of the 30-day variance


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
        """The grid of all moved points, and each point's place in it."""
        expiries, first, index = np.unique(self.expiry_ms, return_index=True, return_inverse=True)
        k = self.moved_k.ravel()
        index = np.tile(index, len(SPOT_MOVES))
        order = np.lexsort((k, index))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        nearest = [
            np.flatnonzero(self.expiry_ms == e)[np.argmin(np.abs(self.k[self.expiry_ms == e]))]
            for e in expiries
        ]
        grid = Grid(expiries, self.tau[first], index[order], k[order], self.w[nearest])
        return grid, place

    @property
    def grid(self) -> Grid:
        """All moved points, as a model is asked for them."""
        return self._placed[0]

    def by_move(self, iv: FloatArray) -> FloatArray:
        """Return a grid's values as rows of spot moves, shape (s, l)."""
        return iv[self._placed[1]].reshape(len(SPOT_MOVES), -1)

    @cached_property
    def level(self) -> Grid:
        """The one point at which the level of a surface is read: 30 days, at the money."""
        tau = REFERENCE_DAYS / 365.0
        w = float(np.interp(tau, self.grid.tau, self.grid.w_ref))
        zero = np.zeros(1, np.int64)
        return Grid(zero, np.array([tau]), zero, np.zeros(1), np.array([w]))


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
    unmoved = options.by_move(model_iv(model, carried, grid))
    iv = np.full((len(VOL_MOVES), *unmoved.shape), np.nan)
    for v, move in enumerate(VOL_MOVES):
        if move == "same" or model.per_expiry:
            iv[v] = rule.moved(unmoved, options.tau, move)
            continue
        moved = moved_states(model, carried, options.level, rule, move)
        if moved is not None:
            iv[v] = options.by_move(model_iv(model, moved, grid))
    c = black_price(options.moved_k, iv * iv * options.tau, options.sign)
    after = {
        scenario: c[VOL_MOVES.index(scenario.vol), SPOT_MOVES.index(scenario.spot)]
        for scenario in SCENARIOS
    }
    return after[UNMOVED], after


def moved_states(
    model: Model, params: FloatArray, level: Grid, rule: VolRule, move: VolMove
) -> FloatArray | None:
    """Return a surface model's parameters with the states scaled so that its level moves.

    Parameters
    ----------
    model : Model
        With one vector for the whole surface.
    params : ndarray of shape (P,)
    level : Grid
        The one point at which the level is read.
    rule : VolRule
    move : {"down", "same", "up"}

    Returns
    -------
    ndarray of shape (P,) or None
        None where no factor within the bounds gives the level.
    """
    is_state = np.array([p.role == "state" for p in model.tiled(level)])
    lower, upper = model.bounds(level)
    states = np.where(is_state, params, 0.0)
    tried, factor, aim = np.asarray(params, dtype=np.float64), 1.0, np.nan
    for _ in range(_MAX_STEPS):
        with np.errstate(all="ignore"):
            w, gradient = model.total_variance(tried, level)
            if np.isnan(aim):
                now = np.sqrt(w / level.tau)
                aim = float((rule.moved(now, level.tau, move) ** 2 * level.tau)[0])
        slope, miss = float(gradient[0] @ states), float(w[0]) - aim
        if not (np.isfinite(miss) and slope > 0.0):
            return None
        if abs(miss) <= _CLOSE * aim:
            return tried
        # Variance is nearly linear in its states; a step is kept from leaving the model's ground.
        step = float(np.clip(factor - miss / slope, 0.1 * factor, 10.0 * factor))
        step = _within(step, states[is_state], lower[is_state], upper[is_state])
        if step == factor:
            return None
        factor = step
        tried = np.where(is_state, factor * states, params)
    return None


def _within(factor: float, states: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Return the factor nearest `factor` that keeps positive states between their bounds."""
    positive = states > 0.0
    least = np.max(lower[positive] / states[positive], initial=0.0)
    most = np.min(upper[positive] / states[positive], initial=np.inf)
    return float(np.clip(factor, least, most))
