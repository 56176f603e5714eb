r"""What a reference leaves possible: the posterior of a stationary autoregression with heavy tails.

.. math:: x_t = c + \phi x_{t-1} + e_t + \theta e_{t-1}, \qquad e_t = s\,t_\nu, \quad |\phi| < 1

What is measured is what wanders and the noise of tonight's mids on top of it. Such a stream is no
autoregression: what the noise adds, the next night takes back, :math:`\theta < 0`. It looks less
persistent from night to night than it is from week to week. It is scored freed of that noise, as
far as sixty nights show it (`smoothing`); what they leave open the limits allow for here.

The likelihood is that of the whole reference, its first value included. The prior is flat in c and
in the log of the scale, and Jeffreys' in phi, (1 - phi^2)^(-1/2). Of it, the flat prior and the one
flat in Fisher's z it is the one with which simulated streams of every phi raise about equally many
false alarms on charts of self-starting scores (`selfstart`); it and the odds of the tails were
chosen so, by simulation.
*Refused:* a prior flat in the mean, with which limits were 40 % wider at 60 nights and phi = 0.8,
for alarms no nearer to what was stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from monitor.arrays import FloatArray

# Nightly innovations of option residuals have heavier tails than the normal, how heavy 60 nights
# hardly tell. Three tails stand for all, from about the heaviest daily returns have (Cont 2001:
# index 2 to 5) to the normal, even odds between heavy and normal. A hundred are normal.
TAILS = (3.0, 6.0, 100.0)
TAIL_WEIGHTS = (0.25, 0.25, 0.5)
# Moving averages: -.3 to -.6 is what noise of a fifth to a half of the variance makes of phi = .8
# to .9, as nightly risk reversals and butterflies have it. What lies under noise is meant to
# wander: else streams of phi = 0 pay for it (.16 of .22 at even odds), and so they do not (.21).
MOVING = (0.0, -0.3, -0.6)
MOVING_WEIGHTS = (0.7, 0.15, 0.15)
_WANDERS = 0.7
_MAX_PHI = 0.99
# Proposals have tails of their own and are wider than the normal approximation, so that no draw
# carries much more weight than another.
_PROPOSAL_DF = 6.0
_PROPOSAL_WIDTH = 1.15
_PROPOSALS_PER_DRAW = 2
# Below this share of the plain deviation the scale is that of repeated values, not of noise.
_SCALE_FLOOR = 0.1


@dataclass(frozen=True)
class Draws:
    """Equally likely autoregressions about `centre`: each array of shape (n,).

    Attributes
    ----------
    centre : float
        Values are meant as differences from it.
    intercept, phi : ndarray
    scale, df : ndarray
        Of the Student innovations.
    moving : ndarray
        What of an innovation the next night takes back, zero or less.
    last : ndarray
        The reference's last innovation.
    """

    centre: float
    intercept: FloatArray
    phi: FloatArray
    scale: FloatArray
    df: FloatArray
    moving: FloatArray
    last: FloatArray


def posterior_draws(reference: FloatArray, *, rng: np.random.Generator, n: int) -> Draws:
    """Return draws from the posterior given a reference, by importance sampling.

    Parameters
    ----------
    reference : ndarray of shape (T,)
        Consecutive values, T >= 5, that `fit_autoregression` takes.
    rng : Generator
    n : int
        Draws wanted.

    References
    ----------
    .. [1] Lange, Little and Taylor (1989). Robust statistical modelling using the t distribution.
       JASA 84(408): the iteration by which each tail's mode is found.
    """
    centre = float(np.mean(reference))
    x = np.asarray(reference, dtype=np.float64) - centre
    parts = []
    for moving, odds in zip(MOVING, MOVING_WEIGHTS, strict=True):
        X, y = _filtered(x, moving)
        for df, weight in zip(TAILS, TAIL_WEIGHTS, strict=True):
            size = int(np.ceil(_PROPOSALS_PER_DRAW * n * weight * odds))
            parts.append(_weighed(X, y, x[0], moving, df, size, rng))
    *columns, log_weight = np.concatenate(parts, axis=1)
    weight = np.exp(log_weight - np.max(log_weight))
    # Systematic resampling: one uniform number, and no draw is left out by chance alone.
    at = (rng.random() + np.arange(n)) / n
    picked = np.searchsorted(np.cumsum(weight) / np.sum(weight), at)
    picked = np.minimum(picked, len(weight) - 1)
    return Draws(centre, *(column[picked] for column in columns))


def _filtered(x: FloatArray, moving: float) -> tuple[FloatArray, FloatArray]:
    """Return what makes the model a regression: y = X (c, phi) + innovations, given `moving`.

    Innovations obey e_t = x_t - c - phi x_{t-1} - moving e_{t-1}, from none before the first.
    """
    columns = np.stack([np.ones(len(x) - 1), x[:-1], x[1:]], axis=1)
    for t in range(1, len(columns)):
        columns[t] -= moving * columns[t - 1]
    return columns[:, :2], columns[:, 2]


def _weighed(
    X: FloatArray,
    y: FloatArray,
    first: float,
    moving: float,
    df: float,
    n: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return proposals of one tail and moving average, as `Draws` has them, and log weights."""
    intercept, phi, scale, log_proposal = _proposals(X, y, df, n, rng)
    possible = (np.abs(phi) < _MAX_PHI) & (phi >= _WANDERS if moving else True)
    phi_in = np.where(possible, phi, 0.0)
    root = np.sqrt(1.0 - phi_in**2)
    residual = y - intercept[:, None] * X[:, 0] - phi[:, None] * X[:, 1]
    # The first value, at the stationary mean and deviation; the tail of their sum is near normal.
    spread = np.sqrt(1.0 + 2.0 * phi_in * moving + moving**2)
    deviation = scale * np.sqrt(df / (df - 2.0)) * spread / root
    mean = intercept / (1.0 - phi_in)
    tails = np.full(n, df)
    log_posterior = (
        _log_student(residual, tails, scale)
        - np.log(deviation)
        - 0.5 * ((first - mean) / deviation) ** 2
        - np.log(root)
    )
    log_weight = np.where(possible, log_posterior - log_proposal, -np.inf)
    last = residual[:, -1]
    return np.stack([intercept, phi, scale, tails, np.full(n, moving), last, log_weight])


