"""What models fitted expiry by expiry share: many slices at once, in rows padded to one length.

*Refused:* a loop over expiries, in which a dozen slices of five parameters cost a dozen times
one; they share every step of one batch instead.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.models.base import Grid, Model
from monitor.numerics.least_squares import Solution, Tolerances


@dataclass(frozen=True)
class Rows:
    """The points of a grid as one row an expiry, short rows filled with their last point again.

    Attributes
    ----------
    index : ndarray of shape (m, l)
        Point of the grid at each place.
    real : ndarray of shape (m, l)
        Whether the place is a point of its own; false where it only fills the row.
    k : ndarray of shape (m, l)
    tau : ndarray of shape (m,)
    """

    index: IntArray
    real: BoolArray
    k: FloatArray
    tau: FloatArray


def rows_of(grid: Grid) -> Rows:
    """Return the grid's rows, made at the first call and kept in its cache."""
    if "rows" not in grid.cache:
        edges = np.searchsorted(grid.expiry_index, np.arange(grid.m + 1))
        counts = np.diff(edges)
        place = np.arange(int(counts.max(initial=0)))
        real = place < counts[:, None]
        index = edges[:-1, None] + np.minimum(place, counts[:, None] - 1)
        # An expiry without a point has nothing to repeat; any point will do, it is not real.
        index = np.clip(index, 0, max(grid.n - 1, 0))
        grid.cache["rows"] = Rows(index, real, grid.k[index], grid.tau)
    return grid.cache["rows"]  # type: ignore[no-any-return]


class SliceModel(Model):
    """A model with a vector of its own for every expiry."""

    per_expiry: ClassVar[bool] = True

    @abstractmethod
    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return total variance of B slices, shape (B, l), and its gradient, shape (B, l, p).

        Parameters
        ----------
        params : ndarray of shape (B, p)
        k : ndarray of shape (B, l)
        tau : ndarray of shape (B,)
        """

    @abstractmethod
    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return cold starts of every slice, shape (s, m, p), the most promising first.

        `iv` and `noise` have shape (m, l); `noise` is infinite where a place only fills a row.
        """

    def solve_rows(
        self,
        starts: FloatArray,
        slices: IntArray,
        rows: Rows,
        iv: FloatArray,
        noise: FloatArray,
        bounds: tuple[FloatArray, FloatArray],
        tolerances: Tolerances,
    ) -> Solution | None:
        """Return the ends of a search of the model's own, or None where it has none.

        Problem b is slice ``slices[b]`` from ``starts[b]``, shape (B, p), all parameters free;
        `iv`, `noise` as for `slice_starts`, `bounds` two of shape (m, p). The general solver has a
        try at what ends as not finite.
        """
        return None

    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        starts = self.slice_starts(*in_rows(grid, iv, noise))
        return starts.reshape(len(starts), -1)

    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        rows, p = rows_of(grid), len(self.parameters)
        w_rows, dw_rows = self.slice_variance(
            np.asarray(params).reshape(grid.m, p), rows.k, rows.tau
        )
        at, j = rows.index[rows.real], np.nonzero(rows.real)[0]
        w = np.empty(grid.n)
        w[at] = w_rows[rows.real]
        gradient = np.zeros((grid.n, grid.m, p))
        gradient[at, j] = dw_rows[rows.real]
        return w, gradient.reshape(grid.n, grid.m * p)


def in_rows(grid: Grid, iv: FloatArray, noise: FloatArray) -> tuple[Rows, FloatArray, FloatArray]:
    """Return the rows of a grid with vols and noise in them; what fills a row has no weight."""
    rows = rows_of(grid)
    return rows, iv[rows.index], np.where(rows.real, noise[rows.index], np.inf)
