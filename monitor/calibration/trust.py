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
    """What the Jacobians at the solutions of B problems say."""

    covariance: FloatArray  # (B, p, p)
    leverage: FloatArray  # (B, n)
    condition: FloatArray  # (B,)


def trust_of(jacobian: FloatArray, noise: FloatArray, estimated: BoolArray) -> Trust:
    """Return covariance, leverage and condition of a batch of least-squares problems.

    Parameters
    ----------
    jacobian : ndarray of shape (B, n, p)
        d iv / d params; rows of zeros where there is no quote.
    noise : ndarray of shape (B, n)
    estimated : ndarray of bool of shape (B, p)
        Parameters that the data determined: neither held by the caller nor at a bound.
    """
    B, n, p = jacobian.shape
    # A row of its own for each of the others: a direction apart from all, of the scale's own size.
    A = np.zeros((B, n + p, p))
    np.divide(jacobian, noise[:, :, None], out=A[:, :n])
    A[:, :n] *= estimated[:, None, :]
    A[:, n:] = np.where(estimated[:, None, :], 0.0, np.eye(p))
    known = np.asarray(np.isfinite(A).all(axis=(1, 2)))
    A[~known] = 0.0
    scale = np.sqrt(np.einsum("bij,bij->bj", A, A))
    usable = np.where(scale > 0.0, scale, 1.0)
    U, singular, Vt = np.linalg.svd(A / usable[:, None, :], full_matrices=False)
    firm = singular > _FLAT * singular[:, :1]
    leverage = np.minimum(np.einsum("bij,bj->bi", U[:, :n] ** 2, firm), 1.0)
    loose = ((np.abs(Vt) > 1e-6) & ~firm[:, :, None]).any(axis=1)
    half = Vt * (firm / np.where(firm, singular, 1.0))[:, :, None] / usable[:, None, :]
    covariance = half.transpose(0, 2, 1) @ half
    sound = ~loose & estimated & known[:, None]
    covariance[~(sound[:, :, None] & sound[:, None, :])] = np.nan
    leverage[~known] = np.nan
    least = singular[:, -1]
    some = least > 0.0
    condition = np.where(some, singular[:, 0] / np.where(some, least, 1.0), np.inf)
    return Trust(covariance, leverage, np.where(known, condition, np.inf))


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
    if len(costs) < 2:
        return 0.0
    equal = costs <= costs[0] * (1.0 + SAME_COST)
    error = np.sqrt(np.diagonal(covariance))
    counts = np.isfinite(error) & (error > 0.0)
    if equal.sum() < 2 or not np.any(counts):
        return 0.0
    return float(np.max(np.abs(ends[equal] - ends[0])[:, counts] / error[counts]))
