"""What models known by their characteristic function share: the engine, and what starts read."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import Grid, Model
from monitor.numerics.complexes import ComplexArray
from monitor.pricing.fourier import total_variance_from_cf


class FourierModel(Model):
    """A model of the whole surface given by ln E exp(i z ln(S / F))."""

    per_expiry: ClassVar[bool] = False

    @abstractmethod
    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        """Return ln phi(u - i/2; tau), shape (N,), and its gradient, (P, N), where asked for."""

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        p = np.asarray(params, dtype=np.float64)
        return total_variance_from_cf(
            lambda u, tau, gradient: self.log_cf(p, u, tau, gradient), grid
        )

    def variance(self, params: FloatArray, grid: Grid) -> FloatArray:
        p = np.asarray(params, dtype=np.float64)
        return total_variance_from_cf(
            lambda u, tau, gradient: self.log_cf(p, u, tau, gradient), grid, gradient=False
        )[0]


def within(model: Model, grid: Grid, starts: list[list[float]]) -> FloatArray:
    """Return starts as one array, moved into the bounds where they lie outside."""
    lower, upper = model.bounds(grid)
    inside: FloatArray = np.clip(np.array(starts, dtype=np.float64), lower, upper)
    return inside


def level_of(grid: Grid) -> float:
    """Return the middle of the expiries' variances near the money, per year."""
    return float(np.median(grid.w_ref / grid.tau))


def skew_sign(grid: Grid, iv: FloatArray, noise: FloatArray) -> float:
    """Return the sign of the weighted slope of implied vol in standardised log-moneyness."""
    x = grid.k / np.sqrt(grid.w_ref[grid.expiry_index])
    weight = np.where(np.abs(x) < 2.0, noise**-2.0, 0.0)
    relative = iv / np.sqrt(grid.w_ref / grid.tau)[grid.expiry_index]
    centre = np.sum(weight * x) / max(np.sum(weight), 1e-300)
    return 1.0 if np.sum(weight * (x - centre) * relative) > 0.0 else -1.0
