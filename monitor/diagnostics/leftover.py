r"""What a fit left over, in units of the quotes' noise, and what it could have followed.

Residuals of any linear fit, however it weighs the quotes, differ from the quotes' noise e by a
vector within the span of its Jacobian J. So with D the learnt deviations, A what takes the learnt
correlation of neighbours out, and Q an orthonormal basis of :math:`AD^{-1}J`,

.. math:: r = (I - QQ')\,A D^{-1} (\text{model} - \text{market}) = (I - QQ')\,\varepsilon

with :math:`\varepsilon` white and of variance one under a right model: the residuals that a fit
weighted by the learnt noise would leave. Tests of what is left over share this one view. Where no
quiet night taught a noise, it is a value uniform between bid and ask (`noise_model`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence
from monitor.diagnostics.lastnight import law_of_refreshed, states_of
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.residual_law import directions_of
from monitor.market.quotes import Quotes
from monitor.numerics.spatial import outside, span_of


@dataclass(frozen=True, eq=False)
class Leftover:
    """Residuals of the quotes that were fitted, n of them.

    Attributes
    ----------
    at : ndarray of shape (n,)
        Which quotes of the chain.
    noise : ndarray of shape (n,)
        In vol.
    decay : ndarray of shape (n,)
        Correlation of a quote's noise with that of the quote before it, 0 at an expiry's first.
    r : ndarray of shape (n,)
        Model minus market in units of noise, neighbours' correlation taken out.
    basis : ndarray of shape (n, p)
        Orthonormal, of what the fit could follow.
    """

    at: IntArray
    noise: FloatArray
    decay: FloatArray
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

    def scaled(self, columns: FloatArray) -> FloatArray:
        """Return columns in vol, shape (n,) or (n, q), as the noise sees them."""
        return _white(columns, self.noise, self.decay)

    def outside(self, columns: FloatArray) -> FloatArray:
        """Return the same less what the fit follows."""
        return outside(self.basis, self.scaled(columns))


@lru_cache(maxsize=4)
def leftover(evidence: Evidence) -> Leftover:
    """Return what tonight's fit left over; parameters at a bound were not free to follow."""
    fit, quotes = evidence.fit, evidence.quotes
    assert fit is not None
    known, jacobian = _fitted(quotes, fit)
    return _by_learnt_noise(evidence, fit, jacobian, known)


@lru_cache(maxsize=4)
def refreshed_leftover(evidence: Evidence) -> Leftover | None:
    """Return what last night's structure with tonight's states left over; None without one."""
    fit, model = evidence.refreshed, evidence.model
    if fit is None:
        return None
    assert model is not None
    known = np.isfinite(fit.iv) & np.isfinite(fit.jacobian).all(axis=1)
    return _by_learnt_noise(evidence, fit, fit.jacobian[:, states_of(model, fit)], known)


@lru_cache(maxsize=4)
def structure_error(evidence: Evidence, left: Leftover) -> FloatArray:
    """Return what last night's structure errs by, as columns of variance one, shape (n, q).

    In the units of `refreshed_leftover` and less what tonight's states follow.
    """
    law = law_of_refreshed(evidence)
    if law is None or not law.wrong.size:
        return np.zeros((left.n, 0))
    return left.outside(law.wrong[left.at])


@lru_cache(maxsize=4)
def influence_of(quotes: Quotes, fit: Fit) -> Leftover:
    """Return the residuals and the basis in the weights of the fit itself: what moved what."""
    known, _ = _fitted(quotes, fit)
    at, noise = np.flatnonzero(known), quotes.noise[known]
    residual = (fit.iv[known] - quotes.iv[known]) / noise
    # What is not known is of no direction, or of one that no known quote has a part in.
    basis = directions_of(quotes, fit).taken[known] * noise[:, None]
    basis = basis[:, np.any(basis != 0.0, axis=0)]
    return Leftover(at, noise, np.zeros(len(at)), residual, basis)


def _fitted(quotes: Quotes, fit: Fit) -> tuple[BoolArray, FloatArray]:
    free = np.flatnonzero(fit.at_bound == 0)
    known = np.isfinite(fit.iv) & np.isfinite(fit.leverage) & (quotes.noise > 0.0)
    known &= np.isfinite(fit.jacobian).all(axis=1) if len(free) else True
    return known, fit.jacobian[:, free]


def _by_learnt_noise(
    evidence: Evidence, fit: Fit, jacobian: FloatArray, known: BoolArray
) -> Leftover:
    quotes, learnt = evidence.quotes, learnt_noise(evidence.history)
    at, expiry = np.flatnonzero(known), quotes.expiry_index[known]
    noise, decay = learnt.deviation(quotes)[known], np.zeros(len(at))
    if learnt.rho:
        # Strikes that were not fitted stand between neighbours all the same.
        beside = np.diff(expiry) == 0
        decay[1:][beside] = learnt.rho ** np.diff(at)[beside]
    basis = span_of(_white(jacobian[known], noise, decay), expiry).basis
    residual = _white(fit.iv[known] - quotes.iv[known], noise, decay)
    return Leftover(at, noise, decay, outside(basis, residual), basis)


def _white(columns: FloatArray, noise: FloatArray, decay: FloatArray) -> FloatArray:
    """Return columns over noise, each row less what the row before it says of its noise."""
    root = np.sqrt(1.0 - decay**2)
    alone, before = 1.0 / (noise * root), decay[1:] / (noise[:-1] * root[1:])
    if columns.ndim == 2:
        alone, before = alone[:, None], before[:, None]
    white = np.asarray(columns * alone)
    if decay.any():
        white[1:] -= columns[:-1] * before
    return white
