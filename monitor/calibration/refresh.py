"""Last night's structure with tonight's states: a fit of one number, for the surface or an expiry.

A state moves little from one night to the next, and in one dimension two evaluations tell how every
residual bends between them: the third is nearly always the last. *Refused:* the search of all
parameters with all but one held, which spends more on its matrices than on the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.calibration.fit import Fit, FitStatus
from monitor.calibration.objective import model_vol
from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.solve import calibrate
from monitor.conventions import expiry_label
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model

# A step of so many standard errors goes along the tangent. Vols miss its square by that, their
# derivatives its share of the state: about what a search of `calibrate` leaves.
_NEAR = 1e-5
_EVALUATIONS = 8  # more of them, and the search is no small matter
_RISE = 1e-9  # of the cost, that rounding may bring
# What foretold curvature may make of a step, either way.
_BEND = 0.5


def refreshed_fit(
    model: Model,
    quotes: Quotes,
    carried: FloatArray,
    *,
    grid: Grid,
    settings: CalibrationSettings | None = None,
) -> tuple[FloatArray, Fit]:
    """Return vols at carried parameters, shape (n,), and the fit of their states, the rest held.

    Parameters
    ----------
    model : Model
    quotes : Quotes
    carried : ndarray of shape (P,)
        Last night's parameters laid on `grid`; NaN in slices that were not there.
    grid : Grid
        `grid_of` the quotes.
    settings : CalibrationSettings, optional

    Notes
    -----
    What is not plain is left to `calibrate`: several states in one place or one at its bound,
    quotes without a vol, steps that gain nothing.
    """
    settings = settings or CalibrationSettings()
    states = np.array([p.role == "state" for p in model.tiled(grid)], dtype=np.bool_)
    start = model_vol(model, carried, grid)
    places = _places(model, quotes, carried, grid, np.flatnonzero(states), start[0])
    limit = min(settings.max_evaluations, _EVALUATIONS)
    fit = None if places is None else _searched(places, start, limit)
    if fit is None:
        fit = calibrate(model, quotes, grid=grid, settings=settings, start=carried, free=states)
    return start[0], fit


@dataclass(frozen=True)
class _Places:
    """One state in each of B places (the surface, or its expiries), and the N quotes in them."""

    model: Model
    quotes: Quotes
    grid: Grid
    carried: FloatArray  # (P,)
    column: IntArray  # (B,), of the state in the vector
    quote: IntArray  # (N,)
    place: IntArray  # (N,), of each quote

    def sum(self, value: FloatArray) -> FloatArray:
        """Return the sum over the quotes of each place, shape (B,)."""
        total = np.bincount(self.place, value, minlength=len(self.column))
        return np.asarray(total, dtype=np.float64)

    def params(self, x: FloatArray) -> FloatArray:
        """Return the vector with states `x`, shape (P,)."""
        params = np.array(self.carried)
        params[self.column] = x
        return params


def _places(
    model: Model,
    quotes: Quotes,
    carried: FloatArray,
    grid: Grid,
    column: IntArray,
    frozen: FloatArray,
) -> _Places | None:
    """Return where the states stand; None where that is not plain."""
    m = grid.m if model.per_expiry else 1
    index = grid.expiry_index if model.per_expiry else np.zeros(grid.n, np.int64)
    given = np.isfinite(carried).reshape(m, -1)
    known = np.asarray(given.all(axis=1))
    quote = np.flatnonzero(known[index])
    plain = (
        len(column) == m
        and known.any()
        and np.array_equal(known, given.any(axis=1))
        and np.bincount(index, minlength=m).all()
        and np.isfinite(frozen[quote]).all()
        and np.isfinite(quotes.noise).all()
    )
    if not plain:
        return None
    place = (np.cumsum(known) - 1)[index[quote]]
    return _Places(model, quotes, grid, carried, column[known], quote, place)


@dataclass(frozen=True)
class _Reading:
    """A model at one value of each state."""

    x: FloatArray  # (B,)
    iv: FloatArray  # (n,)
    jacobian: FloatArray  # (n, P)
    r: FloatArray  # (N,), residuals in units of noise
    d: FloatArray  # (N,), their derivatives by the state
    cost: FloatArray  # (B,)
    precision: FloatArray  # (B,), of the state


def _read(places: _Places, x: FloatArray, vol: tuple[FloatArray, FloatArray]) -> _Reading:
    iv, jacobian = vol
    at, noise = places.quote, places.quotes.noise[places.quote]
    r = (iv[at] - places.quotes.iv[at]) / noise
    d = jacobian[at, places.column[places.place]] / noise
    return _Reading(x, iv, jacobian, r, d, 0.5 * places.sum(r * r), places.sum(d * d))


def _searched(places: _Places, start: tuple[FloatArray, FloatArray], limit: int) -> Fit | None:
    """Return the fit of the states; None where steps leave the bounds or gain nothing."""
    model, grid = places.model, places.grid
    lower, upper = model.bounds(grid)
    low, high = lower[places.column], upper[places.column]
    before, here = None, _read(places, places.carried[places.column], start)
    for evaluations in range(1, limit + 1):
        sound = np.isfinite(here.cost) & (here.precision > 0.0)
        if before is not None:
            sound &= here.cost <= before.cost * (1.0 + _RISE)
        if not sound.all():
            return None
        step = _step(places, here, before)
        x = here.x + step
        if not np.all((x > low) & (x < high)):
            return None
        if np.all(np.abs(step) * np.sqrt(here.precision) <= _NEAR):
            return _fit(places, here, step, evaluations, (lower, upper))
        before, here = here, _read(places, x, model_vol(model, places.params(x), grid))
    return None


def _step(places: _Places, here: _Reading, before: _Reading | None) -> FloatArray:
    """Return the step of each state to where its gradient vanishes.

    By Gauss and Newton from one reading. Between two, each residual is the cubic through both and
    their slopes, and the step Halley's, of third order.
    """
    gradient = places.sum(here.r * here.d)
    if before is None:
        return -gradient / here.precision
    gap = here.x - before.x
    # Over a gap of nothing differences are rounding.
    wide = np.abs(gap) * np.sqrt(here.precision) > _NEAR
    gap = np.where(wide, gap, np.inf)[places.place]
    chord = (here.r - before.r) / gap
    bend = (2.0 * before.d + 4.0 * here.d - 6.0 * chord) / gap
    twist = (6.0 * before.d + 6.0 * here.d - 12.0 * chord) / (gap * gap)
    slope = here.precision + places.sum(here.r * bend)
    curve = places.sum(3.0 * here.d * bend + here.r * twist)
    slope = np.where(slope > _BEND * here.precision, slope, here.precision)
    newton = -gradient / slope
    halley = 1.0 + 0.5 * newton * curve / slope
    return newton / np.where(halley > _BEND, halley, 1.0)


def _fit(
    places: _Places,
    here: _Reading,
    step: FloatArray,
    evaluations: int,
    bounds: tuple[FloatArray, FloatArray],
) -> Fit | None:
    """Return the fit a last step from a reading; None where a state ends at a bound."""
    model, grid, column, at = places.model, places.grid, places.column, places.quote
    params = places.params(here.x + step)
    if model.bounds_hit(params, *bounds)[column].any():
        return None
    rest, variance = step[places.place], 1.0 / here.precision
    iv, leverage = np.array(here.iv), np.full(grid.n, np.nan)
    iv[at] += here.jacobian[at, column[places.place]] * rest
    leverage[at] = np.minimum(here.d * here.d * variance[places.place], 1.0)
    unknown = np.isnan(params)
    covariance = np.zeros((len(params), len(params)))
    covariance[column, column] = variance
    covariance[unknown], covariance[:, unknown] = np.nan, np.nan
    absent = np.setdiff1d(grid.expiry_index, grid.expiry_index[at])
    labels = [f"{expiry_label(int(e))} (no start)" for e in grid.expiry_ms[absent]]
    r = here.r + here.d * rest
    cost = 0.5 * float(r @ r)
    return Fit(
        model=model.name,
        names=model.names(grid),
        params=params,
        iv=iv,
        leverage=leverage,
        jacobian=here.jacobian,
        covariance=covariance,
        condition=1.0,
        status=FitStatus.CONVERGED,
        reason=f"not priced: {', '.join(labels)}" if labels else "",
        cost=cost,
        evaluations=evaluations * len(column),
        at_bound=np.zeros(len(params), np.int64),
        restarts_cost=np.array([cost]),
        restarts_spread=0.0,
    )
