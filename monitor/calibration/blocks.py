"""The independent problems of a fit, the whole surface or one an expiry, each with its solution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration.fit import FitStatus
from monitor.calibration.objective import Chart, model_vol, slice_residuals, surface_residuals
from monitor.calibration.settings import CalibrationSettings
from monitor.conventions import expiry_label
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.slices import SliceModel, in_rows, rows_of
from monitor.numerics.least_squares import Ending, Solution, Tolerances, solve_bounded

_STATUS = {
    Ending.CONVERGED: FitStatus.CONVERGED,
    Ending.MAX_EVALUATIONS: FitStatus.MAX_EVALUATIONS,
    Ending.STALLED: FitStatus.STALLED,
    Ending.NOT_FINITE: FitStatus.NOT_PRICEABLE,
}
_NOTHING = (FitStatus.TOO_FEW_QUOTES, FitStatus.NOT_PRICEABLE)


@dataclass(frozen=True)
class Problem:
    """What is to be fitted, from where, and what may move."""

    model: Model
    quotes: Quotes
    grid: Grid
    settings: CalibrationSettings
    starts: FloatArray  # (s, P)
    lower: FloatArray  # (P,)
    upper: FloatArray
    free: BoolArray  # (P,)

    @property
    def held_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds in which a held parameter has its own value twice."""
        held = self.starts[0] if len(self.starts) else self.lower
        return np.where(self.free, self.lower, held), np.where(self.free, self.upper, held)

    @property
    def tolerances(self) -> Tolerances:
        """The solver's part of the settings."""
        return self.settings.tolerances


@dataclass(frozen=True)
class Place:
    """Where a block stands in the surface."""

    label: str
    points: slice
    params: slice

    @property
    def n(self) -> int:
        """Number of quotes."""
        return int(self.points.stop - self.points.start)


@dataclass(frozen=True)
class Block:
    """One independent problem and its end."""

    place: Place
    x: FloatArray  # (p,), NaN where nothing was fitted
    status: FitStatus
    note: str  # what fell short, with numbers
    evaluations: int
    ends: FloatArray  # (s, p), best first
    costs: FloatArray  # (s,)

    @property
    def fitted(self) -> bool:
        """Whether there are parameters."""
        return self.status not in _NOTHING


def solve_surface(problem: Problem) -> list[Block]:
    """Return the one block of a model with one vector, from every start in turn."""
    quotes = problem.quotes
    P, wanted = len(problem.lower), int(problem.free.sum())
    place = Place("surface", slice(0, quotes.n), slice(0, P))
    if quotes.n < max(wanted, 1):
        return [_thin(place, wanted)]
    if not np.all(np.isfinite(problem.starts)):
        return [_unpriced(place, "no start")]

    ends = [_descend(problem, start, wanted) for start in problem.starts]
    # Ends that leave out more quotes than another are no rivals of it.
    priced = np.array([count for _, count in ends])
    return [
        _best(
            place,
            np.concatenate([end.x for end, _ in ends]),
            np.where(priced == priced.max(), np.concatenate([end.cost for end, _ in ends]), np.inf),
            np.concatenate([end.ending for end, _ in ends]),
            np.concatenate([end.evaluations for end, _ in ends]),
        )
    ]


def _descend(problem: Problem, start: FloatArray, wanted: int) -> tuple[Solution, int]:
    """Return the solution from one start, and the number of quotes that it could use.

    A start may give far strikes no price at all: then the others are fitted first, and the search
    goes on from there with those that have a price by then.
    """
    model, grid, quotes = problem.model, problem.grid, problem.quotes

    bounds = problem.held_bounds
    # What is held keeps its value to the bit, and may lie where no logarithm is.
    shift = [
        p.log_from if free else None
        for p, free in zip(model.tiled(grid), problem.free, strict=True)
    ]
    chart = Chart(*bounds, np.array([np.nan if s is None else s for s in shift]))

    def solve(x: FloatArray, used: BoolArray | None) -> Solution:
        residuals = surface_residuals(model, grid, quotes, chart, used)
        low, high = (chart.of(bound) for bound in bounds)
        end = solve_bounded(residuals, chart.of(x)[None], low, high, problem.tolerances)
        return replace(end, x=chart.params(end.x))

    end = solve(start, None)
    if np.isfinite(end.cost[0]):
        return end, quotes.n
    used = np.isfinite(model_vol(model, start, grid)[0])
    while used.sum() > wanted:
        spent = end.evaluations
        end = solve(start, used)
        end = replace(end, evaluations=end.evaluations + spent)
        priced = np.isfinite(model_vol(model, end.x[0], grid)[0])
        if priced.sum() <= used.sum():
            break
        start, used = end.x[0], priced
    return end, int(used.sum()) if np.isfinite(end.cost[0]) else 0


