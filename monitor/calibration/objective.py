"""Residuals in implied vol over noise, as the solver wants them.

*Refused:* price over vega as a stand-in for vol, which ends in another minimum; a penalty where
the model has no vol: such a point is not finite and the solver does not step there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.models.slices import Rows, SliceModel
from monitor.numerics.least_squares import Residuals


# A night asks for a chain's grid in many places, and its Fourier kernels serve every model.
@lru_cache(maxsize=2)
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


@dataclass(frozen=True)
class Chart:
    """The coordinates of a search: some parameters by their logarithm, see `Parameter.log_from`.

    Attributes
    ----------
    lower, upper : ndarray of shape (P,)
        Bounds of the parameters themselves.
    shift : ndarray of shape (P,)
        NaN where a parameter is its own coordinate.
    """

    lower: FloatArray
    upper: FloatArray
    shift: FloatArray

    def of(self, x: FloatArray) -> FloatArray:
        """Return the coordinates of parameters, shape (..., P)."""
        by_log = np.isfinite(self.shift)
        return np.where(by_log, np.log(np.where(by_log, x + self.shift, 1.0)), x)

    def params(self, y: FloatArray) -> FloatArray:
        """Return the parameters at coordinates, exactly at a bound where the coordinates are."""
        by_log = np.isfinite(self.shift)
        x = np.where(by_log, np.exp(np.where(by_log, y, 0.0)) - self.shift, y)
        x = np.where(by_log & (y <= self.of(self.lower)), self.lower, x)
        return np.where(by_log & (y >= self.of(self.upper)), self.upper, x)

    def slope(self, x: FloatArray) -> FloatArray:
        """Return dx/dy at parameters."""
        return np.where(np.isfinite(self.shift), x + self.shift, 1.0)


def surface_residuals(
    model: Model, grid: Grid, quotes: Quotes, chart: Chart, used: BoolArray | None = None
) -> Residuals:
    """Return the residuals of one vector for the whole surface: a batch of one problem.

    The vector is in coordinates of `chart`. `used`, shape (n,): quotes that count; all where it is
    not given.
    """

    def residuals(y: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
        x = chart.params(y[0])
        iv, gradient = model_vol(model, x, grid)
        r, J = (iv - quotes.iv) / quotes.noise, gradient * chart.slope(x) / quotes.noise[:, None]
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
