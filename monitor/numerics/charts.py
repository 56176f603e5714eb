r"""Control charts whose limits know how little a short reference tells.

A stream is described by a first-order autoregression fitted to its reference,

.. math:: x_t = \mu + \phi (x_{t-1} - \mu) + \sigma \varepsilon_t,

and charted by its whitened innovations. Limits that take the fitted numbers at face value are
wrong for the references one has: at 60 nights and phi = 0.8 a nominal 365 nights between false
alarms is really 44. Here the limit is a quantile of the predictive distribution: mean, deviation
and autocorrelation are redrawn from what the reference leaves possible, the future is simulated
under each draw and charted with the fitted numbers, so that the chance of a false alarm is right
on the average over what could be true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray
from monitor.errors import DomainError

# Half the shift, in innovations' deviations, that the cumulative sum is tuned to: one deviation.
ALLOWANCE = 0.5
# Nightly innovations of option residuals have heavier tails than the normal; their excess kurtosis
# is not estimable from 60 nights, so one tail is assumed for all, standardised to variance one.
TAIL_DF = 5.0
_MAX_PHI = 0.98


@dataclass(frozen=True, slots=True)
class AutoRegression:
    """A fitted AR(1): intercept c = mu (1 - phi), phi, innovation deviation, and what is left open.

    Attributes
    ----------
    intercept, phi, sigma : float
    n : int
        Transitions it was fitted to.
    root : tuple of 3 floats
        Lower Cholesky factor of (X'X)^-1 for (intercept, phi): l11, l21, l22.
    """

    intercept: float
    phi: float
    sigma: float
    n: int
    root: tuple[float, float, float]

    def innovations(self, x: FloatArray) -> FloatArray:
        """Return the whitened innovations of consecutive values, shape (len(x) - 1,)."""
        x = np.asarray(x, dtype=np.float64)
        return (x[1:] - self.intercept - self.phi * x[:-1]) / self.sigma


def fit_autoregression(x: FloatArray) -> AutoRegression:
    """Return the least-squares AR(1) of a reference.

    Parameters
    ----------
    x : ndarray of shape (T,)
        Consecutive values, T >= 5.

    Raises
    ------
    DomainError
        If there are fewer than five values, or all are equal.
    """
    x = np.asarray(x, dtype=np.float64)
    if len(x) < 5:
        raise DomainError(f"an autoregression needs at least 5 values, had {len(x)}")
    X = np.column_stack([np.ones(len(x) - 1), x[:-1]])
    if np.ptp(x) <= 1e-12 * max(1.0, float(np.max(np.abs(x)))):
        raise DomainError("an autoregression needs values that differ; all were equal")
    gram = np.linalg.inv(X.T @ X)
    beta = gram @ (X.T @ x[1:])
    sse = float(np.sum((x[1:] - X @ beta) ** 2))
    n = len(x) - 1
    root = np.linalg.cholesky(gram)
    sigma = float(np.sqrt(max(sse, np.finfo(float).tiny) / (n - 2)))
    corner = (float(root[0, 0]), float(root[1, 0]), float(root[1, 1]))
    return AutoRegression(float(beta[0]), float(beta[1]), sigma, n, corner)


def cusum(u: FloatArray, *, two_sided: bool) -> FloatArray:
    """Return the running cumulative-sum statistic of innovations.

    Parameters
    ----------
    u : ndarray of shape (..., T)
    two_sided : bool
        Whether a fall counts as well as a rise.

    Returns
    -------
    ndarray of shape (..., T)
        The larger of the upper and (if two-sided) the lower sum, signed by the side it is on.

    References
    ----------
    .. [1] Page, E. S. (1954). Continuous inspection schemes. Biometrika 41.
    """
    u = np.asarray(u, dtype=np.float64)
    up, down = np.zeros(u.shape[:-1]), np.zeros(u.shape[:-1])
    out = np.empty_like(u)
    for t in range(u.shape[-1]):
        up = np.maximum(0.0, up + u[..., t] - ALLOWANCE)
        if two_sided:
            down = np.maximum(0.0, down - u[..., t] - ALLOWANCE)
        out[..., t] = np.where(up >= down, up, -down)
    return out


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one stream's two charts; a statistic of size above its limit is an alarm.

    Attributes
    ----------
    cusum : float
        For the cumulative sum, which finds shifts that last.
    shewhart : float
        For a single innovation, which finds jumps the same night.
    """

    cusum: float
    shewhart: float

    def score(self, u: FloatArray, *, two_sided: bool) -> FloatArray:
        """Return the signed score of each time, shape (T,): an alarm where its size exceeds 1.

        An upper-only chart scores falls as zero.
        """
        sums = cusum(u, two_sided=two_sided) / self.cusum
        single = np.asarray(u) / self.shewhart
        if not two_sided:
            single = np.maximum(single, 0.0)
        return np.where(np.abs(sums) >= np.abs(single), sums, single)


def predictive_limits(
    reference: FloatArray,
    *,
    false_alarm_probability: float,
    horizon: int,
    two_sided: bool,
    rng: np.random.Generator,
    paths: int = 4000,
) -> Limits:
    """Return limits whose chance of any alarm within `horizon` is as stated, on the average.

    Parameters
    ----------
    reference : ndarray of shape (T,)
    false_alarm_probability : float
        Of at least one alarm, on either chart, within the horizon, under no change.
    horizon : int
        Nights the limits are used for before the reference is renewed.
    two_sided : bool
    rng : Generator
    paths : int
        Simulated futures.

    Notes
    -----
    The average is over the posterior of (mu, phi, sigma) under the flat prior, given the reference:
    sigma^2 from the inverse chi-square, (c, phi) normal given sigma, phi kept in (-0.98, 0.98).
    """
    fit = fit_autoregression(reference)
    sigma = fit.sigma * np.sqrt((fit.n - 2) / rng.chisquare(fit.n - 2, paths))
    e1, e2 = rng.standard_normal((2, paths))
    l11, l21, l22 = fit.root
    intercept = fit.intercept + sigma * l11 * e1
    phi = fit.phi + sigma * (l21 * e1 + l22 * e2)
    # Keep each draw's mean when its phi is cut back to a stationary value.
    cut = np.clip(phi, -_MAX_PHI, _MAX_PHI)
    centre = float(np.mean(reference))
    intercept = intercept + (phi - cut) * centre
    noise = rng.standard_t(TAIL_DF, (paths, horizon)) * np.sqrt((TAIL_DF - 2) / TAIL_DF)
    x = np.empty((paths, horizon + 1))
    x[:, 0] = reference[-1]
    for t in range(horizon):
        x[:, t + 1] = intercept + cut * x[:, t] + sigma * noise[:, t]
    u = (x[:, 1:] - fit.intercept - fit.phi * x[:, :-1]) / fit.sigma
    highest_sum = np.max(np.abs(cusum(u, two_sided=two_sided)), axis=1)
    highest_single = np.max(np.abs(u) if two_sided else u, axis=1)
    # Each chart at half the budget, then both scaled together to spend exactly the whole.
    half = 1.0 - 0.5 * false_alarm_probability
    each = Limits(float(np.quantile(highest_sum, half)), float(np.quantile(highest_single, half)))
    joint = np.maximum(highest_sum / each.cusum, highest_single / each.shewhart)
    scale = float(np.quantile(joint, 1.0 - false_alarm_probability))
    return Limits(each.cusum * scale, each.shewhart * scale)
