r"""Slices fitted together under linear conditions, starting from their fits apart.

Where the slices' own optima keep the conditions, they are the optimum. Where not, Levenberg-
Marquardt goes on in the model's coordinates, all slices at once, each step the least squares step
among those that keep every condition: a quadratic program in normal equations of one small block a
slice, solved exactly as a problem of least distance (Lawson and Hanson 1974, chapter 23).
*Refused:* penalties, which buy the conditions for a bias or miss them; conditions put into the
parameters slice after slice, with corners in which a search gets stuck.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import nnls

from monitor.arrays import FloatArray, IntArray
from monitor.calibration.blocks import Block, Problem
from monitor.calibration.fit import FitStatus
from monitor.calibration.objective import slice_residuals
from monitor.models.coupled import CoupledSlices
from monitor.models.slices import rows_of
from monitor.numerics.least_squares import Residuals

# Slack below which a condition holds as it stands, or binds, relative to its terms.
_SLACK = 1e-9
_DAMPING = (1e-4, 1e-10, 1e8)  # at the start, at least, at most
_FLAT = 1e-10  # as a share of the largest scaled eigenvalue's root: see `calibration.trust`
_LOADING = 1e-6


@dataclass(frozen=True, eq=False)
class Coupling:
    """What binds slices at the end of a joint fit.

    Attributes
    ----------
    slices : ndarray of shape (s,)
        Slices that were fitted together.
    frame : ndarray of shape (s p, q)
        Derivative of their parameters along the q directions that no binding condition stops.
    """

    slices: IntArray
    frame: FloatArray

    def covariance(self, jacobian: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the covariance (s p, s p) of the parameters, and each quote's leverage (n,).

        Parameters
        ----------
        jacobian : ndarray of shape (n, s p)
            d iv / d params.
        noise : ndarray of shape (n,)

        NaN for parameters that load on a flat direction, and for those that cannot move.
        """
        A = (jacobian / noise[:, None]) @ self.frame
        scale = np.linalg.norm(A, axis=0)
        scale[scale == 0.0] = 1.0
        U, singular, Vt = np.linalg.svd(A / scale, full_matrices=False)
        firm = singular > _FLAT * singular.max(initial=0.0)
        moves = self.frame / scale
        half = moves @ (Vt[firm].T / singular[firm])
        size = np.linalg.norm(moves, axis=1)
        # What the quotes do not see at all, and what they see only in part.
        hidden = moves - (moves @ Vt[firm].T) @ Vt[firm]
        unknown = (size == 0.0) | (np.linalg.norm(hidden, axis=1) > _LOADING * size)
        covariance = half @ half.T
        covariance[unknown], covariance[:, unknown] = np.nan, np.nan
        return covariance, np.clip(np.sum(U[:, firm] ** 2, axis=1), 0.0, 1.0)


def solve_coupled(problem: Problem, blocks: list[Block]) -> tuple[list[Block], Coupling | None]:
    """Return the slices' blocks with the conditions kept, and what binds them, if anything does.

    Parameters
    ----------
    problem : Problem
        Of a model with coupled slices, every parameter free.
    blocks : list of Block
        From `solve_slices`.
    """
    model = problem.model
    assert isinstance(model, CoupledSlices)
    fitted = np.array([j for j, b in enumerate(blocks) if b.fitted], dtype=np.int64)
    if not len(fitted):
        return blocks, None
    apart = np.stack([blocks[j].x for j in fitted])
    y = model.to_coordinates(apart)
    A, b = model.constraints(len(fitted))
    if _slack(A, b, y).min() >= 0.0:
        return blocks, None
    residuals = slice_residuals(model, rows_of(problem.grid), fitted, problem.quotes)
    end = _descend(model, residuals, y, A, b, problem)
    params, frame = model.from_coordinates(end.y)
    together = [
        replace(
            blocks[j],
            x=params[i],
            # Other starts' ends belong to another problem.
            ends=params[i][None],
            costs=end.costs[i : i + 1],
            status=end.status,
            note=f"{blocks[j].place.label} ({end.evaluations} joint evaluations)",
            evaluations=blocks[j].evaluations + end.evaluations,
        )
        for i, j in enumerate(fitted)
    ]
    for i, j in enumerate(fitted):
        blocks = [*blocks[:j], together[i], *blocks[j + 1 :]]
    binding = _slack(A, b, end.y) <= 2.0 * _SLACK
    free = null_space(A[binding]) if binding.any() else np.eye(end.y.size)
    s, p = end.y.shape
    blocked = (frame @ free.reshape(s, p, -1)).reshape(s * p, -1)
    return blocks, Coupling(fitted, blocked)


