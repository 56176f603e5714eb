"""Headlines on their charts: from stored series and tonight to scores within joint limits.

A headline is charted by scores of its own past (`numerics.selfstart`) against a reference with a
life of its own (`reference`), within limits that all headlines of a stream share: together they
spend the stream's part of the desk's budget of false pages (`numerics.limits`).

Limits are a function of the references alone and are stored with the run; a night whose references
are last night's reads them there and spares the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray, digest_of
from monitor.diagnostics.base import Evidence, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.headlines import (
    LEVEL,
    PLACES,
    Charted,
    Headline,
    headlines_of,
    nights_of,
)
from monitor.diagnostics.reference import Reference, current_reference, version_of
from monitor.errors import DomainError
from monitor.numerics.charts import AutoRegression, evidence_of_change, fit_autoregression
from monitor.numerics.limits import (
    RECIPE,
    Limits,
    chart_last,
    innovations_correlation,
    joint_limits,
)
from monitor.numerics.selfstart import predictive_scores
from monitor.numerics.smoothing import smoothed_reference
from monitor.numerics.twosample import Distances, distances

FEWEST_RECENT = 8  # nights whose distribution can be compared
JOINT, ALONE = "law:joint", "law:level"


@dataclass(frozen=True, slots=True)
class Names:
    """What the metrics of one level are called."""

    score: str
    limit: str
    reference: str

    def past(self, headline: str) -> tuple[tuple[str, str], ...]:
        """Return what nights to come will want of a headline's charts."""
        return (
            (self.score, f"headline:{headline}"),
            (self.limit, f"cusum:{headline}"),
            (self.limit, f"step:{headline}"),
            (self.limit, f"jump:{headline}"),
        )


OF_MODEL = Names("change_score", "change_limit", "reference")
OF_SMILE = Names("smile_change_score", "smile_change_limit", "smile_reference")


@dataclass(frozen=True, eq=False)
class Stream:
    """One headline's past and tonight, with the reference they are set against."""

    headline: Headline
    as_of_ms: IntArray  # of the past nights
    charted: Charted  # the past nights and tonight
    reference: Reference
    law: AutoRegression  # of the reference's means
    version: int

    @property
    def taught(self) -> FloatArray:
        """The reference's values."""
        return self.charted.value[self.reference.nights]

    @property
    def tonight(self) -> float:
        """Tonight's value, NaN where there is none."""
        return float(self.charted.value[-1])


@dataclass(frozen=True, eq=False)
class Found:
    """What the charts say of one headline tonight."""

    stream: Stream
    limits: Limits | None
    score: float
    step: float
    evidence: float
    apart: Distances | None


@dataclass(frozen=True, eq=False)
class Group:
    """Headlines that share a budget: what was found, what was not, and the law of their limits."""

    found: dict[str, Found]
    missing: dict[str, tuple[str, str]]  # reason and detail
    law: int | None


def _streams(
    evidence: Evidence, model: str | None, headlines: tuple[Headline, ...], names: Names
) -> tuple[list[Stream], dict[str, tuple[str, str]]]:
    rules, made, missing = evidence.drift, [], {}
    wanted = {s for h in headlines for s in h.sources}
    past = {s: evidence.history.series.get((model, *s)) for s in wanted}
    known = {s: (p.as_of_ms, p.value) for s, p in past.items() if p is not None}
    aligned: dict[tuple[tuple[str, str], ...], tuple[IntArray, FloatArray]] = {}
    for headline in headlines:
        key = headline.sources
        if key not in aligned:
            aligned[key] = nights_of(known, key)
        nights, values = aligned[key]
        scores = evidence.history.series.get((model, names.score, f"headline:{headline.name}"))
        reference = current_reference(_beyond(scores, nights), rules)
        if reference is None or len(reference) < headline.fewest:
            missing[headline.name] = (
                "learning",
                f"{len(nights)} of {rules.learning_nights} nights",
            )
            continue
        tonight = [evidence.tonight.get((model, *s)) for s in key]
        absent = any(v is None for v in tonight)
        rows = values if absent else np.vstack([values, np.array(tonight, dtype=np.float64)])
        try:
            charted = headline.chart(rows, reference)
            taught = charted.value[reference.nights]
            fit_autoregression(taught)  # refuses what leaves no innovations
            law = fit_autoregression(smoothed_reference(taught))
        except (DomainError, np.linalg.LinAlgError) as error:
            missing[headline.name] = ("no_reference", str(error))
            continue
        if absent:
            missing[headline.name] = ("no_value_tonight", "the headline has none tonight")
            charted = Charted(
                np.append(charted.value, np.nan), np.append(charted.inflation, 1.0), charted.lost
            )
        version = version_of(nights[reference.nights], taught)
        made.append(Stream(headline, nights, charted, reference, law, version))
    return made, missing


def _beyond(scores: Series | None, nights: IntArray) -> BoolArray:
    if scores is None or not len(scores):
        return np.zeros(len(nights), dtype=bool)
    return np.isin(nights, scores.as_of_ms[np.abs(scores.value) > 1.0])


