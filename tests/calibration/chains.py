"""Chains made by a model, for tests that must know the truth."""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.pricing.black import black_vega

AS_OF_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MS_PER_YEAR = 31_536_000_000
TENOR_DAYS = np.array([1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0])


def grid_of_tenors(
    tenor_days: FloatArray = TENOR_DAYS, *, vol: float = 0.6, n: int = 25, reach: float = 2.5
) -> Grid:
    """Return a grid of `n` strikes an expiry over `reach` deviations either side."""
    tau = np.asarray(tenor_days) / 365.0
    k = (vol * np.sqrt(tau)[:, None] * np.linspace(-reach, reach, n)).ravel()
    expiry_ms = AS_OF_MS + np.round(tau * MS_PER_YEAR).astype(np.int64)
    return Grid(expiry_ms, tau, np.repeat(np.arange(len(tau)), n), k, vol * vol * tau)


def quotes_from(grid: Grid, iv: FloatArray, noise: FloatArray | float = 0.005) -> Quotes:
    """Return quotes with the given mid vols; `noise` is half the width."""
    noise = np.broadcast_to(np.asarray(noise, np.float64), iv.shape)
    absent_m, absent_n = np.full(grid.m, np.nan), np.full(grid.n, np.nan)
    tau = grid.tau_of_point
    return Quotes(
        venue="test",
        underlying="BTC",
        as_of_ms=AS_OF_MS,
        expiry_ms=grid.expiry_ms,
        tau=grid.tau,
        forward=np.full(grid.m, 100_000.0),
        discount=np.ones(grid.m),
        parity_low=absent_m,
        parity_high=absent_m,
        expiry_index=grid.expiry_index,
        instrument=tuple(f"T-{i}" for i in range(grid.n)),
        strike=100_000.0 * np.exp(grid.k),
        k=grid.k,
        sign=np.where(grid.k >= 0.0, 1.0, -1.0),
        c_bid=absent_n,
        c_ask=absent_n,
        tick=absent_n,
        iv_bid=iv - noise,
        iv_ask=iv + noise,
        iv=iv,
        vega=black_vega(grid.k, iv * iv * tau) * np.sqrt(tau),
        noise=noise,
        mark_iv=absent_n,
        open_interest=absent_n,
        n_selected=grid.n,
        rejections=(),
    )


def quotes_by(
    model: Model,
    params: FloatArray,
    grid: Grid,
    *,
    noise: float = 0.005,
    rng: np.random.Generator | None = None,
) -> Quotes:
    """Return a model's own quotes, with normal errors of size `noise` where `rng` is given."""
    iv = np.sqrt(model.total_variance(params, grid)[0] / grid.tau_of_point)
    if rng is not None:
        iv = iv + noise * rng.standard_normal(grid.n)
    return quotes_from(grid, iv, noise)
