"""Residuals in implied vol over noise, as the solver wants them.

*Refused:* price over vega as a stand-in for vol, which ends in another minimum; a penalty where
the model has no vol: such a point is not finite and the solver does not step there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.slices import Rows, SliceModel
from monitor.numerics.least_squares import Residuals


def grid_of(quotes: Quotes) -> Grid:
    """Return the grid of a chain's quotes, with each slice's variance nearest the money."""
    edges = np.searchsorted(quotes.expiry_index, np.arange(quotes.m + 1))
    nearest = [low + int(np.argmin(np.abs(quotes.k[low:high]))) for low, high in pairwise(edges)]
    w_ref = quotes.iv[nearest] ** 2 * quotes.tau
    return Grid(quotes.expiry_ms, quotes.tau, quotes.expiry_index, quotes.k, w_ref)


def model_vol(model: Model, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Return implied vol, shape (n,), and its gradient, shape (n, P); NaN where there is none."""
    if grid.n == 0:
        return np.empty(0), np.empty((0, len(params)))
    with np.errstate(all="ignore"):
        w, gradient = model.total_variance(params, grid)
        iv = np.sqrt(np.where(w > 0.0, w, np.nan) / grid.tau_of_point)
        return iv, gradient / (2.0 * iv * grid.tau_of_point)[:, None]


def surface_residuals(
    model: Model, grid: Grid, quotes: Quotes, used: BoolArray | None = None
) -> Residuals:
    """Return the residuals of one vector for the whole surface: a batch of one problem.

    `used`, shape (n,): quotes that count; all where it is not given.
    """

    def residuals(x: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
        iv, gradient = model_vol(model, x[0], grid)
        r, J = (iv - quotes.iv) / quotes.noise, gradient / quotes.noise[:, None]
        if used is not None:
            r, J = np.where(used, r, 0.0), np.where(used[:, None], J, 0.0)
        return r[None], J[None]

    return residuals


def slice_residuals(
    model: SliceModel,
    rows: Rows,
    slices: IntArray,
    quotes: Quotes,
    used: BoolArray | None = None,
) -> Residuals:
    """Return the residuals of many slices: problem b is slice ``slices[b]``.

    Places that only fill a row weigh nothing, nor those not `used`, shape (B, l).
    """
    k, tau = rows.k[slices], rows.tau[slices]
    iv = quotes.iv[rows.index[slices]]
    counts = rows.real[slices] if used is None else rows.real[slices] & used
    precision = np.where(counts, 1.0 / quotes.noise[rows.index[slices]], 0.0)

    def residuals(x: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
        k_, tau_, iv_, precision_ = k, tau, iv, precision
        # Most often nobody has left the batch yet, and a copy would cost as much as the model.
        if len(which) < len(slices):
            k_, tau_, iv_, precision_ = k[which], tau[which], iv[which], precision[which]
        w, gradient = model.slice_variance(x, k_, tau_)
        vol = np.sqrt(w / tau_[:, None])
        if used is not None:
            # Zero weight does not cure a NaN.
            w, vol = (np.where(precision_ > 0.0, a, 1.0) for a in (w, vol))
        r = (vol - iv_) * precision_
        return r, gradient * (precision_ / (2.0 * vol * tau_[:, None]))[:, :, None]

    return residuals
