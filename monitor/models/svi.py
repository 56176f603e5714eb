r"""Raw SVI, expiry by expiry: the marking model.

.. math:: w(k) = a + b\{\rho(k - m) + \sqrt{(k - m)^2 + s^2}\}
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.slices import Rows, SliceModel, rows_of
from monitor.numerics.least_squares import Tolerances, solve_bounded

S_MIN = 1e-4
RHO_MAX = 0.999
# Where vertex and width may lie, in widths of the quoted range of log-moneyness. Outside, SVI is
# a parabola or an exponential on the quotes: real chains then let m, s and b run to any size for a
# hundredth of the cost, and the numbers mean nothing.
_VERTEX_REACH = 0.75  # from the middle of the range
_WIDTH_MAX = 2.0
# Starts of vertex and width, in deviations sqrt(w) of the slice.
_STARTS = ((0.0, 1.0), (-0.7, 0.4), (0.7, 0.4))
# The start is a start: it need not be exact.
_START_TOLERANCES = Tolerances(cost=1e-5, step=1e-4, gradient=1e-6, max_evaluations=16)


class Svi(SliceModel):
    """Gatheral's stochastic-volatility-inspired smile, five parameters an expiry."""

    name = "svi"
    summary = "Raw SVI, one smile an expiry; slices may cross"
    source = (
        "Gatheral and Jacquier (2014). Arbitrage-free SVI volatility surfaces. Q. Finance 14(1)"
    )
    parameters = (
        # Variance up to (8 per year)^2 for five years; below zero as far as b s allows.
        Parameter("a", -100.0, 320.0, "state", "level of total variance, dimensionless"),
        # Lee's moment bound on the slope of total variance: b (1 + |rho|) <= 2.
        Parameter("b", 0.0, 2.0, "structure", "slope of the wings, dimensionless"),
        # At |rho| = 1 a wing is flat and m, s, a cannot be told apart.
        Parameter("rho", -RHO_MAX, RHO_MAX, "structure", "difference of the wings' slopes"),
        # No chain quotes strikes beyond a factor of e^8 from its forward; see `bounds`.
        Parameter("m", -10.0, 10.0, "structure", "log-moneyness of the vertex"),
        # Below S_MIN the smile has a corner between any two strikes; see `bounds`.
        Parameter("s", S_MIN, 40.0, "structure", "width of the vertex in log-moneyness"),
    )

    def bounds(self, grid: Grid) -> tuple[FloatArray, FloatArray]:
        """Return the declared bounds, with vertex and width kept near each expiry's quotes."""
        lower, upper = (b.reshape(grid.m, 5).copy() for b in super().bounds(grid))
        middle, width = _range(rows_of(grid), grid.w_ref)
        lower[:, 3] = np.maximum(lower[:, 3], middle - _VERTEX_REACH * width)
        upper[:, 3] = np.minimum(upper[:, 3], middle + _VERTEX_REACH * width)
        upper[:, 4] = np.minimum(upper[:, 4], _WIDTH_MAX * width)
        return lower.ravel(), upper.ravel()

    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        a, b, rho, m, s = (params[:, i, None] for i in range(5))
        x = k - m
        root = np.sqrt(x * x + s * s)
        shape = rho * x + root
        gradient = np.empty((*k.shape, 5))
        gradient[:, :, 0] = 1.0
        gradient[:, :, 1] = shape
        gradient[:, :, 2] = b * x
        gradient[:, :, 3] = -b * (rho + x / root)
        gradient[:, :, 4] = b * s / root
        return a + b * shape, gradient

    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the best smiles with the vertex at, below and above the forward."""
        w, weight = _weighted(rows, iv, noise)
        deviation = np.sqrt(_level(w, weight))
        return np.stack(
            [
                _admissible(m * deviation, np.maximum(s * deviation, S_MIN), rows.k, w, weight)
                for m, s in _STARTS
            ]
        )

    def refined(
        self, starts: FloatArray, rows: Rows, iv: FloatArray, noise: FloatArray
    ) -> FloatArray:
        """Return the ends of a search over vertex and width alone, from each start.

        At fixed m and s the variance is linear in the other three, which are solved for exactly
        (De Marco and Martini 2009, "Quasi-explicit calibration of Gatheral's SVI model"): the
        search has two dimensions, no valley, and most often ends within ten steps.
        """
        n, slices = starts.shape[:2]
        w, weight = _weighted(rows, iv, noise)
        middle, width = _range(rows, _level(w, weight))
        k, w, weight = (np.tile(a, (n, 1)) for a in (rows.k, w, weight))
        m, s = starts[:, :, 3].ravel(), starts[:, :, 4].ravel()
        top = np.log(np.maximum(_WIDTH_MAX * width, 2.0 * S_MIN))
        bottom = np.full(slices, np.log(S_MIN))

        def residuals(x: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
            if len(which) == len(k):
                return _projected(x, k, w, weight)[:2]
            return _projected(x, k[which], w[which], weight[which])[:2]

        ends = solve_bounded(
            residuals,
            np.stack([m, np.log(s)], axis=1),
            np.tile(np.stack([middle - _VERTEX_REACH * width, bottom], axis=1), (n, 1)),
            np.tile(np.stack([middle + _VERTEX_REACH * width, top], axis=1), (n, 1)),
            _START_TOLERANCES,
        )
        raw = _admissible(ends.x[:, 0], np.exp(ends.x[:, 1]), k, w, weight)
        return raw.reshape(n, slices, 5)

    def age(self, params: FloatArray, tau_then: float, tau_now: float) -> FloatArray:
        """Return the same smile in vol, strike by strike: variance shrinks with the tenor."""
        ratio = tau_now / tau_then
        aged: FloatArray = np.asarray(params) * np.array([ratio, ratio, 1.0, 1.0, 1.0])
        return aged


def _weighted(rows: Rows, iv: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return total variance and its weight: one over its noise, by d iv = dw / (2 iv tau)."""
    tau = rows.tau[:, None]
    return iv * iv * tau, 1.0 / (2.0 * iv * tau * noise)


