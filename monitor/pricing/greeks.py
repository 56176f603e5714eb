r"""Derivatives of the Black-76 premium c(k, w), each with its meaning and unit.

All are per coin of underlying, undiscounted, and dimensionless but where the tenor enters. With
v = sqrt(w), d1 = -k/v + v/2, d2 = d1 - v, N and n the normal integral and density:

=========== ================================ ==================================================
name        formula                          meaning
=========== ================================ ==================================================
delta       s N(s d1)                        dC/dF: coins of forward per option, premium apart
coin_delta  delta - c                        F dc/dF: the same, premium held in coin counted in
smile_delta delta - n(d1) w'(k) / (2 v)      dC/dF while the smile moves along with the forward
gamma       n(d1) / v                        F d delta/dF: change of delta per unit of ln F
smile_gamma exp(k) times the density at k    F d smile_delta/dF: the same, the smile moving along
mv_delta    smile_delta + dc/dx l            dC/dF where states x move with ln F as l says
vega        n(d1) sqrt(tau)                  dc/d sigma, per 1.00 of vol
vanna       -n(d1) d2 / sigma                d delta/d sigma, per 1.00 of vol
volga       vega d1 d2 / sigma               d vega/d sigma, per 1.00 of vol squared
theta       -n(d1) sigma / (2 sqrt(tau))     dc/dt at fixed F, K, sigma; per year, negative
=========== ================================ ==================================================

Sticky strike (delta, gamma) keeps the vol of each strike, sticky moneyness (smile_delta,
smile_gamma) that of each k. A coin account takes the premium itself, c, from either delta.

Dollars: multiply by F and the number of coins; a vega per vol point is a hundredth, a theta per
day a 365th. An expired option (w = 0) has no derivatives at its strike: NaN or infinite there.

References
----------
.. [1] Black, F. (1976). The pricing of commodity contracts. Journal of Financial Economics 3.
.. [2] Alexander, C., Chen, D. and Imeraj, A. (2023). Crypto quanto and inverse options.
   Mathematical Finance 33(4): why a coin-settled premium has a delta of its own.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from monitor.arrays import FloatArray
from monitor.pricing.black import black_price, black_vega
from monitor.pricing.density import risk_neutral_density


def delta(k: FloatArray, w: FloatArray, sign: FloatArray) -> FloatArray:
    """Return dC/dF at fixed strike and vol: N(d1) for a call, N(d1) - 1 for a put.

    Parameters
    ----------
    k, w, sign : ndarray
        Log-moneyness, total variance, +1 call or -1 put; broadcast against each other.

    Returns
    -------
    ndarray
        Coins of forward per coin of option, dimensionless. NaN where an argument is NaN.

    Examples
    --------
    >>> delta(np.array([0.0]), np.array([0.04]), np.array([1.0])).round(6)
    array([0.539828])
    """
    sign = np.asarray(sign, dtype=np.float64)
    return np.asarray(sign * ndtr(sign * _d1(k, w)[0]), dtype=np.float64)


def coin_delta(k: FloatArray, w: FloatArray, sign: FloatArray) -> FloatArray:
    """Return F dc/dF, the premium-adjusted delta N(d1) - c.

    What a coin account loses in coin per unit of ln F: the premium is a number of coins, and a
    premium held in coin has a delta of one itself. Shapes and NaN as in `delta`.
    """
    return delta(k, w, sign) - black_price(k, w, sign)


def smile_delta(k: FloatArray, w: FloatArray, w_slope: FloatArray, sign: FloatArray) -> FloatArray:
    r"""Return dC/dF where vol at a given k stays and the forward moves (sticky moneyness).

    .. math:: N(d_1) - n(d_1)\sqrt\tau\,\sigma'(k) = N(d_1) - n(d_1)\,w'(k) / (2\sqrt w)

    It is the delta at constant states of every model whose smile depends on strike and forward
    through k alone: a right model's option then moves by this and no more, to first order.

    Parameters
    ----------
    k, w, sign : ndarray
    w_slope : ndarray
        dw/dk at `k`.
    """
    v = np.sqrt(np.asarray(w, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        return delta(k, w, sign) - black_vega(k, w) * w_slope / (2.0 * v)


def smile_gamma(
    k: FloatArray, w: FloatArray, w_slope: FloatArray, w_curve: FloatArray
) -> FloatArray:
    r"""Return F d smile_delta/dF, the gamma where vol at a given k stays (sticky moneyness).

    With C = F f(k) it is f'' - f', and the density of ln(S/F) at k is that times exp(-k): a hedger
    who believes in sticky moneyness is long gamma exactly where the market has probability.

    Parameters
    ----------
    k, w : ndarray
    w_slope, w_curve : ndarray
        First and second derivative of `w` by k.
    """
    return np.exp(k) * risk_neutral_density(k, w, w_slope, w_curve)


def minimum_variance_delta(
    smile_delta: FloatArray, state_vega: FloatArray, leverage: FloatArray
) -> FloatArray:
    r"""Return the delta that leaves the least variance where states move with the forward.

    .. math:: \Delta_{mv} = \Delta_{smile} + \sum_i \frac{\partial c}{\partial x_i}\,
       \frac{d\langle x_i, \ln F\rangle}{d\langle \ln F\rangle}

    For lognormal SABR this is Bartlett's delta, for Heston v0 moves by rho xi. It is right for
    continuous moves; jumps need a hedge of their own.

    Parameters
    ----------
    smile_delta : ndarray of shape (n,)
    state_vega : ndarray of shape (n, P)
        dc by each state.
    leverage : ndarray of shape (P,)
        Expected move of each state per unit of ln F; 0 for what does not move.

    References
    ----------
    .. [1] Bartlett, B. (2006). Hedging under SABR model. Wilmott.
    .. [2] Alexander, C. and Nogueira, L. (2007). Model-free hedge ratios and scale-invariant
       models. Journal of Banking and Finance 31(6).
    """
    return np.asarray(smile_delta + state_vega @ leverage, dtype=np.float64)


def gamma(k: FloatArray, w: FloatArray) -> FloatArray:
    """Return F d delta/dF = n(d1) / sqrt(w), dimensionless; the same for call and put.

    A hedged coin of option gains gamma / 2 times the squared relative move, in coins.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return black_vega(k, w) / np.sqrt(np.asarray(w, dtype=np.float64))


