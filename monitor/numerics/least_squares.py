r"""Levenberg–Marquardt within bounds, for many small independent problems at once.

Minimises half the sum of squares of each row's residuals. A whole batch takes each step together,
so that a dozen slices of one model cost little more than one; a problem leaves the batch when it
is done. Every quantity is scaled by the largest column norms of the Jacobian seen so far, so that
nothing depends on the units of a parameter.

Option models have long bent valleys, in which straight steps crawl: SVI trades vertex against
width, Heston mean reversion against vol of variance. Where a step did not do what the local model
promised, the next one follows the valley's bend by geodesic acceleration (Transtrum and Sethna),
at the price of one more evaluation.

Market quotes leave large residuals, and J'J then lacks part of the Hessian: near the optimum plain
steps gain a digit in ten evaluations. What it lacks is learnt from the steps themselves (Dennis,
Gay and Welsch) and used where it foretells better than J'J alone.

*Refused:* `scipy.optimize.least_squares`, whose trust-region reflective method spends twenty
times the cost of an evaluation on itself and works on one problem at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.numerics.quadratics import (
    DAMPING_MIN,
    bounded_step,
    dot,
    learnt_part,
    normal_equations,
    promise,
    times,
    trusted_part,
)

Residuals = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
"""``(x, which) -> (r, J)``: residuals of shape (A, n) and Jacobian of shape (A, n, p) of the
problems numbered `which`, of shape (A,), at `x` of shape (A, p). A row with a residual or a
derivative that is not finite cannot be accepted."""

_DAMPING_START = 1e-3
_DAMPING_MAX = 1e12
_ACCEPT = 1e-4  # actual over predicted reduction above which a step is taken (More 1978)
# A step of which less or more than this share of the promise came true asks for acceleration.
_STRAIGHT = (0.5, 1.5)
# The learnt part of the Hessian serves where the last step changed the cost by no more than this:
# further out it has not been learnt here.
_NEAR = 1e-3
_AMISS = 0.1  # share of the last gain that J'J alone must have missed for it to be worth the work
_SHORT = 1e-6  # squared scaled step over the cost, below which residuals move in proportion
_SLOPE = 1e-4  # cosine above which an optimum is not one, whatever rounding does
_PROBE = 0.1  # where along the step the second derivative is taken (Transtrum and Sethna 2012)
_BEND_MAX = 0.75  # twice the acceleration over the step, above which the series is not trusted


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
    residual : float
        Root of the mean squared residual that counts as zero: far below the unit of noise, far
        above what rounding leaves.
    max_evaluations : int
        Evaluations of residuals and Jacobian, for each problem.
    """

    cost: float = 1e-10
    step: float = 1e-10
    gradient: float = 1e-10
    residual: float = 1e-8
    max_evaluations: int = 200


@dataclass(frozen=True)
class Solution:
    """Solutions of B problems of p parameters."""

    x: FloatArray  # (B, p)
    cost: FloatArray  # (B,), infinite where the start was not finite
    ending: IntArray  # (B,), an `Ending` each
    evaluations: IntArray  # (B,)
    gradient: FloatArray  # (B,), the largest cosine at the end

    def put(self, at: IntArray, other: Solution) -> None:
        """Put the ends of a further search of the problems `at` in place, evaluations added."""
        self.x[at], self.cost[at] = other.x, other.cost
        self.ending[at], self.gradient[at] = other.ending, other.gradient
        self.evaluations[at] += other.evaluations


