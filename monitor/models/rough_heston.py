r"""Rough Heston: variance with the memory of a power law, H far below one half.

.. math::
   V_t = \xi_0(t) + \int_0^t \frac{(t - s)^{\alpha - 1}}{\Gamma(\alpha)}\,\nu\sqrt{V_s}\,dW_s,
   \qquad \alpha = H + \tfrac12, \qquad \xi_0(t) = \theta_v + (v_0 - \theta_v)e^{-\kappa t}

with W and the price's noise correlated by rho. The characteristic function of ln S is

.. math:: \ln\varphi(a; \tau) = \int_0^\tau R(a, h(a, s))\,\xi_0(\tau - s)\,ds, \qquad
   D^\alpha h = R(a, h) = -\tfrac12 a(a + i) + i\rho\nu a h + \tfrac12\nu^2 h^2

The fractional Riccati equation has no closed solution. Its series in s^alpha at zero and in
s^-alpha at infinity, four terms of each, determine one rational function of s^alpha with numerator
and denominator of degree four, which is used in its place: right at both ends, and between them off
by what moves vols by up to 0.3 % of themselves where H is about 0.1, 0.8 % at H = 0.35 and a year.
What is fitted is that function; three terms are five to fifteen times as far off, a fifth has a
pole at H = 1/6. *Refused:* the Adams scheme, a thousand times as slow (the twin in
the tests); lifted or many-factor approximations, slower and further off at one day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gamma, rgamma

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Grid, Parameter
from monitor.models.spectral import FourierModel, skew_sign, within
from monitor.numerics.complexes import ComplexArray
from monitor.numerics.quadrature import gauss_legendre

# The integral over time, by s = tau x^4: h rises like s^alpha from nothing, fast where a is large.
_NODES, _POWER = 28, 4
_ORDER = 4  # of the rational function
_TANGENTS = 3  # by alpha, nu, rho
_PLAIN, _DEGREES = np.ones(_ORDER), np.arange(1.0, _ORDER + 1.0)


@dataclass(frozen=True)
class _Rational:
    """Coefficients of h = sum p_j Y^j / (1 + sum q_j Y^j), Y = scale s^alpha, at N nodes.

    Shapes (order, N), and (3, order, N) for the tangents: which parameter, which power, which node.
    """

    p: ComplexArray
    q: ComplexArray
    dp: ComplexArray
    dq: ComplexArray
    scale: FloatArray


@dataclass(frozen=True)
class _Dual:
    """A complex number at each node, (N,), with its derivatives by alpha, nu and rho, (3, N)."""

    value: ComplexArray
    slope: ComplexArray

    def __add__(self, other: _Dual) -> _Dual:
        return _Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: _Dual) -> _Dual:
        return _Dual(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other: _Dual) -> _Dual:
        slope = self.slope * other.value + self.value * other.slope
        return _Dual(self.value * other.value, slope)

    def __truediv__(self, other: _Dual) -> _Dual:
        value = self.value / other.value
        return _Dual(value, (self.slope - value * other.slope) / other.value)


def _ratios(alpha: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return what D^alpha makes of s^(j alpha) and s^(-k alpha), and both by alpha.

    Gamma(1 + (j-1) alpha) / Gamma(1 + j alpha) for j = 1 ... order, and
    Gamma(1 - (k-1) alpha) / Gamma(1 - k alpha) for k = 1 ... order - 1: no pole between 1/2 and 1.
    """
    j, k = np.arange(1.0, _ORDER + 1.0), np.arange(1.0, float(_ORDER))
    rise = gamma(1.0 + (j - 1.0) * alpha) * rgamma(1.0 + j * alpha)
    fall = gamma(1.0 - (k - 1.0) * alpha) * rgamma(1.0 - k * alpha)
    d_rise = rise * ((j - 1.0) * digamma(1.0 + (j - 1.0) * alpha) - j * digamma(1.0 + j * alpha))
    d_fall = fall * (k * digamma(1.0 - k * alpha) - (k - 1.0) * digamma(1.0 - (k - 1.0) * alpha))
    return rise, fall, d_rise, d_fall


