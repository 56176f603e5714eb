r"""Variance Gamma: a Brownian motion with drift, run by a gamma clock.

.. math:: X_\tau = \omega\tau + \theta_g G + \sigma W(G), \qquad
   G \sim \Gamma(\tau/\nu, \nu), \qquad \omega = \ln(1 - \theta_g\nu - \sigma^2\nu/2) / \nu

Given the clock G the price is Black's, so an option is Black's premium averaged over G. With
s = ln(G / nu) the average is an integral over the whole line of a function that is analytic and
dies out at both ends, which the plain trapezoidal rule takes to twelve digits at any tenor.
*Refused:* the Fourier integral, whose characteristic function decays like u^(-2 tau / nu): a
one-day option would need a cut-off of 10^5 deviations and more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln, ndtr

from monitor.arrays import FloatArray, IntArray
from monitor.models.base import MODELS, Grid, Model, Parameter
from monitor.models.merton import SIGMA
from monitor.models.spectral import level_of, skew_sign, within
from monitor.pricing.black import INV_SQRT_2PI
from monitor.pricing.fourier import contour_of

# Step of the rule in s: the integrand is analytic for |Im s| < pi / 2, and the error falls like
# exp(-pi^2 / step); for long tenors, where the clock's density narrows, in its deviations.
_STEP, _STEP_LONG = 0.25, 0.5
# ln of what may be neglected at either end.
_GONE = 36.0
_NODES_MAX = 400  # a quote's
_NU_ROOM = 1e-3  # of 1 - theta_g nu - sigma^2 nu / 2: the forward exists above zero
# Variance rates of a start, in years, and how far the drift leans.
_STARTS = ((0.08, 0.4), (0.4, 0.4))


@dataclass(frozen=True)
class _Nodes:
    """Where the clocks of a grid's quotes are read, Q nodes in all."""

    quote: IntArray  # (Q,)
    starts: IntArray  # (n,), first node of each quote
    s: FloatArray  # (Q,)
    step: FloatArray  # (n,)


