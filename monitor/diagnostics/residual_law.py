r"""The law of a residual: noise of the quote, less what the fit took of it, plus what it erred.

A weighted least-squares fit of mids y moves with the noise e of the quotes it used: its residual
is :math:`(I - H)e` with :math:`H = JGN^{-1}`, whatever the law of e is; N are the weights of
the fit and need not be the noise. With :math:`\Sigma` the learnt covariance, residuals have
covariance :math:`(I - H)\Sigma(I - H)'`. For a quote that the fit used that is the noise less the
leverage; for one it did not use, the noise plus the error of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.noise_model import NoiseModel
from monitor.market.quotes import Quotes
from monitor.numerics.spatial import span_of

# Of its noise: a quote with less left is reproduced by construction.
_LEAST_LEFT = 1e-6


@dataclass(frozen=True, eq=False)
class ResidualLaw:
    """Covariance of residuals in vol, held as the factors it is made of.

    Attributes
    ----------
    quotes : Quotes
    noise : NoiseModel
    deviation : ndarray of shape (n,)
        Of each mid by itself.
    answers : ndarray of shape (n, p)
        How the model's vol at each quote answers to the directions that were fitted.
    taken : ndarray of shape (n, p)
        How those directions answer to each quote's noise; zero where the fit did not use it.
    wrong : ndarray of shape (n, q)
        What else the model's vol carries: independent errors, one a column, of variance one.
    """

    quotes: Quotes
    noise: NoiseModel
    deviation: FloatArray
    answers: FloatArray
    taken: FloatArray
    wrong: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    @cached_property
    def variance(self) -> FloatArray:
        """Return the variance of each residual, shape (n,); NaN where none is left to judge."""
        common = self.noise_times(self.taken)
        middle = self.taken.T @ common
        own = self.deviation**2
        left = own - 2.0 * np.sum(self.answers * common, axis=1)
        left += np.sum((self.answers @ middle) * self.answers, axis=1)
        if self.wrong.size:
            left += np.sum(self.wrong**2, axis=1)
        return np.where(left > _LEAST_LEFT * own, left, np.nan)

    def of_sums(self, weights: FloatArray) -> FloatArray:
        """Return the covariance of weighted sums of residuals.

        Parameters
        ----------
        weights : ndarray of shape (n, b)
            One sum a column.

        Returns
        -------
        ndarray of shape (b, b)
        """
        # (I - H)' applied to each column of weights: what the sum is of the noise itself.
        kept = weights - self.taken @ (self.answers.T @ weights)
        covariance = kept.T @ self.noise_times(kept)
        if self.wrong.size:
            loads = self.wrong.T @ weights
            covariance = covariance + loads.T @ loads
        return np.asarray(covariance)

    def answered(self, error: FloatArray) -> FloatArray:
        """Return what is left in the residuals of errors of the quotes: those the fit follows go.

        Parameters
        ----------
        error : ndarray of shape (n, b)
            Added to mids; the sign is that of model minus market.
        """
        return np.asarray(self.answers @ (self.taken.T @ error) - error)

    def noise_times(self, x: FloatArray) -> FloatArray:
        """Return the covariance of the quotes' noise times `x`, of shape (n, p)."""
        scaled = self.deviation[:, None] * x
        return self.deviation[:, None] * self.noise.together(self.quotes, scaled)


def law_of_fit(
    quotes: Quotes, fit: Fit, noise: NoiseModel, *, used: BoolArray | None = None
) -> ResidualLaw:
    """Return the law of the residuals of a fit, in sample and, where not `used`, out of it.

    Parameters
    ----------
    quotes : Quotes
    fit : Fit
        With its Jacobian on all of `quotes`.
    noise : NoiseModel
    used : ndarray of bool of shape (n,), optional
        What the fit was made of; all by default.
    """
    return _law(quotes, fit.jacobian, fit.at_bound == 0, noise, used)


@lru_cache(maxsize=4)
def tonights_law(quotes: Quotes, fit: Fit, noise: NoiseModel) -> ResidualLaw:
    """Return the law of the residuals of a fit to all quotes; asked again, the same object."""
    return _law_by(quotes, directions_of(quotes, fit), noise)


def law_of_last_night(
    quotes: Quotes, refreshed: Fit, stderr: FloatArray, states: BoolArray, noise: NoiseModel
) -> ResidualLaw:
    """Return the law of tonight's residuals of last night's structure with tonight's states.

    The states take their share of tonight's noise. What the structure errs by is taken to be what
    a chain like tonight's would leave: last night's quotes had the same noise within little.

    Parameters
    ----------
    quotes : Quotes
    refreshed : Fit
    stderr : ndarray of shape (P,)
        Last night's standard errors laid on tonight; NaN for parameters without one, which were
        at a bound and stood still.
    states : ndarray of bool of shape (P,)
        Which parameters were fitted again.
    noise : NoiseModel
    """
    law = _law(quotes, refreshed.jacobian, states, noise, None)
    estimated = np.isfinite(stderr) & (stderr > 0.0)
    loose = estimated & ~states
    if not loose.any():
        return law
    then = _directions(quotes, refreshed.jacobian, estimated, np.ones(quotes.n, np.bool_))
    common = then.taken.T @ law.noise_times(then.taken)
    structure = then.params[loose]
    values, vectors = np.linalg.eigh(structure @ common @ structure.T)
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    wrong = _known(refreshed.jacobian[:, loose]) @ half
    return replace(law, wrong=wrong - law.answers @ (law.taken.T @ wrong))


@dataclass(frozen=True, eq=False)
class Directions:
    """What a weighted fit makes of noise: ``params @ taken' e``, seen as ``answers @ taken' e``.

    Attributes
    ----------
    answers, taken : ndarray of shape (n, r)
        In units of the fit's noise, `taken` is an orthonormal basis of what the fit follows.
    params : ndarray of shape (P, r)
    """

    answers: FloatArray
    taken: FloatArray
    params: FloatArray


def _law(
    quotes: Quotes, jacobian: FloatArray, free: BoolArray, noise: NoiseModel, used: BoolArray | None
) -> ResidualLaw:
    used = np.ones(quotes.n, np.bool_) if used is None else used
    return _law_by(quotes, _directions(quotes, jacobian, free, used), noise)


def _law_by(quotes: Quotes, found: Directions, noise: NoiseModel) -> ResidualLaw:
    return ResidualLaw(quotes, noise, noise.deviation(quotes), found.answers, found.taken)


# A night's models are measured one after the other, and then judged so.
@lru_cache(maxsize=16)
def directions_of(quotes: Quotes, fit: Fit) -> Directions:
    """Return the directions of what was free in a fit to all quotes."""
    used = np.ones(quotes.n, np.bool_)
    return _directions(quotes, fit.jacobian, fit.at_bound == 0, used)


def _directions(
    quotes: Quotes, jacobian: FloatArray, free: BoolArray, used: BoolArray
) -> Directions:
    """Return the directions of the free parameters, those of slices that share none apart."""
    columns, noise = np.flatnonzero(free), quotes.noise[:, None]
    scaled = _known(jacobian[:, columns]) / noise
    span = span_of(np.where(used[:, None], scaled, 0.0), quotes.expiry_index)
    params = np.zeros((jacobian.shape[1], span.combination.shape[1]))
    params[columns] = span.combination
    return Directions(noise * (scaled @ span.combination), span.basis / noise, params)


def _known(x: FloatArray) -> FloatArray:
    """Return zero where there is no number: what `numpy.nan_to_num` does, and it looks for more."""
    return np.where(np.isnan(x), 0.0, x)
