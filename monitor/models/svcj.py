r"""SVCJ: Heston's stochastic variance with jumps that come in price and variance together.

.. math::
   \ln\varphi(z) = \ln\varphi_{Heston}(z) + \lambda\Bigl\{
   e^{iz\mu_J - z^2\sigma_J^2/2}\int_0^\tau\!\frac{ds}{1 - iz\rho_J\mu_v - \mu_v D(s)}
   - \tau - iz\tau\Bigl(\frac{e^{\mu_J + \sigma_J^2/2}}{1 - \rho_J\mu_v} - 1\Bigr)\Bigr\}

A jump of the variance is exponential with mean mu_v, the log price then jumps by a normal variable
of mean mu_J + rho_J times the variance's jump; D(s) is Heston's coefficient of the variance.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.bates import Bates
from monitor.models.heston import Riccati, heston_log_cf, riccati
from monitor.models.spectral import FourierModel, within
from monitor.numerics.complexes import ComplexArray, complex_exp, complex_log1p

# Below this |x| the series of ln(1 + x) / x and of its derivative are the better formula.
_SERIES = 1e-4
# Mean jump of the variance in a start, as a share of the long variance: beside Bates' first two
# starts, of which one always ended in the best of three on eleven recorded chains.
_JUMP_SHARE = (0.3, 1.0)


def variance_jumps_log_cf(
    params: FloatArray, R: Riccati, u: FloatArray, tau: FloatArray, gradient: bool
) -> tuple[ComplexArray, ComplexArray | None]:
    r"""Return the jumps' part of ln phi(u - i/2; tau), and its gradient by all ten parameters.

    Parameters
    ----------
    params : ndarray of shape (10,)
        ``v0, kappa, theta_v, xi, rho, lam, mu_j, sigma_j, mu_v, rho_j``.
    R : Riccati
        Heston's, at the first five parameters.
    u, tau : ndarray of shape (N,)
    gradient : bool

    Returns
    -------
    psi : complex ndarray of shape (N,)
    dpsi : complex ndarray of shape (10, N), or None where `gradient` is false

    Notes
    -----
    With a = 1 - i z rho_j mu_v, m0 = a (beta + d) + mu_v q and m1 = a (d - beta) - mu_v q,

    .. math::
       \int_0^\tau\!\frac{ds}{a - \mu_v D(s)} = \frac1{m_0}\Bigl\{(\beta + d)\tau
       + \frac{\mu_v q N}{a d}\,\frac{\ln(1 + x)}{x}\Bigr\}, \qquad x = -\frac{m_1 N}{2 a d}

    in which nothing cancels as mu_v or xi goes to zero. The logarithm is the sum of ln(1 - mu_v
    D / a), a ratio of two numbers in the right half-plane, and Heston's own: no branch is crossed.

    References
    ----------
    .. [1] Duffie, D., Pan, J. and Singleton, K. (2000). Transform analysis and asset pricing for
       affine jump-diffusions. Econometrica 68(6), section 4.
    .. [2] Broadie, M. and Kaya, O. (2006). Exact simulation of stochastic volatility and other
       affine jump diffusion processes. Operations Research 54(2).
    """
    _, _, _, xi, rho, lam, mu_j, sigma_j, mu_v, rho_j = params
    iz = 0.5 + 1j * u
    variance = sigma_j * sigma_j
    a = 1.0 - (rho_j * mu_v) * iz
    integral = _Integral(R, a, mu_v, tau)
    jump = complex_exp(mu_j * iz + (0.5 * variance) * (iz * iz))
    left = 1.0 - rho_j * mu_v
    mean = float(np.exp(mu_j + 0.5 * variance)) / left
    moved, drift = jump * integral.value, iz * tau
    per_jump = moved - tau - (mean - 1.0) * drift
    if not gradient:
        return lam * per_jump, None
    by_beta, by_d, by_mu, by_a = integral.slopes()
    out = np.zeros((10, len(u)), np.complex128)
    jump *= lam
    pull = (lam * mean) * drift
    slope = jump * by_d
    slope *= R.d_inverse
    whole = out[1]
    np.multiply(jump, by_beta, out=whole)
    whole += slope * R.beta
    tilted = iz * whole
    slope *= xi * R.q
    np.subtract(slope, rho * tilted, out=out[3])
    np.multiply(tilted, -xi, out=out[4])
    out[5] = per_jump
    moved *= lam * iz
    np.subtract(moved, pull, out=out[6])
    moved *= iz
    moved -= pull
    np.multiply(moved, sigma_j, out=out[7])
    by_a *= iz
    by_mu -= rho_j * by_a
    np.multiply(jump, by_mu, out=out[8])
    out[8] -= (rho_j / left) * pull
    by_a *= jump
    np.multiply(by_a, -mu_v, out=out[9])
    out[9] -= (mu_v / left) * pull
    return lam * per_jump, out


class _Integral:
    """The integral of 1 / (a - mu_v D(s)) over the tenor, and its derivatives."""

    def __init__(self, R: Riccati, a: ComplexArray, mu: float, tau: FloatArray) -> None:
        self.R, self.a, self.mu, self.tau = R, a, mu, tau
        self.y = R.beta + R.d
        self.gap = R.d - R.beta
        self.inverse = 1.0 / (a * self.y + mu * R.q)  # 1 / m0
        self.m1 = a * self.gap - mu * R.q
        self.a_inverse = 1.0 / a
        self.half = 0.5 * self.a_inverse * R.d_inverse
        self.ahead = R.N * self.half  # -dx/dm1
        self.x = -self.m1 * self.ahead
        log = complex_log1p((-mu) * R.D * self.a_inverse)
        log += R.log
        small = self.x.real**2 + self.x.imag**2 < _SERIES**2
        some = bool(small.any())
        x = np.where(small, 1.0, self.x) if some else self.x
        inverse = 1.0 / x
        self.f = log * inverse
        self.df = (1.0 / (1.0 + x) - self.f) * inverse
        if some:
            series = 1.0 + self.x * (-1.0 / 2.0 + self.x * (1.0 / 3.0 - self.x / 4.0))
            slope = -1.0 / 2.0 + self.x * (2.0 / 3.0 - self.x * (3.0 / 4.0 - 0.8 * self.x))
            self.f = np.where(small, series, self.f)
            self.df = np.where(small, slope, self.df)
        self.P = 2.0 * self.ahead * self.f
        self.value = (self.y * tau + (mu * R.q) * self.P) * self.inverse

    def slopes(self) -> tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray]:
        """Return the derivatives by beta and d (each with the other fixed), mu_v and a."""
        R, a, mu = self.R, self.a, self.mu
        muq = mu * R.q
        pulled = 2.0 * self.ahead * self.df  # dP/dx
        turned = pulled * self.ahead  # -dP/dm1
        dN = (self.tau * R.E) * self.half  # of x, by d through N
        dx_dd = -a * self.ahead - self.m1 * dN - self.x * R.d_inverse
        dP_dd = pulled * dx_dd + 2.0 * dN * self.f - self.P * R.d_inverse
        dP_da = -self.gap * turned - (pulled * self.x + self.P) * self.a_inverse
        common = self.tau - self.value * a
        by_beta = (common + muq * (a * turned)) * self.inverse
        by_d = (common + muq * dP_dd) * self.inverse
        by_mu = R.q * (self.P + muq * turned - self.value) * self.inverse
        by_a = (muq * dP_da - self.value * self.y) * self.inverse
        return by_beta, by_d, by_mu, by_a


class Svcj(FourierModel):
    """Stochastic variance and simultaneous jumps; ten parameters for the whole surface."""

    name = "svcj"
    summary = "Heston with correlated jumps in price and variance on the whole surface"
    source = (
        "Duffie, Pan and Singleton (2000). Transform analysis and asset pricing for affine "
        "jump-diffusions. Econometrica 68(6)"
    )
    parameters = (
        *Bates.parameters,
        # A jump from calm to 200 % vol, on average.
        Parameter("mu_v", 0.0, 4.0, "structure", "mean jump of the variance, per year"),
        # The forward exists for rho_j mu_v below one.
        Parameter("rho_j", -2.0, 0.2, "structure", "log jump of price per unit of variance jump"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return Bates' starts with jumps of the variance beside those of the price."""
        bates = Bates().starts(grid, iv, noise)
        starts = [
            [*start, share * start[2], -0.1]
            for share, start in zip(_JUMP_SHARE, bates, strict=False)
        ]
        return within(self, grid, starts)

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        R = riccati(params[:5], u, tau)
        diffusion, by_diffusion = heston_log_cf(params[:5], u, tau, gradient, R)
        jumps, by_jumps = variance_jumps_log_cf(params, R, u, tau, gradient)
        if by_diffusion is None or by_jumps is None:
            return diffusion + jumps, None
        by_jumps[:5] += by_diffusion
        return diffusion + jumps, by_jumps


MODELS.add(Svcj.name, Svcj())