def _charted(
    evidence: Evidence,
    model: str | None,
    headlines: tuple[Headline, ...],
    names: Names,
    law: str | None,
) -> Group:
    """Chart headlines together; within joint limits, or without any where `law` is None."""
    streams, missing = _streams(evidence, model, headlines, names)
    if not streams:
        return Group({}, missing, None)
    number, limits = None, None
    if law is not None:
        number = _law(streams, evidence.drift)
        limits = _stored(evidence, model, streams, names, law, number)
        limits = limits or _simulated(streams, evidence.drift, number)
    spans = [len(s.charted.value) - s.reference.end for s in streams]
    future = np.full((max(spans), len(streams)), np.nan)
    inflation = np.ones_like(future)
    for i, (stream, span) in enumerate(zip(streams, spans, strict=True)):
        future[-span:, i] = stream.charted.value[-span:]
        inflation[-span:, i] = stream.charted.inflation[-span:]
    lost = np.array([s.charted.lost for s in streams])
    taught = [s.taught for s in streams]
    scores = predictive_scores(taught, future, inflation=inflation, lost=lost)
    sides = np.array([s.headline.two_sided for s in streams])
    confirms = np.array([s.headline.confirms for s in streams])
    charts = chart_last(scores, two_sided=sides, confirms=confirms)
    against = charts.score(limits)[0] if limits else np.zeros(len(streams))
    wealth = evidence_of_change(scores.u, two_sided=sides)[-1]
    found = {}
    for i, stream in enumerate(streams):
        if np.isnan(stream.tonight):
            continue
        recent = scores.u[~np.isnan(future[:, i]), i][-evidence.drift.sample_nights :]
        found[stream.headline.name] = Found(
            stream,
            limits[i] if limits else None,
            float(against[i]),
            float(charts.step[0, i]),
            float(wealth[i]),
            _apart(stream, recent, evidence.drift) if law is not None else None,
        )
    return Group(found, missing, number)


def _law(streams: list[Stream], rules: DriftRules) -> int:
    """Return the number of all that the limits of streams follow from."""
    each = tuple(
        (s.headline.name, s.headline.two_sided, s.headline.confirms, s.version) for s in streams
    )
    return int(
        digest_of([RECIPE, rules.false_alarm_probability, rules.horizon_nights, each])[:12], 16
    )


def _stored(
    evidence: Evidence,
    model: str | None,
    streams: list[Stream],
    names: Names,
    law: str,
    number: int,
) -> tuple[Limits, ...] | None:
    """Return the limits that an earlier night stored by the same law; None where there are none."""
    series = evidence.history.series
    laws = series.get((model, names.limit, law))
    if laws is None or not len(laws) or laws.value[-1] != number:
        return None
    limits = []
    for stream in streams:
        _, *keys = names.past(stream.headline.name)
        pair = [series.get((model, *key)) for key in keys]
        if any(p is None or not len(p) or p.as_of_ms[-1] != laws.as_of_ms[-1] for p in pair):
            return None
        limits.append(Limits(*(float(p.value[-1]) for p in pair if p is not None)))
    return tuple(limits)


def _simulated(streams: list[Stream], rules: DriftRules, number: int) -> tuple[Limits, ...]:
    references = tuple(tuple(s.taught.tolist()) for s in streams)
    nights = tuple(tuple(s.as_of_ms[s.reference.nights].tolist()) for s in streams)
    sides = tuple(s.headline.two_sided for s in streams)
    confirms = tuple(s.headline.confirms for s in streams)
    probability, horizon = rules.false_alarm_probability, rules.horizon_nights
    return _limits(references, nights, sides, confirms, probability, horizon, number)


@lru_cache(maxsize=256)
def _limits(
    references: tuple[tuple[float, ...], ...],
    nights: tuple[tuple[int, ...], ...],
    sides: tuple[bool, ...],
    confirms: tuple[bool, ...],
    probability: float,
    horizon: int,
    seed: int,
) -> tuple[Limits, ...]:
    # The chance behind the limits is a function of the references: the same night, the same limits.
    values = [np.array(x) for x in references]
    return joint_limits(
        values,
        two_sided=sides,
        correlation=innovations_correlation(values, [np.array(x) for x in nights]),
        false_alarm_probability=probability,
        horizon=horizon,
        rng=np.random.default_rng(seed),
        confirms=confirms,
    )


def _apart(stream: Stream, recent: FloatArray, rules: DriftRules) -> Distances | None:
    """Return how far the latest nights' scores are distributed from the reference's."""
    if len(recent) < FEWEST_RECENT:
        return None
    taught = stream.law.innovations(smoothed_reference(stream.taught))
    return distances(taught, recent, size=rules.sample_size)


@lru_cache(maxsize=2)  # asked for by every metric of change
def group_of(evidence: Evidence) -> Group:
    """Return what the charts say of the evidence's subject, of the level too where it is a smile's.

    By identity: evidence is never changed.
    """
    if evidence.model is not None:
        model = evidence.model.name
        return _charted(evidence, model, headlines_of(model), OF_MODEL, JOINT)
    return _charted(evidence, None, headlines_of(None), OF_SMILE, JOINT)


@lru_cache(maxsize=2)
def level_of(evidence: Evidence) -> Group:
    return _charted(evidence, None, (LEVEL,), OF_SMILE, ALONE)


@lru_cache(maxsize=2)
def places_of(evidence: Evidence) -> Group:
    return _charted(evidence, None, PLACES, OF_SMILE, None)
