"""Towards which richer model would the fit improve? One set of directions an assumption.

A direction is the derivative of the model's vols by a parameter that the model does not have, at
the point where the richer model is the fitted one. What it could gain is seen without fitting
anything richer. Vols of quotes; no prices, no calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from monitor.arrays import FloatArray
from monitor.calibration.objective import grid_of
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.bates import merton_jumps_log_cf
from monitor.models.heston import heston_log_cf
from monitor.numerics.complexes import ComplexArray
from monitor.pricing.black import black_vega
from monitor.pricing.fourier import total_variance_from_cf

Directions = Mapping[str, FloatArray]
"""By assumption: columns of shape (n, q), derivatives of the model's vol less the market's."""

# Mean and deviation of the log jump, in deviations of the log price over `_JUMP_DAYS`: a crash, a
# rally and a jump of either sign, each at an intensity of its own, to be found by the test.
_JUMPS = ((-2.0, 1.0), (2.0, 1.0), (-5.0, 3.0), (5.0, 3.0))
_JUMP_TAU = 2.0 / 365.0
# A second factor reverts so much faster, or slower, than the first.
_SECOND = (6.0, 1.0 / 6.0)


@lru_cache(maxsize=2)
def chain_grid(quotes: Quotes) -> Grid:
    """Return the grid of a chain; its Fourier kernels serve every model asked on it."""
    return grid_of(quotes)


def directions(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return the directions of the assumptions that a model makes, by assumption.

    Parameters
    ----------
    model : Model
    params : ndarray of shape (P,)
    iv : ndarray of shape (n,)
        The model's vols there.
    jacobian : ndarray of shape (n, P)
        d iv / d params there.
    quotes : Quotes
    """
    return _RICHER.get(model.name, _smile)(params, iv, jacobian, quotes)


def _smile(params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes) -> Directions:
    """Return a skew and a curvature of its own for every expiry: of models without dynamics."""
    x = quotes.k / (iv * np.sqrt(quotes.tau[quotes.expiry_index]))
    each = (quotes.expiry_index[:, None] == np.arange(quotes.m)).astype(np.float64)
    return {"skew": each * x[:, None], "curvature": each * (x * x)[:, None]}


def _heston(params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes) -> Directions:
    return _of_variance(params, jacobian, quotes, jumps=None)


def _bates(params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes) -> Directions:
    return _of_variance(params[:5], jacobian, quotes, jumps=params[5:])


def _of_variance(
    heston: FloatArray, jacobian: FloatArray, quotes: Quotes, jumps: FloatArray | None
) -> Directions:
    """Return the directions from a model of stochastic variance, with jumps or without."""
    grid = chain_grid(quotes)
    v0, kappa, theta_v, xi, rho = heston
    size = np.sqrt(max(v0, theta_v) * _JUMP_TAU)

    def log_cf(
        u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        psi, _ = heston_log_cf(heston, u, tau, False)
        if jumps is not None:
            psi = psi + merton_jumps_log_cf(jumps, u, tau, False)[0]
        if not gradient:
            return psi, None
        rows = []
        for mean, deviation in _JUMPS:
            kind = np.array([1.0, mean * size, deviation * size])
            rows.append(merton_jumps_log_cf(kind, u, tau, False)[0])
        for factor in _SECOND:
            # Its part of ln phi is linear in its two variances: their derivatives are themselves.
            second = np.array([1.0, factor * kappa, 0.0, xi, rho])
            rows.append(heston_log_cf(second, u, tau, False)[0])
            second = np.array([0.0, factor * kappa, 1.0, xi, rho])
            rows.append(heston_log_cf(second, u, tau, False)[0])
        return psi, np.array(rows)

    w, dw = total_variance_from_cf(log_cf, grid)
    tau = grid.tau_of_point
    with np.errstate(all="ignore"):
        by = dw / (2.0 * np.sqrt(w * tau))[:, None]
    bend = np.log(tau)
    bend = bend - bend.mean()
    bends = np.stack([bend, bend * bend], axis=1)
    return {
        "jumps": by[:, : len(_JUMPS)],
        "second_factor": by[:, len(_JUMPS) :],
        "vol_of_vol_term": jacobian[:, 3:4] * bends,
        "correlation_term": jacobian[:, 4:5] * bends,
    }


def forward_directions(iv: FloatArray, quotes: Quotes) -> FloatArray:
    """Return what an error of each expiry's forward does to model less market, shape (n, m).

    Were the forward higher by a share e, each strike would lie lower by e in k: the model's vol
    there changes by its slope, and the market's premium, which stays, means another vol.

    Parameters
    ----------
    iv : ndarray of shape (n,)
        The model's.
    quotes : Quotes
    """
    tau = quotes.tau[quotes.expiry_index]
    deviation = iv * np.sqrt(tau)
    d2 = -quotes.k / deviation - 0.5 * deviation
    # c(k) of a call has the slope -e^k N(d2), of a put e^k N(-d2).
    slope = -quotes.sign * np.exp(quotes.k) * ndtr(quotes.sign * d2)
    market = slope / (black_vega(quotes.k, deviation**2) * np.sqrt(tau))
    columns = np.zeros((quotes.n, quotes.m))
    for j in range(quotes.m):
        here = np.flatnonzero(quotes.expiry_index == j)
        if len(here) > 1:
            columns[here, j] = -np.gradient(iv[here], quotes.k[here]) - market[here]
    return columns


Make = Callable[[FloatArray, FloatArray, FloatArray, Quotes], Directions]
_RICHER: dict[str, Make] = {"heston": _heston, "bates": _bates}
