r"""Heston's stochastic variance, one parameter vector for the whole surface.

.. math::
   dv = \kappa(\theta_v - v)dt + \xi\sqrt v\,dW, \qquad d\langle \ln S, v\rangle = \rho\xi v\,dt
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Model, Parameter
from monitor.numerics.complexes import ComplexArray, complex_exp, complex_log1p
from monitor.pricing.fourier import total_variance_from_cf


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
    xi2, lean = xi * xi, rho * xi
    drift = kappa - 0.5 * lean
    u2 = u * u
    q = u2 + 0.25
    beta = drift - 1j * lean * u
    # The root of d^2 = beta^2 + xi^2 q, whose real part is positive.
    d2_real = drift * drift + 0.25 * xi2 + (xi2 - lean * lean) * u2
    d2_imag = (-2.0 * drift * lean) * u
    d = np.empty(u.shape, np.complex128)
    d.real = np.sqrt(0.5 * (np.sqrt(d2_real * d2_real + d2_imag * d2_imag) + d2_real))
    d.imag = 0.5 * d2_imag / d.real
    E = complex_exp(-d * tau)
    N, S = 1.0 - E, 1.0 + E
    P_inverse = 1.0 / (beta * N + d * S)
    NP = N * P_inverse
    D = -q * NP
    r = -q / (beta + d)
    d_inverse = 1.0 / d
    G = r * tau - (2.0 / xi2) * complex_log1p((0.5 * xi2) * r * N * d_inverse)
    psi = (kappa * theta_v) * G + v0 * D
    if not gradient:
        return psi, None
    C = kappa * theta_v / xi2
    tau_E = tau * E
    H_d = 2.0 * (d_inverse - (S + xi2 * r * tau_E) * P_inverse) - tau
    psi_d = C * H_d + (v0 * q) * ((N * S - 2.0 * d * tau_E) * (P_inverse * P_inverse))
    slope = psi_d * d_inverse
    psi_beta = C * (tau - 2.0 * NP) - v0 * D * NP + slope * beta
    tilted = (0.5 + 1j * u) * psi_beta
    out = np.empty((5, len(u)), np.complex128)
    out[0] = D
    np.multiply(G, theta_v, out=out[1])
    out[1] += psi_beta
    np.multiply(G, kappa, out=out[2])
    np.multiply(G, -2.0 * kappa * theta_v / xi, out=out[3])
    out[3] += (xi * q) * slope
    out[3] -= rho * tilted
    np.multiply(tilted, -xi, out=out[4])
    return psi, out


class Heston(Model):
    """Stochastic variance with one factor; five parameters for the whole surface."""

    name = "heston"
    summary = "Heston stochastic variance on the whole surface; a hedging model"
    source = "Heston, S. (1993). A closed-form solution for options. Rev. Financial Studies 6(2)"
    per_expiry = False
    parameters = (
        # 1 % to 800 % vol.
        Parameter("v0", 1e-4, 64.0, "state", "spot variance, per year"),
        # Half-lives from seven years, beyond the longest tenor, to five days: outside, kappa and
        # theta_v act only through their product and run away together.
        Parameter("kappa", 0.1, 50.0, "structure", "mean reversion, per year"),
        # 1 % to 400 % vol.
        Parameter("theta_v", 1e-4, 16.0, "structure", "long variance, per year"),
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
