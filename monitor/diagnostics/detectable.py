"""How small an error each part of the surface could have shown tonight, and which could show none.

A bucket is one expiry's wing. Its misfit is the precision-weighted mean of its residuals. An
error of the market's smile against the model moves it by less than itself, because the fit follows
in part; noise of the quotes moves it too, and so does whatever moves it from one usual night to
the next. The smallest detectable error is the one that a two-sided test at 5 % finds on four nights
of five.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite, isnan, sqrt

import numpy as np
from scipy.special import ndtri

from monitor.arrays import FloatArray, IntArray
from monitor.conventions import expiry_label
from monitor.diagnostics.base import Evidence, Metric, Outcome, Series, metric
from monitor.diagnostics.coverage import ListedStrikes, listed_strikes
from monitor.diagnostics.noise_model import TENORS, learnt_noise, tenor_index
from monitor.diagnostics.places import WINGS, wing_index
from monitor.diagnostics.residual import residual_iv
from monitor.diagnostics.residual_law import tonights_law
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection

SIZE, POWER = 0.05, 0.80
_TIMES_DEVIATION = float(ndtri(1.0 - SIZE / 2.0) + ndtri(POWER))
# A bucket in which the fit follows all but this share of an error shows none of it.
_LEAST_ANSWER = 0.05
_LEAST_NIGHTS = 10  # a spread of fewer nights says little of what is usual

CLASSES = tuple(f"class:{tenor}/{wing}" for tenor in TENORS for wing in WINGS)
USUAL_HISTORY = tuple(("class_bias_iv", scope) for scope in CLASSES)
NEEDS = "quiet nights and 10 nights of class_bias_iv, if any; else bid and ask alone"
SOURCE = "Power of a two-sided test of a mean; Neyman and Pearson (1933)"


@dataclass(frozen=True, eq=False)
class Buckets:
    """The buckets of a chain that have quotes.

    Attributes
    ----------
    scope : tuple of str, length b
        ``bucket:2026-03-27/put``.
    members : ndarray of bool of shape (n, b)
    weights : ndarray of shape (n, b)
        Of each quote in its bucket's mean: by precision, each column's sum one.
    precision : list of float, length b
        Of that mean, by the noise that the fit weighs with.
    of_class : ndarray of shape (b,)
        Place in `CLASSES`.
    """

    scope: tuple[str, ...]
    members: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    weights: FloatArray
    precision: list[float]
    of_class: IntArray

    @cached_property
    def shift(self) -> FloatArray:
        """An error of one of each bucket's quotes, shape (n, b)."""
        return self.members.astype(np.float64)

    @cached_property
    def counts(self) -> list[int]:
        """How many quotes each bucket has."""
        return [int(n) for n in self.members.sum(axis=0)]

    def means(self, x: FloatArray) -> FloatArray:
        """Return each bucket's weighted mean, shape (b,); NaN where a quote of it has none."""
        known = np.isfinite(x)
        return np.where(~known @ self.members, np.nan, np.where(known, x, 0.0) @ self.weights)


@lru_cache(maxsize=4)
def buckets_of(quotes: Quotes) -> Buckets:
    """Return the buckets of a chain, by expiry and wing."""
    wings, tenors = wing_index(quotes), tenor_index(quotes)
    number = quotes.expiry_index * len(WINGS) + wings
    present = np.unique(number)
    members = number[:, None] == present
    precision = members / quotes.noise[:, None] ** 2
    labels = [expiry_label(int(e)) for e in quotes.expiry_ms]
    expiry, wing = np.divmod(present, len(WINGS))
    return Buckets(
        scope=tuple(
            f"bucket:{labels[j]}/{WINGS[w]}"
            for j, w in zip(expiry.tolist(), wing.tolist(), strict=True)
        ),
        members=members,
        weights=precision / precision.sum(axis=0),
        precision=precision.sum(axis=0).tolist(),
        of_class=tenors[expiry] * len(WINGS) + wing,
    )


