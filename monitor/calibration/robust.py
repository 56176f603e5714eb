r"""Errors of parameters that hold where the noise of quotes is not what was assumed.

The covariance of a fit takes residuals over noise to be independent and of deviation one. The
sandwich takes their size from the residuals themselves: with L = d params / d residuals, the move
of the parameters per residual,

.. math:: V = \sum_g L_g \tilde r_g \tilde r_g' L_g', \qquad
   \tilde r_g = (I - H_{gg})^{-1} r_g

Groups are single quotes (HC3: noise of unequal, unknown size) or expiries (CR3: whatever else the
quotes of an expiry share, as a misfit of their smile), where V, times (m - 1) / m, is the jackknife
that leaves out an expiry at a time. Undoing the leverage matters: what a quote pulled to itself is
not seen in its residual. *Refused:* HC0, too small by a tenth for 25 quotes and 5 parameters;
clusters for models with parameters of each expiry's own, which no other expiry can check.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.market.quotes import Quotes
from monitor.models import MODELS
from monitor.models.coupled import CoupledSlices

_FLAT = 1e-10  # see `calibration.trust`
_LOADING = 1e-6
_PINNED = 1e-9  # a residual of which less is left says nothing of its noise


def robust_covariance(quotes: Quotes, fit: Fit, *, by_expiry: bool = False) -> FloatArray:
    """Return the sandwich covariance of a fit's parameters.

    Parameters
    ----------
    quotes : Quotes
        Those of the fit.
    fit : Fit
    by_expiry : bool
        Whether residuals of one expiry may depend on each other; else every quote stands alone.

    Returns
    -------
    ndarray of shape (P, P)
        As in `Fit.covariance`: zero for parameters held, NaN for those without an error; NaN too
        for those that hang on a quote (an expiry) whose residual the fit leaves nothing of.

    References
    ----------
    .. [1] MacKinnon, J. and White, H. (1985). Some heteroskedasticity-consistent covariance matrix
       estimators with improved finite sample properties. J. Econometrics 29(3).
    .. [2] Bell, R. and McCaffrey, D. (2002). Bias reduction in standard errors for linear
       regression with multi-stage samples. Survey Methodology 28(2).
    """
    P = len(fit.params)
    if quotes.n == 0 or len(fit.iv) != quotes.n:
        return np.full((P, P), np.nan)
    seen = np.isfinite(fit.iv) & np.isfinite(fit.leverage)
    A = np.where(seen[:, None], np.nan_to_num(fit.jacobian), 0.0) / quotes.noise[:, None]
    r = np.where(seen, fit.iv - quotes.iv, 0.0) / quotes.noise
    L = _influence(A, fit)
    unknown = np.isnan(np.diagonal(fit.covariance)) | np.isnan(L).any(axis=1)
    L = np.nan_to_num(L)
    if by_expiry:
        # L (I - A L)^-1 r of an expiry is (I - L A)^-1 L r: of the size of parameters, not quotes,
        # which are taken in units of their errors, so that L A is nearly symmetric.
        unit = np.sqrt(np.abs(np.diagonal(fit.covariance)))
        unit = np.where(np.isfinite(unit) & (unit > 0.0), unit, 1.0)
        edges = np.searchsorted(quotes.expiry_index, np.arange(quotes.m + 1))
        A, L = A * unit, L / unit[:, None]
        blocks = [(L[:, low:high], A[low:high], r[low:high]) for low, high in pairwise(edges)]
        left = np.eye(P) - np.array([own @ back for own, back, _ in blocks]).reshape(-1, P, P)
        told = np.abs(np.linalg.eigvals(left)).min(axis=1, initial=1.0) >= _PINNED
        felt = np.array([np.abs(own).max(axis=1, initial=0.0) > 0.0 for own, _, _ in blocks])
        unknown |= felt[~told].any(axis=0)
        moved = np.array([own @ rest for own, _, rest in blocks])
        each = unit * np.linalg.solve(left[told], moved[told][:, :, None])[:, :, 0]
        V = each.T @ each * ((quotes.m - 1) / max(quotes.m, 1))
    else:
        left = 1.0 - np.where(seen, fit.leverage, 0.0)
        pinned = left < _PINNED
        unknown |= (np.abs(L[:, pinned]) > 0.0).any(axis=1)
        each = L * np.where(pinned, 0.0, r / np.where(pinned, 1.0, left))
        V = each @ each.T
    V[unknown], V[:, unknown] = np.nan, np.nan
    return V


def overconfidence(quotes: Quotes, fit: Fit) -> float:
    """Return by how much the errors of a surface's parameters are too small, as variances; >= 1.

    The median over parameters of the variance robust by expiry over the Jacobian's; where there is
    none, the mean squared residual over noise.
    """
    stated = np.diagonal(fit.covariance)
    found = np.diagonal(robust_covariance(quotes, fit, by_expiry=True))
    known = (stated > 0.0) & (found > 0.0)  # false where either is NaN
    if known.any():
        return max(1.0, float(np.median(found[known] / stated[known])))
    spare = int(np.isfinite(fit.iv).sum()) - len(fit.params)
    return max(1.0, 2.0 * fit.cost / spare) if spare > 0 else 1.0


def _influence(A: FloatArray, fit: Fit) -> FloatArray:
    """Return minus d params / d residuals over noise, shape (P, n); NaN rows where unknown."""
    covariance = np.asarray(fit.covariance)
    unknown = np.isnan(np.diagonal(covariance))
    C = np.where(np.isnan(covariance), 0.0, covariance)
    held = ~unknown & (np.diagonal(covariance) == 0.0)
    loose = unknown & (fit.at_bound == 0) & (np.abs(A).max(axis=0, initial=0.0) > 0.0)
    if not loose.any():
        return np.asarray(C @ A.T)
    if isinstance(MODELS[fit.model], CoupledSlices):
        return np.full(A.T.shape, np.nan)  # what binds its slices is not kept
    # Of a flat direction the covariance keeps nothing, though firm parameters share in it.
    at = np.flatnonzero(~held & (fit.at_bound == 0))
    scale = np.linalg.norm(A[:, at], axis=0)
    scale[scale == 0.0] = 1.0
    U, singular, Vt = np.linalg.svd(A[:, at] / scale, full_matrices=False)
    firm = singular > _FLAT * singular.max(initial=0.0)
    L = np.zeros(A.T.shape)
    L[at] = (Vt[firm].T / singular[firm] / scale[:, None]) @ U[:, firm].T
    return L
