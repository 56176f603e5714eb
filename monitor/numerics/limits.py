r"""Limits of several charts of several streams together, that know how little a reference tells.

A stream that is no different from its reference may still be any that the reference leaves
possible: mean, deviation, autocorrelation and tail are redrawn from their posterior (`posterior`),
the future is simulated under each draw, scored and charted exactly as nights to come will be, and
the limits are such that the chance that *any* chart of *any* stream leaves them within the horizon
is as stated, on the average over what could be true. Streams of one market move together; their
simulated innovations do so as those of their references did.

What each reference leaves possible is drawn by itself, so that limits of streams that move as one
are still careful: of .22 stated, three streams of 60 nights at phi = 0.5 spend .17 uncorrelated and
.13 at a correlation of .9 (40 references each).

*Refused:* Bonferroni's share for each chart, which is right for independent ones and too careful
for these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.numerics.charts import (
    confirmed_jumps,
    cusum,
    fit_autoregression,
    latest_step,
    likeliest_steps,
    tamed,
)
from monitor.numerics.posterior import posterior_draws
from monitor.numerics.selfstart import Scores, predictive_scores
from monitor.numerics.smoothing import smoothed_reference

# Raised by hand whenever anything changes what limits come out: stored limits carry it.
RECIPE = 8
# Each chart's share of the budget is some thousandths: of a thousand futures three would set a
# limit, and from one draw to the next the jump's would differ by a fifth, the step's by a tenth.
PATHS = 3_000
SILENT = 1e9  # the limit of a chart that does not speak: stored like any other
# Innovations' correlations come from one reference; pulled towards none, where limits are widest.
_SHRINK = 0.9


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one stream's three charts; a statistic of size above its limit is an alarm.

    Attributes
    ----------
    cusum : float
        For the cumulative sum.
    step : float
        For the likeliest step.
    jump : float
        For the jump that two nights agree on.
    """

    cusum: float
    step: float
    jump: float


@dataclass(frozen=True, slots=True)
class Charted:
    """Streams' charts over T nights; arrays of shape (T, c).

    Attributes
    ----------
    cusum, step, jump : ndarray
        Signed statistics.
    nights : ndarray
        How long the likeliest step has lasted.
    """

    cusum: FloatArray
    step: FloatArray
    jump: FloatArray
    nights: IntArray

    def score(self, limits: Sequence[Limits]) -> FloatArray:
        """Return the chart nearest to its limit, signed: an alarm where its size exceeds 1."""
        against = np.stack(
            [
                self.cusum / np.array([limit.cusum for limit in limits]),
                self.step / np.array([limit.step for limit in limits]),
                self.jump / np.array([limit.jump for limit in limits]),
            ]
        )
        nearest = np.argmax(np.abs(against), axis=0)
        return np.asarray(np.take_along_axis(against, nearest[None], axis=0)[0])

    @property
    def highest(self) -> list[FloatArray]:
        """The largest size that each chart of each column reaches, (c,) arrays."""
        return [np.max(np.abs(x), axis=0) for x in (self.cusum, self.step, self.jump)]


def chart(
    scores: Scores, *, two_sided: BoolArray | bool, confirms: BoolArray | bool = True
) -> Charted:
    """Return the charts of scores; without jumps, all zero, where no night confirms another."""
    u = tamed(scores.u)
    steps = likeliest_steps(u, scores.phi, two_sided=two_sided, weight=scores.weight)
    jumps = confirmed_jumps(scores.u, scores.ahead, two_sided=two_sided) * confirms
    return Charted(cusum(u, two_sided=two_sided), steps.z, jumps, steps.nights)


def chart_last(
    scores: Scores, *, two_sided: BoolArray | bool, confirms: BoolArray | bool = True
) -> Charted:
    """Return the charts of the last night alone, T = 1."""
    u = tamed(scores.u)
    step = latest_step(u, scores.phi, two_sided=two_sided, weight=scores.weight)
    jumps = confirmed_jumps(scores.u[-2:], scores.ahead[-2:], two_sided=two_sided) * confirms
    return Charted(cusum(u, two_sided=two_sided)[-1:], step.z, jumps[-1:], step.nights)


