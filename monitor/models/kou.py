r"""Kou: a constant diffusion and double-exponential jumps of constant intensity.

.. math::
   \ln\varphi(z) = -\tfrac12\sigma^2\tau(z^2 + iz)
   + \lambda\tau\Bigl\{\frac{p}{1 - izm_+} + \frac{1-p}{1 + izm_-} - 1 - iz\zeta\Bigr\},
   \qquad \zeta = \frac{p}{1 - m_+} + \frac{1-p}{1 + m_-} - 1

where an upward jump, of probability p, has mean m_+ = 1/eta_1 and a downward one m_- = 1/eta_2.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.merton import JUMPS, SIGMA, diffusion_log_cf
from monitor.models.spectral import FourierModel, level_of, skew_sign, within
from monitor.numerics.complexes import ComplexArray

# Jumps of a start: intensity, and the share of the variance that they have.
_STARTS = ((2.0, 0.4), (12.0, 0.4))


def kou_jumps_log_cf(
    params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
) -> tuple[ComplexArray, ComplexArray | None]:
    """Return the compensated jumps' part of ln phi(u - i/2; tau), and its gradient.

    Parameters
    ----------
    params : ndarray of shape (4,)
        ``lam, p_up, mean_up, mean_down``.
    u, tau : ndarray of shape (N,)
    gradient : bool

    Returns
    -------
    psi : complex ndarray of shape (N,)
    dpsi : complex ndarray of shape (4, N), or None where `gradient` is false
    """
    lam, p, m_up, m_down = params
    a = 0.5 + 1j * u  # i z on the contour
    up, down = 1.0 / (1.0 - a * m_up), 1.0 / (1.0 + a * m_down)
    up_mean, down_mean = 1.0 / (1.0 - m_up), 1.0 / (1.0 + m_down)
    mean = p * up_mean + (1.0 - p) * down_mean
    per_jump = (p * up + (1.0 - p) * down - 1.0 - (mean - 1.0) * a) * tau
    if not gradient:
        return lam * per_jump, None
    out = np.empty((4, len(u)), np.complex128)
    out[0] = per_jump
    many = lam * tau
    out[1] = many * (up - down - (up_mean - down_mean) * a)
    out[2] = (p * many) * a * (up * up - up_mean * up_mean)
    out[3] = ((p - 1.0) * many) * a * (down * down - down_mean * down_mean)
    return lam * per_jump, out


class Kou(FourierModel):
    """Constant vol and double-exponential jumps; five parameters for the whole surface."""

    name = "kou"
    summary = "Constant vol with double-exponential jumps on the whole surface"
    source = "Kou, S. (2002). A jump-diffusion model for option pricing. Management Science 48(8)"
    parameters = (
        SIGMA,
        JUMPS[0],
        Parameter("p_up", 0.0, 1.0, "structure", "probability that a jump goes up"),
        # A forward needs a mean below one; at a half a jump doubles it on average.
        Parameter("mean_up", 1e-3, 0.5, "structure", "mean upward log jump, 1 / eta_1"),
        Parameter("mean_down", 1e-3, 1.0, "structure", "mean downward log jump, 1 / eta_2"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts of the market's variance near the money with jumps of two kinds."""
        level, tilt = level_of(grid), skew_sign(grid, iv, noise)
        out = []
        for lam, share in _STARTS:
            # A jump of mean m has the second moment 2 m^2.
            mean = min(np.sqrt(0.5 * share * level / lam), 0.3)
            sigma, lean = np.sqrt((1.0 - share) * level), 0.2 * tilt
            out.append([sigma, lam, 0.5 + 0.15 * tilt, mean * (1.0 + lean), mean * (1.0 - lean)])
        return within(self, grid, out)

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        diffusion, by_sigma = diffusion_log_cf(params[0], u, tau)
        jumps, by_jumps = kou_jumps_log_cf(params[1:], u, tau, gradient)
        if by_jumps is None:
            return diffusion + jumps, None
        return diffusion + jumps, np.concatenate([by_sigma[None], by_jumps])


MODELS.add(Kou.name, Kou())
