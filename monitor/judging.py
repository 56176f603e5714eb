"""The rules of one night under the expert judgements in force on it.

Pure; imports assessment and below. A judgement becomes part of the rules, and so of the run's
identity: a night judged under it is another run than the same night without. *Refused:* changing
verdicts afterwards, which no replay would find.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitor.arrays import digest_of
from monitor.assessment import Rules
from monitor.conventions import from_ms
from monitor.diagnostics.base import History, MetricValue, Series, SeriesKey
from monitor.diagnostics.charting import OF_MODEL, OF_SMILE
from monitor.diagnostics.headlines import all_headlines
from monitor.verdict.base import Kind, Status, Verdict
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judgement import Judgement, JudgementKind
from monitor.verdict.market import MARKET


def rules_under(
    rules: Rules, judgements: Iterable[Judgement], *, venue: str, underlying: str, as_of_ms: int
) -> Rules:
    """Return the rules of one night: those configured, under what experts said of it.

    Parameters
    ----------
    rules : Rules
        As configured.
    judgements : iterable of Judgement
        All there are; those not in force are passed over.
    venue, underlying : str
    as_of_ms : int
        The venue's time of the chain.
    """
    held = tuple(
        sorted(
            (j for j in judgements if j.holds(venue, underlying, as_of_ms)),
            key=lambda j: (j.kind, repr(j.effect), j.id),
        )
    )
    if not held:
        return rules
    inventory = dict(rules.inventory)
    for j in held:
        for model in [j.model] if j.model else list(rules.models):
            use = inventory.get(model, ModelUse())
            if j.kind is JudgementKind.TOLERANCE:
                name = "max_rmse_iv" if j.subject == "rmse_iv" else "min_inside_share"
                inventory[model] = replace(use, **{name: j.value})
            elif j.kind is JudgementKind.RESTRICT and use.purpose == j.subject:
                # Nobody relies on it any more: it is measured, and pages nobody.
                inventory[model] = replace(use, purpose="benchmark")
    out = tuple(j.subject for j in held if j.kind is JudgementKind.EXCLUDE)
    cleaning = replace(rules.cleaning, excluded=rules.cleaning.excluded + out)
    return replace(rules, inventory=inventory, cleaning=cleaning, judgements=held)


def beliefs(judgements: Iterable[Judgement], model: str) -> tuple[tuple[str, float, float], ...]:
    """Return what experts believe of a model: parameter, mean, standard deviation."""
    return tuple(
        (j.subject, j.value, j.spread)
        for j in judgements
        if j.kind is JudgementKind.PRIOR and j.model == model and j.value is not None and j.spread
    )


def rebased(history: History, judgements: Iterable[Judgement]) -> History:
    """Return the history that change is judged by: nothing from before a reference was rebased."""
    since = [j for j in judgements if j.kind is JudgementKind.REBASE]
    if not since:
        return history

    def start_of(key: SeriesKey) -> int | None:
        mine = [
            j.since_ms
            for j in since
            if j.model in (None, key[0] or MARKET) and _concerns(j.subject, key)
        ]
        return max(mine, default=None)

    series = {key: _from(values, start_of(key)) for key, values in history.series.items()}
    return replace(history, series=series)


def _concerns(headline: str, key: SeriesKey) -> bool:
    """Return whether a series is what a headline is made of, or what was said of its charts."""
    _, metric, scope = key
    made_of = {s for h in all_headlines() if h.name == headline for s in h.sources}
    return (
        headline in ("", metric)
        or scope.partition(":")[2] == headline
        or (metric, scope) in made_of
    )


def _from(series: Series, start_ms: int | None) -> Series:
    if start_ms is None:
        return series
    kept = series.as_of_ms >= start_ms
    return Series(series.as_of_ms[kept], series.value[kept])


def noted(verdict: Verdict, judgements: Iterable[Judgement]) -> Verdict:
    """Return the verdict with a word on each judgement that it was made under."""
    words = [w for j in judgements if j.model in (None, verdict.model) if (w := _note(j, verdict))]
    if not words:
        return verdict
    return replace(verdict, reason=f"{verdict.reason} [{'; '.join(words)}]")


def _note(j: Judgement, verdict: Verdict) -> str | None:
    signed = f"{j.author}, until {from_ms(j.until_ms):%Y-%m-%d}"
    is_market = verdict.model == MARKET
    if j.kind is JudgementKind.RESTRICT and not is_market:
        return f"not to be used for {j.subject}: {signed}"
    if (
        j.kind is JudgementKind.TOLERANCE
        and not is_market
        and verdict.status is not Status.INCONCLUSIVE
    ):
        return f"tolerance of {j.subject} widened to {j.value:g}: {signed}"
    if j.kind is JudgementKind.REBASE and (not is_market or j.model is None):
        return f"reference begun anew on {from_ms(j.since_ms):%Y-%m-%d}: {j.author}"
    if j.kind is JudgementKind.EXCLUDE and is_market:
        return f"without {j.subject}: {signed}"
    return None


def referenced(verdict: Verdict, metrics: Iterable[MetricValue]) -> Verdict:
    """Return the verdict with the name of the reference that it judges change by, if it has one.

    The name stands for the versions of all its headlines' references, which the run stores.
    """
    if any(f.kind is Kind.DATA for f in verdict.findings) and (
        verdict.status is Status.INCONCLUSIVE
    ):
        return verdict
    model = None if verdict.model == MARKET else verdict.model
    mine = [
        m
        for m in metrics
        if m.model == model and m.metric in (OF_MODEL.reference, OF_SMILE.reference)
    ]
    versions = sorted((m.scope, m.value) for m in mine if m.scope.startswith("version:"))
    if not versions:
        return verdict
    last = int(max(m.value for m in mine if m.scope.startswith("ends:")))
    day = f"{last // 10_000}-{last // 100 % 100:02d}-{last % 100:02d}"
    nights = max(m.n for m in mine)
    name = digest_of(versions)[:6]
    return replace(verdict, reason=f"{verdict.reason} [{nights} nights to {day}, {name}]")