@metric(
    "class_bias_iv",
    unit="vol",
    level="model",
    definition="Precision-weighted mean of model minus market vol in the best quoted expiry of "
    "each tenor class and wing: how a bucket's misfit moves from night to night is read off it.",
    source="Own",
)
def class_bias_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the misfit of each class's best quoted bucket."""
    assert evidence.model is not None
    buckets = buckets_of(evidence.quotes)
    means = buckets.means(residual_iv(evidence)).tolist()
    best: dict[int, int] = {}
    for b, (of_class, precision) in enumerate(
        zip(buckets.of_class.tolist(), buckets.precision, strict=True)
    ):
        if not isnan(means[b]) and (
            of_class not in best or precision > buckets.precision[best[of_class]]
        ):
            best[of_class] = b
    if not best:
        yield _no_value(metric, evidence)
    for of_class, b in sorted(best.items()):
        yield metric.value(evidence, means[b], scope=CLASSES[of_class], n=buckets.counts[b])


@metric(
    "bucket_z",
    unit="1",
    level="model",
    definition="Precision-weighted mean of a bucket's residuals over its standard deviation by "
    "the learnt noise; beyond 1.96 in size on one night of twenty, if the model is right.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3), fit of a region",
    needs="quiet nights, if any; else bid and ask alone",
)
def bucket_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the test of each bucket; those too thin to show the tolerated error say so."""
    assert evidence.model is not None and evidence.fit is not None
    buckets = buckets_of(evidence.quotes)
    if not len(buckets.scope):
        yield _no_value(metric, evidence)
        return
    shown = detectable(evidence, by_quotes_alone=True).tolist()
    variance, means = _means(evidence)[0].tolist(), buckets.means(residual_iv(evidence)).tolist()
    for b, (scope, n) in enumerate(zip(buckets.scope, buckets.counts, strict=True)):
        if isnan(means[b]):
            yield Rejection("metric", "no_model_value", f"{_subject(metric, evidence)}/{scope}")
        elif not is_seen(shown[b], evidence.tolerance_iv):
            yield _blind(metric, evidence, scope, n, shown[b])
        else:
            yield metric.value(evidence, means[b] / sqrt(variance[b]), scope=scope, n=n)


@metric(
    "detectable_iv",
    unit="vol",
    level="model",
    definition="Smallest error of a bucket's vols that tonight's quotes, with the usual nightly "
    "change of such a bucket's misfit, would show at 5 % two-sided with 80 % power.",
    source=SOURCE,
    needs=NEEDS,
)
def detectable_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield each bucket's smallest detectable error; a bucket that shows none says so."""
    buckets, shown = buckets_of(evidence.quotes), detectable(evidence)
    if not len(buckets.scope):
        yield _no_value(metric, evidence)
    for scope, n, error in zip(buckets.scope, buckets.counts, shown.tolist(), strict=True):
        if isfinite(error):
            yield metric.value(evidence, error, scope=scope, n=n)
        else:
            yield _blind(metric, evidence, scope, n, error)


