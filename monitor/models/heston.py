r"""Heston's stochastic variance, one parameter vector for the whole surface.

.. math::
   dv = \kappa(\theta_v - v)dt + \xi\sqrt v\,dW, \qquad d\langle \ln S, v\rangle = \rho\xi v\,dt
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.spectral import FourierModel, skew_sign
from monitor.numerics.complexes import ComplexArray, complex_exp, complex_log1p


@dataclass(frozen=True)
class Riccati:
    """The solution of Heston's Riccati equation at nodes, in parts that its relatives share.

    With beta = kappa - rho xi (1/2 + i u), q = u^2 + 1/4 and d^2 = beta^2 + xi^2 q.
    """

    q: FloatArray
    beta: ComplexArray
    d: ComplexArray
    d_inverse: ComplexArray
    E: ComplexArray  # exp(-d tau)
    N: ComplexArray  # 1 - E
    S: ComplexArray  # 1 + E
    P_inverse: ComplexArray  # 1 / (beta N + d S)
    D: ComplexArray  # the coefficient of v0
    r: ComplexArray  # (beta - d) / xi^2
    log: ComplexArray  # ln((beta N + d S) / (2 d))


def riccati(params: FloatArray, u: FloatArray, tau: FloatArray) -> Riccati:
    """Return the solution for ``v0, kappa, theta_v, xi, rho`` at nodes, shape (N,)."""
    _, kappa, _, xi, rho = params
    xi2, lean = xi * xi, rho * xi
    drift = kappa - 0.5 * lean
    u2 = u * u
    q = u2 + 0.25
    beta = np.empty(u.shape, np.complex128)
    beta.real = drift
    beta.imag = -lean * u
    # The root of d^2 = beta^2 + xi^2 q, whose real part is positive.
    d2_real = drift * drift + 0.25 * xi2 + (xi2 - lean * lean) * u2
    d2_imag = (-2.0 * drift * lean) * u
    d = np.empty(u.shape, np.complex128)
    d.real = np.sqrt(0.5 * (np.sqrt(d2_real * d2_real + d2_imag * d2_imag) + d2_real))
    d.imag = 0.5 * d2_imag / d.real
    E = complex_exp(-d * tau)
    N, S = 1.0 - E, 1.0 + E
    P_inverse = 1.0 / (beta * N + d * S)
    r = -q / (beta + d)
    d_inverse = 1.0 / d
    log = complex_log1p((0.5 * xi2) * r * N * d_inverse)
    return Riccati(q, beta, d, d_inverse, E, N, S, P_inverse, -q * N * P_inverse, r, log)


def heston_log_cf(
    params: FloatArray,
    u: FloatArray,
    tau: FloatArray,
    gradient: bool,
    solved: Riccati | None = None,
) -> tuple[ComplexArray, ComplexArray | None]:
    r"""Return ln phi(u - i/2; tau) and its gradient by ``v0, kappa, theta_v, xi, rho``.

    Parameters
    ----------
    params : ndarray of shape (5,)
    u, tau : ndarray of shape (N,)
    gradient : bool
    solved : Riccati, optional
        For callers that need it themselves.

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
    R = solved or riccati(params, u, tau)
    xi2 = xi * xi
    NP = R.N * R.P_inverse
    G = R.r * tau - (2.0 / xi2) * R.log
    psi = (kappa * theta_v) * G + v0 * R.D
    if not gradient:
        return psi, None
    C = kappa * theta_v / xi2
    tau_E = tau * R.E
    H_d = 2.0 * (R.d_inverse - (R.S + xi2 * R.r * tau_E) * R.P_inverse) - tau
    square = R.P_inverse * R.P_inverse
    psi_d = C * H_d + (v0 * R.q) * ((R.N * R.S - 2.0 * R.d * tau_E) * square)
    slope = psi_d * R.d_inverse
    psi_beta = C * (tau - 2.0 * NP) - v0 * R.D * NP + slope * R.beta
    tilted = (0.5 + 1j * u) * psi_beta
    out = np.empty((5, len(u)), np.complex128)
    out[0] = R.D
    np.multiply(G, theta_v, out=out[1])
    out[1] += psi_beta
    np.multiply(G, kappa, out=out[2])
    np.multiply(G, -2.0 * kappa * theta_v / xi, out=out[3])
    out[3] += (xi * R.q) * slope
    out[3] -= rho * tilted
    np.multiply(tilted, -xi, out=out[4])
    return psi, out


class Heston(FourierModel):
    """Stochastic variance with one factor; five parameters for the whole surface."""

    name = "heston"
    summary = "Heston stochastic variance on the whole surface; a hedging model"
    source = "Heston, S. (1993). A closed-form solution for options. Rev. Financial Studies 6(2)"
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

    def leverage(self, params: FloatArray, grid: Grid) -> FloatArray:
        """Return rho xi for v0: dv = rho xi d ln F and noise."""
        moves = np.zeros(5)
        moves[0] = params[3] * params[4]
        return moves

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts that keep the term structure and differ in how fast variance reverts."""
        level = grid.w_ref / grid.tau
        short, long = level[0], level[-1]
        v0, theta_v = np.clip([short, long], 0.01, 16.0)
        tilt = skew_sign(grid, iv, noise)
        return np.array(
            [
                [v0, kappa, theta_v, xi * np.sqrt(theta_v), tilt * size]
                for kappa, xi, size in ((4.0, 4.0, 0.3), (1.5, 2.0, 0.3), (15.0, 10.0, 0.3))
            ]
        )

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        return heston_log_cf(params, u, tau, gradient)


MODELS.add(Heston.name, Heston())