def vega(k: FloatArray, w: FloatArray, tau: FloatArray) -> FloatArray:
    """Return dc/d sigma = n(d1) sqrt(tau), per 1.00 of vol; the same for call and put.

    Parameters
    ----------
    k, w : ndarray
    tau : ndarray
        Tenor in years.
    """
    return black_vega(k, w) * np.sqrt(tau)


def vanna(k: FloatArray, w: FloatArray, tau: FloatArray) -> FloatArray:
    """Return d delta/d sigma = -n(d1) d2 / sigma, per 1.00 of vol; the same for call and put."""
    _, d2, v = _d1(k, w)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -black_vega(k, w) * d2 * np.sqrt(tau) / v


def volga(k: FloatArray, w: FloatArray, tau: FloatArray) -> FloatArray:
    """Return d vega/d sigma = vega d1 d2 / sigma, per 1.00 of vol squared."""
    d1, d2, v = _d1(k, w)
    with np.errstate(divide="ignore", invalid="ignore"):
        return black_vega(k, w) * d1 * d2 * np.asarray(tau) / v


def theta(k: FloatArray, w: FloatArray, tau: FloatArray) -> FloatArray:
    """Return dc/dt = -n(d1) sigma / (2 sqrt(tau)) at fixed F, K and sigma, per year.

    Negative: what a day takes is a 365th of it, the same for call and put.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return -black_vega(k, w) * np.sqrt(w) / (2.0 * np.asarray(tau))


def _d1(k: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return d1, d2 and v = sqrt(w)."""
    k, w = np.broadcast_arrays(np.asarray(k, np.float64), np.asarray(w, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        v = np.sqrt(w)
        d1 = -k / v + 0.5 * v
    return d1, d1 - v, v
