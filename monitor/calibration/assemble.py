"""From solved blocks to the fit of the whole surface."""

from __future__ import annotations

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.blocks import Block, Place, Problem
from monitor.calibration.coupled import Coupling
from monitor.calibration.fit import Fit, FitStatus
from monitor.calibration.objective import model_vol
from monitor.calibration.trust import spread_of, trust_of

# From good to bad; a surface is as good as its worst fitted slice.
_ORDER = (FitStatus.CONVERGED, FitStatus.MAX_EVALUATIONS, FitStatus.STALLED)


def assemble(problem: Problem, blocks: list[Block], coupling: Coupling | None = None) -> Fit:
    """Return the fit of all blocks, with what their Jacobians say.

    `coupling`: what binds the blocks to each other, where anything does.
    """
    quotes, free = problem.quotes, problem.free
    P, n = len(problem.lower), quotes.n
    params = np.concatenate([b.x for b in blocks]) if blocks else np.full(P, np.nan)
    iv, jacobian = model_vol(problem.model, params, problem.grid)
    priced = np.isfinite(iv) & np.isfinite(quotes.noise)
    leverage, covariance = np.full(n, np.nan), np.zeros((P, P))
    fitted = [b for b in blocks if b.fitted]
    hit = problem.model.bounds_hit(params, problem.lower, problem.upper)
    at_bound = np.where(free & np.isfinite(params), hit, 0)
    condition, spread, cost = 1.0, 0.0, 0.0
    if fitted:
        places = [b.place for b in fitted]
        trust = trust_of(*_stacked(places, jacobian, quotes.noise, priced, free & (at_bound == 0)))
        condition = max(condition, float(trust.condition.max()))
        z = np.where(priced, (iv - quotes.iv) / quotes.noise, 0.0)
        for b, own, lever in zip(fitted, trust.covariance, trust.leverage, strict=True):
            points, at = b.place.points, b.place.params
            covariance[at, at] = own
            leverage[points] = np.where(priced[points], lever[: b.place.n], np.nan)
            spread = max(spread, spread_of(b.ends, b.costs, own))
            cost += 0.5 * float(z[points] @ z[points])
        covariance[~free], covariance[:, ~free] = 0.0, 0.0
    if coupling is not None:
        joint = [blocks[j].place for j in coupling.slices]
        own_all = np.concatenate([np.arange(P)[place.params] for place in joint])
        seen = np.concatenate([np.arange(n)[place.points] for place in joint])
        seen = seen[priced[seen]]
        together = coupling.covariance(jacobian[np.ix_(seen, own_all)], quotes.noise[seen])
        covariance[np.ix_(own_all, own_all)], leverage[seen] = together
    # Slices fitted apart have independent errors; what has no error has none at all.
    unknown = np.isnan(params) | np.isnan(np.diagonal(covariance))
    covariance[unknown], covariance[:, unknown] = np.nan, np.nan
    status, reason = _verdict(blocks, priced)
    starts = min((len(b.costs) for b in fitted), default=0)
    return Fit(
        model=problem.model.name,
        names=problem.model.names(problem.grid),
        params=params,
        iv=iv,
        leverage=leverage,
        jacobian=jacobian,
        covariance=covariance,
        condition=condition if fitted else float("inf"),
        status=status,
        reason=reason,
        cost=cost if fitted else float("nan"),
        evaluations=sum(b.evaluations for b in blocks),
        at_bound=at_bound,
        restarts_cost=np.array([sum(b.costs[i] for b in fitted) for i in range(starts)]),
        restarts_spread=spread,
    )


def _stacked(
    places: list[Place],
    jacobian: FloatArray,
    noise: FloatArray,
    priced: BoolArray,
    estimated: BoolArray,
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return what `trust_of` wants of blocks, as one batch."""
    n, p = max(place.n for place in places), places[0].params.stop - places[0].params.start
    rows, width = np.zeros((len(places), n, p)), np.ones((len(places), n))
    for place, row, own in zip(places, rows, width, strict=True):
        seen = priced[place.points]
        row[: place.n] = np.where(seen[:, None], jacobian[place.points, place.params], 0.0)
        own[: place.n] = np.where(seen, noise[place.points], 1.0)
    return rows, width, np.stack([estimated[place.params] for place in places])


def _verdict(blocks: list[Block], priced: np.ndarray) -> tuple[FitStatus, str]:
    """Return the worst status among fitted blocks, and which blocks fell short and why."""
    thin = [b for b in blocks if b.status is FitStatus.TOO_FEW_QUOTES]
    unpriced = [b for b in blocks if b.status is FitStatus.NOT_PRICEABLE]
    fitted = [b for b in blocks if b.fitted]
    if fitted:
        status = max((b.status for b in fitted), key=_ORDER.index)
    else:
        status = FitStatus.NOT_PRICEABLE if unpriced else FitStatus.TOO_FEW_QUOTES
    parts = [f"{b.status.value}: {b.note}" for b in fitted if b.status is not FitStatus.CONVERGED]
    if thin or not blocks:
        parts.append("thin: " + (", ".join(b.note for b in thin) or "no quotes"))
    if unpriced:
        parts.append("not priced: " + ", ".join(b.note for b in unpriced))
    without = [(b, b.place.n - int(priced[b.place.points].sum())) for b in fitted]
    if any(count for _, count in without):
        named = (
            f"{b.place.label} ({count} of {b.place.n} quotes)" for b, count in without if count
        )
        parts.append("no vol: " + ", ".join(named))
    return status, "; ".join(parts)
