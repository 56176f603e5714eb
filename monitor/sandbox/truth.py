"""The true smile of a world: Heston, jumps on top, a lifted wing; and its 30-day variance.

Prices come from `monitor.pricing.fourier` with characteristic functions written here or in the
models. A world with jumps does not need the model that a desk might fit to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from monitor.arrays import FloatArray, IntArray
from monitor.models.base import Grid
from monitor.models.heston import heston_log_cf
from monitor.pricing.black import black_price
from monitor.pricing.fourier import total_variance_from_cf
from monitor.sandbox.worlds.base import Jumps, Regime, Truth

ComplexArray = NDArray[np.complex128]

DVOL_TAU = 30.0 / 365.0
# Deviations below the forward over which the wing rises to its full height: narrower tapers bend
# the smile until a butterfly costs less than nothing.
_TAPER = 1.0


def heston_params(truth: Truth, v0: float, regime: Regime) -> FloatArray:
    """Return ``v0, kappa, theta_v, xi, rho`` at the moment."""
    spot, long = v0 * regime.state_factor, truth.theta_v
    if regime.jumps is not None:
        # The level stays: what jumps add, diffusion gives up, down to a fifth of itself.
        spot = max(spot - regime.jumps.variance, 0.2 * spot)
        long = max(long - regime.jumps.variance, 0.2 * long)
    return np.array([spot, truth.kappa, long, truth.xi, truth.rho])


def mean_variance(params: FloatArray, tau: FloatArray | float, jumps: Jumps | None) -> FloatArray:
    """Return the expected quadratic variation a year to `tau`, as a strip of options prices it."""
    v0, kappa, theta_v = params[:3]
    decay = -np.expm1(-kappa * np.asarray(tau)) / (kappa * np.asarray(tau))
    mean = theta_v + (v0 - theta_v) * decay
    if jumps is not None:
        drift = np.expm1(jumps.mu_j + 0.5 * jumps.sigma_j**2)
        mean = mean + 2.0 * jumps.lam * (drift - jumps.mu_j)
    return np.asarray(mean)


def true_variance(
    params: FloatArray, regime: Regime, tau: FloatArray, expiry_index: IntArray, k: FloatArray
) -> FloatArray:
    """Return the true total variance at points sorted by (tau, k), shape (n,)."""
    w_ref = mean_variance(params, tau, regime.jumps) * tau
    grid = Grid(np.arange(len(tau)), tau, expiry_index, k, w_ref)

    def log_cf(
        u: FloatArray, t: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        psi, _ = heston_log_cf(params, u, t, False)
        if regime.jumps is not None:
            psi = psi + jump_log_cf(regime.jumps, u, t)
        return psi, np.empty((0, len(u)), np.complex128)

    w, _ = total_variance_from_cf(log_cf, grid)
    w = _filled(w, expiry_index, w_ref)
    if regime.put_wing:
        w = lifted(w, k, grid.tau_of_point, regime.put_wing)
    return w


def jump_log_cf(jumps: Jumps, u: FloatArray, tau: FloatArray) -> ComplexArray:
    """Return the jumps' part of ln phi(u - i/2; tau), compensated so that the forward stays."""
    iz = 1j * u + 0.5
    drift = np.expm1(jumps.mu_j + 0.5 * jumps.sigma_j**2)
    jump = np.exp(iz * jumps.mu_j + 0.5 * iz**2 * jumps.sigma_j**2)
    return np.asarray(jumps.lam * tau * (jump - 1.0 - iz * drift))


def lifted(w: FloatArray, k: FloatArray, tau: FloatArray, height: float) -> FloatArray:
    """Return total variance with `height` vol added below the forward, tapered to it."""
    share = np.clip(-k / np.sqrt(w) / _TAPER, 0.0, 1.0)
    smooth = share * share * (3.0 - 2.0 * share)
    return np.asarray((np.sqrt(w / tau) + height * smooth) ** 2 * tau)


def strip_variance(k: FloatArray, w: FloatArray) -> float:
    """Return the total variance that a strip of options pays for, from one dense smile."""
    otm = black_price(k, w, np.where(k >= 0.0, 1.0, -1.0))
    return float(2.0 * np.trapezoid(otm * np.exp(-k), k))


def put_delta(k: FloatArray, w: FloatArray) -> FloatArray:
    """Return the absolute delta of puts."""
    v = np.sqrt(w)
    return np.asarray(ndtr(k / v - 0.5 * v))


def _filled(w: FloatArray, index: IntArray, w_ref: FloatArray) -> FloatArray:
    """Return `w` with the nearest priceable strike's where a price has no digits left.

    That far out an option is worth less than 1e-15 of a coin; it is listed, and quoted at a tick.
    """
    bad = ~np.isfinite(w)
    if not bad.any():
        return w
    out = w.copy()
    for j in np.unique(index[bad]):
        here = index == j
        good = np.flatnonzero(here & ~bad)
        if len(good) == 0:
            out[here] = w_ref[j]
            continue
        holes = np.flatnonzero(here & bad)
        nearest = np.abs(holes[:, None] - good[None, :]).argmin(axis=1)
        out[holes] = w[good[nearest]]
    return out