def _series(
    alpha: float, nu: float, rho: float, u: FloatArray
) -> tuple[list[_Dual], list[_Dual], FloatArray]:
    """Return h's coefficients at zero and at infinity, by scale s^alpha, and the scale."""
    rise, fall, d_rise, d_fall = _ratios(alpha)
    zero = np.zeros((_TANGENTS, len(u)), np.complex128)

    def along(i: int, value: ComplexArray, slope: ComplexArray | FloatArray) -> _Dual:
        out = zero.copy()
        out[i] = slope
        return _Dual(value, out)

    one = np.ones(len(u), np.complex128)
    a: ComplexArray = np.asarray(u - 0.5j, np.complex128)
    q = u * u + 0.25  # a (a + i)
    number = [along(0, r * one, d * one) for r, d in zip(rise, d_rise, strict=True)]
    number_far = [along(0, r * one, d * one) for r, d in zip(fall, d_fall, strict=True)]
    vol = along(1, nu * one, one)
    lean_unit: ComplexArray = np.asarray(1j * a, np.complex128)
    turn = along(2, rho * lean_unit, lean_unit)
    root: ComplexArray = np.sqrt(q - rho * rho * a * a).astype(np.complex128, copy=False)
    A = along(2, root, (-rho * a * a / root).astype(np.complex128, copy=False))
    lean, half = vol * turn, along(1, (0.5 * nu * nu) * one, nu * one)

    near = [number[0] * _Dual(-0.5 * q * one, zero)]
    for j in range(1, _ORDER):
        term = lean * near[j - 1]
        for m in range(j - 1):
            term = term + half * near[m] * near[j - 2 - m]
        near.append(number[j] * term)
    # The stable root of R, and what the equation then says order by order.
    far = [(_Dual(0.0 * one, zero) - turn - A) / vol]
    for k in range(1, _ORDER):
        term = number_far[k - 1] * far[k - 1]
        for m in range(1, k):
            term = term - half * far[m] * far[k - m]
        far.append(_Dual(0.0 * one, zero) - term / (vol * A))
    # In units that make all of one size; held, for any unit gives the same function.
    scale = nu * np.abs(root)
    near = [_Dual(c.value / scale**j, c.slope / scale**j) for j, c in enumerate(near, 1)]
    far = [_Dual(g.value * scale**k, g.slope * scale**k) for k, g in enumerate(far)]
    return near, far, scale


def _rational(alpha: float, nu: float, rho: float, u: FloatArray) -> _Rational:
    """Return the rational function that has both series, at a = u - i/2, with its tangents."""
    near, far, scale = _series(alpha, nu, rho, u)
    # Row j: sum over m >= j of g_(m-j) q_m = sum over m < j of c_(j-m) q_m, q_0 = 1.
    M = np.empty((len(u), _ORDER, _ORDER), np.complex128)
    dM = np.empty((_TANGENTS, *M.shape), np.complex128)
    for j in range(_ORDER):
        for m in range(_ORDER):
            part, sign = (far[m - j], 1.0) if m >= j else (near[j - m - 1], -1.0)
            M[:, j, m], dM[:, :, j, m] = sign * part.value, sign * part.slope
    c = np.stack([x.value for x in near], axis=1)
    dc = np.stack([x.slope for x in near], axis=2)
    q: ComplexArray = np.linalg.solve(M, c[:, :, None]).astype(np.complex128, copy=False)
    rhs = dc[..., None] - dM @ q
    dq: ComplexArray = np.linalg.solve(M, rhs)[..., 0].astype(np.complex128, copy=False)
    denominator = [_Dual(q[:, m, 0], dq[:, :, m]) for m in range(_ORDER)]
    numerator = []
    for j in range(_ORDER):
        term = near[j]
        for m in range(j):
            term = term + denominator[m] * near[j - m - 1]
        numerator.append(term)
    return _Rational(
        np.array([x.value for x in numerator], np.complex128),
        q[:, :, 0].T,
        np.array([x.slope for x in numerator], np.complex128).transpose(1, 0, 2),
        dq.transpose(0, 2, 1),
        scale,
    )


def _powers(coefficients: ComplexArray, Y: FloatArray, factors: FloatArray) -> ComplexArray:
    """Return sum_j factors_j coefficients_j Y^j, j from 1, shapes (order, N), (N, n) -> (N, n)."""
    total = np.zeros(Y.shape, np.complex128)
    for coefficient, factor in zip(coefficients[::-1], factors[::-1], strict=True):
        total += factor * coefficient[:, None]
        total *= Y
    return total