@metric(
    "blind_vega",
    unit="share",
    level="model",
    definition="Share of the listed vega in buckets that could not have shown an error of the "
    "model's tolerance tonight, or any where it has none; strikes without a usable quote count "
    "with their bucket.",
    source="Own",
    needs=NEEDS,
)
def blind_vega(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much of the listing tonight's verdict is blind to."""
    strikes = listed_strikes(evidence.snapshot, evidence.quotes)
    total = float(strikes.vega.sum())
    if not total > 0.0:
        yield _no_value(metric, evidence)
        return
    buckets, shown = buckets_of(evidence.quotes), detectable(evidence)
    seeing = {
        scope
        for scope, error in zip(buckets.scope, shown.tolist(), strict=True)
        if is_seen(error, evidence.tolerance_iv)
    }
    place, names = _strikes_buckets(strikes)
    blind = np.array([name not in seeing for name in names])
    share = float(strikes.vega[blind[place]].sum()) / total
    yield metric.value(evidence, share, n=int(blind.sum()))


@lru_cache(maxsize=4)
def _strikes_buckets(strikes: ListedStrikes) -> tuple[IntArray, tuple[str, ...]]:
    """Return the bucket of each listed strike by its place among the names of all."""
    names, place = np.unique(
        [f"bucket:{e}/{WINGS[w]}" for e, w in strikes.places()], return_inverse=True
    )
    return place, tuple(names.tolist())


def detectable(evidence: Evidence, *, by_quotes_alone: bool = False) -> FloatArray:
    """Return the smallest detectable error of each of tonight's buckets, vol; inf where none.

    By quotes alone: without what moves a misfit from night to night, as against zero.
    """
    assert evidence.fit is not None and evidence.model is not None
    buckets = buckets_of(evidence.quotes)
    if not len(buckets.scope):
        return np.empty(0)
    noise, answer = _means(evidence)
    usual = 0.0 if by_quotes_alone else usual_of_buckets(evidence)
    # A fit that takes a whole bucket leaves rounding for noise: the answer is what counts.
    seen = (answer > _LEAST_ANSWER) & (noise > 0.0)
    error = _TIMES_DEVIATION * np.sqrt(noise + usual**2)
    unpriced = ~np.isfinite(evidence.fit.iv)
    seen &= ~(unpriced @ buckets.members)
    shown = np.divide(error, answer, out=np.full(len(seen), np.inf), where=seen)
    return np.asarray(shown)


@lru_cache(maxsize=4)
def _means(evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """Return the variance of each bucket's mean, and what it shows of an error of its quotes."""
    assert evidence.fit is not None
    law = tonights_law(evidence.quotes, evidence.fit, learnt_noise(evidence.history))
    buckets = buckets_of(evidence.quotes)
    left = law.answered(buckets.shift)
    return law.of_sums(buckets.weights).diagonal(), -np.sum(buckets.weights * left, axis=0)


def is_seen(error: float, tolerance: float | None) -> bool:
    """Return whether a bucket with this smallest detectable error could have shown what matters."""
    return isfinite(error) and (tolerance is None or error <= tolerance)


@lru_cache(maxsize=4)
def usual_of_buckets(evidence: Evidence) -> FloatArray:
    """Return by how much each bucket's misfit moves over a usual night, vol; 0 while unknown."""
    usual = np.array([_usual(evidence, scope) for scope in CLASSES])
    return usual[buckets_of(evidence.quotes).of_class]


def _usual(evidence: Evidence, scope: str) -> float:
    """Return by how much a class's misfit moves over a usual night: robustly, 0 while unknown."""
    assert evidence.model is not None
    series: Series | None = evidence.history.series.get(
        (evidence.model.name, "class_bias_iv", scope)
    )
    if series is None or len(series) < _LEAST_NIGHTS:
        return 0.0
    moves = np.sort(np.abs(series.value[1:] - series.value[:-1]))
    return 1.4826 * 0.5 * float(moves[(len(moves) - 1) // 2] + moves[len(moves) // 2])


def _subject(metric: Metric, evidence: Evidence) -> str:
    assert evidence.model is not None
    return f"{metric.name}/{evidence.model.name}"


def _no_value(metric: Metric, evidence: Evidence) -> Rejection:
    detail = "no bucket has quotes that the model prices"
    return Rejection("metric", "no_model_value", _subject(metric, evidence), detail)


def _blind(metric: Metric, evidence: Evidence, scope: str, n: int, error: float) -> Rejection:
    detail = f"{n} quotes that the fit follows whatever they say"
    if isfinite(error):
        limit = evidence.tolerance_iv or 0.0
        least = f"{n} quotes show {100 * error:.2f} vol points at the least"
        detail = f"{least}, tolerance {100 * limit:.2f}"
    return Rejection("metric", "not_enough_data", f"{_subject(metric, evidence)}/{scope}", detail)
