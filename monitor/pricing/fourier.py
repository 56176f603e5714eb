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

from collections.abc import Callable

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.numerics.complexes import ComplexArray, complex_exp
from monitor.pricing.black import INV_SQRT_2PI, black_price, otm_call_quick
from monitor.pricing.implied import otm_deviation
from monitor.pricing.kernels import EDGE, HALVINGS, INWARD, OUTWARD, Kernels, SurfaceGrid

LogCharacteristic = Callable[
    [FloatArray, FloatArray, bool], tuple[ComplexArray, ComplexArray | None]
]
"""``(u, tau, gradient) -> (psi, dpsi)``: ln phi(u - i/2; tau) of shape (N,), and its gradient of
shape (P, N), or None where `gradient` is false."""

# Neglected tail of the integral, as a fraction of sqrt(w_ref): about that in relative vol.
_TAIL = 1e-10
# Smallest premium told from rounding and truncation, likewise: six deviations up in Black's model.
_SMALLEST = 1e-11
# Error allowed from structure near zero, likewise, and how fast more nodes reduce it.
_CENTRE, _RESOLUTION = 1e-9, 30.0
_GONE_BELOW = np.log(_TAIL * np.pi * EDGE) + np.log(2.0) * np.arange(OUTWARD + 1)
_SCALES = 2.0 ** np.arange(-INWARD, 0)


class Contour:
    """Nodes, kernels and control variate of one grid; see `contour_of`."""

    def __init__(self, grid: SurfaceGrid) -> None:
        self._kernels = Kernels(grid)
        self._k = grid.k
        self.sign = np.where(grid.k >= 0.0, 1.0, -1.0)
        self._c_black = black_price(grid.k, grid.w_ref[grid.expiry_index], self.sign)
        self._floor = _SMALLEST * np.sqrt(grid.w_ref)[grid.expiry_index]
        # A put at -x is exp(-x) calls at x.
        self._x = np.abs(grid.k)
        self._x_growth = np.expm1(self._x)
        self._lift = np.where(grid.k < 0.0, 1.0 + self._x_growth, 1.0)
        # Three more halvings than panels use, to see the structure below the smallest.
        doublings = np.arange(-INWARD - 3, OUTWARD + 1)
        self._edges = EDGE * 2.0**doublings / np.sqrt(grid.w_ref)[:, None]
        self._tau_edges = np.repeat(grid.tau, len(doublings))

    def prices(
        self, log_cf: LogCharacteristic, gradient: bool = True
    ) -> tuple[FloatArray, FloatArray]:
        """Return out-of-the-money premiums of shape (n,) and their gradient of shape (n, P).

        P is 0 where no `gradient` is asked for.

        NaN for premiums below what the integral resolves, and for strikes so far away that the
        nodes allowed do not resolve their oscillation.
        """
        first, last = self.reach(log_cf)
        plan = self._kernels.plan(first, last)
        psi, dpsi = log_cf(plan.u, plan.tau, gradient)
        if dpsi is None:
            dpsi = np.empty((0, len(psi)), np.complex128)
        phi = complex_exp(psi)
        integrand = np.empty((1 + len(dpsi), len(psi)), np.complex128)
        np.subtract(plan.black_cf, phi, out=integrand[0])
        np.multiply(dpsi, -phi, out=integrand[1:])
        real = integrand.view(np.float64)
        out = np.empty((len(self._k), len(integrand)))
        for points, nodes, kernel in plan.pieces:
            np.matmul(kernel, real[:, nodes].T, out=out[points])
        c = self._c_black + out[:, 0]
        c[self._kernels.unresolved(last) | ~(c > self._floor)] = np.nan
        return c, out[:, 1:]

    def variances(self, c: FloatArray, dc: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the total variances of premiums, and their gradient from that of the premiums."""
        normal = c * self._lift
        bad = ~((normal > 0.0) & (normal < 1.0))
        some = bool(np.any(bad))
        if some:
            normal[bad] = 0.5
        v = otm_deviation(self._x, normal, self._x_growth, otm_call_quick)
        if some:
            v[bad] = np.nan
        d1 = 0.5 * v - self._k / v
        # dw = dc / (dc/dv) 2 v, and dc/dv = n(d1)
        return v * v, dc * ((2.0 / INV_SQRT_2PI) * v * np.exp(0.5 * d1 * d1))[:, None]

    def reach(self, log_cf: LogCharacteristic) -> tuple[IntArray, IntArray]:
        """Return the edges of the first and the last panel of each expiry, two of shape (m,).

        As `Kernels.plan` wants them.
        """
        psi, _ = log_cf(self._edges.ravel(), self._tau_edges, False)
        size = psi.real.reshape(self._edges.shape)
        outer = size[:, INWARD + 3 :]
        # The tail is below |phi(U)| / (pi U) wherever phi decays at all; U in units of scale.
        gone = outer < _GONE_BELOW
        # It may come back: jumps of nearly one size have a nearly periodic one.
        back = np.argmin(gone[:, ::-1], axis=1)
        last = np.where(gone.all(axis=1), 0, np.minimum(OUTWARD + 1 - back, OUTWARD))

        # What of ln|phi| is not 1, u^2 and u^4 alone at each scale below the edge: with S a halving
        # of u, the factors 1 - S, 1 - 4 S and 1 - 16 S remove one each. The integral weighs it by
        # 1 / u, and the first panel resolves a share r of its width to exp(-30 sqrt(2 r)), the
        # rate of Gauss-Legendre near an end of its interval.
        inner = size[:, : INWARD + 3]
        odd = inner[:, 3:] - 21.0 * inner[:, 2:-1] + 84.0 * inner[:, 1:-2] - 64.0 * inner[:, :-3]
        excess = np.log(np.maximum(np.abs(odd) / (EDGE * _CENTRE * _SCALES), 1.0))
        needed = (excess * excess / (2.0 * _RESOLUTION**2 * _SCALES)).max(axis=1)
        with np.errstate(divide="ignore"):
            halvings = np.clip(np.ceil(np.log2(needed) / HALVINGS), 0.0, INWARD // HALVINGS)
        return -HALVINGS * halvings.astype(np.int64), last.astype(np.int64)


def contour_of(grid: SurfaceGrid) -> Contour:
    """Return the grid's contour, made at the first call and kept in its cache."""
    if "contour" not in grid.cache:
        grid.cache["contour"] = Contour(grid)
    contour: Contour = grid.cache["contour"]
    return contour


def premiums_from_cf(log_cf: LogCharacteristic, grid: SurfaceGrid) -> tuple[FloatArray, FloatArray]:
    """Return out-of-the-money premiums and their gradient, as `total_variance_from_cf` takes them.

    Cheaper by half, for those who know the vols.
    """
    with np.errstate(all="ignore"):
        return contour_of(grid).prices(log_cf, True)


def total_variance_from_cf(
    log_cf: LogCharacteristic, grid: SurfaceGrid, gradient: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Return total variance and its gradient for a model given by its characteristic function.

    Parameters
    ----------
    log_cf : callable
        See `LogCharacteristic`.
    grid : SurfaceGrid
    gradient : bool
        Whether it is wanted: most of the cost.

    Returns
    -------
    w : ndarray of shape (n,)
        NaN where the premium has no implied vol.
    gradient : ndarray of shape (n, P)
        NaN where `w` is; P is 0 where it is not wanted.
    """
    contour = contour_of(grid)
    with np.errstate(all="ignore"):
        return contour.variances(*contour.prices(log_cf, gradient))