def rough_heston_log_cf(
    params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
) -> tuple[ComplexArray, ComplexArray | None]:
    """Return ln phi(u - i/2; tau), and its gradient by ``v0, kappa, theta_v, hurst, nu, rho``.

    Parameters
    ----------
    params : ndarray of shape (6,)
    u, tau : ndarray of shape (N,)
    gradient : bool

    Returns
    -------
    psi : complex ndarray of shape (N,)
    dpsi : complex ndarray of shape (6, N), or None where `gradient` is false
    """
    v0, kappa, theta_v, hurst, nu, rho = params
    alpha = hurst + 0.5
    rational = _rational(alpha, nu, rho, u)
    node, weight = gauss_legendre(_NODES)
    x = 0.5 * (1.0 + node)
    share = x**_POWER
    # The same nodes of time for all of an expiry.
    lengths, place = np.unique(tau, return_inverse=True)
    s = lengths[:, None] * share
    step = (0.5 * _POWER) * weight * x ** (_POWER - 1) * lengths[:, None]
    decay = np.exp(-kappa * (lengths[:, None] - s))
    Y = rational.scale[:, None] * (s**alpha)[place]
    inverse = 1.0 / (1.0 + _powers(rational.q, Y, _PLAIN))
    h = _powers(rational.p, Y, _PLAIN) * inverse
    lean = (1j * rho * nu * (u - 0.5j))[:, None]
    R = (-0.5 * (u * u + 0.25))[:, None] + h * (lean + (0.5 * nu * nu) * h)
    # In this order the curve's three numbers have one integral each.
    flat, fading = (R * step[place]).sum(axis=1), (R * (step * decay)[place]).sum(axis=1)
    psi = theta_v * flat + (v0 - theta_v) * fading
    if not gradient:
        return psi, None
    weighted = (step * (theta_v + (v0 - theta_v) * decay))[place]
    out = np.empty((6, len(u)), np.complex128)
    out[0] = fading
    late = (lengths[:, None] - s) * step * decay
    out[1] = -(v0 - theta_v) * (R * late[place]).sum(axis=1)
    out[2] = flat - fading
    pull = (lean + (nu * nu) * h) * weighted * inverse
    a = (u - 0.5j)[:, None]
    direct = (None, 1j * rho * a * h + nu * h * h, 1j * nu * a * h)
    for i, own in enumerate(direct):
        dh = _powers(rational.dp[i], Y, _PLAIN) - h * _powers(rational.dq[i], Y, _PLAIN)
        if own is None:
            # alpha moves Y = scale s^alpha as well.
            stretch = _powers(rational.p, Y, _DEGREES) - h * _powers(rational.q, Y, _DEGREES)
            dh += stretch * np.log(s)[place]
            out[3 + i] = (pull * dh).sum(axis=1)
        else:
            out[3 + i] = (pull * dh + own * weighted).sum(axis=1)
    return psi, out


class RoughHeston(FourierModel):
    """Rough stochastic variance with a forward curve; six parameters for the whole surface."""

    name = "rough_heston"
    summary = "Rough Heston, its fractional Riccati equation by a rational function"
    source = (
        "El Euch and Rosenbaum (2019). The characteristic function of rough Heston models. "
        "Mathematical Finance 29(1); Gatheral and Radoicic (2019). Rational approximation of the "
        "rough Heston solution. IJTAF 22(3)"
    )
    cadence = "weekly"
    parameters = (
        Parameter("v0", 1e-4, 64.0, "state", "forward variance at once, per year"),
        Parameter("kappa", 0.1, 50.0, "structure", "fading of the forward curve, per year"),
        Parameter("theta_v", 1e-4, 16.0, "structure", "forward variance far out, per year"),
        # At H = 1/2 the kernel is flat and h's series at infinity ends; at 0 it has no variance.
        Parameter("hurst", 0.02, 0.48, "structure", "roughness H of the variance's path"),
        Parameter("nu", 0.01, 20.0, "structure", "vol of variance, per year to the power 1/2 + H"),
        Parameter("rho", -0.99, 0.99, "structure", "correlation of price and variance"),
    )

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return starts that keep the term structure and differ in roughness."""
        level = grid.w_ref / grid.tau
        v0, theta_v = np.clip([level[0], level[-1]], 0.01, 16.0)
        # On a flat curve kappa has no derivative, and a search would never move it.
        if abs(theta_v / v0 - 1.0) < 0.1:
            theta_v = 1.1 * v0
        tilt, size = skew_sign(grid, iv, noise), np.sqrt(theta_v)
        every = [
            [v0, kappa, theta_v, hurst, nu * size, 0.3 * tilt]
            for kappa, hurst, nu in ((4.0, 0.15, 1.0), (10.0, 0.3, 2.0), (1.5, 0.05, 0.6))
        ]
        return within(self, grid, every)

    def log_cf(
        self, params: FloatArray, u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        return rough_heston_log_cf(params, u, tau, gradient)

    def leverage(self, params: FloatArray, grid: Grid) -> FloatArray | None:
        """Return None: the whole forward curve moves with the price, most of it at once."""
        return None


MODELS.add(RoughHeston.name, RoughHeston())
