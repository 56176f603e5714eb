"""Towards which richer model would the fit improve? One set of directions an assumption.

A direction is the derivative of the model's vols by a parameter that the model does not have, at
the point where the richer model is the fitted one. What it could gain is seen without fitting
anything richer. Models of stochastic variance may lack jumps, a second factor, a vol of vol or a
correlation that vary with tenor; those of constant variance jumps of other kinds, variance that
moves, and that with the coin; Black and the polynomial a smile; slices a bend or a wing. Vols of
quotes; no prices, no calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from monitor.arrays import FloatArray
from monitor.calibration.objective import grid_of
from monitor.market.quotes import Quotes
from monitor.models.base import Model
from monitor.models.heston import heston_log_cf
from monitor.models.merton import merton_jumps_log_cf
from monitor.models.spectral import FourierModel
from monitor.numerics.complexes import ComplexArray
from monitor.pricing.black import black_price, black_vega
from monitor.pricing.fourier import premiums_from_cf

Directions = Mapping[str, FloatArray]
"""By assumption: columns of shape (n, q), derivatives of the model's vol less the market's."""

# Mean and deviation of the log jump, in deviations of the log price over `_JUMP_DAYS`: a crash, a
# rally and a jump of either sign, each at an intensity of its own, to be found by the test.
_JUMPS = ((-2.0, 1.0), (2.0, 1.0), (-5.0, 3.0), (5.0, 3.0))
_JUMP_TAU = 2.0 / 365.0
# A second factor reverts so much faster, or slower, than the first.
_SECOND = (6.0, 1.0 / 6.0)
# Half-lives of three weeks and of eight months: what the rate of a clock may revert by.
_SPEEDS = (12.0, 1.0)
_TENOR_STEP = 0.02  # of a tenor: differences of prices known to ten digits

Richer = Callable[[FloatArray, FloatArray], list[ComplexArray]]


def directions(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return the directions of the assumptions that a model makes, by assumption.

    Parameters
    ----------
    model : Model
    params : ndarray of shape (P,)
    iv : ndarray of shape (n,)
        The model's vols there.
    jacobian : ndarray of shape (n, P)
        d iv / d params there.
    quotes : Quotes
    """
    make = _RICHER.get(model.name, _slices if model.per_expiry else _smile)
    return make(model, params, iv, jacobian, quotes)