@dataclass
class _State:
    """The problems still under way, A of them."""

    which: IntArray
    x: FloatArray
    r: FloatArray
    J: FloatArray
    H: FloatArray  # J'J
    g: FloatArray  # J'r
    cost: FloatArray
    scale: FloatArray
    damping: FloatArray
    growth: FloatArray
    bent: BoolArray  # the last step did not do what was promised
    S: FloatArray  # what J'J lacks of the Hessian, as far as the steps so far have shown
    augmented: BoolArray  # J'J + S foretold the last step better than J'J

    def keep(self, mask: BoolArray) -> None:
        """Drop the problems where `mask` is false."""
        if not mask.all():
            for name, value in vars(self).items():
                setattr(self, name, value[mask])

    def move(self, taken: BoolArray, new: dict[str, FloatArray]) -> None:
        """Put the new values in place where a step was taken."""
        for name, value in new.items():
            if taken.all():
                setattr(self, name, value)
            else:
                old = getattr(self, name)
                mask = taken.reshape((-1,) + (1,) * (old.ndim - 1))
                setattr(self, name, np.where(mask, value, old))


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
    .. [2] Transtrum, M. K. and Sethna, J. P. (2012). Improvements to the Levenberg-Marquardt
       algorithm for nonlinear least-squares minimization. arXiv:1201.5885.
    .. [3] Kanzow, C., Yamashita, N. and Fukushima, M. (2004). Levenberg-Marquardt methods with
       strong local convergence properties for solving nonlinear equations with convex
       constraints. Journal of Computational and Applied Mathematics 172 (projected steps).
    .. [4] Dennis, J. E., Gay, D. M. and Welsch, R. E. (1981). An adaptive nonlinear least-squares
       algorithm. ACM Transactions on Mathematical Software 7(3).

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
        r, J = residuals(x, everyone)
        H, g, cost, norms = normal_equations(r, J)
        out.cost[:] = cost
        damping, growth = np.full(B, _DAMPING_START), np.full(B, 4.0)
        no = np.zeros(B, np.bool_)
        nothing = np.zeros_like(H)
        state = _State(everyone, x, r, J, H, g, cost, norms, damping, growth, no, nothing, no)
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
    cosine = np.where(blocked, 0.0, np.abs(s.g) / scale).max(axis=1) / np.where(norm > 0, norm, 1.0)

    augmented, hessian = _augmented(s, scale, blocked)
    low, high = lo - s.x, hi - s.x
    step = bounded_step(hessian, s.damping, s.g, low, high, scale, blocked)
    predicted = promise(hessian, s.g, step)
    sure = (np.abs(predicted) <= tol.cost * s.cost) & ~s.bent
    if sure.any():
        # Where the local model has just kept its word, its own word that even a step without
        # damping, along whatever ridge, would gain nothing is enough.
        undamped = np.full_like(s.damping, DAMPING_MIN)
        full = bounded_step(hessian, undamped, s.g, low, high, scale, blocked)
        sure &= np.abs(promise(hessian, s.g, full)) <= tol.cost * s.cost
        sure &= (((full > low) & (full < high)) | blocked).all(axis=1)
    if sure.any():
        # A step so short needs no second look: it is as good as its promise.
        near = sure & (dot(step, step, scale) <= _SHORT * s.cost)
        s.x = np.where(near[:, None], np.clip(s.x + step, lo, hi), s.x)
        s.cost = np.where(near, s.cost - predicted, s.cost)
        _leave(s, sure, cosine, Ending.CONVERGED, out)
        if not len(s.which):
            return
        on = ~sure
        lo, hi, scale, cosine = (a[on] for a in (lo, hi, scale, cosine))
        blocked, augmented = blocked[on], augmented[on]
        step, predicted = step[on], predicted[on]
    plain = promise(s.H, s.g, step)
    whole = plain - 0.5 * dot(times(s.S, step), step)
    s.bent = s.bent & ~augmented
    if s.bent.any():
        step = _accelerated(s, step, residuals, lo, hi, scale, blocked, out)
    trial = np.clip(s.x + step, lo, hi)
    r, J = residuals(trial, s.which)
    H, g, cost, norms = normal_equations(r, J)
    out.evaluations[s.which] += 1

    actual = s.cost - cost
    quality = np.where(predicted > 0.0, actual / predicted, 0.0)
    taken = (actual > 0.0) & (quality >= _ACCEPT)
    # A step held short by damping says nothing of an optimum: it may have met a wall, beyond which
    # nothing is finite.
    unhurried = (s.damping <= 1.0) | (cosine <= _SLOPE)
    small_gain = (predicted <= tol.cost * s.cost) & (np.abs(actual) <= tol.cost * s.cost)
    short = dot(step, step, scale) <= tol.step**2 * dot(s.x, s.x, scale)
    walled = short & ~np.isfinite(cost)
    done = (cosine <= tol.gradient) | (small_gain & unhurried)
    done |= short & ~walled & (unhurried | ~taken)
    done |= s.cost <= 0.5 * tol.residual**2 * r.shape[1]
    factor = np.where(quality > 0.75, 0.1, np.where(quality < 0.25, 4.0, 0.5))
    s.damping = np.maximum(s.damping * np.where(taken, factor, s.growth), DAMPING_MIN)
    s.growth = np.where(taken, 4.0, 2.0 * s.growth)
    s.bent = ~((quality > _STRAIGHT[0]) & (quality < _STRAIGHT[1]))
    gap = np.abs(actual - plain)
    s.augmented = (np.abs(actual - whole) <= gap) & (gap >= _AMISS * np.abs(actual))
    s.augmented &= np.abs(actual) <= _NEAR * s.cost
    if taken.any():
        s.S = np.where(
            taken[:, None, None],
            learnt_part(s.S, trial - s.x, g - s.g, g - times(s.J.transpose(0, 2, 1), r)),
            s.S,
        )
    s.move(taken, {"x": trial, "r": r, "J": J, "H": H, "g": g, "cost": cost})
    s.scale = np.where(taken[:, None], np.maximum(s.scale, norms), s.scale)

    spent = out.evaluations[s.which] >= tol.max_evaluations
    stuck = walled | (s.damping > _DAMPING_MAX)
    leaving = done | spent | stuck
    if leaving.any():
        ending = np.where(stuck, Ending.STALLED, Ending.MAX_EVALUATIONS)
        _leave(s, leaving, cosine, np.where(done, Ending.CONVERGED, ending)[leaving], out)


