r"""SABR with beta = 1, expiry by expiry: lognormal stochastic vol in Hagan's expansion.

.. math:: dF = \sigma F\,dW, \qquad d\sigma = \nu\sigma\,dZ, \qquad d\langle W, Z\rangle = \rho\,dt

.. math::
   \sigma_{iv}(k) = \alpha\,\frac{z}{\chi(z)}\,\Bigl\{1 + \tau\Bigl(\frac{\rho\nu\alpha}{4}
   + \frac{2 - 3\rho^2}{24}\nu^2\Bigr)\Bigr\}, \qquad z = -\frac{\nu}{\alpha}k,
   \qquad \chi(z) = \ln\frac{\sqrt{1 - 2\rho z + z^2} + z - \rho}{1 - \rho}

What is fitted is this formula, not the process. It is the first order of an expansion in nu^2 tau:
for nu^2 tau beyond about one the parameters describe the smile and no longer the law; far out its
vol grows like \|k\| / ln\|k\|, faster than any distribution allows, so that its own wings have
arbitrage; and at rho near -1 with a long tenor the braces can be negative, where there is no vol.
Slices fitted alone may cross.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.slices import Rows, SliceModel

RHO_MAX = 0.999
# nu sqrt(tau) above which the expansion, of first order in its square, means nothing at all.
_REACH = 3.0
_TINY = 1e-300
# The parabola of a start looks at this many deviations around the money.
_NEAR = 1.5


class Sabr(SliceModel):
    """Lognormal SABR, three parameters an expiry."""

    name = "sabr"
    summary = "Lognormal SABR (Hagan's expansion), one smile an expiry"
    source = (
        "Hagan, Kumar, Lesniewski and Woodward (2002). Managing smile risk. Wilmott, "
        "September, equation 2.17 at beta = 1"
    )
    parameters = (
        Parameter("alpha", 1e-3, 20.0, "state", "spot vol, per square root year"),
        # See `bounds`: nu sqrt(tau) is what the smile shows.
        Parameter("nu", 1e-4, 5000.0, "structure", "vol of vol, per square root year"),
        Parameter("rho", -RHO_MAX, RHO_MAX, "structure", "correlation of price and vol"),
    )

    def bounds(self, grid: Grid) -> tuple[FloatArray, FloatArray]:
        """Return the declared bounds, with vol of vol held to what an expansion can mean."""
        lower, upper = (b.reshape(grid.m, 3).copy() for b in super().bounds(grid))
        upper[:, 1] = np.minimum(upper[:, 1], _REACH / np.sqrt(grid.tau))
        return lower.ravel(), upper.ravel()

    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        alpha, nu, rho = (params[:, i, None] for i in range(3))
        t = tau[:, None]
        z = k * (-nu / alpha)
        # chi(-z; -rho) = -chi(z; rho): on the side z >= 0 nothing cancels, at z = 0 nothing is
        # divided by nothing.
        side = np.where(z < 0.0, -rho, rho)
        y = np.abs(z) + _TINY
        y_lean = y - 2.0 * side
        R = np.sqrt(1.0 + y * y_lean)
        bend = y_lean / (R + 1.0)
        zeta = y / np.log1p(y * (1.0 + bend) / (1.0 - side))
        lift = 1.0 + t * nu * (0.25 * rho * alpha + (2.0 - 3.0 * rho * rho) / 24.0 * nu)
        lift = np.where(lift > 0.0, lift, np.nan)
        base = alpha * zeta
        vol = base * lift
        # z dzeta/dz, and dzeta/drho, both without a division by z.
        stretch = zeta * (1.0 - zeta / R)
        turn = -zeta * zeta * z * (1.0 + side * bend) / ((R + 1.0) * R * (1.0 - rho * rho))
        double = 2.0 * t * vol
        gradient = np.empty((*k.shape, 3))
        gradient[:, :, 0] = double * (lift * (zeta - stretch) + base * (0.25 * t * rho * nu))
        gradient[:, :, 1] = double * (
            (alpha / nu) * lift * stretch
            + base * (t * (0.25 * rho * alpha + (2.0 - 3.0 * rho * rho) / 12.0 * nu))
        )
        gradient[:, :, 2] = double * (
            alpha * lift * turn + base * (0.25 * t * nu * (alpha - rho * nu))
        )
        return t * vol * vol, gradient

    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the smile with the level, slope and curvature of a parabola near the money.

        References
        ----------
        .. [1] Le Floc'h, F. and Kennedy, G. (2014). Explicit SABR calibration through simple
           expansions. SSRN 2467231.
        """
        level, slope, curve = _parabola(rows, iv, noise)
        lean = 2.0 * slope / level  # rho nu / alpha
        steep = np.sqrt(np.maximum(6.0 * curve / level + 1.5 * lean * lean, lean * lean * 1.05))
        steep = np.maximum(steep, 0.1 / (level * np.sqrt(rows.tau)))  # nu / alpha
        steep = np.minimum(steep, 0.7 * _REACH / (level * np.sqrt(rows.tau)))
        rho = np.clip(lean / steep, -0.95, 0.95)
        alpha = _alpha_of_level(level, steep, rho, rows.tau)
        return np.stack([alpha, alpha * steep, rho], axis=1)[None]

    def leverage(self, params: FloatArray, grid: Grid) -> FloatArray:
        """Return rho nu for every alpha: d alpha = rho nu d ln F and noise (Bartlett's delta)."""
        slices = np.asarray(params, dtype=np.float64).reshape(-1, 3)
        moves = np.zeros_like(slices)
        moves[:, 0] = slices[:, 1] * slices[:, 2]
        return moves.ravel()

    def age(self, params: FloatArray, tau_then: FloatArray, tau_now: FloatArray) -> FloatArray:
        """Return the same smile in vol: nu / alpha and rho stay, alpha makes up for the tenor."""
        alpha, nu, rho = np.asarray(params, dtype=np.float64).T
        growth = rho * nu / alpha / 4.0 + (2.0 - 3.0 * rho**2) / 24.0 * (nu / alpha) ** 2
        level = alpha * (1.0 + tau_then * growth * alpha**2)
        aged = _alpha_of_level(level, nu / alpha, rho, tau_now)
        return np.stack([aged, aged * nu / alpha, rho], axis=1)


