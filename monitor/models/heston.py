r"""Heston's stochastic variance, one parameter vector for the whole surface.

.. math::
   dv = \kappa(\theta_v - v)dt + \xi\sqrt v\,dW, \qquad d\langle \ln S, v\rangle = \rho\xi v\,dt
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Model, Parameter
from monitor.pricing.fourier import ComplexArray, total_variance_from_cf

# Where ln(1 + y) has lost digits to the 1 and its Taylor series of this length has not.
_LOG_SERIES_BELOW = 1e-2
_LOG_SERIES_TERMS = 8


def heston_log_cf(
    params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
) -> tuple[ComplexArray, ComplexArray | None]:
    r"""Return ln phi(u - i/2; tau) and its gradient by ``v0, kappa, theta_v, xi, rho``.

    Parameters
    ----------
    params : ndarray of shape (5,)
    u, tau : ndarray of shape (N,)
    gradient : bool

    Returns
    -------
    psi : complex ndarray of shape (N,)
    dpsi : complex ndarray of shape (5, N), or None where `gradient` is false

    Notes
    -----
    The "little trap" form, in which no branch of the logarithm is crossed, with (beta - d)/xi^2
    written as -q/(beta + d): nothing cancels as xi goes to zero, where the model is Black's with
    a deterministic variance.

    References
    ----------
    .. [1] Heston, S. (1993). Review of Financial Studies 6(2).
    .. [2] Albrecher, Mayer, Schoutens and Tistaert (2007). The little Heston trap. Wilmott.
    .. [3] Cui, del Bano Rollin and Germano (2017). Full and fast calibration of the Heston
       stochastic volatility model. European Journal of Operational Research 263(2).
    """
    v0, kappa, theta_v, xi, rho = params
    xi2 = xi * xi
    q = u * u + 0.25
    a = 0.5 + 1j * u
    beta = kappa - rho * xi * a
    d = np.sqrt(beta * beta + xi2 * q)
    E = np.exp(-d * tau)
    N = 1.0 - E
    P = beta * N + d * (1.0 + E)
    D = -q * N / P
    r = -q / (beta + d)
    y = xi2 * r * N / (2.0 * d)
    G = r * tau - 2.0 * _log_one_plus(y) / xi2
    psi = kappa * theta_v * G + v0 * D
    if not gradient:
        return psi, None
    C = kappa * theta_v / xi2
    H_beta = tau - 2.0 * N / P
    H_d = 2.0 / d - tau - 2.0 * (1.0 + E + tau * E * (beta - d)) / P
    P2 = P * P
    psi_d = C * H_d + v0 * q * ((1.0 - E * E) - 2.0 * d * tau * E) / P2
    psi_beta = C * H_beta + v0 * q * N * N / P2 + psi_d * beta / d
    out = np.empty((5, len(u)), np.complex128)
    out[0] = D
    out[1] = theta_v * G + psi_beta
    out[2] = kappa * G
    out[3] = -2.0 * kappa * theta_v * G / xi + xi * q / d * psi_d - rho * a * psi_beta
    out[4] = -xi * a * psi_beta
    return psi, out


def _log_one_plus(y: ComplexArray) -> ComplexArray:
    """Return ln(1 + y) for complex y, right for small y too."""
    out = np.log(1.0 + y)
    small = np.abs(y) < _LOG_SERIES_BELOW
    if np.any(small):
        z = y[small]
        series = np.zeros_like(z)
        for n in range(_LOG_SERIES_TERMS, 0, -1):
            series = 1.0 / n - z * series
        out[small] = z * series
    return out


class Heston(Model):
    """Stochastic variance with one factor; five parameters for the whole surface."""

    name = "heston"
    summary = "Heston stochastic variance on the whole surface; a hedging model"
    source = "Heston, S. (1993). A closed-form solution for options. Rev. Financial Studies 6(2)"
    per_expiry = False
    parameters = (
        # 1 % to 800 % vol.
        Parameter("v0", 1e-4, 64.0, "state", "spot variance, per year"),
        # From a half-life of 70 years to one of five days; beyond, only kappa theta_v matters.
        Parameter("kappa", 0.01, 50.0, "structure", "mean reversion, per year"),
        Parameter("theta_v", 1e-4, 64.0, "structure", "long variance, per year"),
        # Fits to real chains reach 10; a smile of one hour cannot ask for more than 20.
        Parameter("xi", 0.01, 20.0, "structure", "vol of variance, per year"),
        Parameter("rho", -0.99, 0.99, "structure", "correlation of price and variance"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts that keep the term structure and differ in how fast variance reverts."""
        level = grid.w_ref / grid.tau
        short, long = level[0], level[-1]
        v0, theta_v = np.clip([short, long], 0.01, 16.0)
        tilt = _skew_sign(grid, iv, noise)
        return np.array(
            [
                [v0, kappa, theta_v, xi * np.sqrt(theta_v), tilt * size]
                for kappa, xi, size in ((4.0, 4.0, 0.3), (1.5, 2.0, 0.3), (15.0, 10.0, 0.3))
            ]
        )

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        p = np.asarray(params, dtype=np.float64)
        return total_variance_from_cf(
            lambda u, tau, gradient: heston_log_cf(p, u, tau, gradient), grid
        )


def _skew_sign(grid: Grid, iv: FloatArray, noise: FloatArray) -> float:
    """Return the sign of the weighted slope of implied vol in standardised log-moneyness."""
    x = grid.k / np.sqrt(grid.w_ref[grid.expiry_index])
    weight = np.where(np.abs(x) < 2.0, noise**-2.0, 0.0)
    relative = iv / np.sqrt(grid.w_ref / grid.tau)[grid.expiry_index]
    centre = np.sum(weight * x) / max(np.sum(weight), 1e-300)
    return 1.0 if np.sum(weight * (x - centre) * relative) > 0.0 else -1.0


MODELS.add(Heston.name, Heston())