def _leave(
    s: _State, leaving: BoolArray, cosine: FloatArray, ending: IntArray | int, out: Solution
) -> None:
    """Write down where the problems that leave have ended."""
    at = s.which[leaving]
    out.x[at], out.cost[at] = s.x[leaving], s.cost[leaving]
    out.gradient[at], out.ending[at] = cosine[leaving], ending
    s.keep(~leaving)


def _augmented(s: _State, scale: FloatArray, blocked: BoolArray) -> tuple[BoolArray, FloatArray]:
    """Return where the learnt part is used, and the Hessian to step with."""
    wanted = s.augmented & s.S.any(axis=(1, 2))
    if not wanted.any():
        return wanted, s.H
    free = wanted[:, None] & ~blocked
    S = np.where(free[:, :, None] & free[:, None, :], s.S, 0.0)
    return wanted, s.H + trusted_part(S, s.H, s.damping, scale)


def _accelerated(
    s: _State,
    step: FloatArray,
    residuals: Residuals,
    lo: FloatArray,
    hi: FloatArray,
    scale: FloatArray,
    blocked: BoolArray,
    out: Solution,
) -> FloatArray:
    """Return the step bent by half its geodesic acceleration, where that can be trusted."""
    bent = np.flatnonzero(s.bent)
    part = _State(**{name: value[bent] for name, value in vars(s).items()})
    v = step[bent]
    r, _ = residuals(part.x + _PROBE * v, part.which)
    out.evaluations[part.which] += 1
    second = (2.0 / _PROBE) * ((r - part.r) / _PROBE - times(part.J, v))
    pull = times(part.J.transpose(0, 2, 1), second)
    nowhere = np.full_like(v, np.inf)
    a = bounded_step(part.H, part.damping, pull, -nowhere, nowhere, scale[bent], blocked[bent])
    gentle = 4.0 * dot(a, a, scale[bent]) < _BEND_MAX**2 * dot(v, v, scale[bent])
    step = step.copy()
    step[bent] = np.where(gentle[:, None], v + 0.5 * a, v)
    return np.clip(step, lo - s.x, hi - s.x)
