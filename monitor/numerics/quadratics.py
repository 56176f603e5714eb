r"""The quadratics that a least-squares search steps by, for a batch of small problems.

Near x the cost is g's + s'(J'J + S)s / 2. J'J comes with the Jacobian; S, the residuals times
their second derivatives, does not, and is learnt from how the gradient changes along the steps.

References
----------
.. [1] Dennis, J. E., Gay, D. M. and Welsch, R. E. (1981). An adaptive nonlinear least-squares
   algorithm. ACM Transactions on Mathematical Software 7(3).
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import BoolArray, FloatArray

DAMPING_MIN = 1e-10
_LEAST = 0.05  # share of a direction's curvature that the learnt part may leave


def learnt_part(S: FloatArray, step: FloatArray, turn: FloatArray, bend: FloatArray) -> FloatArray:
    """Return what J'J lacks of the Hessian, as far as one more step shows.

    Parameters
    ----------
    S : ndarray of shape (B, p, p)
        What was known before; symmetric.
    step : ndarray of shape (B, p)
    turn : ndarray of shape (B, p)
        Change of the gradient J'r over the step.
    bend : ndarray of shape (B, p)
        Change of J' over the step, times the residuals after it.

    Returns
    -------
    ndarray of shape (B, p, p)
        Symmetric, and equal to `bend` along the step. `S` as it was where the cost is not convex
        along the step.
    """
    along = dot(turn, step)
    known = times(S, step)
    size = dot(known, step)
    # Sized down to the new residuals first: those that shrink take their part of S with them.
    share = np.where(size != 0.0, np.minimum(np.abs(dot(step, bend) / size), 1.0), 1.0)
    gap = bend - share[:, None] * known
    inverse = (1.0 / along)[:, None, None]
    cross = gap[:, :, None] * turn[:, None, :]
    new = share[:, None, None] * S + (cross + cross.transpose(0, 2, 1)) * inverse
    square = turn[:, :, None] * turn[:, None, :]
    new -= dot(gap, step)[:, None, None] * inverse * inverse * square
    sound = (along > 0.0) & np.isfinite(new).all(axis=(1, 2))
    return np.where(sound[:, None, None], new, S)


def trusted_part(
    S: FloatArray, H: FloatArray, damping: FloatArray, scale: FloatArray
) -> FloatArray:
    """Return what of S can be added to J'J without losing its convexity.

    Curvature is measured by that of J'J, damped as the step is: directions in which S would leave
    less than a twentieth of it have not been learnt here, and S is dropped along them.

    Parameters
    ----------
    S, H : ndarray of shape (B, p, p)
    damping : ndarray of shape (B,)
    scale : ndarray of shape (B, p)
    """
    units = scale[:, :, None] * scale[:, None, :]
    size, Q = np.linalg.eigh(H / units + damping[:, None, None] * np.eye(H.shape[1]))
    root = np.sqrt(np.maximum(size, DAMPING_MIN))[:, None, :]
    white = Q / root
    share, V = np.linalg.eigh(white.transpose(0, 2, 1) @ (S / units) @ white)
    share = np.where(share > _LEAST - 1.0, share, 0.0)
    back = (Q * root) @ V
    trusted: FloatArray = ((back * share[:, None, :]) @ back.transpose(0, 2, 1)) * units
    return trusted


def bounded_step(
    hessian: FloatArray,
    damping: FloatArray,
    g: FloatArray,
    low: FloatArray,
    high: FloatArray,
    scale: FloatArray,
    blocked: BoolArray,
) -> FloatArray:
    """Return the damped step within [low, high]; what hits a side stops, the rest re-solve."""
    p = g.shape[1]
    eye = np.eye(p)
    fixed, step = blocked, np.zeros_like(g)
    A = hessian / (scale[:, :, None] * scale[:, None, :]) + damping[:, None, None] * eye
    for _ in range(p):
        rhs = g / scale
        B = A
        if fixed.any():
            rhs = np.where(fixed, 0.0, rhs + times(A, step * scale))
            B = np.where(fixed[:, :, None] | fixed[:, None, :], eye, A)
        y = np.linalg.solve(B, -rhs[:, :, None])[:, :, 0]
        end = np.where(fixed, step, y / scale)
        beyond = ~fixed & ((end < low) | (end > high))
        if not beyond.any():
            return end
        step = np.where(beyond, np.clip(end, low, high), np.where(fixed, step, 0.0))
        fixed = fixed | beyond
    return np.clip(end, low, high)


def promise(hessian: FloatArray, g: FloatArray, step: FloatArray) -> FloatArray:
    """Return by how much a step lowers the quadratic of that gradient and Hessian."""
    return -dot(g + 0.5 * times(hessian, step), step)


def times(A: FloatArray, x: FloatArray) -> FloatArray:
    """Return the product of each matrix of a batch with its vector."""
    product: FloatArray = (A @ x[:, :, None])[:, :, 0]
    return product


def dot(a: FloatArray, b: FloatArray, scale: FloatArray | float = 1.0) -> FloatArray:
    """Return the inner product of each row of `a` and `b`, each first multiplied by `scale`."""
    product: FloatArray = (a * scale * b * scale).sum(axis=1)
    return product


def normal_equations(
    r: FloatArray, J: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return J'J, J'r, half of r'r and the norms of J's columns; cost infinite where not finite."""
    JT = J.transpose(0, 2, 1)
    H = JT @ J
    g = times(JT, r)
    cost = 0.5 * (r * r).sum(axis=1)
    finite = np.isfinite(cost) & np.isfinite(H).all(axis=(1, 2))
    norms = np.sqrt(np.maximum(np.diagonal(H, axis1=1, axis2=2), 0.0))
    return H, g, np.where(finite, cost, np.inf), norms
