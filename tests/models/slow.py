"""Slow, obvious twins of the characteristic functions: textbook formulas in thirty digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

Characteristic = Callable[[mpmath.mpc], mpmath.mpc]


def heston_bates_cf(params: Sequence[float], tau: float) -> Characteristic:
    """Return z -> E exp(i z ln(S/F)), the printed formulas of Heston (and of Bates with jumps)."""
    v0, kappa, theta_v, xi, rho = (mpmath.mpf(a) for a in params[:5])
    tau = mpmath.mpf(tau)

    def cf(z: mpmath.mpc) -> mpmath.mpc:
        beta = kappa - 1j * rho * xi * z
        d = mpmath.sqrt(beta * beta + xi**2 * (z * z + 1j * z))
        g, e = (beta - d) / (beta + d), mpmath.exp(-d * tau)
        C = kappa * theta_v / xi**2 * ((beta - d) * tau - 2 * mpmath.log((1 - g * e) / (1 - g)))
        psi = C + v0 * (beta - d) / xi**2 * (1 - e) / (1 - g * e)
        if len(params) > 5:
            lam, mu_j, sigma_j = (mpmath.mpf(a) for a in params[5:])
            jump = mpmath.exp(1j * z * mu_j - z * z * sigma_j**2 / 2)
            psi += lam * tau * (jump - 1 - 1j * z * (mpmath.exp(mu_j + sigma_j**2 / 2) - 1))
        return mpmath.exp(psi)

    return cf


def heston_log_cf_by_riccati(params: Sequence[float], z: complex, tau: float) -> complex:
    """Return ln phi(z) by integrating Heston's Riccati equations: no branch to choose."""
    v0, kappa, theta_v, xi, rho = params

    def slope(_: float, y: np.ndarray) -> list[complex]:
        D = y[1]
        change = 0.5 * xi**2 * D * D + (1j * rho * xi * z - kappa) * D - 0.5 * (z * z + 1j * z)
        return [kappa * theta_v * D, change]

    end = solve_ivp(
        slope, (0.0, tau), np.zeros(2, complex), method="DOP853", rtol=1e-12, atol=1e-14
    )
    return complex(end.y[0, -1] + v0 * end.y[1, -1])
