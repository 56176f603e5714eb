"""Derivatives of a fitted model's premiums, by differentiation of what prices them.

Everything follows from total variance w(k; parameters, tenor) and Black's formula: by the forward
through k, by the parameters through the model's own gradient, by time through the tenor. *Refused:*
bumping prices, which loses the digits that far options have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, frozen_floats
from monitor.models.base import Grid, Model
from monitor.pricing import greeks
from monitor.pricing.black import black_price, black_variance_vega

# Sixth-order differences at these steps, in deviations and in shares of the tenor: truncation and
# the Fourier integral's 1e-11 meet at about 1e-8.
_STEP, _TENOR_STEP = 0.05, 0.01
_SHIFTS = np.arange(-3, 4)
_FIRST = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0
_SECOND = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / 180.0


@dataclass(frozen=True, eq=False)
class Greeks:
    """Derivatives of premiums at the points of a grid; meanings and units in `pricing.greeks`.

    Attributes
    ----------
    c, w : ndarray of shape (n,)
        Premium over forward and total variance.
    delta, gamma, vega, vanna, volga : ndarray of shape (n,)
        At the vol of the strike (sticky strike).
    smile_delta, smile_gamma : ndarray of shape (n,)
        At the vol of the moneyness: the model's own, its parameters unmoved.
    coin_delta, smile_coin_delta : ndarray of shape (n,)
        The same, less the premium held in coin.
    mv_delta : ndarray of shape (n,)
        Of least variance under the model's own law; NaN where it has none or it jumps.
    theta : ndarray of shape (n,)
        Per year at fixed strike, forward and parameters; a slice keeps its vols.
    by_parameter : ndarray of shape (n, P)
        dc by each parameter.

    NaN where the model gives no vol.
    """

    c: FloatArray
    w: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    vanna: FloatArray
    volga: FloatArray
    smile_delta: FloatArray
    smile_gamma: FloatArray
    coin_delta: FloatArray
    smile_coin_delta: FloatArray
    mv_delta: FloatArray
    theta: FloatArray
    by_parameter: FloatArray

    def __post_init__(self) -> None:
        for name in vars(self):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))


def model_greeks(model: Model, params: FloatArray, grid: Grid, sign: FloatArray) -> Greeks:
    """Return the greeks of options at the points of a grid.

    Parameters
    ----------
    model : Model
    params : ndarray of shape (P,)
    grid : Grid
    sign : ndarray of shape (n,)
        +1 call, -1 put.
    """
    k, tau = grid.k, grid.tau_of_point
    params = np.asarray(params, dtype=np.float64)
    with np.errstate(all="ignore"):
        w, gradient = model.total_variance(params, grid)
        w = np.where(w > 0.0, w, np.nan)
        slope, curve = _by_k(model, params, grid)
        by_parameter = black_variance_vega(k, w)[:, None] * gradient
        smile = greeks.smile_delta(k, w, slope, sign)
        c = black_price(k, w, sign)
        leverage = model.leverage(params, grid)
        mv = (
            np.full(grid.n, np.nan)
            if leverage is None
            else greeks.minimum_variance_delta(smile, by_parameter, leverage)
        )
        theta = -black_variance_vega(k, w) * _by_tenor(model, params, grid)
        return Greeks(
            c=c,
            w=w,
            delta=greeks.delta(k, w, sign),
            gamma=greeks.gamma(k, w),
            vega=greeks.vega(k, w, tau),
            vanna=greeks.vanna(k, w, tau),
            volga=greeks.volga(k, w, tau),
            smile_delta=smile,
            smile_gamma=greeks.smile_gamma(k, w, slope, curve),
            coin_delta=greeks.coin_delta(k, w, sign),
            smile_coin_delta=smile - c,
            mv_delta=mv,
            theta=theta,
            by_parameter=by_parameter,
        )


def _by_k(model: Model, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Return the first and second derivative of total variance by k, each of shape (n,)."""
    h = _STEP * np.sqrt(grid.w_ref)[grid.expiry_index]
    # One grid for all shifts: points of a slice stand together, in any order of k.
    points = (grid.k[:, None] + h[:, None] * _SHIFTS).ravel()
    index = np.repeat(grid.expiry_index, len(_SHIFTS))
    around = Grid(grid.expiry_ms, grid.tau, index, points, grid.w_ref)
    w = model.total_variance(params, around)[0].reshape(grid.n, -1)
    return (w @ _FIRST) / h, (w @ _SECOND) / (h * h)


def _by_tenor(model: Model, params: FloatArray, grid: Grid) -> FloatArray:
    """Return the derivative of total variance by tenor, at fixed k."""
    total = np.zeros(grid.n)
    p = len(model.parameters)
    for shift, weight in zip(_SHIFTS, _FIRST, strict=True):
        if weight == 0.0:
            continue
        tau = grid.tau * (1.0 + shift * _TENOR_STEP)
        there = params
        if model.per_expiry:
            there = model.age(params.reshape(grid.m, p), grid.tau, tau).ravel()
        moved = Grid(grid.expiry_ms, tau, grid.expiry_index, grid.k, grid.w_ref)
        total += weight * model.total_variance(there, moved)[0]
    return total / (_TENOR_STEP * grid.tau_of_point)
