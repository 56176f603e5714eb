r"""Raw SVI, expiry by expiry: the marking model.

.. math:: w(k) = a + b\{\rho(k - m) + \sqrt{(k - m)^2 + s^2}\}
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Parameter
from monitor.models.slices import Rows, SliceModel

# Trial vertices and curvatures of the start, in units of the slice's deviation sqrt(w): between
# them lie the smiles of one day and of one year.
_TRIAL_M = (-1.0, 0.0, 1.0)
_TRIAL_S = (0.3, 1.0, 3.0)
_STARTS = 3


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
        Parameter("rho", -0.999, 0.999, "structure", "difference of the wings' slopes, in (-1, 1)"),
        # No chain quotes strikes beyond a factor of e^5 from its forward.
        Parameter("m", -5.0, 5.0, "structure", "log-moneyness of the vertex"),
        # Below 1e-4 the smile is a corner between any two strikes; above 5 a parabola.
        Parameter("s", 1e-4, 5.0, "structure", "width of the vertex in log-moneyness"),
    )

    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        a, b, rho, m, s = (params[:, i, None] for i in range(5))
        x = k - m
        root = np.sqrt(x * x + s * s)
        shape = rho * x + root
        w = a + b * shape
        gradient = np.empty((*k.shape, 5))
        gradient[:, :, 0] = 1.0
        gradient[:, :, 1] = shape
        gradient[:, :, 2] = b * x
        gradient[:, :, 3] = -b * (rho + x / root)
        gradient[:, :, 4] = b * s / root
        return w, gradient

    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the best few of a lattice of vertices, each with its own linear solution.

        At fixed m and s the smile is linear in three coefficients (De Marco and Martini 2009,
        "Quasi-explicit calibration of Gatheral's SVI model"), so that the lattice needs no search.
        """
        tau = rows.tau[:, None]
        w = iv * iv * tau
        weight = 1.0 / (2.0 * iv * tau * noise) ** 2
        scale = np.sqrt(np.sum(weight * w, axis=1) / np.sum(weight, axis=1))
        trial_m, trial_s = (g.ravel() for g in np.meshgrid(_TRIAL_M, _TRIAL_S))
        m = trial_m[:, None] * scale  # (trials, slices)
        s = np.maximum(trial_s[:, None] * scale, 1e-4)
        y = (rows.k - m[:, :, None]) / s[:, :, None]
        basis = np.stack([np.ones_like(y), y, np.sqrt(y * y + 1.0)], axis=-1)
        weighted = basis * weight[:, :, None]
        A = np.swapaxes(weighted, -1, -2) @ basis
        # A touch of ridge: three quotes at neighbouring strikes do not determine three numbers.
        A += 1e-9 * np.trace(A, axis1=-2, axis2=-1)[..., None, None] * np.eye(3)
        rhs = np.swapaxes(weighted, -1, -2) @ w[None, :, :, None]
        level, d, c = np.moveaxis(np.linalg.solve(A, rhs)[..., 0], -1, 0)
        c = np.clip(
            c, 1e-3 * scale * s, 2.0 * s / (1.0 + np.abs(d) / np.maximum(c, np.abs(d) + 1e-300))
        )
        d = np.clip(d, -0.95 * c, 0.95 * c)
        # The best level once slope and tilt are admissible, that keeps the vertex positive.
        shape = d[:, :, None] * basis[..., 1] + c[:, :, None] * basis[..., 2]
        level = np.sum(weight * (w - shape), axis=-1) / np.sum(weight, axis=-1)
        level = np.maximum(level, 0.01 * scale * scale - np.sqrt(c * c - d * d))
        misfit = np.sum(weight * (level[:, :, None] + shape - w) ** 2, axis=-1)
        best = np.argsort(misfit, axis=0, kind="stable")[:_STARTS]
        raw = np.stack([level, c / s, d / c, m, s], axis=-1)
        return np.take_along_axis(raw, best[:, :, None], axis=0)

    def age(self, params: FloatArray, tau_then: float, tau_now: float) -> FloatArray:
        """Return the same smile in vol, strike by strike: variance shrinks with the tenor."""
        return np.asarray(params) * np.array(
            [tau_now / tau_then, tau_now / tau_then, 1.0, 1.0, 1.0]
        )


MODELS.add(Svi.name, Svi())
