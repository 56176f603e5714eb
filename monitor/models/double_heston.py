r"""Double Heston: two independent square-root variances, a fast one and a slow one.

.. math:: \ln\varphi(z) = \ln\varphi_{Heston}(z; fast) + \ln\varphi_{Heston}(z; slow)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid
from monitor.models.heston import Heston, heston_log_cf
from monitor.models.spectral import FourierModel, skew_sign, within
from monitor.numerics.complexes import ComplexArray

# The two factors are alike; which is which only their speeds can say. A half-life of two months.
_SPEED = 4.0
# Starts: speeds of the two, and the fast one's share of the long variance.
_STARTS = ((15.0, 1.0, 0.4), (8.0, 0.5, 0.7), (30.0, 2.0, 0.3))


class DoubleHeston(FourierModel):
    """Two independent variance factors; ten parameters for the whole surface."""

    name = "double_heston"
    summary = "Two Heston factors, fast and slow, on the whole surface"
    source = (
        "Christoffersen, Heston and Jacobs (2009). The shape and term structure of the index "
        "option smirk. Management Science 55(12)"
    )
    cadence = "weekly"
    parameters = (
        *(
            replace(p, name=f"{p.name}_fast", lower=_SPEED if p.name == "kappa" else p.lower)
            for p in Heston.parameters
        ),
        *(
            replace(p, name=f"{p.name}_slow", upper=_SPEED if p.name == "kappa" else p.upper)
            for p in Heston.parameters
        ),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts that share the market's variance between the factors."""
        level = grid.w_ref / grid.tau
        short, long = np.clip([level[0], level[-1]], 0.01, 16.0)
        tilt = skew_sign(grid, iv, noise)
        out = []
        for fast, slow, share in _STARTS:
            parts = []
            for kappa, part in ((fast, share), (slow, 1.0 - share)):
                xi = 2.0 * np.sqrt(kappa * part * long)
                parts += [part * short, kappa, part * long, xi, 0.3 * tilt]
            out.append(parts)
        return within(self, grid, out)

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        fast, by_fast = heston_log_cf(params[:5], u, tau, gradient)
        slow, by_slow = heston_log_cf(params[5:], u, tau, gradient)
        if by_fast is None or by_slow is None:
            return fast + slow, None
        return fast + slow, np.concatenate([by_fast, by_slow])


MODELS.add(DoubleHeston.name, DoubleHeston())