def solve_slices(problem: Problem) -> list[Block]:
    """Return a block an expiry, all expiries and starts solved in one batch."""
    model, grid = problem.model, problem.grid
    assert isinstance(model, SliceModel)
    m, p, s = grid.m, len(model.parameters), len(problem.starts)
    places = _places(grid, p)
    wanted = problem.free.reshape(m, p).sum(axis=1)
    by_slice = problem.starts.reshape(s, m, p)
    counts = np.array([place.n for place in places])
    enough = counts >= np.maximum(wanted, 1)
    fit = np.flatnonzero(enough & np.isfinite(by_slice).all(axis=(0, 2)))
    blocks = {
        int(j): block for j, block in zip(fit, _batch(problem, places, fit, None), strict=True)
    }
    again = [j for j, block in blocks.items() if not block.fitted]
    if again:
        # As for a surface: leave out the quotes that have no vol at the first start.
        rows = rows_of(grid)
        with np.errstate(all="ignore"):
            w, _ = model.slice_variance(by_slice[0, again], rows.k[again], rows.tau[again])
        used = (w > 0.0) & rows.real[again]
        some = used.sum(axis=1) > wanted[again]
        at = np.array(again)[some]
        second = _batch(problem, places, at, used[some])
        blocks |= {int(j): block for j, block in zip(at, second, strict=True)}
    for j, place in enumerate(places):
        if j not in blocks:
            blocks[j] = _unpriced(place, "no start") if enough[j] else _thin(place, int(wanted[j]))
    return [blocks[j] for j in range(m)]


def hold(problem: Problem) -> list[Block]:
    """Return the blocks of the one start as it is, with nothing free."""
    x = problem.starts[0]
    if isinstance(problem.model, SliceModel):
        places = _places(problem.grid, len(problem.model.parameters))
    else:
        places = [Place("surface", slice(0, problem.quotes.n), slice(0, len(x)))]
    blocks = []
    for place in places:
        own = x[place.params]
        if not np.all(np.isfinite(own)):
            blocks.append(_unpriced(place, "no start"))
        elif place.n == 0:
            blocks.append(_thin(place, 0))
        else:
            blocks.append(Block(place, own, FitStatus.CONVERGED, "", 1, own[None], np.zeros(1)))
    return blocks


def _places(grid: Grid, p: int) -> list[Place]:
    edges = np.searchsorted(grid.expiry_index, np.arange(grid.m + 1)).tolist()
    return [
        Place(
            expiry_label(int(grid.expiry_ms[j])),
            slice(edges[j], edges[j + 1]),
            slice(j * p, (j + 1) * p),
        )
        for j in range(grid.m)
    ]


def _batch(
    problem: Problem, places: list[Place], slices: IntArray, used: BoolArray | None
) -> list[Block]:
    """Return the blocks of some slices, solved from every start in one batch."""
    model = problem.model
    assert isinstance(model, SliceModel)
    m, p, s = problem.grid.m, len(model.parameters), len(problem.starts)
    which = np.tile(slices, s)
    starts = problem.starts.reshape(s, m, p)[:, slices].reshape(-1, p)
    lower, upper = (b.reshape(m, p)[which] for b in problem.held_bounds)
    usable = None if used is None else np.tile(used, (s, 1))

    def general(start: FloatArray, at: IntArray) -> Solution:
        seen = None if usable is None else usable[at]
        residuals = slice_residuals(model, rows_of(problem.grid), which[at], problem.quotes, seen)
        return solve_bounded(residuals, start, lower[at], upper[at], problem.tolerances)

    end = None
    if used is None and np.all(problem.free):
        end = model.solve_rows(
            starts,
            which,
            *in_rows(problem.grid, problem.quotes.iv, problem.quotes.noise),
            (problem.lower.reshape(m, p), problem.upper.reshape(m, p)),
            problem.tolerances,
        )
    if end is None:
        end = general(starts, np.arange(len(which)))
    else:
        rest = np.flatnonzero(end.ending == Ending.NOT_FINITE)
        if len(rest):
            end.put(rest, general(starts[rest], rest))
    blocks = []
    for i, j in enumerate(slices):
        own = np.arange(s) * len(slices) + i
        blocks.append(
            _best(places[j], end.x[own], end.cost[own], end.ending[own], end.evaluations[own])
        )
    return blocks


def _thin(place: Place, wanted: int) -> Block:
    note = f"{place.label} ({place.n} quotes for {wanted} parameters)"
    return _nothing(place, FitStatus.TOO_FEW_QUOTES, note, 0)


def _unpriced(place: Place, why: str, evaluations: int = 0) -> Block:
    return _nothing(place, FitStatus.NOT_PRICEABLE, f"{place.label} ({why})", evaluations)


def _nothing(place: Place, status: FitStatus, note: str, evaluations: int) -> Block:
    x = np.full(place.params.stop - place.params.start, np.nan)
    return Block(place, x, status, note, evaluations, x[None], np.array([np.inf]))


def _best(
    place: Place, x: FloatArray, cost: FloatArray, ending: IntArray, evaluations: IntArray
) -> Block:
    """Return the block of the best end; among ends of equal cost a converged one."""
    spent = int(evaluations.sum())
    costs = cost.tolist()
    order = sorted(range(len(costs)), key=costs.__getitem__)
    best = order[0]
    if not np.isfinite(costs[best]):
        return _unpriced(place, "no start has finite model vols", spent)
    equal = (i for i in order if costs[i] <= costs[best] * (1.0 + 1e-9))
    best = next((i for i in equal if ending[i] == Ending.CONVERGED), best)
    order = [best, *(i for i in order if i != best)]
    status = _STATUS[Ending(int(ending[best]))]
    note = f"{place.label} ({int(evaluations[best])} evaluations)"
    return Block(place, x[best], status, note, spent, x[order], cost[order])