@dataclass(frozen=True)
class _End:
    y: FloatArray
    costs: FloatArray  # (s,), of each slice
    status: FitStatus
    evaluations: int


def _descend(
    model: CoupledSlices,
    residuals: Residuals,
    y: FloatArray,
    A: FloatArray,
    b: FloatArray,
    problem: Problem,
) -> _End:
    """Return the end of the joint search from slices that break some condition."""
    tol, everyone = problem.tolerances, np.arange(len(y))

    def look(y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        params, frame = model.from_coordinates(y)
        r, J = residuals(params, everyone)
        J = J @ frame
        JT = J.transpose(0, 2, 1)
        return 0.5 * np.sum(r * r, axis=1), JT @ J, (JT @ r[:, :, None])[:, :, 0]

    damping, low, high = _DAMPING
    with np.errstate(all="ignore"):
        # The least loss by the slices' own local models, as far as those go.
        _, H, g = look(y)
        y = model.settled(y + _best_step(H, np.zeros_like(g), A, b - A @ y.ravel(), damping))
        costs, H, g = look(y)
        evaluations, status = 2, FitStatus.STALLED
        if not np.all(np.isfinite(costs)):
            return _End(y, costs, FitStatus.STALLED, evaluations)
        while damping <= high:
            step = _best_step(H, g, A, b - A @ y.ravel(), damping)
            predicted = -float(np.sum((g + 0.5 * (H @ step[:, :, None])[:, :, 0]) * step))
            cost = float(costs.sum())
            if predicted <= tol.cost * cost:
                status = FitStatus.CONVERGED
                break
            if evaluations >= tol.max_evaluations:
                status = FitStatus.MAX_EVALUATIONS
                break
            trial = model.settled(y + step)
            new_costs, new_H, new_g = look(trial)
            evaluations += 1
            gain = cost - float(new_costs.sum())
            if gain > 0.0:
                y, costs, H, g = trial, new_costs, new_H, new_g
                damping = max(damping * (0.1 if gain > 0.75 * predicted else 0.5), low)
            elif abs(gain) <= 1e-12 * cost:
                # Rounding is all that is left to gain.
                status = FitStatus.CONVERGED
                break
            else:
                damping *= 8.0
    return _End(y, costs, status, evaluations)


def _best_step(
    H: FloatArray, g: FloatArray, A: FloatArray, c: FloatArray, damping: float
) -> FloatArray:
    """Return the step s that minimises s'Ms / 2 + g's among those with A s >= c.

    M is the block diagonal `H` with `damping` shares of its diagonal added.
    """
    s, p = g.shape
    diagonal = np.diagonal(H, axis1=1, axis2=2)
    floor = 1e-12 * diagonal.max() + 1e-300
    M = H + (damping * np.maximum(diagonal, floor) + 1e-13 * diagonal.max(axis=1)[:, None])[
        :, :, None
    ] * np.eye(p)
    inverse_root = np.linalg.inv(np.linalg.cholesky(M))  # M^-1 = R'R
    plain = -(inverse_root.transpose(0, 2, 1) @ (inverse_root @ g[:, :, None]))[:, :, 0]
    missing = c - A @ plain.ravel()
    if missing.max() <= 0.0:
        return plain
    # s = plain + R'z, of least |z| among those with (A R') z >= missing.
    G = (A.reshape(-1, s, 1, p) @ inverse_root.transpose(0, 2, 1))[:, :, 0].reshape(len(A), s * p)
    size = np.linalg.norm(G, axis=1)
    E = np.concatenate([G.T, missing[None]]) / size
    goal = np.zeros(s * p + 1)
    goal[-1] = 1.0
    r = E @ nnls(E, goal)[0] - goal
    z = (-r[:-1] / r[-1]).reshape(s, p, 1)
    moved: FloatArray = plain + (inverse_root.transpose(0, 2, 1) @ z)[:, :, 0]
    return moved


def _slack(A: FloatArray, b: FloatArray, y: FloatArray) -> FloatArray:
    """Return by how much each condition holds, relative to its terms, less what rounding takes."""
    terms = np.abs(A) @ np.abs(y.ravel()) + np.abs(b) + 1e-300
    slack: FloatArray = (A @ y.ravel() - b) / terms + _SLACK
    return slack
