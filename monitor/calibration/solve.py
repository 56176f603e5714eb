"""Calibrate a model to quotes, or evaluate it at given parameters: always a `Fit`."""

from __future__ import annotations

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.assemble import assemble
from monitor.calibration.blocks import Problem, hold, solve_slices, solve_surface
from monitor.calibration.coupled import solve_coupled
from monitor.calibration.fit import Fit
from monitor.calibration.objective import grid_of
from monitor.calibration.settings import CalibrationSettings
from monitor.errors import DomainError
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.coupled import CoupledSlices
from monitor.models.slices import SliceModel

__all__ = ["CalibrationSettings", "calibrate", "evaluate", "grid_of", "model_iv"]


def model_iv(model: Model, params: FloatArray, grid: Grid) -> FloatArray:
    """Return a model's implied vols at the points of a grid, shape (n,); NaN where none."""
    if grid.n == 0:
        return np.empty(0)
    with np.errstate(all="ignore"):
        w = model.variance(np.asarray(params, dtype=np.float64), grid)
        return np.asarray(np.sqrt(np.where(w > 0.0, w, np.nan) / grid.tau_of_point))


def calibrate(
    model: Model,
    quotes: Quotes,
    *,
    grid: Grid | None = None,
    settings: CalibrationSettings | None = None,
    start: FloatArray | None = None,
    free: BoolArray | None = None,
) -> Fit:
    """Return the model's least-squares fit to implied vols in units of their noise.

    Parameters
    ----------
    model : Model
    quotes : Quotes
    grid : Grid, optional
        `grid_of` the quotes; pass it to share Fourier kernels between models.
    settings : CalibrationSettings, optional
    start : ndarray of shape (P,), optional
        The only start; without it the model's own cold starts. A slice with a NaN has no start
        and is left out.
    free : ndarray of bool of shape (P,), optional
        Parameters to fit; the others stay at `start`, which is then needed.

    Returns
    -------
    Fit
        Converged or not: nothing about the market raises.

    Raises
    ------
    DomainError
        If `start` or `free` has the wrong length, or `free` comes without `start`.
    """
    grid = grid or grid_of(quotes)
    settings = settings or CalibrationSettings()
    lower, upper = model.bounds(grid)
    P = len(lower)
    if free is not None and start is None:
        raise DomainError("a mask of free parameters needs a start that holds the others")
    for name, given in (("start", start), ("free", free)):
        if given is not None and np.shape(given) != (P,):
            raise DomainError(f"{name} must have shape ({P},), had {np.shape(given)}")
    free = np.ones(P, np.bool_) if free is None else np.asarray(free, np.bool_)
    if start is None:
        starts = np.clip(_cold_starts(model, quotes, grid, settings.restarts), lower, upper)
    else:
        # What the caller holds stays where it was put, even outside the bounds.
        given = np.asarray(start, dtype=np.float64)[None]
        starts = np.where(free, np.clip(given, lower, upper), given)
    problem = Problem(model, quotes, grid, settings, starts, lower, upper, free)
    if start is not None and not np.any(free):
        blocks = hold(problem)
    elif isinstance(model, SliceModel):
        blocks = solve_slices(problem)
    else:
        blocks = solve_surface(problem)
    coupling = None
    if isinstance(model, CoupledSlices) and np.all(free):
        blocks, coupling = solve_coupled(problem, blocks)
    return assemble(problem, blocks, coupling)


def _cold_starts(model: Model, quotes: Quotes, grid: Grid, count: int) -> FloatArray:
    """Return the model's most promising starts, shape (s, P)."""
    if quotes.n == 0:
        return np.empty((0, len(model.bounds(grid)[0])))
    with np.errstate(all="ignore"):
        return model.starts(grid, quotes.iv, quotes.noise)[:count]


def evaluate(model: Model, quotes: Quotes, params: FloatArray, *, grid: Grid | None = None) -> Fit:
    """Return the fit of given parameters, every one of them held: no search.

    Its status is ``converged`` wherever there is a vol to compare; quotes to which the model gives
    none are NaN in `iv` and counted in `reason`.
    """
    params = np.asarray(params, dtype=np.float64)
    return calibrate(model, quotes, grid=grid, start=params, free=np.zeros(len(params), np.bool_))