def joint_limits(
    references: Sequence[FloatArray],
    *,
    two_sided: Sequence[bool],
    correlation: FloatArray,
    false_alarm_probability: float,
    horizon: int,
    rng: np.random.Generator,
    confirms: Sequence[bool] | None = None,
    paths: int = PATHS,
) -> tuple[Limits, ...]:
    """Return each stream's limits; together they are left as rarely as stated, on the average.

    Parameters
    ----------
    references : sequence of h ndarrays of shape (n_i,)
        Consecutive values of each stream.
    two_sided : sequence of h bools
    correlation : ndarray of shape (h, h)
        Of the streams' innovations of the same night; see `innovations_correlation`.
    false_alarm_probability : float
        Of at least one alarm within the horizon, on any chart of any stream, under no change.
    horizon : int
        Nights.
    rng : Generator
    confirms : sequence of h bools, optional
        Whether one night of a stream confirms what the night before said; all of them by default.
    paths : int
        Simulated futures.

    Raises
    ------
    DomainError
        If a reference cannot be scored against.
    """
    normal = np.linalg.cholesky(correlation) @ rng.standard_normal(
        (horizon, len(references), paths)
    )
    highest = []
    for i, reference in enumerate(references):
        reference = np.asarray(reference, dtype=np.float64)
        fit_autoregression(reference)  # refuses what leaves no innovations
        future = _futures(reference, normal[:, i], rng)
        scores, confirm = predictive_scores([reference], future), confirms is None or confirms[i]
        charted = chart(scores, two_sided=two_sided[i], confirms=confirm)
        highest += charted.highest
    # Each chart at an equal share of the budget, then all scaled together to spend the whole of it.
    tops = np.array(highest)
    speaks = tops.max(axis=1) > 0.0
    share = false_alarm_probability / np.sum(speaks)
    each = np.quantile(tops[speaks], 1.0 - share, axis=1)
    highest_of_all = np.max(tops[speaks] / each[:, None], axis=0)
    limits = np.full(len(tops), SILENT)
    limits[speaks] = each * np.quantile(highest_of_all, 1.0 - false_alarm_probability)
    return tuple(Limits(*map(float, row)) for row in limits.reshape(-1, 3))


def _futures(reference: FloatArray, normal: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return futures that the reference leaves possible, shape (horizon, paths)."""
    horizon, paths = normal.shape
    draws = posterior_draws(reference, rng=rng, n=paths)
    # Student innovations out of the normal ones, so that streams keep their correlation.
    mixing = rng.standard_gamma(np.broadcast_to(0.5 * draws.df, (horizon, paths)))
    noise = normal / np.sqrt(mixing / (0.5 * draws.df)) * draws.scale
    x = np.empty((horizon, paths))
    now, before = np.full(paths, reference[-1] - draws.centre), draws.last
    for t in range(horizon):
        now = draws.intercept + draws.phi * now + noise[t] + draws.moving * before
        before = noise[t]
        x[t] = now
    return x + draws.centre


def innovations_correlation(
    references: Sequence[FloatArray], nights: Sequence[IntArray]
) -> FloatArray:
    """Return the correlation of streams' innovations of the same night, drawn towards none.

    Parameters
    ----------
    references : sequence of h ndarrays of shape (n_i,)
    nights : sequence of h ndarrays of shape (n_i,)
        The night of each value; two streams share what nights they have in common.

    Notes
    -----
    Of ranks, as normal deviates, so that one wild night does not make a correlation; zero where
    fewer than ten nights are shared.
    """
    h = len(references)
    out = np.eye(h)
    means = [smoothed_reference(x) for x in references]
    innovations = [fit_autoregression(x).innovations(x) for x in means]
    for i in range(h):
        for j in range(i):
            _, a, b = np.intersect1d(nights[i][1:], nights[j][1:], return_indices=True)
            if len(a) >= 10:
                # Spearman's, and what it is for normal variables.
                rank = np.corrcoef(_ranks(innovations[i][a]), _ranks(innovations[j][b]))[0, 1]
                out[i, j] = out[j, i] = _SHRINK * 2.0 * np.sin(np.pi * rank / 6.0)
    # Pairs measured on different nights need not fit together: the nearest that do.
    values, vectors = np.linalg.eigh(out)
    if values[0] < 1e-6:
        out = (vectors * np.maximum(values, 1e-6)) @ vectors.T
        root = np.sqrt(np.diag(out))
        out = out / np.outer(root, root)
    return out


def _ranks(x: FloatArray) -> FloatArray:
    return np.argsort(np.argsort(x, kind="stable"), kind="stable").astype(np.float64)
