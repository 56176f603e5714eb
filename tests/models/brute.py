"""A slow twin of every Fourier price: printed characteristic functions, ten thousand nodes.

Heston's and SVCJ's variance equations are solved in the printed form and SVCJ's integral over the
tenor by quadrature, the price by Lewis' integral without a control variate and without any choice
of nodes: nothing is shared with the engine but the contour.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

Characteristic = Callable[[np.ndarray, float], np.ndarray]
_X, _W = np.polynomial.legendre.leggauss(64)


def calls(cf: Characteristic, k: np.ndarray, tau: float, scale: float) -> np.ndarray:
    """Return calls over forward; `scale` is about the deviation of ln S."""
    # Geometric panels from a hundredth of 1 / scale, each cut so that no strike oscillates fast.
    edges = [0.0, *(0.01 * 2.0 ** np.arange(22) / scale)]
    fastest = np.max(np.abs(k)) + 3.0 * scale
    total = np.zeros(len(k))
    for low, high in pairwise(edges):
        pieces = int(np.ceil((high - low) * fastest / 20.0)) + 1
        cuts = np.linspace(low, high, pieces + 1)
        half = 0.5 * np.diff(cuts)
        u = (cuts[:-1, None] + half[:, None] * (1.0 + _X)).ravel()
        weight = (half[:, None] * _W).ravel()
        phi = cf(u - 0.5j, tau)
        if np.max(np.abs(phi)) < 1e-17:
            break
        total += (np.exp(-1j * np.outer(k, u)) * phi / (u * u + 0.25)).real @ weight
    return 1.0 - np.exp(0.5 * k) / np.pi * total


def _heston_parts(params, z, tau):
    v0, kappa, theta_v, xi, rho = params
    beta = kappa - 1j * rho * xi * z
    d = np.sqrt(beta * beta + xi**2 * (z * z + 1j * z))
    d = np.where(d.real < 0.0, -d, d)
    g, e = (beta - d) / (beta + d), np.exp(-d * tau)
    C = kappa * theta_v / xi**2 * ((beta - d) * tau - 2.0 * np.log((1.0 - g * e) / (1.0 - g)))
    D = (beta - d) / xi**2 * (1.0 - e) / (1.0 - g * e)
    return C + v0 * D, D


def heston(params) -> Characteristic:
    return lambda z, tau: np.exp(_heston_parts(params, z, tau)[0])


def merton_exponent(params, z):
    lam, mu_j, sigma_j = params
    jump = np.exp(1j * z * mu_j - 0.5 * (sigma_j * z) ** 2)
    return lam * (jump - 1.0 - 1j * z * (np.exp(mu_j + 0.5 * sigma_j**2) - 1.0))


def bates(params) -> Characteristic:
    return lambda z, tau: heston(params[:5])(z, tau) * np.exp(tau * merton_exponent(params[5:], z))


def double_heston(params) -> Characteristic:
    return lambda z, tau: heston(params[:5])(z, tau) * heston(params[5:])(z, tau)


def merton(params) -> Characteristic:
    def cf(z, tau):
        diffusion = -0.5 * params[0] ** 2 * (z * z + 1j * z)
        return np.exp(tau * (diffusion + merton_exponent(params[1:], z)))

    return cf


def kou(params) -> Characteristic:
    sigma, lam, p, mean_up, mean_down = params
    up, down = 1.0 / mean_up, 1.0 / mean_down

    def cf(z, tau):
        jump = p * up / (up - 1j * z) + (1.0 - p) * down / (down + 1j * z) - 1.0
        zeta = p * up / (up - 1.0) + (1.0 - p) * down / (down + 1.0) - 1.0
        diffusion = -0.5 * sigma**2 * (z * z + 1j * z)
        return np.exp(tau * (diffusion + lam * (jump - 1j * z * zeta)))

    return cf


def variance_gamma(params) -> Characteristic:
    sigma, nu, theta_g = params
    omega = np.log(1.0 - theta_g * nu - 0.5 * sigma**2 * nu) / nu

    def cf(z, tau):
        clock = 1.0 - 1j * z * theta_g * nu + 0.5 * sigma**2 * nu * z * z
        return np.exp(1j * z * omega * tau - (tau / nu) * np.log(clock))

    return cf


def svcj(params) -> Characteristic:
    lam, mu_j, sigma_j, mu_v, rho_j = params[5:]
    x, weight = np.polynomial.legendre.leggauss(24)

    def cf(z, tau):
        # Panels towards zero: D starts like -s (z^2 + i z) / 2, a boundary layer for large z.
        edges = np.array([0.0, *(tau * 4.0 ** -np.arange(6.0)[::-1])])
        integral = np.zeros(z.shape, complex)
        for low, high in pairwise(edges):
            half = 0.5 * (high - low)
            for node, share in zip(x, weight, strict=True):
                _, D = _heston_parts(params[:5], z, low + half * (1.0 + node))
                integral += half * share / (1.0 - 1j * z * rho_j * mu_v - mu_v * D)
        jump = np.exp(1j * z * mu_j - 0.5 * (sigma_j * z) ** 2)
        mean = np.exp(mu_j + 0.5 * sigma_j**2) / (1.0 - rho_j * mu_v) - 1.0
        return heston(params[:5])(z, tau) * np.exp(
            lam * (jump * integral - tau - 1j * z * mean * tau)
        )

    return cf


TWINS = {
    "heston": heston,
    "bates": bates,
    "merton": merton,
    "kou": kou,
    "svcj": svcj,
    "double_heston": double_heston,
    "variance_gamma": variance_gamma,
}
