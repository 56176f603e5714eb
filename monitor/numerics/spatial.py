r"""Is what a fit left over in order? Tests of pattern in least-squares residuals.

Residuals are not independent even where the noise is: r = M e with M = I - Q Q', Q an orthonormal
basis of what the fit can follow. Every null here is that of r, not of e, so that a model of many
parameters is not acquitted by the disorder it made itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Span:
    """What the columns of a Jacobian can follow.

    Attributes
    ----------
    basis : ndarray of shape (n, r)
        Orthonormal; r is the numerical rank.
    combination : ndarray of shape (p, r)
        Of which columns each direction is made: ``basis = jacobian @ combination``.
    """

    basis: FloatArray
    combination: FloatArray


def span_of(jacobian: FloatArray, group: IntArray, *, flat: float = 1e-10) -> Span:
    """Return the span of a Jacobian's columns, group by group where no column reaches over two.

    Parameters
    ----------
    jacobian : ndarray of shape (n, p)
        In units of noise; its columns may differ in size by many orders.
    group : ndarray of shape (n,)
        Non-decreasing.
    flat : float
        Share of the largest singular value of the scaled columns below which a direction is none.
    """
    (n, p), size = jacobian.shape, np.sqrt(np.einsum("ij,ij->j", jacobian, jacobian))
    used = np.flatnonzero(np.isfinite(size) & (size > 0.0))
    if not len(used):
        return Span(np.zeros((n, 0)), np.zeros((p, 0)))
    unit = jacobian[:, used] / size[used]
    places = _places(unit, group)
    if places is None:
        left, singular, right = np.linalg.svd(unit, full_matrices=False)
        firm = singular > flat * singular[0]
        basis, back = left[:, firm], right[firm].T / singular[firm]
    else:
        row, column = places
        own = column.stacked(np.arange(len(used), dtype=np.float64), len(used)).astype(np.int64)
        padded = np.column_stack([unit, np.zeros(n)])
        parts = row.stacked(np.take_along_axis(padded, own[row.part], axis=1))
        left, singular, right = np.linalg.svd(parts, full_matrices=False)
        firm = singular > flat * singular[:, :1]
        backs = right / np.where(firm, singular, 1.0)[:, :, None]
        basis, back = row.spread(left, firm), column.spread(backs.transpose(0, 2, 1), firm)
    combination = np.zeros((p, basis.shape[1]))
    combination[used] = back / size[used, None]
    return Span(basis, combination)


@dataclass(frozen=True, eq=False)
class _Places:
    """Of which part of a matrix each row (or column) is, and its place among the part's own."""

    parts: int
    part: IntArray
    place: IntArray

    @staticmethod
    def of(parts: int, part: IntArray) -> _Places:
        """Return places in the order in which the members of a part stand."""
        order, sizes = np.argsort(part, kind="stable"), np.bincount(part)
        place = np.empty(len(part), np.int64)
        place[order] = np.arange(len(part)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return _Places(parts, part, place)

    def stacked(self, x: FloatArray, fill: float = 0.0) -> FloatArray:
        """Return each part's own, one after the other, shape (parts, places, ...)."""
        out = np.full((self.parts, int(self.place.max()) + 1, *x.shape[1:]), fill)
        out[self.part, self.place] = x
        return out

    def spread(self, vectors: FloatArray, kept: BoolArray) -> FloatArray:
        """Return vectors of each part (parts, places, each) side by side, zero outside of theirs.

        `kept`, of shape (parts, each), says which of them.
        """
        n = len(self.part)
        wide = np.zeros((n, *kept.shape))
        wide[np.arange(n), self.part] = vectors[self.part, self.place]
        return np.asarray(wide.reshape(n, -1)[:, kept.ravel()])


def _places(x: FloatArray, group: IntArray) -> tuple[_Places, _Places] | None:
    """Return rows and columns by group; None where a column reaches over two, or all are one."""
    # Where the first and the last entry of a column lie: along a column, which numpy likes best.
    felt = np.ascontiguousarray(x.T != 0.0)
    first = felt.argmax(axis=1)
    last = felt.shape[1] - 1 - felt[:, ::-1].argmax(axis=1)
    if group[0] == group[-1] or np.any(group[first] != group[last]):
        return None
    row = _by_group(group)
    return row, _Places.of(row.parts, row.part[first])


def _by_group(group: IntArray) -> _Places:
    """Return places along labels that do not fall."""
    begins = np.concatenate([np.ones(min(len(group), 1), np.bool_), group[1:] != group[:-1]])
    first, part = np.flatnonzero(begins), np.cumsum(begins) - 1
    return _Places(len(first), part, np.arange(len(group)) - first[part])


def orthonormal_basis(jacobian: FloatArray, *, flat: float = 1e-10) -> FloatArray:
    """Return an orthonormal basis of all columns together, see `span_of`."""
    return span_of(jacobian, np.zeros(len(jacobian), np.int64), flat=flat).basis


def outside(basis: FloatArray, x: FloatArray) -> FloatArray:
    """Return `x`, of shape (n,) or (n, q), less its part within an orthonormal basis (n, r)."""
    return np.asarray(x - basis @ (basis.T @ x))


def moran(residual: FloatArray, basis: FloatArray, edges: IntArray) -> float | None:
    r"""Return Moran's I of regression residuals as a normal deviate; None where there is no test.

    Positive where neighbours err alike. With W the symmetric matrix of neighbours and normal
    noise of one unknown size, T = r'Wr / r'r has

    .. math:: E T = \frac{tr(MW)}{n-r}, \qquad
        E T^2 = \frac{2\,tr(MWMW) + tr(MW)^2}{(n-r)(n-r+2)}

    Parameters
    ----------
    residual : ndarray of shape (n,)
    basis : ndarray of shape (n, r)
        Of what the fit followed, orthonormal.
    edges : ndarray of shape (q, 2)
        Pairs of neighbours, each once.

    References
    ----------
    .. [1] Cliff, A. and Ord, J. (1972). Testing for spatial autocorrelation among regression
       residuals. Geographical Analysis 4(3).
    """
    n, r = basis.shape
    free = n - r
    if free < 3 or not len(edges):
        return None
    total = float(residual @ residual)
    if not total > 0.0:
        return None
    one, two = edges[:, 0], edges[:, 1]
    ends, others = np.concatenate([one, two]), np.concatenate([two, one])
    order = np.argsort(ends, kind="stable")
    first = np.flatnonzero(np.diff(ends[order], prepend=-1))
    beside = np.zeros_like(basis)  # W Q
    beside[ends[order[first]]] = np.add.reduceat(basis[others[order]], first, axis=0)
    inner = basis.T @ beside
    trace = -float(np.trace(inner))
    square = 2.0 * len(edges) - 2.0 * float(np.sum(beside**2)) + float(np.sum(inner**2))
    mean = trace / free
    variance = (2.0 * square + trace**2) / (free * (free + 2.0)) - mean**2
    statistic = 2.0 * float(residual[one] @ residual[two]) / total
    return (statistic - mean) / float(np.sqrt(variance)) if variance > 0.0 else None


def sign_changes(residual: FloatArray, basis: FloatArray, group: IntArray) -> float | None:
    r"""Return how many more changes of sign than chance gives, as a normal deviate.

    Negative where residuals keep their sign over long runs. Two normal residuals of correlation
    c differ in sign with probability arccos(c) / pi; pairs that share a residual covary exactly by
    the arc sines of their three correlations, others to first order by products of them.

    Parameters
    ----------
    residual : ndarray of shape (n,)
    basis : ndarray of shape (n, r)
        Orthonormal.
    group : ndarray of shape (n,)
        Non-decreasing; changes are counted within groups.

    References
    ----------
    .. [1] Wald, A. and Wolfowitz, J. (1940). On a test whether two samples are from the same
       population. Annals of Mathematical Statistics 11(2).
    """
    sd = np.sqrt(np.maximum(1.0 - np.einsum("ij,ij->i", basis, basis), 0.0))
    kept = np.flatnonzero((sd > 1e-3) & np.isfinite(residual))  # what the fit reproduces: no sign
    group = group[kept]
    beside = group[1:] == group[:-1]
    pairs = float(beside.sum())
    if not pairs:
        return None
    sign = np.sign(residual[kept])
    seen = float(np.sum(beside & (sign[1:] * sign[:-1] < 0.0)))
    # Groups side by side, the shorter filled up with zeros: independent of all, of no weight.
    own = _by_group(group).stacked(basis[kept] / sd[kept, None])
    angle = (-2.0 / np.pi) * np.arcsin(np.clip(own @ own.transpose(0, 2, 1), -1.0, 1.0))
    alike = np.diagonal(angle, 1, 1, 2)
    expected = 0.5 * (pairs - float(alike.sum()))
    # E s_i s_{i+1} s_j s_{j+1} less the product of the two means, of j = i, i + 1 and beyond.
    joint = angle[:, :-1, :-1] * angle[:, 1:, 1:] + angle[:, :-1, 1:] * angle[:, 1:, :-1]
    shared = np.diagonal(angle, 2, 1, 2) - alike[:, :-1] * alike[:, 1:]
    beyond = np.sum(np.triu(joint.sum(axis=0), 2))
    variance = 0.25 * (pairs - float(np.sum(alike**2)) + 2.0 * float(shared.sum() + beyond))
    return (seen - expected) / float(np.sqrt(variance)) if variance > 0.0 else None


def neighbours(group: IntArray, x: FloatArray, *, reach: float = 0.3) -> IntArray:
    """Return pairs of neighbours, shape (q, 2): along each group, and between successive groups.

    Parameters
    ----------
    group : ndarray of shape (n,)
        Non-decreasing; `x` rises within each group.
    x : ndarray of shape (n,)
    reach : float
        Furthest in `x` that the nearest point of the next group may lie.
    """
    same = np.flatnonzero(np.diff(group) == 0)
    edges = np.append(np.flatnonzero(np.diff(group, prepend=-1)), len(group))
    here, sizes = np.arange(edges[-2] if len(edges) > 1 else 0), np.diff(edges)
    first, last = np.repeat(edges[1:-1], sizes[:-1]), np.repeat(sizes[1:] - 1, sizes[:-1])
    slices = [x[low:high] for low, high in pairwise(edges.tolist())]
    below = np.concatenate([here[:0], *(np.searchsorted(b, a) for a, b in pairwise(slices))])
    at = np.clip(below, 1, np.maximum(last, 1))
    left, right = first + np.minimum(at - 1, last), first + np.minimum(at, last)
    near = np.where(np.abs(x[left] - x[here]) <= np.abs(x[right] - x[here]), left, right)
    close = np.abs(x[near] - x[here]) <= reach
    along, across = np.stack([same, same + 1], axis=1), np.stack([here, near], axis=1)[close]
    return np.concatenate([along, across])
