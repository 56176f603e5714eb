"""How far a solution can be trusted: covariance, leverage, condition, bounds, restarts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import BoolArray, FloatArray

# A scaled direction whose singular value is below this share of the largest is flat: ten digits
# of sixteen are lost along it, and the rest is rounding of the model.
_FLAT = 1e-10
# Two starts ended in the same place if their costs agree to this.
SAME_COST = 1e-3


@dataclass(frozen=True)
class Trust:
    """What the Jacobian at a solution says."""

    covariance: FloatArray  # (p, p)
    leverage: FloatArray  # (n,)
    condition: float


def trust_of(jacobian: FloatArray, noise: FloatArray, estimated: BoolArray) -> Trust:
    """Return covariance, leverage and condition of one least-squares problem.

    Parameters
    ----------
    jacobian : ndarray of shape (n, p)
        d iv / d params.
    noise : ndarray of shape (n,)
    estimated : ndarray of bool of shape (p,)
        Parameters that the data determined: neither held by the caller nor at a bound.
    """
    n, p = jacobian.shape
    covariance = np.full((p, p), np.nan)
    at = np.flatnonzero(estimated)
    if not len(at):
        return Trust(covariance, np.zeros(n), 1.0)
    A = jacobian[:, at] / noise[:, None]
    if n == 0 or not np.all(np.isfinite(A)):
        return Trust(covariance, np.full(n, np.nan), np.inf)
    scale = np.linalg.norm(A, axis=0)
    usable = np.where(scale > 0.0, scale, 1.0)
    U, singular, Vt = np.linalg.svd(A / usable, full_matrices=False)
    firm = singular > _FLAT * singular[0] if len(singular) else np.zeros(0, np.bool_)
    leverage = np.clip(np.sum(U[:, firm] ** 2, axis=1), 0.0, 1.0)
    loose = np.zeros(len(at), np.bool_)
    if len(singular) < len(at):
        # Fewer quotes than parameters: the directions without a singular value are flat too.
        full = np.linalg.svd(A / usable)[2]
        loose |= np.any(np.abs(full[len(singular) :]) > 1e-6, axis=0)
    loose |= np.any(np.abs(Vt[~firm]) > 1e-6, axis=0)
    half = Vt[firm].T / singular[firm] / usable[:, None]
    block = half @ half.T
    block[loose] = np.nan
    block[:, loose] = np.nan
    covariance[np.ix_(at, at)] = block
    smallest = singular[-1] if len(singular) == len(at) else 0.0
    condition = float(singular[0] / smallest) if smallest > 0.0 else float("inf")
    return Trust(covariance, leverage, condition)


def spread_of(ends: FloatArray, costs: FloatArray, covariance: FloatArray) -> float:
    """Return how far apart equally good ends of several starts lie, in standard errors.

    Parameters
    ----------
    ends : ndarray of shape (s, p)
        Best first.
    costs : ndarray of shape (s,)
    covariance : ndarray of shape (p, p)
        NaN for parameters without a standard error; they do not count.
    """
    equal = costs <= costs[0] * (1.0 + SAME_COST)
    error = np.sqrt(np.diagonal(covariance))
    counts = np.isfinite(error) & (error > 0.0)
    if equal.sum() < 2 or not np.any(counts):
        return 0.0
    return float(np.max(np.abs(ends[equal] - ends[0])[:, counts] / error[counts]))
