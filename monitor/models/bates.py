r"""Bates: Heston's stochastic variance with lognormal jumps of constant intensity.

.. math::
   \ln\varphi(z) = \ln\varphi_{Heston}(z)
   + \lambda\tau\{e^{iz\mu_J - z^2\sigma_J^2/2} - 1 - iz(e^{\mu_J + \sigma_J^2/2} - 1)\}
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid
from monitor.models.heston import Heston, heston_log_cf
from monitor.models.merton import JUMPS, merton_jumps_log_cf
from monitor.models.spectral import FourierModel
from monitor.numerics.complexes import ComplexArray

# Heston's start and the jumps beside it: frequent and small; rare, large, upwards; rare, downwards.
# On 22 recorded chains, nine of them of the crash of February 2026, one of the three always ended
# in the best minimum known (the first alone: 18).
_STARTS = ((0, (12.0, -0.02, 0.08)), (1, (0.1, 0.30, 0.50)), (0, (1.0, -0.10, 0.15)))
# Of Heston's variance, what is left to diffuse beside the jumps.
_DIFFUSIVE = 0.85


class Bates(FourierModel):
    """Stochastic variance and jumps; eight parameters for the whole surface."""

    name = "bates"
    summary = "Heston with lognormal jumps on the whole surface"
    source = "Bates, D. (1996). Jumps and stochastic volatility. Rev. Financial Studies 9(1)"
    parameters = (*Heston.parameters, *JUMPS)

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return Heston's starts, each with jumps of another kind beside it."""
        heston = Heston().starts(grid, iv, noise) * np.array(
            [_DIFFUSIVE, 1.0, _DIFFUSIVE, 1.0, 1.0]
        )
        return np.array([[*heston[i], *jumps] for i, jumps in _STARTS])

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        diffusion, by_diffusion = heston_log_cf(params[:5], u, tau, gradient)
        jumps, by_jumps = merton_jumps_log_cf(params[5:], u, tau, gradient)
        if by_diffusion is None or by_jumps is None:
            return diffusion + jumps, None
        return diffusion + jumps, np.concatenate([by_diffusion, by_jumps])


MODELS.add(Bates.name, Bates())
