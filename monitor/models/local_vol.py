r"""Local volatility: the diffusion that has the smiles of an eSSVI surface, by Dupire's formula.

.. math:: \sigma^2(t, k) = \frac{\partial_t w(t, k)}{g(t, k)}

with g Durrleman's, times e^-d2^2/2 over root w the density: positive together where nothing can be
arbitraged, which is what the eSSVI fit is held to. Between expiries its coordinates (width of the
bottom, slopes of the wings) are straight lines in tenor; before the first and beyond the last vols
stay and variance grows with tenor. Every slice in between is then free of arbitrage, and all
derivatives are formulas.

Prices of calls and puts are eSSVI's: the surface is the same, and so is the fit. What differs is
the law: the vol that spot meets on its way, hence barriers, and the delta, which `diffused` gives
and the derivatives at a floating smile do not. *Refused:* a spline through the quotes, whose second
derivative is noise; a tree, which cannot be asked for a gradient.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import solve_banded

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid
from monitor.models.ssvi import SLOPE_MAX, Ssvi
from monitor.pricing.density import durrleman

# Where neither variance nor density is left, far out in k, their quotient is rounding.
_VARIANCE_MAX = 100.0  # (1000 % vol) squared
_POINTS, _REACH = 801, 7.0  # of the forward equation in k; deviations at the last tenor
_FIRST, _NEXT = 64, 24  # steps of time to the first expiry, and from each to the next
_SMOOTHING = 4  # half steps at the start, fully implicit: the payoff has a corner


class LocalVol(Ssvi):
    """The diffusion with eSSVI's smiles."""

    name = "local_vol"
    summary = "Local volatility by Dupire's formula from the arbitrage-free eSSVI fit"
    source = (
        "Dupire (1994). Pricing with a smile. Risk 7(1); Gatheral (2006). The Volatility Surface, "
        "equation 1.10"
    )
    cadence = "weekly"

    def local_variance(
        self, params: FloatArray, tau: FloatArray, t: float, k: FloatArray
    ) -> FloatArray:
        """Return sigma^2 at time `t` and ln(S / F_0) = `k`, per year, shape of `k`.

        Parameters
        ----------
        params : ndarray of shape (m * 3,)
            An eSSVI fit.
        tau : ndarray of shape (m,)
            Its tenors.
        t : float
            Years from now, positive.
        k : ndarray of shape (n,)
        """
        y, y_slope = self._coordinates_at(params, tau, t)
        slice_params, frame = self.from_coordinates(y[None])
        w, gradient = self.slice_variance(slice_params, k[None], np.array([t]))
        growth = gradient[0] @ (frame[0] @ y_slope)
        level, rho, psi = slice_params[0]
        phi = psi / level
        z = phi * k
        R = np.sqrt(1.0 + z * (z + 2.0 * rho))
        slope = 0.5 * psi * (rho + (z + rho) / R)
        curve = 0.5 * psi * phi * (1.0 - rho * rho) / R**3
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(growth, 0.0) / durrleman(k, w[0], slope, curve)
        # Positive over nothing is as large as can be; nothing over nothing is nothing.
        variance = np.where(variance >= 0.0, variance, _VARIANCE_MAX)
        return np.minimum(np.where(growth > 0.0, variance, 0.0), _VARIANCE_MAX)

    def diffused(
        self, params: FloatArray, grid: Grid, sign: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return premiums over forward and deltas at the points of a grid, under the diffusion.

        Parameters
        ----------
        params : ndarray of shape (m * 3,)
            An eSSVI fit on `grid`.
        grid : Grid
        sign : ndarray of shape (n,)
            +1 call, -1 put.

        Returns
        -------
        c, delta : ndarray of shape (n,)
            Premium, eSSVI's but for the equation's steps; dC/dF with local volatility where it is
            in dollars. NaN where a parameter is.

        Notes
        -----
        The forward equation :math:`\\partial_t c = \\sigma^2 (c_{kk} - c_k) / 2` starts from
        (1 - e^k)^+; its derivative by the forward obeys the same equation from 1 where k < 0: one
        pass gives premium and delta of every strike and tenor. Crank and Nicolson's scheme, on
        points that crowd at the money.
        """
        c, delta = np.full(grid.n, np.nan), np.full(grid.n, np.nan)
        if not np.all(np.isfinite(params)):
            return c, delta
        k = _points(grid)
        state = np.stack([np.maximum(-np.expm1(k), 0.0), np.where(k < 0.0, 1.0, 0.0)], axis=1)
        state[np.searchsorted(k, 0.0), 1] = 0.5
        then = 0.0
        for j, tau in enumerate(grid.tau.tolist()):
            state = self._step_to(params, grid.tau, k, state, then, tau)
            then = tau
            here = grid.expiry_index == j
            both = CubicSpline(k, state)(grid.k[here])
            put = sign[here] < 0.0
            c[here] = both[:, 0] + np.where(put, np.expm1(grid.k[here]), 0.0)
            delta[here] = both[:, 1] - put
        return c, delta

    def _coordinates_at(
        self, params: FloatArray, tau: FloatArray, t: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return the coordinates at time `t` and their slope in time, two of shape (3,)."""
        y = self.to_coordinates(np.asarray(params, dtype=np.float64).reshape(-1, 3))
        j = int(np.searchsorted(tau, t))
        if 0 < j < len(tau):
            slope = (y[j] - y[j - 1]) / (tau[j] - tau[j - 1])
            return y[j - 1] + (t - tau[j - 1]) * slope, slope
        end = y[0] if j == 0 else y[-1]
        at = tau[0] if j == 0 else tau[-1]
        slope = np.array([0.0, end[1], end[2]]) / at
        there = np.array([end[0], *(end[1:] * (t / at))])
        top = min(SLOPE_MAX, 4.0 * float(end[0]))
        if there[1:].max() >= top:
            # No wing may be steeper; from here variance grows by the width of the bottom alone.
            there[1:] *= top / there[1:].max()
            there[0] = end[0] * t * end[1:].max() / (at * top)
            slope = np.array([there[0] / t, 0.0, 0.0])
        return there, slope

    def _step_to(
        self,
        params: FloatArray,
        tau: FloatArray,
        k: FloatArray,
        state: FloatArray,
        then: float,
        until: float,
    ) -> FloatArray:
        """Return the forward equation's solution at `until`, from that at `then`."""
        if then == 0.0:
            # Steps grow from the start, where everything happens near the corner.
            times = until * np.linspace(0.0, 1.0, _FIRST + 1) ** 2
            halves = np.linspace(times[0], times[_SMOOTHING // 2], _SMOOTHING + 1)
            times = np.concatenate([halves, times[_SMOOTHING // 2 + 1 :]])
        else:
            times = np.linspace(then, until, _NEXT + 1)
        lower, middle, upper = _operator(k)
        for i, (a, b) in enumerate(pairwise(times.tolist())):
            variance = self.local_variance(params, tau, 0.5 * (a + b), k)
            implicit = 1.0 if then == 0.0 and i < _SMOOTHING else 0.5
            half = 0.5 * (b - a) * variance
            low, mid, up = half * lower, half * middle, half * upper
            rhs = state.copy()
            rhs[1:-1] += (1.0 - implicit) * (
                low[1:-1, None] * state[:-2]
                + mid[1:-1, None] * state[1:-1]
                + up[1:-1, None] * state[2:]
            )
            bands = np.zeros((3, len(k)))
            bands[0, 2:] = -implicit * up[1:-1]
            bands[1] = 1.0
            bands[1, 1:-1] -= implicit * mid[1:-1]
            bands[2, :-2] = -implicit * low[1:-1]
            state = solve_banded((1, 1), bands, rhs, check_finite=False)
        return state


def _points(grid: Grid) -> FloatArray:
    """Return points in k: as close as the first tenor asks at the money, as far as the last."""
    near, far = np.sqrt(grid.w_ref[0]), np.sqrt(np.max(grid.w_ref))
    reach = max(_REACH * far, 1.2 * float(np.max(np.abs(grid.k), initial=0.0)))
    bend = np.arcsinh(reach / near)
    points: FloatArray = near * np.sinh(np.linspace(-bend, bend, _POINTS))
    points[_POINTS // 2] = 0.0
    return points


def _operator(k: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the three diagonals of d2/dk2 - d/dk on uneven points, of second order."""
    lower, middle, upper = (np.zeros(len(k)) for _ in range(3))
    down, up = k[1:-1] - k[:-2], k[2:] - k[1:-1]
    both = down + up
    lower[1:-1] = (2.0 + up) / (down * both)
    upper[1:-1] = (2.0 - down) / (up * both)
    middle[1:-1] = -(2.0 + up - down) / (down * up)
    return lower, middle, upper


MODELS.add(LocalVol.name, LocalVol())
