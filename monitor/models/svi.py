r"""Raw SVI, expiry by expiry: the marking model.

.. math:: w(k) = a + b\{\rho(k - m) + \sqrt{(k - m)^2 + s^2}\}

The search for the best five parameters is in `svi_fit`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.slices import Rows, SliceModel, rows_of
from monitor.models.svi_fit import SLOPE_MAX, Smiles, raw_above, scan_smiles, solve_smiles
from monitor.numerics.least_squares import Solution, Tolerances

S_MIN = 1e-6
# Where vertex and width may lie, in widths of the quoted range of log-moneyness. Outside, SVI is
# a parabola or an exponential on the quotes: real chains then let m, s and b run to any size for a
# hundredth of the cost, and the numbers mean nothing.
_VERTEX_REACH = 0.75  # from the middle of the range
_WIDTH_MAX = 2.0
# Of the usual distance between strikes: a narrower vertex is a corner between two of them, and
# noise puts one at the last strike of a one-day smile.
_WIDTH_MIN = 0.05
# The scan for starts: vertices from the middle and widths, in widths of the quoted range.
_SCAN_M = np.array([-0.45, -0.2, 0.0, 0.2, 0.45])
_SCAN_S = np.array([0.06, 0.15, 0.4, 1.0])
_SCAN_PLACES = 20  # strikes of each smile that it looks at
# The longest step of the vertex, in widths of its bounds, and of the logarithm of the width.
_STEP_M, _STEP_S = 0.15, 0.8


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
        Parameter("rho", -1.0, 1.0, "structure", "difference of the wings' slopes"),
        # No chain quotes strikes beyond a factor of e^8 from its forward; see `bounds`.
        Parameter("m", -10.0, 10.0, "structure", "log-moneyness of the vertex"),
        # Below S_MIN the smile has a corner between any two strikes; see `bounds`.
        Parameter("s", S_MIN, 40.0, "structure", "width of the vertex in log-moneyness"),
    )

    def bounds(self, grid: Grid) -> tuple[FloatArray, FloatArray]:
        """Return the declared bounds, with vertex and width kept near each expiry's quotes."""
        lower, upper = (b.reshape(grid.m, 5).copy() for b in super().bounds(grid))
        middle, width, gap = _range(rows_of(grid), grid.w_ref)
        lower[:, 3] = np.maximum(lower[:, 3], middle - _VERTEX_REACH * width)
        upper[:, 3] = np.minimum(upper[:, 3], middle + _VERTEX_REACH * width)
        lower[:, 4] = np.clip(_WIDTH_MIN * gap, S_MIN, 1.0)
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
        """Return the best smiles of a scan: anywhere, and with the vertex in either half."""
        low, high = rows.k[:, :1], rows.k[:, -1:]
        tau = rows.tau[:, None]
        w, weight = iv * iv * tau, 1.0 / (2.0 * iv * tau * noise)
        level = np.sum(weight * w, axis=1) / np.sum(weight, axis=1)
        width = np.maximum(high - low, np.sqrt(level)[:, None])
        m = 0.5 * (low + high) + width * np.repeat(_SCAN_M, len(_SCAN_S))
        s = np.maximum(width * np.tile(_SCAN_S, len(_SCAN_M)), S_MIN)
        few = slice(None, None, max(1, rows.k.shape[1] // _SCAN_PLACES))
        beta, cost = scan_smiles(rows.k[:, few], w[:, few], weight[:, few], m, s)
        right = np.repeat(_SCAN_M, len(_SCAN_S)) > 0.0
        out = []
        for allowed in (np.ones_like(right), ~right, right):
            at = np.arange(len(cost)), np.argmin(np.where(allowed, cost, np.inf), axis=1)
            theta = np.stack([m[at], np.log(s[at])], axis=1)
            # Positive variance at every quote, so that there is a vol to improve on.
            out.append(raw_above(theta, beta[at], rows.k, 0.01 * level))
        return np.stack(out)

    def solve_rows(
        self,
        starts: FloatArray,
        slices: IntArray,
        rows: Rows,
        iv: FloatArray,
        noise: FloatArray,
        bounds: tuple[FloatArray, FloatArray],
        tolerances: Tolerances,
    ) -> Solution:
        low, high = bounds[0][slices], bounds[1][slices]
        lower, upper = (np.stack([b[:, 3], np.log(b[:, 4])], axis=1) for b in (low, high))
        reach = np.full_like(lower, _STEP_S)
        reach[:, 0] = _STEP_M * (upper[:, 0] - lower[:, 0])
        weight = 1.0 / noise[slices]
        smiles = Smiles(
            rows.k[slices], iv[slices], weight, rows.tau[slices, None], lower, upper, reach
        )
        start = np.stack([starts[:, 3], np.log(starts[:, 4])], axis=1)
        end = solve_smiles(smiles, start, tolerances)
        # The exponential of a logarithm may lie a rounding beyond its bound.
        return replace(end, x=np.clip(end.x, low, high))

    def bounds_hit(self, params: FloatArray, lower: FloatArray, upper: FloatArray) -> IntArray:
        """Return as every model, and `b` at its upper bound where a wing is at Lee's."""
        hit = super().bounds_hit(params, lower, upper)
        b, rho = params[1::5], params[2::5]
        steep = b * (1.0 + np.abs(rho)) >= SLOPE_MAX * (1.0 - 1e-9)
        hit[1::5] = np.where(steep, 1, hit[1::5])
        return hit

    def age(self, params: FloatArray, tau_then: FloatArray, tau_now: FloatArray) -> FloatArray:
        """Return the same smile in vol, strike by strike: variance shrinks with the tenor."""
        aged = np.array(params, dtype=np.float64)
        aged[:, :2] *= (tau_now / tau_then)[:, None]
        return aged


def _range(rows: Rows, w_ref: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return middle and width of each expiry's quoted range, and the usual gap of its strikes.

    A narrow range counts as a deviation.
    """
    low, high = rows.k.min(axis=1, initial=np.inf), rows.k.max(axis=1, initial=-np.inf)
    counts = rows.real.sum(axis=1)
    gap = (high - low) / np.maximum(counts - 1, 1)
    return 0.5 * (low + high), np.maximum(high - low, np.sqrt(w_ref)), gap


MODELS.add(Svi.name, Svi())
