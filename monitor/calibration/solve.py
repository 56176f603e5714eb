"""Calibrate a model to quotes, or evaluate it at given parameters: always a `Fit`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration.fit import Fit, FitStatus
from monitor.calibration.objective import (
    grid_of,
    model_vol,
    slice_residuals,
    surface_residuals,
)
from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.trust import bounds_hit, spread_of, trust_of
from monitor.conventions import expiry_label
from monitor.errors import DomainError
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.slices import SliceModel, rows_of
from monitor.numerics.least_squares import Ending, Solution, Tolerances, solve_bounded

__all__ = ["CalibrationSettings", "calibrate", "evaluate", "grid_of", "model_iv"]

_STATUS = {
    Ending.CONVERGED: FitStatus.CONVERGED,
    Ending.MAX_EVALUATIONS: FitStatus.MAX_EVALUATIONS,
    Ending.STALLED: FitStatus.STALLED,
    Ending.NOT_FINITE: FitStatus.NOT_PRICEABLE,
}
# From good to bad; a surface is as good as its worst fitted slice.
_ORDER = (
    FitStatus.CONVERGED,
    FitStatus.MAX_EVALUATIONS,
    FitStatus.STALLED,
    FitStatus.NOT_PRICEABLE,
    FitStatus.TOO_FEW_QUOTES,
)


@dataclass(frozen=True)
class _Block:
    """One independent problem of a fit: the whole surface, or one expiry of it."""

    label: str
    points: slice
    params: slice
    x: FloatArray  # (p,), NaN where nothing was fitted
    status: FitStatus
    note: str
    evaluations: int
    ends: FloatArray  # (s, p), best first
    costs: FloatArray  # (s,)


def model_iv(model: Model, params: FloatArray, grid: Grid) -> FloatArray:
    """Return a model's implied vols at the points of a grid, shape (n,); NaN where none."""
    return model_vol(model, np.asarray(params, dtype=np.float64), grid)[0]


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
        with np.errstate(all="ignore"):
            starts = model.starts(grid, quotes.iv, quotes.noise) if quotes.n else np.empty((0, P))
        starts = starts[: settings.restarts]
    else:
        starts = np.asarray(start, dtype=np.float64)[None]
    starts = np.clip(starts, lower, upper)
    # What the caller holds stays where it was put, even outside the bounds.
    if start is not None:
        starts = np.where(free, starts, np.asarray(start, dtype=np.float64))
    held_lower, held_upper = (
        np.where(free, b, starts[:1]) if len(starts) else b for b in (lower, upper)
    )
    held_lower, held_upper = np.ravel(held_lower), np.ravel(held_upper)
    solver = _solve_slices if isinstance(model, SliceModel) else _solve_surface
    blocks = solver(model, quotes, grid, settings, starts, held_lower, held_upper, free)
    return _assemble(model, quotes, grid, blocks, lower, upper, free)


def evaluate(model: Model, quotes: Quotes, params: FloatArray, *, grid: Grid | None = None) -> Fit:
    """Return what `calibrate` would, with every parameter held: one evaluation, no search."""
    params = np.asarray(params, dtype=np.float64)
    return calibrate(model, quotes, grid=grid, start=params, free=np.zeros(len(params), np.bool_))


def _tolerances(settings: CalibrationSettings) -> Tolerances:
    return Tolerances(
        cost=settings.cost_tolerance,
        step=settings.step_tolerance,
        gradient=settings.gradient_tolerance,
        max_evaluations=settings.max_evaluations,
    )


def _solve_surface(
    model: Model,
    quotes: Quotes,
    grid: Grid,
    settings: CalibrationSettings,
    starts: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    free: BoolArray,
) -> list[_Block]:
    """Return the one block of a model with one vector, from every start in turn."""
    P = len(lower)
    whole = ("surface", slice(0, quotes.n), slice(0, P))
    thin = quotes.n < max(int(free.sum()), 1)
    if thin or not np.all(np.isfinite(starts)):
        return [_unfitted(*whole, quotes.n, int(free.sum()), thin)]
    residuals = surface_residuals(model, grid, quotes)
    solutions = [
        solve_bounded(residuals, one[None], lower, upper, _tolerances(settings)) for one in starts
    ]
    return [_best(*whole, *_stack(solutions), free)]


