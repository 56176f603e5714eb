r"""eSSVI: SSVI slices with a correlation each, fitted together and free of static arbitrage.

.. math::
   w(k) = \frac{\theta}{2}\Bigl\{1 + \rho\varphi k + \sqrt{(\varphi k + \rho)^2 + 1 - \rho^2}
   \Bigr\}, \qquad \psi = \theta\varphi

In the coordinates g = 1/phi, u = psi (1 + rho), d = psi (1 - rho), the width of the smile's bottom
and twice the slopes of its wings, everything that keeps arbitrage out is linear:

- with P = g + k, M = g - k, :math:`4w = uP + dM + \sqrt{(u + d)(uP^2 + dM^2)}`, which does not
  fall in g (Cauchy-Schwarz), in u or in d (arithmetic and geometric mean) at any k. So no two
  slices cross where g, u and d do not fall from one expiry to the next. That u and d do not is
  necessary as well: they are the wings. These are the conditions of Hendriks and Martini.
- a slice has a density where max(u, d) < 4 and max(u, d) <= 4 g, the conditions of Gatheral and
  Jacquier's theorem 4.2.

The set is convex, and slices interpolated linearly in (g, u, d) keep inside it. *Refused:* one
correlation and one power law for all tenors, which real chains leave by several vol points; the
chart of Mingone (2022), whose parameters are positions between bounds that move with the other
slices and mean nothing by themselves.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Parameter
from monitor.models.coupled import CoupledSlices
from monitor.models.slices import Rows

RHO_MAX = 0.999
_LEAN = (1.0 + RHO_MAX) / (1.0 - RHO_MAX)  # of one wing over the other, at most
PSI_MIN = 1e-6
SLOPE_MAX = 4.0 * (1.0 - 1e-6)  # strictly below Lee's bound
_TINY = 1e-300


class Ssvi(CoupledSlices):
    """Extended SSVI, three parameters an expiry, the surface free of static arbitrage."""

    name = "ssvi"
    summary = "eSSVI, one smile an expiry, fitted together without static arbitrage"
    source = (
        "Gatheral and Jacquier (2014). Arbitrage-free SVI volatility surfaces. Q. Finance 14(1); "
        "Hendriks and Martini (2019). The extended SSVI volatility surface. J. Comp. Finance 22(5)"
    )
    parameters = (
        # Vols from 1 % for a minute to 1000 % for five years.
        Parameter("w_atm", 1e-11, 500.0, "state", "total variance at k = 0, dimensionless"),
        Parameter("rho", -RHO_MAX, RHO_MAX, "structure", "lean: (u - d) / (u + d) of the wings"),
        # At psi = 0 the smile is flat, and rho means nothing.
        Parameter("psi", PSI_MIN, 4.0, "structure", "mean slope of the wings, dimensionless"),
    )

    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        level, rho, psi = (params[:, i, None] for i in range(3))
        y = (psi / level) * k
        lean = rho * y
        R = np.sqrt(1.0 + y * (y + 2.0 * rho))
        inverse = 1.0 / R
        gradient = np.empty((*k.shape, 3))
        gradient[:, :, 0] = 0.5 + 0.5 * (1.0 + lean) * inverse
        gradient[:, :, 1] = (0.5 * psi) * k * (1.0 + inverse)
        gradient[:, :, 2] = 0.5 * k * (rho + (y + rho) * inverse)
        return (0.5 * level) * (1.0 + lean + R), gradient

    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the smile with level, slope and curvature of a weighted parabola in w."""
        tau = rows.tau[:, None]
        w = iv * iv * tau
        weight = (iv * noise) ** -2.0
        mean = np.sum(weight * w, axis=1) / np.sum(weight, axis=1)
        unit = np.sqrt(mean)[:, None]
        x = rows.k / unit
        weight = weight * np.exp(-0.5 * (x / _NEAR) ** 2)
        powers = np.stack([np.ones_like(x), x, x * x], axis=2)
        H = (powers * weight[:, :, None]).transpose(0, 2, 1) @ powers
        # A ridge towards the flat smile: one or two quotes have no parabola.
        H += H[:, :1, :1] * np.diag([1e-12, 1e-6, 1e-6]) + np.diag([_TINY] * 3)
        rhs = np.sum(powers * (weight * (w - mean[:, None]))[:, :, None], axis=1)
        fit = np.linalg.solve(H, rhs[:, :, None])[:, :, 0] / mean[:, None]
        level = np.clip(1.0 + fit[:, 0], 0.5, 1.5)
        # In units of the mean: rho psi = slope, psi^2 (1 - rho^2) / level = 4 curve.
        slope = np.clip(fit[:, 1], -1.2, 1.2)
        psi = np.sqrt(slope * slope + level * np.clip(4.0 * fit[:, 2], 0.02, 4.0))
        rho = np.clip(slope / psi, -0.95, 0.95)
        return np.stack([level * mean, rho, np.clip(psi * np.sqrt(mean), PSI_MIN, 3.9)], axis=1)[
            None
        ]

    def age(self, params: FloatArray, tau_then: FloatArray, tau_now: FloatArray) -> FloatArray:
        """Return the same smile in vol, strike by strike: variance shrinks with the tenor."""
        aged = np.array(params, dtype=np.float64)
        aged[:, [0, 2]] *= (tau_now / tau_then)[:, None]
        return aged

    def to_coordinates(self, params: FloatArray) -> FloatArray:
        level, rho, psi = np.asarray(params, dtype=np.float64).T
        return np.stack([level / psi, psi * (1.0 + rho), psi * (1.0 - rho)], axis=1)

    def from_coordinates(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        g, u, d = y.T
        psi, twice = 0.5 * (u + d), 1.0 / (u + d)
        frame = np.zeros((len(y), 3, 3))
        frame[:, 0, 0], frame[:, 0, 1], frame[:, 0, 2] = psi, 0.5 * g, 0.5 * g
        frame[:, 1, 1], frame[:, 1, 2] = 2.0 * d * twice * twice, -2.0 * u * twice * twice
        frame[:, 2, 1:] = 0.5
        return np.stack([g * psi, (u - d) * twice, psi], axis=1), frame

    def constraints(self, m: int) -> tuple[FloatArray, FloatArray]:
        g, u, d = (np.eye(3 * m)[i::3] for i in range(3))
        rising = [a[1:] - a[:-1] for a in (g, u, d)]
        density = [4.0 * g - u, 4.0 * g - d]
        inside = [u - d / _LEAN, d - u / _LEAN]
        # What does not fall is bounded by its ends.
        ends = [-u[-1:], -d[-1:], u[:1] + d[:1]]
        A = np.concatenate([*rising, *density, *inside, *ends])
        b = np.zeros(len(A))
        b[-3:] = -SLOPE_MAX, -SLOPE_MAX, 2.0 * PSI_MIN
        return A, b

    def settled(self, y: FloatArray) -> FloatArray:
        """Return coordinates whose rounding has been put back inside the constraints."""
        g = np.maximum.accumulate(y[:, 0])
        u, d = (np.maximum.accumulate(a) for a in y[:, 1:].T)
        top = np.minimum(4.0 * g, SLOPE_MAX)
        # The lesser of what does not fall does not fall.
        u = np.minimum(np.minimum(u, top), _LEAN * d)
        return np.stack([g, u, np.minimum(np.minimum(d, top), _LEAN * u)], axis=1)


# The parabola of a start looks at this many deviations around the money.
_NEAR = 1.5

MODELS.add(Ssvi.name, Ssvi())