def _smile(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return a skew and a curvature of its own for every expiry: of models without dynamics."""
    x, each = _by_expiry(iv, quotes)
    return {"skew": each * x[:, None], "curvature": each * (x * x)[:, None]}


def _slices(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return what a curve of few parameters an expiry may lack: the bend of the middle, each wing.

    Slices assume nothing of the coin; that fails which ties their wings to their middle. Lines that
    leave the curve one deviation from the forward are wings of their own.
    """
    x, each = _by_expiry(iv, quotes)
    return {
        "curvature": each * (x * x)[:, None],
        "put_wing": each * np.maximum(-1.0 - x, 0.0)[:, None],
        "call_wing": each * np.maximum(x - 1.0, 0.0)[:, None],
    }


def _by_expiry(iv: FloatArray, quotes: Quotes) -> tuple[FloatArray, FloatArray]:
    """Return k over the deviation of the log price, shape (n,), and who is of which expiry."""
    x = quotes.k / (iv * np.sqrt(quotes.tau[quotes.expiry_index]))
    each = (quotes.expiry_index[:, None] == np.arange(quotes.m)).astype(np.float64)
    return x, each


def _of_variance(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return the directions from a model of stochastic variance, with jumps or without.

    Its first five parameters are Heston's.
    """
    assert isinstance(model, FourierModel)
    v0, kappa, theta_v, xi, rho = params[:5]

    def richer(u: FloatArray, tau: FloatArray) -> list[ComplexArray]:
        rows = _jumps(max(v0, theta_v), u, tau)
        for factor in _SECOND:
            # Its part of ln phi is linear in its two variances: their derivatives are themselves.
            for start, mean in ((1.0, 0.0), (0.0, 1.0)):
                second = np.array([start, factor * kappa, mean, xi, rho])
                rows.append(heston_log_cf(second, u, tau, False)[0])
        return rows

    by = _vols_by(model, params, iv, quotes, richer)
    bend = np.log(quotes.tau[quotes.expiry_index])
    bend = bend - bend.mean()
    bends = np.stack([bend, bend * bend], axis=1)
    return {
        "jumps": by[:, : len(_JUMPS)],
        "second_factor": by[:, len(_JUMPS) :],
        "vol_of_vol_term": jacobian[:, 3:4] * bends,
        "correlation_term": jacobian[:, 4:5] * bends,
    }


def _of_constant_variance(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    r"""Return the directions from a model of independent increments, where nothing ever changes.

    Were its clock to run at a rate r that reverts to one at the speed kappa with the variance of a
    square root, then to first order in the rate's start and its variance, with psi the exponent of
    a year, :math:`E = (1 - e^{-\kappa\tau})/\kappa`,

    .. math:: \ln\varphi = \psi\tau + (r_0 - 1)\,\psi E
        + \tfrac12\xi^2\,\psi^2 \int_0^\tau E(s)^2 ds
        + \rho\xi\,(iz)\,\sigma\,\psi \int_0^\tau E(s) ds

    the last where its diffusion goes with the rate.
    """
    assert isinstance(model, FourierModel)
    diffusion = float(params[0]) ** 2

    def richer(u: FloatArray, tau: FloatArray) -> list[ComplexArray]:
        a = 0.5 + 1j * u  # i z on the contour
        psi = model.log_cf(params, u, tau, False)[0] / tau
        rows = _jumps(diffusion, u, tau)
        moved, leaned = [], []
        for kappa in _SPEEDS:
            once, squared = _moved(kappa, tau)
            moved += [psi * once, 0.5 * psi**2 * squared]
            leaned.append(a * psi * (tau - once) / kappa)
        return rows + moved + leaned

    by = _vols_by(model, params, iv, quotes, richer)
    first, last = len(_JUMPS), len(_JUMPS) + 2 * len(_SPEEDS)
    return {
        "jumps": by[:, :first],
        "stochastic_variance": by[:, first:last],
        "leverage": by[:, last:],
    }


def _of_a_clock(
    model: Model, params: FloatArray, iv: FloatArray, jacobian: FloatArray, quotes: Quotes
) -> Directions:
    """Return the direction to a clock whose rate moves, of a model without a diffusion.

    The same expansion in prices: psi times ln phi is a derivative by tenor, so that none of the
    integrals over ln phi is needed, which decays too slowly here.
    """
    grid, h = grid_of(quotes), _TENOR_STEP
    tau = grid.tau_of_point
    variances = [iv * iv * tau]
    for factor in (1.0 - h, 1.0 + h):
        moved = replace(grid, tau=grid.tau * factor, w_ref=grid.w_ref * factor, cache={})
        variances.append(model.variance(params, moved))
    now, sooner, later = (black_price(quotes.k, w, quotes.sign) for w in variances)
    first = (later - sooner) / (2.0 * h * tau)
    second = (later - 2.0 * now + sooner) / (h * tau) ** 2
    vega = black_vega(quotes.k, iv * iv * tau) * np.sqrt(tau)
    columns = []
    for kappa in _SPEEDS:
        once, squared = _moved(kappa, tau)
        columns += [first * once / vega, 0.5 * second * squared / vega]
    return {"stochastic_variance": np.stack(columns, axis=1)}


def _moved(kappa: float, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return E and the integral of E squared up to each tenor, see `_of_constant_variance`."""
    once = -np.expm1(-kappa * tau) / kappa
    twice = -np.expm1(-2.0 * kappa * tau) / (2.0 * kappa)
    return once, (tau - 2.0 * once + twice) / kappa**2


def _jumps(variance: float, u: FloatArray, tau: FloatArray) -> list[ComplexArray]:
    """Return what each kind of jump adds to ln phi an intensity of one, by the coin's variance."""
    size = np.sqrt(variance * _JUMP_TAU)
    kinds = (np.array([1.0, mean * size, deviation * size]) for mean, deviation in _JUMPS)
    return [merton_jumps_log_cf(kind, u, tau, False)[0] for kind in kinds]


def _vols_by(
    model: FourierModel, params: FloatArray, iv: FloatArray, quotes: Quotes, richer: Richer
) -> FloatArray:
    """Return the derivatives of vol by what `richer` adds to ln phi, shape (n, q)."""
    grid = grid_of(quotes)
    root = np.sqrt(grid.tau_of_point)

    def log_cf(
        u: FloatArray, tau: FloatArray, gradient: bool
    ) -> tuple[ComplexArray, ComplexArray | None]:
        psi = model.log_cf(params, u, tau, False)[0]
        return psi, np.array(richer(u, tau)) if gradient else None

    _, by = premiums_from_cf(log_cf, grid)
    return np.asarray(by / (black_vega(grid.k, (iv * root) ** 2) * root)[:, None])


def forward_directions(iv: FloatArray, quotes: Quotes) -> FloatArray:
    """Return what an error of each expiry's forward does to model less market, shape (n, m).

    Were the forward higher by a share e, each strike would lie lower by e in k: the model's vol
    there changes by its slope, and the market's premium, which stays, means another vol.

    Parameters
    ----------
    iv : ndarray of shape (n,)
        The model's.
    quotes : Quotes
    """
    tau = quotes.tau[quotes.expiry_index]
    deviation = iv * np.sqrt(tau)
    d2 = -quotes.k / deviation - 0.5 * deviation
    # c(k) of a call has the slope -e^k N(d2), of a put e^k N(-d2).
    slope = -quotes.sign * np.exp(quotes.k) * ndtr(quotes.sign * d2)
    market = slope / (black_vega(quotes.k, deviation**2) * np.sqrt(tau))
    moved = -_slopes(iv, quotes) - market
    each = quotes.expiry_index[:, None] == np.arange(quotes.m)
    alone = np.bincount(quotes.expiry_index, minlength=quotes.m) < 2
    return np.where(each & ~alone, moved[:, None], 0.0)


def _slopes(y: FloatArray, quotes: Quotes) -> FloatArray:
    """Return d y / d k along each expiry, shape (n,), as `numpy.gradient` has it; 0 for one quote.

    Between two neighbours the slopes towards them, each weighed by the distance of the other.
    """
    same = quotes.expiry_index[1:] == quotes.expiry_index[:-1]
    step = np.where(same, np.diff(quotes.k), 1.0)
    slope = np.where(same, np.diff(y) / step, 0.0)
    before, after = np.append(0.0, slope), np.append(slope, 0.0)
    has_before, has_after = np.append(False, same), np.append(same, False)
    both = has_before & has_after
    to_before = np.where(both, np.append(step, 1.0), has_before)
    to_after = np.where(both, np.append(1.0, step), has_after)
    weight = np.maximum(to_before + to_after, 1e-300)
    return np.asarray((to_before * before + to_after * after) / weight)


Make = Callable[[Model, FloatArray, FloatArray, FloatArray, Quotes], Directions]
_RICHER: dict[str, Make] = {
    **dict.fromkeys(("heston", "bates", "svcj"), _of_variance),
    **dict.fromkeys(("merton", "kou"), _of_constant_variance),
    "variance_gamma": _of_a_clock,
    "black": _smile,
}
