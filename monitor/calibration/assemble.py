"""From solved blocks to the fit of the whole surface."""

from __future__ import annotations

import numpy as np

from monitor.calibration.blocks import Block, Problem
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
    at_bound = np.zeros(P, np.int64)
    condition, spread, cost = 1.0, 0.0, 0.0
    fitted = [b for b in blocks if b.fitted]
    for b in fitted:
        points, own = b.place.points, b.place.params
        hit = problem.model.bounds_hit(b.x, problem.lower[own], problem.upper[own])
        at_bound[own] = np.where(free[own], hit, 0)
        seen = np.arange(n)[points][priced[points]]
        trust = trust_of(jacobian[seen, own], quotes.noise[seen], free[own] & (at_bound[own] == 0))
        block = np.array(trust.covariance)
        block[~free[own]], block[:, ~free[own]] = 0.0, 0.0
        covariance[own, own] = block
        leverage[seen] = trust.leverage
        condition = max(condition, trust.condition)
        spread = max(spread, spread_of(b.ends, b.costs, trust.covariance))
        z = (iv[seen] - quotes.iv[seen]) / quotes.noise[seen]
        cost += 0.5 * float(np.sum(z * z))
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