def _level(w: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the mean total variance of each slice."""
    level: FloatArray = np.sum(weight * w, axis=1) / np.sum(weight, axis=1)
    return level


def _range(rows: Rows, w_ref: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return middle and width of each expiry's quoted range; a narrow one counts as a deviation."""
    low, high = rows.k.min(axis=1, initial=np.inf), rows.k.max(axis=1, initial=-np.inf)
    return 0.5 * (low + high), np.maximum(high - low, np.sqrt(w_ref))


def _projected(
    x: FloatArray, k: FloatArray, w: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what of the residuals the linear coefficients cannot remove, at vertex and log width.

    Variable projection with Kaufman's Jacobian. Returns residuals (B, l), their Jacobian
    (B, l, 2) and the coefficients (B, 3) of 1, y and sqrt(y^2 + 1) - 1 with y = (k - m) / s.
    """
    m, s = x[:, :1], np.exp(x[:, 1:])
    y = (k - m) / s
    root = np.sqrt(y * y + 1.0)
    basis = np.stack([np.ones_like(y), y, y * y / (root + 1.0)], axis=1) * weight[:, None, :]
    # Gram-Schmidt by hand: three columns do not repay a call of LAPACK for each slice.
    q = np.empty_like(basis)
    R = np.zeros((len(k), 3, 3))
    for i in range(3):
        column = basis[:, i]
        for j in range(i):
            R[:, j, i] = np.sum(q[:, j] * column, axis=1)
            column = column - R[:, j, i, None] * q[:, j]
        R[:, i, i] = np.sqrt(np.sum(column * column, axis=1)) + 1e-300
        q[:, i] = column / R[:, i, i, None]
    target = w * weight
    share = np.sum(q * target[:, None, :], axis=2)
    level = share[:, 2] / R[:, 2, 2]
    slope = (share[:, 1] - R[:, 1, 2] * level) / R[:, 1, 1]
    base = (share[:, 0] - R[:, 0, 1] * slope - R[:, 0, 2] * level) / R[:, 0, 0]
    tilt = -(slope[:, None] + level[:, None] * y / root) * weight
    moved = np.stack([tilt / s, tilt * y], axis=1)
    both = np.concatenate([moved, -target[:, None, :]], axis=1)
    both = both - (both @ q.transpose(0, 2, 1)) @ q
    return both[:, 2], both[:, :2].transpose(0, 2, 1), np.stack([base, slope, level], axis=1)


def _admissible(
    m: FloatArray, s: FloatArray, k: FloatArray, w: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return the best raw parameters (B, 5) within SVI's bounds at given vertex and width."""
    _, _, coefficients = _projected(np.stack([m, np.log(s)], axis=1), k, w, weight)
    slope, curve = coefficients[:, 1], coefficients[:, 2]
    # A concave smile has no SVI; a nearly flat one is the nearest.
    b = np.maximum(curve, 1e-3 * np.abs(slope)) / s
    rho = np.clip(slope / np.maximum(b * s, 1e-300), -0.99 * RHO_MAX, 0.99 * RHO_MAX)
    b = np.clip(b, 1e-6, 1.9 / (1.0 + np.abs(rho)))
    d = k - m[:, None]
    root = np.sqrt(d * d + s[:, None] ** 2)
    shape = b[:, None] * (rho[:, None] * d + root)
    square = weight * weight
    a = np.sum(square * (w - shape), axis=1) / np.sum(square, axis=1)
    # Positive variance at every quote, so that there is a vol to improve on.
    lowest = np.min(np.where(weight > 0.0, shape, np.inf), axis=1)
    floor = 0.01 * np.sum(square * w, axis=1) / np.sum(square, axis=1)
    return np.stack([np.maximum(a, floor - lowest), b, rho, m, s], axis=1)


MODELS.add(Svi.name, Svi())