def _alpha_of_level(
    level: FloatArray, steep: FloatArray, rho: FloatArray, tau: FloatArray
) -> FloatArray:
    """Return the alpha with which the vol at the money is `level`, at given nu / alpha and rho.

    A root of alpha + c tau alpha^3 = level, by Newton's method from below its turning point; the
    turning point itself where there is no root.
    """
    cubic = tau * (0.25 * rho * steep + (2.0 - 3.0 * rho * rho) / 24.0 * steep * steep)
    turning = np.where(cubic < 0.0, 1.0 / np.sqrt(3.0 * np.abs(np.minimum(cubic, -_TINY))), np.inf)
    alpha = np.minimum(level, 0.9 * turning)
    for _ in range(8):
        alpha = alpha - (alpha * (1.0 + cubic * alpha * alpha) - level) / np.maximum(
            1.0 + 3.0 * cubic * alpha * alpha, 0.05
        )
        alpha = np.clip(alpha, 0.05 * level, np.minimum(turning, 20.0 * level))
    return alpha


def _parabola(
    rows: Rows, iv: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return level, slope and half the second derivative by k of each slice's vol at the money."""
    weight = noise**-2.0
    mean = np.sum(weight * iv, axis=1) / np.sum(weight, axis=1)
    unit = (mean * np.sqrt(rows.tau))[:, None]
    x = rows.k / unit
    weight = weight * np.exp(-0.5 * (x / _NEAR) ** 2)
    powers = np.stack([np.ones_like(x), x, x * x], axis=2)
    H = (powers * weight[:, :, None]).transpose(0, 2, 1) @ powers
    # A ridge towards the flat smile: one or two quotes have no parabola.
    scale = H[:, 0, 0]
    H[:, 1, 1] += 1e-6 * scale
    H[:, 2, 2] += 1e-6 * scale
    H[:, 0, 0] += 1e-12 * scale + _TINY
    fit = np.linalg.solve(
        H, np.sum(powers * (weight * (iv - mean[:, None]))[:, :, None], axis=1)[..., None]
    )[..., 0]
    level = np.clip(mean + fit[:, 0], 0.5 * mean, 1.5 * mean)
    return level, fit[:, 1] / unit[:, 0], fit[:, 2] / unit[:, 0] ** 2


MODELS.add(Sabr.name, Sabr())
