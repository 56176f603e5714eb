"""Nodes and kernels of the Fourier integral for one grid: all of it that no model changes.

Each expiry's integral is cut at edges that double, in units of 1 / sqrt(w_ref), and each panel
between two edges has Gauss-Legendre nodes enough for the fastest oscillation of its strikes. The
kernel of a panel, exp(-i u k) times the weight of each node, is computed when first needed.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.numerics.complexes import cis
from monitor.numerics.quadrature import gauss_legendre

# exp(-9^2 / 2) = 3e-18: Black's own characteristic function is gone at this edge, number 0.
EDGE = 9.0
OUTWARD, INWARD = 8, 8  # doublings and halvings of that edge at most
HALVINGS = 2  # halvings a panel inwards
_ZERO = -1000  # stands for the edge at zero
# Nodes a panel beyond those that half its oscillations need: the first resolves the centre of the
# characteristic function, whose singularities may lie close to the contour. With these numbers,
# premiums are right to 1e-10 of sqrt(w_ref) at nearly all of forty parameter vectors out to the
# models' bounds, against 120 and 80 nodes; fits to real chains need some 650 nodes for six
# expiries.
_NODES_FIRST, _NODES_NEXT = 20, 16
_NODES_MAX = 1024  # a panel's; needed only by strikes that no model fitted to them prices


class SurfaceGrid(Protocol):
    """What the engine needs of a grid: slices sorted by expiry, and a place for its kernels."""

    @property
    def tau(self) -> FloatArray: ...
    @property
    def expiry_index(self) -> IntArray: ...
    @property
    def k(self) -> FloatArray: ...
    @property
    def w_ref(self) -> FloatArray: ...
    @property
    def cache(self) -> MutableMapping[Any, Any]: ...


@dataclass(frozen=True)
class Plan:
    """Everything of one choice of panels that does not depend on the model."""

    u: FloatArray
    tau: FloatArray
    black_cf: FloatArray
    # Points, nodes and kernel (n, 2 M) of each expiry; real and imaginary weights adjacent.
    pieces: tuple[tuple[slice, slice, FloatArray], ...]


class Kernels:
    """What is known of one grid's nodes so far; it grows as models ask for more."""

    def __init__(self, grid: SurfaceGrid) -> None:
        self._tau, self._w_ref, self._k = grid.tau, grid.w_ref, grid.k
        m = len(grid.tau)
        bounds = np.searchsorted(grid.expiry_index, np.arange(m + 1))
        self._points = [slice(int(bounds[j]), int(bounds[j + 1])) for j in range(m)]
        self._growth = np.exp(0.5 * grid.k)
        self._edges = EDGE * 2.0 ** np.arange(-INWARD, OUTWARD + 1) / np.sqrt(grid.w_ref)[:, None]
        # Of the oscillations exp(i u (X - k)): the furthest strike and two deviations of X.
        self._expiry = grid.expiry_index
        self._distance = np.abs(grid.k) + 2.0 * np.sqrt(grid.w_ref)[grid.expiry_index]
        self._widest = np.array([np.max(self._distance[at], initial=0.0) for at in self._points])
        outer = self._edges[:, INWARD:]
        half = np.maximum(0.25 * outer, 0.5 * outer[:, :1])  # of the widest panel up to each edge
        self._resolved = 2.0 * (_NODES_MAX - _NODES_FIRST) / half
        # By expiry and first edge: nodes, kernel, and how many nodes reach each last edge.
        self._slices: dict[tuple[int, int], tuple[FloatArray, FloatArray, list[int]]] = {}
        self._plans: dict[bytes, Plan] = {}

    def unresolved(self, last: IntArray) -> BoolArray:
        """Return which strikes oscillate faster than the nodes up to these edges resolve."""
        limit = self._resolved[np.arange(len(last)), last]
        return self._distance > limit[self._expiry]

    def plan(self, first: IntArray, last: IntArray) -> Plan:
        """Return the plan between the first and the last edge of each expiry, two of shape (m,).

        Edges are numbers of doublings of `EDGE`, negative for halvings (whole steps of `HALVINGS`).
        """
        key = first.tobytes() + last.tobytes()
        if key not in self._plans:
            reach = list(zip(first.tolist(), last.tolist(), strict=True))
            self._grow([(j, *edges) for j, edges in enumerate(reach)])
            us, pieces, start = [], [], 0
            for j, (low, high) in enumerate(reach):
                u, kernel, counts = self._slices[j, low]
                count = counts[high]
                us.append(u[:count])
                stop = start + 2 * count
                pieces.append((self._points[j], slice(start, stop), kernel[:, : 2 * count]))
                start = stop
            counts = [len(u) for u in us]
            u, w_ref = np.concatenate(us), np.repeat(self._w_ref, counts)
            black_cf = np.exp(-0.5 * w_ref * (u * u + 0.25))
            self._plans[key] = Plan(u, np.repeat(self._tau, counts), black_cf, tuple(pieces))
        return self._plans[key]

    def _grow(self, reach: list[tuple[int, int, int]]) -> None:
        """Add what is missing to the nodes and kernels of expiries, given first and last edge.

        Panels stand in order, so that every last edge is a beginning of the same arrays.
        """
        missing: list[tuple[int, int, list[tuple[int, int]]]] = []
        for j, low, high in reach:
            have = len(self._slices[j, low][2]) if (j, low) in self._slices else 0
            panels = [(edge - 1, edge) for edge in range(max(have, 1), high + 1)]
            if not have:
                inner = [(edge, edge + HALVINGS) for edge in range(low, 0, HALVINGS)]
                panels = [(_ZERO, low), *inner, *panels]
            if panels:
                missing.append((j, low, panels))
        made = iter(self._panels([(j, *edges) for j, _, panels in missing for edges in panels]))
        for j, low, panels in missing:
            us, kernels = zip(*(next(made) for _ in panels), strict=True)
            counts = np.cumsum([len(u) for u in us]).tolist()
            u, kernel = np.concatenate(us), np.concatenate(kernels, axis=1)
            if (j, low) in self._slices:
                old_u, old_kernel, old_counts = self._slices[j, low]
                u, kernel = np.concatenate([old_u, u]), np.concatenate([old_kernel, kernel], axis=1)
                ends = old_counts + [old_counts[-1] + count for count in counts]
            else:
                ends = counts[-low // HALVINGS :]
            self._slices[j, low] = u, kernel, ends

    def _panels(self, wanted: list[tuple[int, int, int]]) -> list[tuple[FloatArray, FloatArray]]:
        """Return nodes, shape (M,), and kernel, shape (n, 2 M), of panels.

        A panel is an expiry and two edges as in `plan`, or `_ZERO` below.
        """
        us, angles, weights = [], [], []
        for j, low, high in wanted:
            start = 0.0 if low == _ZERO else self._edges[j, low + INWARD]
            half = 0.5 * (self._edges[j, high + INWARD] - start)
            more = _NODES_FIRST if low == _ZERO else _NODES_NEXT
            # Enough to resolve the fastest oscillation of the panel, and its other structure.
            nodes = int(min(np.ceil(0.5 * self._widest[j] * half) + more, _NODES_MAX))
            x, weight = gauss_legendre(nodes)
            u = start + half * (1.0 + x)
            us.append(u)
            weights.append(half * weight / (np.pi * (u * u + 0.25)))
            angles.append((self._k[self._points[j]][:, None] * u).ravel())
        if not wanted:
            return []
        # All at once: the panels are many and small.
        waves = cis(np.concatenate(angles))
        made, start = [], 0
        for (j, _, _), u, weight in zip(wanted, us, weights, strict=True):
            growth = self._growth[self._points[j]]
            stop = start + len(growth) * len(u)
            kernel = waves[start:stop].reshape(len(growth), len(u))
            kernel *= growth[:, None] * weight
            made.append((u, kernel.view(np.float64)))
            start = stop
        return made
