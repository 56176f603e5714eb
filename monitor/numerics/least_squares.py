r"""Levenberg–Marquardt within bounds, for many small independent problems at once.

Minimises half the sum of squares of each row's residuals. A whole batch takes each step together,
so that a dozen slices of one model cost little more than one; a problem leaves the batch when it
is done. Every quantity is scaled by the largest column norms of the Jacobian seen so far, so that
nothing depends on the units of a parameter.

*Refused:* `scipy.optimize.least_squares`, whose trust-region reflective method spends twenty
times the cost of an evaluation on itself and works on one problem at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray

Residuals = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
"""``(x, which) -> (r, J)``: residuals of shape (A, n) and Jacobian of shape (A, n, p) of the
problems numbered `which`, of shape (A,), at `x` of shape (A, p). A row with a residual or a
derivative that is not finite cannot be accepted."""

_DAMPING_START = 1e-3
_DAMPING_MIN = 1e-10
_DAMPING_MAX = 1e12
_ACCEPT = 1e-4  # actual over predicted reduction above which a step is taken (More 1978)


class Ending(IntEnum):
    """How one problem ended."""

    CONVERGED = 0
    MAX_EVALUATIONS = 1
    STALLED = 2  # no step lowers the cost although the local model promises that one would
    NOT_FINITE = 3  # the start has residuals that are not finite


@dataclass(frozen=True)
class Tolerances:
    """When to stop.

    Attributes
    ----------
    cost : float
        Relative reduction of the cost, actual and predicted, below which a problem is done.
    step : float
        Scaled step relative to the scaled parameters, likewise.
    gradient : float
        Largest cosine between the residuals and a column of the Jacobian, likewise.
    max_evaluations : int
        Evaluations of residuals and Jacobian, for each problem.
    """

    cost: float = 1e-10
    step: float = 1e-10
    gradient: float = 1e-10
    max_evaluations: int = 200


@dataclass(frozen=True)
class Solution:
    """Solutions of B problems of p parameters."""

    x: FloatArray  # (B, p)
    cost: FloatArray  # (B,), infinite where the start was not finite
    ending: IntArray  # (B,), an `Ending` each
    evaluations: IntArray  # (B,)
    gradient: FloatArray  # (B,), the largest cosine at the end


@dataclass
class _State:
    """The problems still under way."""

    which: IntArray
    x: FloatArray
    H: FloatArray
    g: FloatArray
    cost: FloatArray
    scale: FloatArray
    damping: FloatArray
    growth: FloatArray

    def keep(self, mask: BoolArray) -> None:
        for name, value in vars(self).items():
            setattr(self, name, value[mask])


def solve_bounded(
    residuals: Residuals,
    start: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    tolerances: Tolerances | None = None,
) -> Solution:
    """Return the bounded least-squares solutions of a batch of problems.

    Parameters
    ----------
    residuals : callable
        See `Residuals`.
    start : ndarray of shape (B, p)
        Moved into the bounds where it lies outside.
    lower, upper : ndarray of shape (p,) or (B, p)
        Closed bounds; equal ones hold a parameter.
    tolerances : Tolerances, optional

    Returns
    -------
    Solution

    References
    ----------
    .. [1] More, J. J. (1978). The Levenberg-Marquardt algorithm: implementation and theory.
    .. [2] Kanzow, C., Yamashita, N. and Fukushima, M. (2004). Levenberg-Marquardt methods with
       strong local convergence properties for solving nonlinear equations with convex
       constraints. Journal of Computational and Applied Mathematics 172 (projected steps).

    Examples
    --------
    >>> t = np.arange(4.0)
    >>> def line(x, which):
    ...     J = np.broadcast_to(np.stack([np.ones(4), t], axis=1), (len(x), 4, 2))
    ...     return (J @ x[:, :, None])[:, :, 0] - (1.0 + 2.0 * t), J
    >>> solve_bounded(line, np.zeros((1, 2)), np.full(2, -9.0), np.full(2, 9.0)).x.round(6)
    array([[1., 2.]])
    """
    tol = tolerances or Tolerances()
    B, p = start.shape
    lower, upper = (np.broadcast_to(np.asarray(b, np.float64), (B, p)) for b in (lower, upper))
    x = np.clip(start, lower, upper)
    out = Solution(
        x.copy(),
        np.full(B, np.inf),
        np.full(B, int(Ending.NOT_FINITE), np.int64),
        np.ones(B, np.int64),
        np.full(B, np.inf),
    )
    if B == 0:
        return out
    with np.errstate(all="ignore"):
        everyone = np.arange(B)
        H, g, cost, norms = _normal_equations(*residuals(x, everyone))
        out.cost[:] = cost
        state = _State(everyone, x, H, g, cost, norms, np.full(B, _DAMPING_START), np.full(B, 4.0))
        state.keep(np.isfinite(cost))
        while len(state.which):
            _iterate(state, residuals, lower, upper, tol, out)
    return out


def _iterate(
    s: _State,
    residuals: Residuals,
    lower: FloatArray,
    upper: FloatArray,
    tol: Tolerances,
    out: Solution,
) -> None:
    """Take or refuse one step in every problem under way, and let those that are done leave."""
    lo, hi = lower[s.which], upper[s.which]
    blocked = ((s.x <= lo) & (s.g >= 0.0)) | ((s.x >= hi) & (s.g <= 0.0))
    scale = np.maximum(s.scale, 1e-12 * s.scale.max(axis=1, keepdims=True))
    scale[scale == 0.0] = 1.0
    norm = np.sqrt(2.0 * s.cost)
    gradient = np.max(np.where(blocked, 0.0, np.abs(s.g) / scale), axis=1) / np.where(
        norm > 0.0, norm, 1.0
    )
    flat = gradient <= tol.gradient

    trial = _bounded_step(s, lo, hi, scale, blocked)
    step = trial - s.x
    predicted = -np.einsum("bi,bi->b", s.g + 0.5 * np.einsum("bij,bj->bi", s.H, step), step)
    H, g, cost, norms = _normal_equations(*residuals(trial, s.which))
    out.evaluations[s.which] += 1
    actual = s.cost - cost
    taken = (actual > 0.0) & (actual >= _ACCEPT * predicted)
    small_gain = (predicted <= tol.cost * s.cost) & (np.abs(actual) <= tol.cost * s.cost)
    short = np.linalg.norm(step * scale, axis=1) <= tol.step * np.linalg.norm(s.x * scale, axis=1)

    quality = np.where(predicted > 0.0, actual / predicted, 0.0)
    s.damping = np.where(
        taken,
        np.where(quality > 0.75, 0.1, np.where(quality < 0.25, 4.0, 0.5)) * s.damping,
        s.growth * s.damping,
    )
    s.damping = np.clip(s.damping, _DAMPING_MIN, None)
    s.growth = np.where(taken, 4.0, 2.0 * s.growth)
    for name, new in (("x", trial), ("H", H), ("g", g), ("cost", cost)):
        old = getattr(s, name)
        where = taken.reshape((-1,) + (1,) * (old.ndim - 1))
        setattr(s, name, np.where(where, new, old))
    s.scale = np.where(taken[:, None], np.maximum(s.scale, norms), s.scale)

    done = flat | small_gain | short | (s.cost == 0.0)
    spent = out.evaluations[s.which] >= tol.max_evaluations
    stuck = s.damping > _DAMPING_MAX
    leaving = done | spent | stuck
    if np.any(leaving):
        at = s.which[leaving]
        out.x[at], out.cost[at] = s.x[leaving], s.cost[leaving]
        out.gradient[at] = gradient[leaving]
        # Stuck with nothing left to gain is an optimum to rounding, not a failure.
        hopeless = stuck & (predicted > 1e-6 * s.cost) & ~done
        out.ending[at] = np.where(
            done | (stuck & ~hopeless),
            Ending.CONVERGED,
            np.where(stuck, Ending.STALLED, Ending.MAX_EVALUATIONS),
        )[leaving]
        s.keep(~leaving)


def _bounded_step(
    s: _State, lo: FloatArray, hi: FloatArray, scale: FloatArray, blocked: BoolArray
) -> FloatArray:
    """Return the damped step's end; parameters that hit a bound stop there, the rest re-solve."""
    p = s.x.shape[1]
    eye = np.eye(p)
    fixed, move = blocked, np.zeros_like(s.x)
    H = s.H / (scale[:, :, None] * scale[:, None, :]) + s.damping[:, None, None] * eye
    for _ in range(p):
        free = ~fixed
        both = free[:, :, None] & free[:, None, :]
        rhs = -(s.g / scale + np.einsum("bij,bj->bi", H, np.where(fixed, move * scale, 0.0)))
        A = np.where(both, H, eye)
        y = np.linalg.solve(A, np.where(free, rhs, 0.0)[:, :, None])[:, :, 0]
        move = np.where(fixed, move, y / scale)
        end = s.x + move
        out = free & ((end < lo) | (end > hi))
        if not np.any(out):
            break
        move = np.where(out, np.clip(end, lo, hi) - s.x, move)
        fixed = fixed | out
    return np.clip(s.x + move, lo, hi)


def _normal_equations(
    r: FloatArray, J: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return J'J, J'r, half of r'r and the norms of J's columns; cost infinite where not finite."""
    JT = J.transpose(0, 2, 1)
    H = JT @ J
    g = (JT @ r[:, :, None])[:, :, 0]
    cost = 0.5 * np.einsum("bn,bn->b", r, r)
    finite = np.isfinite(cost) & np.isfinite(H).all(axis=(1, 2))
    norms = np.sqrt(np.maximum(np.diagonal(H, axis1=1, axis2=2), 0.0))
    return H, g, np.where(finite, cost, np.inf), norms
