"""Has a headline left its own accepted past?

Each model and the smile have a few headlines that may raise a page (`headlines`), charted within
joint limits (`charting`); all that is said of them here besides the scores attributes and explains.
The same is said of a model's headlines and, under names of their own, of the smile's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from typing import Literal

import numpy as np

from monitor.conventions import expiry_label
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.charting import (
    ALONE,
    FEWEST_RECENT,
    JOINT,
    OF_MODEL,
    OF_SMILE,
    Found,
    group_of,
    level_of,
    places_of,
)
from monitor.diagnostics.headlines import (
    CENTRES,
    LEVEL,
    all_headlines,
    headlines_of,
    scaled,
    sources,
    structure,
)
from monitor.diagnostics.points import TERM_DAYS
from monitor.diagnostics.reference import current_reference as current_reference
from monitor.diagnostics.reference import date_number
from monitor.diagnostics.reference import reference_of as reference_of
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection

# How liquid the market usually is: triage sets tonight against it.
LIQUIDITY_METRICS = ("width_iv", "half_width_rms_iv", "rejected_share")


def _history() -> Iterator[tuple[str, str]]:
    """Yield what nights to come will want of this one."""
    yield from sources()
    yield from ((name, CHAIN) for name in LIQUIDITY_METRICS)
    names = {h.name for h in headlines_of(None)} | {LEVEL.name}
    for headline in all_headlines():
        yield from (OF_SMILE if headline.name in names else OF_MODEL).past(headline.name)
    yield from ((OF_MODEL.limit, JOINT), (OF_SMILE.limit, JOINT), (OF_SMILE.limit, ALONE))


HISTORY_METRICS = tuple(dict.fromkeys(_history()))

Say = Callable[[Metric, Evidence, str, Found], Iterator[Outcome]]


def _each(metric: Metric, evidence: Evidence, say: Say) -> Iterator[Outcome]:
    """Yield what is said of each headline, and why nothing is of the others."""
    who = evidence.model.name if evidence.model is not None else None
    groups = [group_of(evidence)] if who is not None else [group_of(evidence), level_of(evidence)]
    for group in groups:
        for name, (reason, detail) in group.missing.items():
            subject = f"{metric.name}/{who or 'market'}/{name}"
            yield Rejection("metric", reason, subject, detail)
        for name, found in group.found.items():
            yield from say(metric, evidence, name, found)


def _score(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
    n = len(found.stream.reference)
    yield metric.value(evidence, found.score, scope=f"headline:{name}", n=n)


def _away(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
    stream = found.stream
    away = stream.tonight - float(np.median(stream.taught))
    yield metric.value(evidence, away, scope=f"headline:{name}", n=len(stream.reference))


def _evidence(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
    n = len(found.stream.charted.value) - found.stream.reference.end
    yield metric.value(evidence, found.evidence, scope=f"headline:{name}", n=n)


def _reference(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
    stream = found.stream
    nights = stream.as_of_ms[stream.reference.nights]
    for what, number in (
        ("version", stream.version),
        ("begins", date_number(nights[0])),
        ("ends", date_number(nights[-1])),
    ):
        yield metric.value(evidence, number, scope=f"{what}:{name}", n=len(nights))


def _limit(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    groups = [(group_of(evidence), JOINT)]
    if evidence.model is None:
        groups.append((level_of(evidence), ALONE))

    def both(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
        assert found.limits is not None
        n = len(found.stream.reference)
        for chart in fields(found.limits):
            limit = getattr(found.limits, chart.name)
            yield metric.value(evidence, limit, scope=f"{chart.name}:{name}", n=n)

    for group, law in groups:
        if group.law is not None and group.found:
            yield metric.value(evidence, group.law, scope=law, n=len(group.found))
    yield from _each(metric, evidence, both)


def _distance(kind: str) -> Say:
    def say(metric: Metric, evidence: Evidence, name: str, found: Found) -> Iterator[Outcome]:
        if found.apart is None:
            who = evidence.model.name if evidence.model is not None else "market"
            detail = f"fewer than {FEWEST_RECENT} nights since the reference"
            yield Rejection("metric", "too_few_nights", f"{metric.name}/{who}/{name}", detail)
            return
        one = getattr(found.apart, kind)
        n = evidence.drift.sample_nights
        yield metric.value(evidence, one.value / one.limit, scope=f"headline:{name}", n=n)

    return say


CHARTS = "Page (1954) and generalised least squares on self-starting scores (Hawkins 1987)"
_DISTANCE = (
    "of the scores of the latest nights, 30 at most, from the reference's innovations, over "
)
_LIMIT_OF_SIZE = (
    "the limit that the same values with labels dealt at random exceed once in a hundred"
)


def _metric_of(
    level: Literal["market", "model"],
    name: str,
    unit: str,
    definition: str,
    source: str,
    say: Say,
    needs: str = "20 nights",
) -> None:
    def compute(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
        return _each(metric, evidence, say)

    metric(
        name,
        unit=unit,
        level=level,
        definition=definition,
        source=source,
        needs=needs,
        after=True,
    )(compute)


def _register(level: Literal["market", "model"], prefix: str, whose: str) -> None:
    register = partial(_metric_of, level)
    register(
        f"{prefix}change_score",
        "limits",
        f"The nearest to its limit of three charts of each of {whose} headlines, signed: "
        "cumulative sum, likeliest step of the last eight nights, jump that the last two agree on. "
        "Beyond 1 in size the headline has left its reference. Scope: the headline. n: reference "
        "nights.",
        f"{CHARTS}; limits simulated jointly, see numerics.limits",
        _score,
    )
    register(
        f"{prefix}change_size",
        "own",
        f"Tonight's value of each of {whose} headlines minus its reference's median, as charted: "
        "vol for wings and tenors, the logarithm for sizes and levels, the cube root of vol for an "
        "expiry out of line.",
        "Own",
        _away,
    )
    register(
        f"{prefix}change_evidence",
        "nights",
        f"Wealth of a bet that one of {whose} headlines has shifted, begun anew every night: "
        "without a change it exceeds A after A nights on the average at the soonest, whenever one "
        "looks. "
        "n: nights since the reference.",
        "Shin, Ramdas and Rinaldo (2024), e-detectors",
        _evidence,
    )
    register(
        f"{prefix}reference",
        "1",
        "Version of the reference that each headline is set against (a digest of its nights and "
        "values), its first and last night as 20260228. n: its nights.",
        "Own; see diagnostics.reference",
        _reference,
    )
    for kind, what, source in (
        ("ks", "Kolmogorov and Smirnov's distance ", "Kolmogorov (1933), Smirnov (1939)"),
        ("wasserstein", "Wasserstein's distance ", "Kantorovich (1942); permutation limits"),
        ("psi", "Stability index over tenths ", "Population stability index; permutation limits"),
    ):
        definition = f"{what}{_DISTANCE}{_LIMIT_OF_SIZE}. Scope: the headline."
        needs = f"20 nights and {FEWEST_RECENT - 1} since"  # tonight is the last of the recent ones
        register(f"{prefix}drift_{kind}", "limits", definition, source, _distance(kind), needs)
    metric(
        f"{prefix}change_limit",
        unit="1",
        level=level,
        definition="Limits of each headline's cumulative sum, step and jump, and the number of the "
        "law that they follow from. n: reference nights.",
        source="Simulated from what the references leave possible; see numerics.limits",
        needs="20 nights",
        after=True,
    )(_limit)


_register("model", "", "the model's")
_register("market", "smile_", "the model-free smile's")


@metric(
    "structure_away",
    unit="1",
    level="model",
    definition="Distance of each structure parameter from its reference's median, positive ones by "
    "their logarithm, in the reference's deviations: which parameter it is that moved.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3), in the reference's spread",
    needs="a reference of 8 nights and 10 for each structure parameter",
    after=True,
)
def structure_away(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far each parameter that should be constant lies from where it was."""
    assert evidence.model is not None
    model = evidence.model
    group = group_of(evidence)
    subject = f"{metric.name}/{model.name}"
    if not structure(model):
        yield Rejection("metric", "no_structure", subject, "every parameter moves with the market")
        return
    found = group.found.get("structure_shift")
    if found is None:
        reason, detail = group.missing["structure_shift"]
        yield Rejection("metric", reason, subject, detail)
        return
    taught = found.stream.as_of_ms[found.stream.reference.nights]
    for p in structure(model):
        scope = f"param:{p.name}"
        past = evidence.history.series[(model.name, "param", scope)]
        values = scaled(p, past.value[np.isin(past.as_of_ms, taught)])
        now = float(scaled(p, np.array([evidence.tonight[(model.name, "param", scope)]]))[0])
        deviation = float(np.std(values, ddof=1))
        if deviation <= 1e-9:
            yield Rejection("metric", "never_moved", f"{subject}/{scope}", "constant so far")
            continue
        away = (now - float(np.median(values))) / deviation
        yield metric.value(evidence, away, scope=scope, n=len(values))


