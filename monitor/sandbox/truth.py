"""The true smile of a world: diffusion and jumps, what they leave over, what a break adds.

Prices come from `monitor.pricing.fourier` with characteristic functions written here or in the
models. A world with jumps does not need the model that a desk might fit to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.models.base import Grid
from monitor.models.heston import heston_log_cf
from monitor.pricing.black import black_price
from monitor.pricing.fourier import total_variance_from_cf
from monitor.sandbox.law import Jumps, Truth
from monitor.sandbox.worlds.base import QUIET, Regime

ComplexArray = NDArray[np.complex128]

DVOL_TAU = 30.0 / 365.0
# Deviations below the forward over which the wing rises to its full height: narrower tapers bend
# the smile until a butterfly costs less than nothing.
_TAPER = 1.0
# Where a bent term structure has its hump, and how wide it is in log tenor.
_BEND_DAYS, _BEND_WIDTH = 60.0, 0.8


@dataclass(frozen=True, eq=False)
class TrueSmile:
    """All that prices one underlying's options at one moment.

    Attributes
    ----------
    params : ndarray of shape (5,)
        ``v0, kappa, theta_v, xi, rho``.
    jumps : tuple of Jumps
    days : ndarray of shape (m,)
        Tenors of the residual surface's shapes.
    residual : ndarray of shape (m, p) or None
        Vol of each shape at each tenor.
    regime : Regime
    """

    params: FloatArray
    jumps: tuple[Jumps, ...]
    days: FloatArray
    residual: FloatArray | None
    regime: Regime

    @property
    def plain(self) -> TrueSmile:
        """The same without what is added to its vols: a characteristic function's own."""
        return replace(self, residual=None, regime=QUIET)

    @property
    def is_plain(self) -> bool:
        """Whether a characteristic function says it all, an expiry out of line left aside."""
        return self.residual is None and not self.regime.put_wing and not self.regime.bend


def smile_of(
    truth: Truth, v0: float, structure: FloatArray, residual: FloatArray | None, regime: Regime
) -> TrueSmile:
    """Return what prices options, given the states and structure of the moment."""
    kappa, theta_v, xi, rho = structure
    spot, long = v0 * regime.state_factor, float(theta_v)
    added = regime.jumps_of(truth)
    if added is not None:
        # The level stays: what jumps add, diffusion gives up, down to a fifth of itself.
        spot = max(spot - added.variance, 0.2 * spot)
        long = max(long - added.variance, 0.2 * long)
    params = np.array([spot, kappa, long, xi * regime.xi_factor, rho * regime.rho_factor])
    days = np.array(truth.surface.days if truth.surface is not None else ())
    jumps = tuple(j for j in (truth.jumps, added) if j is not None)
    return TrueSmile(params, jumps, days, residual, regime)


def mean_variance(smile: TrueSmile, tau: FloatArray | float) -> FloatArray:
    """Return the expected quadratic variation a year to `tau`, as a strip of options prices it.

    Of the plain smile: what is added to its vols is left out.
    """
    v0, kappa, theta_v = smile.params[:3]
    decay = -np.expm1(-kappa * np.asarray(tau)) / (kappa * np.asarray(tau))
    mean = theta_v + (v0 - theta_v) * decay
    for jumps in smile.jumps:
        drift = np.expm1(jumps.mu_j + 0.5 * jumps.sigma_j**2)
        mean = mean + 2.0 * jumps.lam * (drift - jumps.mu_j)
    return np.asarray(mean)


def true_variance(
    smile: TrueSmile,
    tau: FloatArray,
    expiry_index: IntArray,
    k: FloatArray,
    shifted: BoolArray | None = None,
) -> FloatArray:
    """Return the true total variance at points sorted by (tau, k), shape (n,).

    `shifted` says of each expiry whether it is the one that lies out of line, shape (m,).
    """
    w_ref = mean_variance(smile, tau) * tau
    grid = Grid(np.arange(len(tau)), tau, expiry_index, k, w_ref)

    def log_cf(
        u: FloatArray, t: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        psi, _ = heston_log_cf(smile.params, u, t, False)
        for jumps in smile.jumps:
            psi = psi + jump_log_cf(jumps, u, t)
        return psi, np.empty((0, len(u)), np.complex128)

    w, _ = total_variance_from_cf(log_cf, grid)
    w = _filled(w, expiry_index, w_ref)
    added = _added(smile, k / np.sqrt(w), grid.tau_of_point)
    if smile.regime.shift is not None and shifted is not None:
        added = added + smile.regime.shift.size * shifted[expiry_index]
    if not np.any(added):
        return w
    return np.asarray((np.sqrt(w / grid.tau_of_point) + added) ** 2 * grid.tau_of_point)


def jump_log_cf(jumps: Jumps, u: FloatArray, tau: FloatArray) -> ComplexArray:
    """Return the jumps' part of ln phi(u - i/2; tau), compensated so that the forward stays."""
    iz = 1j * u + 0.5
    drift = np.expm1(jumps.mu_j + 0.5 * jumps.sigma_j**2)
    jump = np.exp(iz * jumps.mu_j + 0.5 * iz**2 * jumps.sigma_j**2)
    return np.asarray(jumps.lam * tau * (jump - 1.0 - iz * drift))


def _added(smile: TrueSmile, x: FloatArray, tau: FloatArray) -> FloatArray:
    """Return the vol added to the plain smile, at `x` deviations from the forward."""
    added = np.zeros(len(x))
    if smile.residual is not None:
        added += residual_vol(smile.days, smile.residual, x, tau)
    if smile.regime.put_wing:
        added += smile.regime.put_wing * put_wing_share(x)
    if smile.regime.bend:
        added += smile.regime.bend * bend_share(tau)
    return added


def residual_vol(
    days: FloatArray, residual: FloatArray, x: FloatArray, tau: FloatArray
) -> FloatArray:
    """Return what the residual surface adds in vol; see `law.Surface`."""
    shapes = np.polynomial.legendre.legvander(np.tanh(0.5 * x), residual.shape[1] - 1)
    at = np.stack([np.interp(np.log(tau * 365.0), np.log(days), c) for c in residual.T], axis=1)
    return np.asarray(np.sum(shapes * at, axis=1))


def put_wing_share(x: FloatArray) -> FloatArray:
    """Return how much of a lifted put wing is felt: all of it from one deviation below."""
    share = np.clip(-x / _TAPER, 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))


def bend_share(tau: FloatArray) -> FloatArray:
    """Return how much of a bent term structure is felt at a tenor."""
    away = np.log(tau * 365.0 / _BEND_DAYS) / _BEND_WIDTH
    return np.asarray(np.exp(-0.5 * away**2))


def strip_variance(k: FloatArray, w: FloatArray) -> float:
    """Return the total variance that a strip of options pays for, from one dense smile."""
    otm = black_price(k, w, np.where(k >= 0.0, 1.0, -1.0))
    return float(2.0 * np.trapezoid(otm * np.exp(-k), k))


def added_strip(smile: TrueSmile) -> float:
    """Return what is added to the vols in the 30-day variance, a year."""
    tau = np.array([DVOL_TAU])
    spread = np.sqrt(mean_variance(smile, DVOL_TAU) * DVOL_TAU)
    k = np.linspace(-7.0, 6.0, 261) * spread
    index = np.zeros(len(k), np.int64)
    whole, plain = (true_variance(s, tau, index, k) for s in (smile, smile.plain))
    return (strip_variance(k, whole) - strip_variance(k, plain)) / DVOL_TAU


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