class VarianceGamma(Model):
    """Variance Gamma; three parameters for the whole surface."""

    name = "variance_gamma"
    summary = "Brownian motion on a gamma clock, infinitely many small jumps; whole surface"
    source = (
        "Madan, Carr and Chang (1998). The variance gamma process and option pricing. "
        "European Finance Review 2"
    )
    per_expiry = False
    parameters = (
        SIGMA,
        # Minutes, next to which a day has no kurtosis left (3 nu / tau), to two years.
        Parameter("nu", 5e-6, 2.0, "structure", "variance rate of the gamma clock, years"),
        Parameter("theta_g", -5.0, 5.0, "structure", "drift per unit of the clock, per year"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts of the market's variance near the money with clocks of two speeds."""
        level, tilt = level_of(grid), skew_sign(grid, iv, noise)
        out = []
        for nu, lean in _STARTS:
            # sigma^2 + nu theta_g^2 is the variance per year.
            drift = min(lean * np.sqrt(level / nu), 0.5 / nu, 4.0)
            sigma = np.sqrt(max(level - nu * drift * drift, 0.1 * level))
            out.append([min(sigma, np.sqrt(0.5 / nu)), nu, tilt * drift])
        return within(self, grid, out)

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        return _total_variance(params, grid, True)

    def variance(self, params: FloatArray, grid: Grid) -> FloatArray:
        return _total_variance(params, grid, False)[0]


def _total_variance(
    params: FloatArray, grid: Grid, gradient: bool
) -> tuple[FloatArray, FloatArray]:
    """Return total variance, shape (n,), and its gradient, shape (n, 3), or (n, 0) if not asked."""
    sigma, nu, theta_g = (float(p) for p in params)
    room = 1.0 - theta_g * nu - 0.5 * sigma * sigma * nu
    if not room > _NU_ROOM:
        return np.full(grid.n, np.nan), np.full((grid.n, 3 * gradient), np.nan)
    with np.errstate(all="ignore"):
        return contour_of(grid).variances(*_premiums(sigma, nu, theta_g, grid, gradient))


def _premiums(
    sigma: float, nu: float, theta_g: float, grid: Grid, gradient: bool
) -> tuple[FloatArray, FloatArray]:
    """Return out-of-the-money premiums, shape (n,), and their gradient as `_total_variance`."""
    room = 1.0 - theta_g * nu - 0.5 * sigma * sigma * nu
    omega = np.log(room) / nu
    tau = grid.tau_of_point
    strike, sign = np.exp(grid.k), np.where(grid.k >= 0.0, 1.0, -1.0)
    shape = tau / nu
    # What a clock that stands still leaves is taken out, or a short tenor would be all of it.
    still = np.exp(omega * tau)
    intrinsic = np.maximum(sign * (still - strike), 0.0)
    away = np.where(intrinsic > 0.0, 0.0, np.abs(grid.k - omega * tau))
    nodes = _nodes(away, shape, sigma, nu, min(room, 1.0))

    i = nodes.quote
    g = nu * np.exp(nodes.s)
    drift = (theta_g + 0.5 * sigma * sigma) * g
    v = sigma * np.sqrt(g)
    d2 = ((omega * tau - grid.k)[i] + drift) / v - 0.5 * v
    side, K = sign[i], strike[i]
    forward = still[i] * np.exp(drift)
    held = side * forward * ndtr(side * (d2 + v))  # dc / d ln forward
    gain = held - side * K * ndtr(side * d2) - intrinsic[i]
    weight = np.exp(shape[i] * nodes.s - np.exp(nodes.s) + (np.log(nodes.step) - gammaln(shape))[i])
    if not gradient:
        return np.add.reduceat(gain * weight, nodes.starts) + intrinsic, np.empty((grid.n, 0))

    vega = K * INV_SQRT_2PI * np.exp(-0.5 * d2 * d2)
    parts = np.empty((4, len(g)))
    parts[0] = gain
    parts[1] = held * (sigma * g) + vega * np.sqrt(g)
    parts[2] = held * (drift / nu) + vega * (0.5 / nu * v)
    parts[2] -= gain * ((nodes.s - digamma(shape)[i]) * (shape[i] / nu))
    parts[3] = held * g
    parts *= weight
    sums = np.add.reduceat(parts, nodes.starts, axis=1)
    # Through the compensator the clock moves every forward alike; `held` summed is its delta.
    owned = np.where(intrinsic > 0.0, sign * still, 0.0)
    delta = np.add.reduceat((held - owned[i]) * weight, nodes.starts) + owned
    omega_by = np.array([-sigma / room, -omega / nu, -1.0 / room])
    omega_by[1] -= (theta_g + 0.5 * sigma * sigma) / (nu * room)
    return sums[0] + intrinsic, sums[1:].T + (delta * tau)[:, None] * omega_by


def _nodes(away: FloatArray, shape: FloatArray, sigma: float, nu: float, room: float) -> _Nodes:
    """Return nodes for strikes `away`, in log-moneyness, from the money of a clock at rest.

    Zero where the option is in that money: its gain is then of the first power of the clock.
    """
    deviation = 1.0 / np.sqrt(shape)
    step = np.minimum(_STEP, _STEP_LONG * deviation)
    # Below, Black's time value is gone, or the density is; the former counts half a power of G.
    by_strike = 2.0 * np.log(np.maximum(away, 1e-300)) - np.log(2.0 * _GONE * sigma**2 * nu)
    by_clock = (gammaln(shape + 1.0) - _GONE) / (shape + 0.5)
    # At y below its peak, shape s - exp(s) has fallen by shape y^2 / (2 + y) and more.
    by_peak = np.log(shape) - (_GONE + np.sqrt(_GONE * (_GONE + 8.0 * shape))) / (2.0 * shape)
    low = np.maximum(by_strike, np.maximum(by_clock, by_peak))
    # Above, shape s - room exp(s) has fallen by as much from its peak; the forward grows the rest.
    peak = np.maximum(shape, 0.5)
    high = np.log((peak + np.sqrt(2.0 * _GONE * peak) + _GONE) / room)
    low = np.minimum(low, high - 8.0 * step)
    count = np.minimum(np.ceil((high - low) / step), _NODES_MAX).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    quote = np.repeat(np.arange(len(away)), count)
    order = np.arange(len(quote)) - starts[quote]
    return _Nodes(quote, starts, (high[quote] - order * step[quote]), step)


MODELS.add(VarianceGamma.name, VarianceGamma())
