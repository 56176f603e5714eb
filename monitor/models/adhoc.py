r"""The "ad hoc Black-Scholes" polynomial of Dumas, Fleming and Whaley: a benchmark to be beaten.

.. math:: \sigma = a_0 + a_1 x + a_2 x^2 + a_3 \tau + a_4 \tau^2 + a_5 x \tau

with x = k / sqrt(tau). The authors regress on the strike, for tenors of a few weeks to a few
months; over tenors of a day to a year the smile is wide in k at the long end and narrow at the
short one, and only in k over the square root of the tenor is it about the same curve. In k itself
the benchmark would be beaten by anything, which would make it no benchmark.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Model, Parameter

# The authors' own floor (section I.B): below it the polynomial is no vol.
FLOOR = 0.01


class AdHoc(Model):
    """One quadratic of vol in standardised log-moneyness and tenor for the whole surface.

    Where the polynomial falls below `FLOOR`, which far extrapolation can do, the vol is `FLOOR`
    and does not depend on the parameters there.
    """

    name = "adhoc"
    summary = "Quadratic of vol in k / sqrt(tau) and tau; the benchmark of Dumas, Fleming, Whaley"
    source = "Dumas, Fleming and Whaley (1998). Implied volatility functions. J. Finance 53(6)"
    per_expiry = False
    # Wide enough never to bind on vols up to 1000 % and tenors from an hour to five years.
    parameters = (
        Parameter("a0", -20.0, 20.0, "state", "level of vol, per square root year"),
        Parameter("a1", -100.0, 100.0, "structure", "slope of vol in k / sqrt(tau)"),
        Parameter("a2", -100.0, 100.0, "structure", "curvature of vol in k / sqrt(tau)"),
        Parameter("a3", -1e4, 1e4, "structure", "slope of vol in tenor, per year"),
        Parameter("a4", -1e6, 1e6, "structure", "curvature of vol in tenor, per year squared"),
        Parameter("a5", -1e4, 1e4, "structure", "cross term of k / sqrt(tau) and tenor"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the weighted linear solution: the optimum itself unless the floor binds."""
        basis = _basis(grid)
        best = np.linalg.lstsq(basis / noise[:, None], iv / noise, rcond=None)[0]
        return np.asarray(best[None], dtype=np.float64)

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        basis = _basis(grid)
        sigma = basis @ np.asarray(params, dtype=np.float64)
        # A NaN parameter must stay a NaN vol, so the comparison is the one that NaN fails.
        above = ~(sigma <= FLOOR)
        sigma = np.where(above, sigma, FLOOR)
        tau = grid.tau_of_point
        return sigma * sigma * tau, basis * np.where(above, 2.0 * sigma * tau, 0.0)[:, None]


def _basis(grid: Grid) -> FloatArray:
    """Return the six regressors at the points of a grid, shape (n, 6)."""
    if "adhoc" not in grid.cache:
        tau = grid.tau_of_point
        x = grid.k / np.sqrt(tau)
        grid.cache["adhoc"] = np.stack([np.ones_like(x), x, x * x, tau, tau * tau, x * tau], axis=1)
    return grid.cache["adhoc"]  # type: ignore[no-any-return]


MODELS.add(AdHoc.name, AdHoc())