def _solve_slices(
    model: Model,
    quotes: Quotes,
    grid: Grid,
    settings: CalibrationSettings,
    starts: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    free: BoolArray,
) -> list[_Block]:
    """Return a block an expiry, all expiries and starts solved in one batch."""
    assert isinstance(model, SliceModel)
    m, p, s = grid.m, len(model.parameters), len(starts)
    edges = np.searchsorted(grid.expiry_index, np.arange(m + 1))
    counts, wanted = np.diff(edges), free.reshape(m, p).sum(axis=1)
    by_slice = starts.reshape(s, m, p)
    thin = counts < np.maximum(wanted, 1)
    fit = np.flatnonzero(~thin & np.isfinite(by_slice).all(axis=(0, 2)))
    rows = rows_of(grid)
    slices = np.tile(fit, s)
    solution = solve_bounded(
        slice_residuals(model, rows, slices, quotes),
        by_slice[:, fit].reshape(-1, p),
        np.tile(lower.reshape(m, p)[fit], (s, 1)),
        np.tile(upper.reshape(m, p)[fit], (s, 1)),
        _tolerances(settings),
    )
    place = {int(j): i for i, j in enumerate(fit)}
    blocks = []
    for j in range(m):
        where = (
            expiry_label(int(grid.expiry_ms[j])),
            slice(int(edges[j]), int(edges[j + 1])),
            slice(j * p, (j + 1) * p),
        )
        if j not in place:
            blocks.append(_unfitted(*where, int(counts[j]), int(wanted[j]), bool(thin[j])))
            continue
        own = np.arange(s) * len(fit) + place[j]
        blocks.append(
            _best(
                *where,
                solution.x[own],
                solution.cost[own],
                solution.ending[own],
                solution.evaluations[own],
                free[where[2]],
            )
        )
    return blocks


def _stack(solutions: list[Solution]) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    return (
        np.concatenate([s.x for s in solutions]),
        np.concatenate([s.cost for s in solutions]),
        np.concatenate([s.ending for s in solutions]),
        np.concatenate([s.evaluations for s in solutions]),
    )


def _unfitted(label: str, points: slice, params: slice, n: int, wanted: int, thin: bool) -> _Block:
    p = params.stop - params.start
    status = FitStatus.TOO_FEW_QUOTES if thin else FitStatus.NOT_PRICEABLE
    note = f"{label} ({n} quotes for {wanted} parameters)" if thin else f"{label} (no start)"
    nothing = np.full(p, np.nan)
    return _Block(
        label, points, params, nothing, status, note, 0, nothing[None], np.array([np.inf])
    )


def _best(
    label: str,
    points: slice,
    params: slice,
    x: FloatArray,
    cost: FloatArray,
    ending: IntArray,
    evaluations: IntArray,
    free: BoolArray,
) -> _Block:
    """Return the block of the best end; among ends of equal cost a converged one."""
    order = np.argsort(cost, kind="stable")
    best = order[0]
    if not np.isfinite(cost[best]):
        nothing = np.full(x.shape[1], np.nan)
        note = f"{label} (no start has finite model vols)"
        return _Block(
            label,
            points,
            params,
            nothing,
            FitStatus.NOT_PRICEABLE,
            note,
            int(evaluations.sum()),
            nothing[None],
            np.array([np.inf]),
        )
    equal = [i for i in order if cost[i] <= cost[best] * (1.0 + 1e-9)]
    best = next((i for i in equal if ending[i] == Ending.CONVERGED), best)
    order = np.concatenate([[best], order[order != best]])
    status = _STATUS[Ending(int(ending[best]))]
    note = (
        "" if status is FitStatus.CONVERGED else f"{label} ({int(evaluations[best])} evaluations)"
    )
    return _Block(
        label,
        points,
        params,
        x[best],
        status,
        note,
        int(evaluations.sum()),
        x[order],
        cost[order],
    )


