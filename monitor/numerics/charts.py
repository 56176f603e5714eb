r"""Control charts whose limits know how little a short reference tells.

A stream is described by a first-order autoregression fitted to its reference,

.. math:: x_t = \mu + \phi (x_{t-1} - \mu) + \sigma \varepsilon_t,

and charted by its whitened innovations. Limits that take the fitted numbers at face value are
wrong for the references one has: at 60 nights and phi = 0.8 a nominal 365 nights between false
alarms is really 44. Here the limit is a quantile of the predictive distribution: mean, deviation,
autocorrelation and tail are redrawn from what the reference leaves possible (`monitor.numerics.
posterior`), the future is simulated under each draw and charted with the fitted numbers, so that
the chance of a false alarm is right on the average over what could be true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray
from monitor.errors import DomainError
from monitor.numerics.posterior import posterior_draws

# Half the shift, in innovations' deviations, that the cumulative sum is tuned to: one deviation.
ALLOWANCE = 0.5
# The single innovation's part of the budget of false alarms. How far a lone innovation may stray is
# a question of its tail, which a short reference hardly answers; the sum's limit depends on it much
# less. At half the budget, normal innovations raised half of the alarms they were allowed.
_SHEWHART_SHARE = 0.10
# Where most of a reference repeats one value, what is simulated from it hardly moves; less than one
# deviation of what it did do is no alarm all the same.
_SMALLEST_LIMIT = 1.0


@dataclass(frozen=True, slots=True)
class AutoRegression:
    """A fitted AR(1): intercept c = mu (1 - phi), phi, innovation deviation.

    Attributes
    ----------
    intercept, phi, sigma : float
    n : int
        Transitions it was fitted to.
    """

    intercept: float
    phi: float
    sigma: float
    n: int

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
        If there are fewer than five values, or they leave no innovations: all equal but the last,
        or each an exact function of the one before.
    """
    x = np.asarray(x, dtype=np.float64)
    if len(x) < 5:
        raise DomainError(f"an autoregression needs at least 5 values, had {len(x)}")
    size = max(1.0, float(np.max(np.abs(x))))
    if np.ptp(x[:-1]) <= 1e-12 * size:
        raise DomainError("an autoregression needs values that differ; all were equal")
    # About the mean, the two columns are nearly orthogonal however far the values lie from zero.
    centre = float(np.mean(x[:-1]))
    X = np.column_stack([np.ones(len(x) - 1), x[:-1] - centre])
    gram = np.linalg.inv(X.T @ X)
    beta = gram @ (X.T @ x[1:])
    sse = float(np.sum((x[1:] - X @ beta) ** 2))
    n = len(x) - 1
    sigma = float(np.sqrt(sse / (n - 2)))
    if sigma <= 1e-9 * float(np.ptp(x)):
        raise DomainError("an autoregression needs noise; each value follows from the one before")
    return AutoRegression(float(beta[0] - beta[1] * centre), float(beta[1]), sigma, n)


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

    Raises
    ------
    DomainError
        If an autoregression cannot be fitted to the reference.

    Notes
    -----
    The average is over the posterior of (intercept, phi, deviation, tail) given the reference, see
    `posterior_draws`. Of the alarms, a tenth are left to the single innovation.

    Over simulated references of 60 to 180 nights, phi from 0 to 0.8, normal and Student (5)
    innovations, the mean chance of an alarm within 91 nights lies within a quarter of the stated
    0.22; `tests/numerics/test_charts.py` has the simulation.
    """
    fit = fit_autoregression(reference)
    reference = np.asarray(reference, dtype=np.float64)
    draws = posterior_draws(reference, rng=rng, n=paths)
    noise = rng.standard_t(draws.df[:, None], (paths, horizon)) * draws.scale[:, None]
    x = np.empty((paths, horizon + 1))
    x[:, 0] = reference[-1] - draws.centre
    for t in range(horizon):
        x[:, t + 1] = draws.intercept + draws.phi * x[:, t] + noise[:, t]
    x += draws.centre
    u = (x[:, 1:] - fit.intercept - fit.phi * x[:, :-1]) / fit.sigma
    highest_sum = np.max(np.abs(cusum(u, two_sided=two_sided)), axis=1)
    highest_single = np.max(np.abs(u) if two_sided else u, axis=1)
    # Each chart at its share of the budget, then both scaled together to spend exactly the whole.
    single_budget = _SHEWHART_SHARE * false_alarm_probability
    sum_budget = false_alarm_probability - single_budget
    each = Limits(
        max(float(np.quantile(highest_sum, 1.0 - sum_budget)), _SMALLEST_LIMIT),
        max(float(np.quantile(highest_single, 1.0 - single_budget)), _SMALLEST_LIMIT),
    )
    joint = np.maximum(highest_sum / each.cusum, highest_single / each.shewhart)
    scale = float(np.quantile(joint, 1.0 - false_alarm_probability))
    return Limits(
        max(each.cusum * scale, _SMALLEST_LIMIT), max(each.shewhart * scale, _SMALLEST_LIMIT)
    )
