r"""Merton: a constant diffusion and lognormal jumps of constant intensity.

.. math::
   \ln\varphi(z) = -\tfrac12\sigma^2\tau(z^2 + iz)
   + \lambda\tau\{e^{iz\mu_J - z^2\sigma_J^2/2} - 1 - iz(e^{\mu_J + \sigma_J^2/2} - 1)\}
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.spectral import FourierModel, level_of, skew_sign, within
from monitor.numerics.complexes import ComplexArray, complex_exp

JUMPS = (
    # A jump every other day at most: more of them are diffusion by another name.
    Parameter("lam", 0.0, 200.0, "structure", "jump intensity, per year", log_from=0.01),
    # A crash to a third, or a tripling, in one jump.
    Parameter("mu_j", -1.0, 1.0, "structure", "mean log jump"),
    # Below a tenth of a percent a jump cannot be told from the drift that compensates it.
    Parameter("sigma_j", 1e-3, 1.0, "structure", "deviation of the log jump"),
)
SIGMA = Parameter("sigma", 0.01, 8.0, "state", "vol of the diffusion, per square root year")
# Jumps of a start: intensity, and the share of the variance that they have.
_STARTS = ((2.0, 0.4), (12.0, 0.4))


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


def diffusion_log_cf(sigma: float, u: FloatArray, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a constant diffusion's part of ln phi(u - i/2; tau) and its derivative by sigma."""
    spread = (u * u + 0.25) * tau
    return (-0.5 * sigma * sigma) * spread, -sigma * spread


class Merton(FourierModel):
    """Constant vol and lognormal jumps; four parameters for the whole surface."""

    name = "merton"
    summary = "Constant vol with lognormal jumps on the whole surface; a benchmark of jumps alone"
    source = "Merton, R. (1976). Option pricing when stock returns are discontinuous. JFE 3"
    parameters = (SIGMA, *JUMPS)

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts of the market's variance near the money with jumps of two kinds."""
        level, tilt = level_of(grid), skew_sign(grid, iv, noise)
        out = []
        for lam, share in _STARTS:
            # lam (mu_j^2 + sigma_j^2) is the jumps' share of the variance, as far as bounds allow.
            size = min(np.sqrt(share * level / lam), 0.6)
            out.append([np.sqrt((1.0 - share) * level), lam, 0.4 * tilt * size, 0.9 * size])
        return within(self, grid, out)

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        diffusion, by_sigma = diffusion_log_cf(params[0], u, tau)
        jumps, by_jumps = merton_jumps_log_cf(params[1:], u, tau, gradient)
        if by_jumps is None:
            return diffusion + jumps, None
        return diffusion + jumps, np.concatenate([by_sigma[None], by_jumps])


MODELS.add(Merton.name, Merton())