def _assemble(
    model: Model,
    quotes: Quotes,
    grid: Grid,
    blocks: list[_Block],
    lower: FloatArray,
    upper: FloatArray,
    free: BoolArray,
) -> Fit:
    """Return the fit of all blocks, with what their Jacobians say."""
    P, n = len(lower), quotes.n
    params = np.concatenate([b.x for b in blocks]) if blocks else np.full(P, np.nan)
    iv, jacobian = model_vol(model, params, grid) if n else (np.empty(0), np.empty((0, P)))
    leverage, covariance = np.full(n, np.nan), np.zeros((P, P))
    at_bound = np.zeros(P, np.int64)
    condition, spread = 1.0, 0.0
    fitted = [b for b in blocks if np.all(np.isfinite(b.x))]
    for b in fitted:
        hit = np.where(free[b.params], bounds_hit(b.x, lower[b.params], upper[b.params]), 0)
        at_bound[b.params] = hit
        trust = trust_of(
            jacobian[b.points, b.params], quotes.noise[b.points], free[b.params] & (hit == 0)
        )
        block = np.array(trust.covariance)
        held = ~free[b.params]
        block[held], block[:, held] = 0.0, 0.0
        covariance[b.params, b.params] = block
        leverage[b.points] = trust.leverage
        condition = max(condition, trust.condition)
        spread = max(spread, spread_of(b.ends, b.costs, trust.covariance))
    # Slices are fitted apart, so their errors are independent; what has no error has none at all.
    unknown = np.isnan(params) | np.isnan(np.diagonal(covariance))
    covariance[unknown], covariance[:, unknown] = np.nan, np.nan
    status, reason = _verdict(blocks)
    z = (iv - quotes.iv) / quotes.noise
    used = np.concatenate([np.arange(n)[b.points] for b in fitted]) if fitted else []
    starts = min((len(b.costs) for b in fitted), default=0)
    return Fit(
        model=model.name,
        names=model.names(grid),
        params=params,
        iv=iv,
        leverage=leverage,
        jacobian=jacobian,
        covariance=covariance,
        condition=condition if fitted else float("inf"),
        status=status,
        reason=reason,
        cost=float(0.5 * np.sum(z[used] ** 2)) if fitted else float("nan"),
        evaluations=sum(b.evaluations for b in blocks),
        at_bound=at_bound,
        restarts_cost=np.array([sum(b.costs[i] for b in fitted) for i in range(starts)]),
        restarts_spread=spread,
    )


def _verdict(blocks: list[_Block]) -> tuple[FitStatus, str]:
    """Return the worst status among fitted blocks, and which blocks fell short and why."""
    thin = [b for b in blocks if b.status is FitStatus.TOO_FEW_QUOTES]
    rest = [b for b in blocks if b.status is not FitStatus.TOO_FEW_QUOTES]
    fitted = [b for b in rest if np.all(np.isfinite(b.x))]
    unpriced = [b for b in rest if b not in fitted]
    if fitted:
        status = max((b.status for b in fitted), key=_ORDER.index)
    elif unpriced:
        status = FitStatus.NOT_PRICEABLE
    else:
        status = FitStatus.TOO_FEW_QUOTES
    short = [b for b in fitted if b.status is not FitStatus.CONVERGED]
    parts = []
    if thin or not blocks:
        parts.append("thin: " + (", ".join(b.note for b in thin) or "no quotes"))
    if unpriced:
        parts.append("not priced: " + ", ".join(b.note for b in unpriced))
    if short:
        parts.append("; ".join(f"{b.status.value}: {b.note}" for b in short))
    return status, "; ".join(parts)