@metric(
    "smile_step",
    unit="1",
    level="market",
    definition="Likeliest step of the last eight nights, two nights long at least, over its "
    "standard error: of the put and the call wing, of each tenor alone, by its nearest expiry (the "
    "largest of those with one), and of the bends that page, by the expiry they are centred on "
    "(bend).",
    source=CHARTS,
    needs="20 nights",
    after=True,
)
def smile_step(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield where the smile has taken a step."""
    wings = {f"wing:{w}": group_of(evidence).found.get(f"{w}_wing") for w in ("put", "call")}
    # Tenors share an expiry where one is listed for both: the one that stepped further speaks.
    alone = places_of(evidence).found
    tenors: dict[str, Found] = {}
    for days in TERM_DAYS:
        tenor = alone.get(f"{days:.0f}d_term")
        if tenor is not None:
            scope = f"expiry:{_by_distance(evidence.quotes, days)[0]}"
            tenors[scope] = max(tenors.get(scope, tenor), tenor, key=lambda found: abs(found.step))
    bends = {
        f"bend:{expiry}": group_of(evidence).found.get(name)
        for name, days in CENTRES.items()
        for expiry in _by_distance(evidence.quotes, days)[:1]
    }
    none = True
    for scope, found in (wings | tenors | bends).items():
        if found is not None:
            none = False
            n = len(found.stream.reference)
            yield metric.value(evidence, found.step, scope=scope, n=n)
    if none:
        reasons = {**places_of(evidence).missing, **group_of(evidence).missing}
        reason, detail = next(iter(reasons.values()))
        yield Rejection("metric", reason, f"{metric.name}/market", detail)


def _by_distance(quotes: Quotes, days: float) -> list[str]:
    """Return the expiries, the nearest to a tenor first."""
    order = np.argsort(np.abs(np.log(quotes.tau / (days / 365.0))))
    return [expiry_label(int(quotes.expiry_ms[j])) for j in order]
