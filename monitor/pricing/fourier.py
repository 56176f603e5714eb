r"""Option prices from a characteristic function: the one Fourier integral of this package.

With X = ln(S_T / F), phi(z) = E exp(i z X) and the contour z = u - i/2 (Lewis 2001), on which
z^2 + i z = u^2 + 1/4 is real, the out-of-the-money premium over the forward is

.. math::
   c(k) = c_B(k, w_{ref}) + \frac{e^{k/2}}{\pi} \int_0^\infty
   \Re\bigl[e^{-iuk}\{\varphi_B(u) - \varphi(u - i/2)\}\bigr] \frac{du}{u^2 + 1/4}

where B is Black's model at the slice's reference variance. It carries the bulk of the price, so
that one-day options keep their digits, and it cancels the poles at u = +-i/2, so that
Gauss-Legendre quadrature sees a smooth integrand.

Each expiry has panels of nodes: [0, 9], [9, 18], [18, 36] ... in units of 1 / sqrt(w_ref). Their
kernels depend on (k, u) alone; they are computed when first needed, kept with the grid, and serve
every model and every evaluation. How many panels an expiry uses follows the characteristic
function itself, at the parameters asked for: outwards until it has decayed, inwards (the first
panel halved, and halved again) where it has structure near zero, as rare large jumps give it.

*Refused:* COS, wrong for one-day jump models at any usual number of terms; one cut-off for all
parameters, wrong by 3e-7 in vol at values fitted to real chains; fast Fourier transforms, which
spend most of their nodes on strikes nobody quotes.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.numerics.complexes import ComplexArray, cis, complex_exp
from monitor.numerics.quadrature import gauss_legendre
from monitor.pricing.black import black_price, black_vega
from monitor.pricing.implied import InversionStatus, implied_deviation

LogCharacteristic = Callable[
    [FloatArray, FloatArray, bool], tuple[ComplexArray, ComplexArray | None]
]
"""``(u, tau, gradient) -> (psi, dpsi)``: ln phi(u - i/2; tau) of shape (N,), and its gradient of
shape (P, N), or None where `gradient` is false."""

# exp(-9^2 / 2) = 3e-18: Black's own characteristic function is gone at this edge.
_EDGE = 9.0
_OUTWARD, _INWARD = 8, 8  # doublings and halvings of that edge at most
_HALVINGS = 2  # halvings a panel inwards
# Nodes a panel beyond those that half its oscillations need: the first resolves the centre of the
# characteristic function, whose singularities may lie close to the contour. With these five
# numbers premiums are right to 1e-10 of sqrt(w_ref) at nearly all of forty parameter vectors out
# to the models' bounds, against 120 and 80 nodes a panel; fits to real chains need 600 nodes for
# six expiries.
_NODES_FIRST, _NODES_NEXT = 20, 16
_NODES_MAX = 1024  # a panel's; needed only by strikes that no model fitted to them prices
# Neglected tail of the integral, as a fraction of sqrt(w_ref): about that in relative vol.
_TAIL = 1e-10
# Smallest premium told from rounding and truncation, likewise: six deviations up in Black's model.
_SMALLEST = 1e-11
# Error allowed from structure near zero, likewise, and how fast more nodes reduce it.
_CENTRE, _RESOLUTION = 1e-9, 30.0


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
class _Plan:
    """Everything of one choice of panels that does not depend on the model."""

    u: FloatArray
    tau: FloatArray
    black_cf: FloatArray
    # Points, nodes and kernel (n, 2 M) of each expiry; real and imaginary weights adjacent.
    pieces: tuple[tuple[slice, slice, FloatArray], ...]


class Contour:
    """Nodes, kernels and control variate of one grid; see `contour_of`."""

    def __init__(self, grid: SurfaceGrid) -> None:
        self._tau, self._w_ref = grid.tau, grid.w_ref
        m = len(grid.tau)
        bounds = np.searchsorted(grid.expiry_index, np.arange(m + 1))
        self._points = [slice(int(bounds[j]), int(bounds[j + 1])) for j in range(m)]
        self._k = grid.k
        self.sign = np.where(grid.k >= 0.0, 1.0, -1.0)
        self._c_black = black_price(grid.k, grid.w_ref[grid.expiry_index], self.sign)
        # Three more halvings than panels use, to see the structure below the smallest.
        doublings = np.arange(-_INWARD - 3, _OUTWARD + 1)
        self._edges = _EDGE * 2.0**doublings / np.sqrt(grid.w_ref)[:, None]
        self._tau_edges = np.repeat(grid.tau, len(doublings))
        self._growth = np.exp(0.5 * grid.k)
        # Of the oscillations exp(i u (X - k)): the furthest strike and two deviations of X.
        self._expiry = grid.expiry_index
        self._floor = _SMALLEST * np.sqrt(grid.w_ref)[grid.expiry_index]
        self._distance = np.abs(grid.k) + 2.0 * np.sqrt(grid.w_ref)[grid.expiry_index]
        self._widest = np.array([np.max(self._distance[at], initial=0.0) for at in self._points])
        outer = self._edges[:, _INWARD + 3 :]
        half = np.maximum(0.25 * outer, 0.5 * outer[:, :1])  # of the widest panel up to each edge
        self._resolved = 2.0 * (_NODES_MAX - _NODES_FIRST) / half
        self._panels: dict[tuple[int, int, int], tuple[FloatArray, FloatArray]] = {}
        self._plans: dict[bytes, _Plan] = {}

    def prices(self, log_cf: LogCharacteristic) -> tuple[FloatArray, FloatArray]:
        """Return out-of-the-money premiums of shape (n,) and their gradient of shape (n, P).

        NaN for premiums below what the integral resolves, and for strikes so far away that the
        nodes allowed do not resolve their oscillation.
        """
        first, last = self.reach(log_cf)
        plan = self._plan(first, last)
        psi, dpsi = log_cf(plan.u, plan.tau, True)
        assert dpsi is not None
        phi = complex_exp(psi)
        integrand = np.empty((1 + len(dpsi), len(psi)), np.complex128)
        np.subtract(plan.black_cf, phi, out=integrand[0])
        np.multiply(dpsi, -phi, out=integrand[1:])
        real = integrand.view(np.float64)
        out = np.empty((len(self._k), len(integrand)))
        for points, nodes, kernel in plan.pieces:
            np.matmul(kernel, real[:, nodes].T, out=out[points])
        c = self._c_black + out[:, 0]
        limit = self._resolved[np.arange(len(last)), last]
        c[(self._distance > limit[self._expiry]) | ~(c > self._floor)] = np.nan
        return c, out[:, 1:]

    def reach(self, log_cf: LogCharacteristic) -> tuple[IntArray, IntArray]:
        """Return the edges of the first and the last panel of each expiry, two of shape (m,).

        As numbers of doublings of the edge at 9 / sqrt(w_ref), negative for halvings.
        """
        psi, _ = log_cf(self._edges.ravel(), self._tau_edges, False)
        size = np.real(psi).reshape(self._edges.shape)
        outer = size[:, _INWARD + 3 :]
        # The tail is below |phi(U)| / (pi U) wherever phi decays at all; U in units of scale.
        gone = outer < np.log(_TAIL * np.pi * _EDGE) + np.log(2.0) * np.arange(_OUTWARD + 1)
        # It may come back: jumps of nearly one size have a nearly periodic one.
        back = np.argmin(gone[:, ::-1], axis=1)
        last = np.where(gone.all(axis=1), 0, np.minimum(_OUTWARD + 1 - back, _OUTWARD))

        # What of ln|phi| is not 1, u^2 and u^4 alone at each scale below the edge: with S a halving
        # of u, the factors 1 - S, 1 - 4 S and 1 - 16 S remove one each. The integral weighs it by
        # 1 / u, and the first panel resolves a share r of its width to exp(-30 sqrt(2 r)), the
        # rate of Gauss-Legendre near an end of its interval.
        inner = size[:, : _INWARD + 3]
        odd = inner[:, 3:] - 21.0 * inner[:, 2:-1] + 84.0 * inner[:, 1:-2] - 64.0 * inner[:, :-3]
        scales = 2.0 ** np.arange(-_INWARD, 0)
        excess = np.log(np.maximum(np.abs(odd) / (_EDGE * scales * _CENTRE), 1.0))
        needed = np.max((excess / _RESOLUTION) ** 2 / (2.0 * scales), axis=1)
        with np.errstate(divide="ignore"):
            halvings = np.clip(np.ceil(np.log2(needed) / _HALVINGS), 0.0, _INWARD // _HALVINGS)
        return -_HALVINGS * halvings.astype(np.int64), last.astype(np.int64)

    def _plan(self, first: IntArray, last: IntArray) -> _Plan:
        key = first.tobytes() + last.tobytes()
        if key not in self._plans:
            wanted = [
                [(j, -_INWARD - _HALVINGS, low)]
                + [(j, edge, edge + _HALVINGS) for edge in range(low, 0, _HALVINGS)]
                + [(j, edge, edge + 1) for edge in range(high)]
                for j, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True))
            ]
            self._add_panels([w for ws in wanted for w in ws if w not in self._panels])
            us, pieces, start = [], [], 0
            for j, ws in enumerate(wanted):
                parts = [self._panels[w] for w in ws]
                us += [u for u, _ in parts]
                stop = start + 2 * sum(len(u) for u, _ in parts)
                kernel = np.concatenate([kernel for _, kernel in parts], axis=1)
                pieces.append((self._points[j], slice(start, stop), kernel))
                start = stop
            counts = [(nodes.stop - nodes.start) // 2 for _, nodes, _ in pieces]
            u, w_ref = np.concatenate(us), np.repeat(self._w_ref, counts)
            black_cf = np.exp(-0.5 * w_ref * (u * u + 0.25))
            self._plans[key] = _Plan(u, np.repeat(self._tau, counts), black_cf, tuple(pieces))
        return self._plans[key]

    def _add_panels(self, wanted: list[tuple[int, int, int]]) -> None:
        """Compute the nodes, shape (M,), and kernels, shape (n, 2 M), of panels.

        A panel is an expiry and two edges as in `reach`; the lowest possible edge stands for zero.
        """
        us, angles, weights = [], [], []
        for j, low, high in wanted:
            centre = low < -_INWARD
            start = 0.0 if centre else self._edges[j, low + _INWARD + 3]
            half = 0.5 * (self._edges[j, high + _INWARD + 3] - start)
            more = _NODES_FIRST if centre else _NODES_NEXT
            # Enough to resolve the fastest oscillation of the panel, and its other structure.
            nodes = int(min(np.ceil(0.5 * self._widest[j] * half) + more, _NODES_MAX))
            x, weight = gauss_legendre(nodes)
            u = start + half * (1.0 + x)
            us.append(u)
            weights.append(half * weight / (np.pi * (u * u + 0.25)))
            angles.append((self._k[self._points[j]][:, None] * u).ravel())
        # All at once: the panels are many and small.
        waves = cis(np.concatenate(angles)) if wanted else np.empty(0, np.complex128)
        start = 0
        for (j, low, high), u, weight in zip(wanted, us, weights, strict=True):
            growth = self._growth[self._points[j]]
            stop = start + len(growth) * len(u)
            kernel = waves[start:stop].reshape(len(growth), len(u))
            kernel *= growth[:, None] * weight
            self._panels[j, low, high] = u, kernel.view(np.float64)
            start = stop


def contour_of(grid: SurfaceGrid) -> Contour:
    """Return the grid's contour, made at the first call and kept in its cache."""
    if "contour" not in grid.cache:
        grid.cache["contour"] = Contour(grid)
    return grid.cache["contour"]


def total_variance_from_cf(
    log_cf: LogCharacteristic, grid: SurfaceGrid
) -> tuple[FloatArray, FloatArray]:
    """Return total variance and its gradient for a model given by its characteristic function.

    Parameters
    ----------
    log_cf : callable
        See `LogCharacteristic`.
    grid : SurfaceGrid

    Returns
    -------
    w : ndarray of shape (n,)
        NaN where the premium has no implied vol.
    gradient : ndarray of shape (n, P)
        NaN where `w` is.
    """
    contour = contour_of(grid)
    with np.errstate(all="ignore"):
        c, dc = contour.prices(log_cf)
        v, status = implied_deviation(grid.k, c, contour.sign)
        v = np.where(status == InversionStatus.OK, v, np.nan)
        w = v * v
        # dw/dp = (dc/dp) / (dc/dv) * 2 v
        return w, dc * (2.0 * v / black_vega(grid.k, w))[:, None]