def _proposals(
    X: FloatArray, y: FloatArray, df: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Return intercept, phi, scale and log density of `n` proposals for one tail."""
    gram = np.linalg.inv(X.T @ X)
    beta, scale = _student_mode(X, y, df)
    # Fisher information of the Student distribution: for the slope, and for the log of the scale.
    root = np.linalg.cholesky(gram * (df + 3.0) / (df + 1.0)) * _PROPOSAL_WIDTH
    width = _PROPOSAL_WIDTH * np.sqrt((df + 3.0) / (2.0 * df * len(y)))
    e = rng.standard_t(_PROPOSAL_DF, (3, n))
    scales = scale * np.exp(width * e[2])
    slopes = beta[:, None] + scales * (root @ e[:2])
    log_density = -0.5 * (_PROPOSAL_DF + 1.0) * np.sum(np.log1p(e * e / _PROPOSAL_DF), axis=0)
    # Slopes are spread in proportion to the scale drawn with them; the prior is flat in its log.
    log_density -= 2.0 * np.log(scales) + np.log(width) + np.sum(np.log(np.diagonal(root)))
    return np.stack([slopes[0], slopes[1], scales, log_density])


def _student_mode(X: FloatArray, y: FloatArray, df: float) -> tuple[FloatArray, float]:
    """Return the most likely coefficients and scale for one tail."""
    beta: FloatArray = np.linalg.solve(X.T @ X, X.T @ y)
    plain = float(np.sqrt(np.mean((y - X @ beta) ** 2)))
    scale = plain
    for _ in range(30):
        weight = (df + 1.0) / (df + ((y - X @ beta) / scale) ** 2)
        weighted = X * weight[:, None]
        beta = np.linalg.solve(weighted.T @ X, weighted.T @ y)
        scale = float(np.sqrt(np.mean(weight * (y - X @ beta) ** 2)))
        scale = max(scale, _SCALE_FLOOR * plain)
    return beta, scale


def _log_student(residual: FloatArray, df: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the log likelihood of each row of residuals, shape (n,)."""
    n = residual.shape[1]
    constant = gammaln(0.5 * (df + 1.0)) - gammaln(0.5 * df) - 0.5 * np.log(np.pi * df)
    spread = np.sum(np.log1p(residual**2 / (df * scale**2)[:, None]), axis=1)
    likelihood: FloatArray = n * (constant - np.log(scale)) - 0.5 * (df + 1.0) * spread
    return likelihood
