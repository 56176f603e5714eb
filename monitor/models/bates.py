r"""Bates: Heston's stochastic variance with lognormal jumps of constant intensity.

.. math::
   \ln\varphi(z) = \ln\varphi_{Heston}(z)
   + \lambda\tau\{e^{iz\mu_J - z^2\sigma_J^2/2} - 1 - iz(e^{\mu_J + \sigma_J^2/2} - 1)\}
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Model, Parameter
from monitor.models.heston import Heston, heston_log_cf
from monitor.numerics.complexes import ComplexArray, complex_exp
from monitor.pricing.fourier import total_variance_from_cf

# Heston's start and the jumps beside it: frequent and small; rare, large, upwards; rare, downwards.
# On 22 recorded chains, nine of them of the crash of February 2026, one of the three always ended
# in the best minimum known (the first alone: 18).
_STARTS = ((0, (12.0, -0.02, 0.08)), (1, (0.1, 0.30, 0.50)), (0, (1.0, -0.10, 0.15)))
# Of Heston's variance, what is left to diffuse beside the jumps.
_DIFFUSIVE = 0.85


def merton_jumps_log_cf(
    params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
) -> tuple[ComplexArray, ComplexArray | None]:
    r"""Return the compensated jumps' part of ln phi(u - i/2; tau), and its gradient.

    Parameters
    ----------
    params : ndarray of shape (3,)
        ``lam, mu_j, sigma_j``: intensity per year, mean and deviation of the log jump.
    u, tau : ndarray of shape (N,)
    gradient : bool

    Returns
    -------
    psi : complex ndarray of shape (N,)
    dpsi : complex ndarray of shape (3, N), or None where `gradient` is false

    References
    ----------
    .. [1] Merton, R. (1976). Option pricing when underlying stock returns are discontinuous.
       Journal of Financial Economics 3.
    """
    lam, mu_j, sigma_j = params
    variance = sigma_j * sigma_j
    a = 0.5 + 1j * u  # i z on the contour
    power = np.empty(u.shape, np.complex128)
    power.real = 0.5 * mu_j + 0.5 * variance * (0.25 - u * u)
    power.imag = (mu_j + 0.5 * variance) * u
    jump = complex_exp(power)
    mean = float(np.exp(mu_j + 0.5 * variance))
    per_jump = (jump - 1.0 - (mean - 1.0) * a) * tau
    if not gradient:
        return lam * per_jump, None
    out = np.empty((3, len(u)), np.complex128)
    out[0] = per_jump
    slope = (lam * tau) * a
    np.multiply(slope, jump - mean, out=out[1])
    np.multiply(sigma_j * slope, a * jump - mean, out=out[2])
    return lam * per_jump, out


class Bates(Model):
    """Stochastic variance and jumps; eight parameters for the whole surface."""

    name = "bates"
    summary = "Heston with lognormal jumps on the whole surface"
    source = "Bates, D. (1996). Jumps and stochastic volatility. Rev. Financial Studies 9(1)"
    per_expiry = False
    parameters = (
        *Heston.parameters,
        # A jump every other day at most: more of them are diffusion by another name.
        Parameter("lam", 0.0, 200.0, "structure", "jump intensity, per year"),
        # A crash to a third, or a tripling, in one jump.
        Parameter("mu_j", -1.0, 1.0, "structure", "mean log jump"),
        # Below a tenth of a percent a jump cannot be told from the drift that compensates it.
        Parameter("sigma_j", 1e-3, 1.0, "structure", "deviation of the log jump"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return Heston's starts, each with jumps of another kind beside it."""
        heston = Heston().starts(grid, iv, noise) * np.array(
            [_DIFFUSIVE, 1.0, _DIFFUSIVE, 1.0, 1.0]
        )
        return np.array([[*heston[i], *jumps] for i, jumps in _STARTS])

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        p = np.asarray(params, dtype=np.float64)

        def log_cf(
            u: FloatArray, tau: FloatArray, gradient: bool
        ) -> tuple[ComplexArray, ComplexArray | None]:
            diffusion, by_diffusion = heston_log_cf(p[:5], u, tau, gradient)
            jumps, by_jumps = merton_jumps_log_cf(p[5:], u, tau, gradient)
            if by_diffusion is None or by_jumps is None:
                return diffusion + jumps, None
            return diffusion + jumps, np.concatenate([by_diffusion, by_jumps])

        return total_variance_from_cf(log_cf, grid)


MODELS.add(Bates.name, Bates())
