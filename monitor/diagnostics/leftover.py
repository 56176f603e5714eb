"""What a fit left over, in units of the quotes' noise, and what it could have followed.

A fit is a projection: its residuals lie outside the span of its Jacobian, so that under a right
model r = (I - Q Q') e, with e the noise. Tests of what is left over share this one view.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence
from monitor.market.quotes import Quotes
from monitor.numerics.spatial import orthonormal_basis, outside


@dataclass(frozen=True, eq=False)
class Leftover:
    """Residuals of the quotes that were fitted, n of them.

    Attributes
    ----------
    at : ndarray of shape (n,)
        Which quotes of the chain.
    noise : ndarray of shape (n,)
        In vol.
    r : ndarray of shape (n,)
        Model minus market over noise.
    basis : ndarray of shape (n, p)
        Orthonormal, of what the fit could follow.
    """

    at: IntArray
    noise: FloatArray
    r: FloatArray
    basis: FloatArray

    @property
    def n(self) -> int:
        """Number of quotes."""
        return len(self.at)

    @property
    def p(self) -> int:
        """Directions that the fit followed."""
        return int(self.basis.shape[1])

    def outside(self, columns: FloatArray) -> FloatArray:
        """Return columns in vol, shape (n, q), in units of noise and less what the fit follows."""
        return outside(self.basis, columns / self.noise[:, None])


def leftover(evidence: Evidence) -> Leftover:
    """Return what tonight's fit left over."""
    assert evidence.fit is not None
    return leftover_of(evidence.quotes, evidence.fit)


@lru_cache(maxsize=4)
def leftover_of(quotes: Quotes, fit: Fit) -> Leftover:
    """Return what a fit left over; parameters at a bound were not free to follow anything."""
    free = np.flatnonzero(fit.at_bound == 0)
    known = np.isfinite(fit.iv) & np.isfinite(fit.leverage) & (quotes.noise > 0.0)
    known &= np.isfinite(fit.jacobian).all(axis=1) if len(free) else True
    return _leftover(quotes, fit.iv, fit.jacobian[:, free], known)


def refreshed_leftover(evidence: Evidence) -> Leftover | None:
    """Return what last night's structure with tonight's states left over; None without one."""
    fit, model = evidence.refreshed, evidence.model
    if fit is None:
        return None
    assert model is not None
    roles = {p.name for p in model.parameters if p.role == "state"}
    states = np.array([name.split("@")[0] in roles for name in fit.names])
    known = np.isfinite(fit.iv) & np.isfinite(fit.jacobian).all(axis=1)
    return _leftover(evidence.quotes, fit.iv, fit.jacobian[:, states], known)


def _leftover(quotes: Quotes, iv: FloatArray, jacobian: FloatArray, known: BoolArray) -> Leftover:
    at, noise = np.flatnonzero(known), quotes.noise[known]
    scaled = jacobian[known] / noise[:, None]
    residual = (iv[known] - quotes.iv[known]) / noise
    return Leftover(at, noise, residual, _basis(scaled, quotes.expiry_index[known]))


def _basis(scaled: FloatArray, expiry: IntArray) -> FloatArray:
    """Return the basis, expiry by expiry where no column reaches over two: that is cheaper."""
    slices = [expiry == j for j in np.unique(expiry)]
    felt = np.array([np.any(scaled[here] != 0.0, axis=0) for here in slices])
    if not felt.size or np.any(felt.sum(axis=0) > 1):
        return orthonormal_basis(scaled)
    parts = []
    for here, own in zip(slices, felt, strict=True):
        basis = orthonormal_basis(scaled[np.ix_(here, own)])
        wide = np.zeros((len(scaled), basis.shape[1]))
        wide[here] = basis
        parts.append(wide)
    return np.hstack(parts)
