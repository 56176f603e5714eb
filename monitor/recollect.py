"""From one night to the next without a database: what a pass may know of the passes before it.

`Memory.past` is, to the last bit, what the store would read back had every night been written to
it (a test holds the two against each other), so that worlds, replays and two-pass backfills chain
nights in memory. Stands just above `assess`; imports it and below. *Refused:* a store in memory,
which spends more on rows than the pass spends on the night.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.assessment import Assessment, Past
from monitor.calibration.fit import Fit, FitStatus
from monitor.diagnostics.base import History, PastFit, Series, SeriesKey
from monitor.diagnostics.detectable import USUAL_HISTORY
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.diagnostics.noise import NOISE_HISTORY
from monitor.incidents.base import Incident, State
from monitor.incidents.rules import LONGEST_MEMORY
from monitor.market.quotes import Quotes
from monitor.replication.chain import PastChain
from monitor.verdict.base import Kind, PastVerdict, Status, Verdict
from monitor.verdict.market import MARKET

# How many slots back a pass looks: for verdicts and the last chain, for fits, for what is resolved.
VERDICT_SLOTS = 30
FIT_SLOTS = 120
RESOLVED_SLOTS = LONGEST_MEMORY
# Numbers of which the last `FIT_SLOTS` slots are read: what is usual is not what was years ago.
RECENT_METRICS = NOISE_HISTORY + USUAL_HISTORY
USABLE = (FitStatus.CONVERGED, FitStatus.MAX_EVALUATIONS, FitStatus.STALLED)


@dataclass(frozen=True, eq=False)
class Memory:
    """What is kept of the nights of one stream.

    Attributes
    ----------
    past : Past
        What the next pass may know.
    nights_ms : tuple of int
        The venue's times of the latest `FIT_SLOTS` nights, newest last.
    """

    past: Past = Past()
    nights_ms: tuple[int, ...] = ()

    def since(self, slots: int) -> int:
        """Return the venue's time of the earliest of the latest `slots` nights."""
        return self.nights_ms[-slots:][0]


NO_MEMORY = Memory()


def remember(
    memory: Memory,
    found: Assessment,
    *,
    series: Collection[tuple[str, str]] = HISTORY_METRICS,
    lately: Collection[tuple[str, str]] = RECENT_METRICS,
) -> Memory:
    """Return the memory with one more night.

    Parameters
    ----------
    memory : Memory
    found : Assessment
        Of a later slot than every night in the memory, of the same stream.
    series : collection of (metric, scope)
        The numbers whose history is kept.
    lately : collection of (metric, scope)
        Those of which the latest `FIT_SLOTS` slots are kept.
    """
    now_ms = found.run.as_of_ms
    nights = (*memory.nights_ms, now_ms)[-FIT_SLOTS:]
    after = Memory(nights_ms=nights)
    before, verdicts = memory.past, {v.model: v for v in found.verdicts}
    history = History(
        fits=_fits(before, found, verdicts, nights[0]),
        series=_series(
            before, found, verdicts.get(MARKET), frozenset(series), frozenset(lately), nights[0]
        ),
        chain_digest=found.snapshot.chain_digest,
        n_quotes=None if found.quotes is None else found.quotes.n,
        last_chain=_last_chain(before, found, verdicts, after.since(VERDICT_SLOTS)),
    )
    past = Past(
        history=history,
        verdicts=_verdicts(before, found, after.since(VERDICT_SLOTS)),
        incidents=_incidents(before, found, after.since(RESOLVED_SLOTS)),
    )
    return replace(after, past=past)


def _is_blind(verdict: Verdict | None) -> bool:
    """Return whether a verdict is inconclusive for want of data: it may serve no reference."""
    return (
        verdict is not None
        and verdict.status is Status.INCONCLUSIVE
        and any(f.kind is Kind.DATA for f in verdict.findings)
    )


def _fits(
    before: Past, found: Assessment, verdicts: dict[str, Verdict], since_ms: int
) -> dict[str, PastFit]:
    fits = {m: f for m, f in before.history.fits.items() if f.as_of_ms >= since_ms}
    for fit in found.fits:
        known = np.isfinite(fit.params).any() and not np.isinf(fit.params).any()
        if fit.status in USABLE and known and not _is_blind(verdicts.get(fit.model)):
            assert found.quotes is not None
            fits[fit.model] = _past_fit(fit, found.quotes, found.run.as_of_ms)
    return dict(sorted(fits.items()))


def _past_fit(fit: Fit, quotes: Quotes, as_of_ms: int) -> PastFit:
    variance = np.diagonal(fit.covariance)
    stderr = np.sqrt(np.where(variance >= 0, variance, np.nan))
    return PastFit(fit.model, as_of_ms, quotes.expiry_ms, quotes.tau, fit.names, fit.params, stderr)


def _series(
    before: Past,
    found: Assessment,
    market: Verdict | None,
    wanted: frozenset[tuple[str, str]],
    lately: frozenset[tuple[str, str]],
    since_ms: int,
) -> dict[SeriesKey, Series]:
    series = dict(before.history.series)
    for key in [k for k in series if k[1:] in lately]:
        series[key] = _since(series[key], since_ms)
        if not len(series[key]):
            del series[key]
    # What was measured on a chain that could not be judged is no past to be set against.
    for m in () if _is_blind(market) else found.metrics:
        if (m.metric, m.scope) in wanted or (m.metric, m.scope) in lately:
            key = (m.model, m.metric, m.scope)
            series[key] = _longer(series.get(key), found.run.as_of_ms, m.value)
    return series


def _longer(series: Series | None, as_of_ms: int, value: float) -> Series:
    times: IntArray = np.empty(0, np.int64) if series is None else series.as_of_ms
    values: FloatArray = np.empty(0) if series is None else series.value
    return Series(np.append(times, as_of_ms), np.append(values, value))


def _since(series: Series, since_ms: int) -> Series:
    kept = series.as_of_ms >= since_ms
    return series if kept.all() else Series(series.as_of_ms[kept], series.value[kept])


def _last_chain(
    before: Past, found: Assessment, verdicts: dict[str, Verdict], since_ms: int
) -> PastChain | None:
    if found.quotes is not None and found.quotes.n and not _is_blind(verdicts.get(MARKET)):
        return PastChain.of(found.quotes)
    kept = before.history.last_chain
    return kept if kept is not None and kept.as_of_ms >= since_ms else None


def _verdicts(before: Past, found: Assessment, since_ms: int) -> dict[str, tuple[PastVerdict, ...]]:
    verdicts = {
        model: tuple(v for v in nights if v.as_of_ms >= since_ms)
        for model, nights in before.verdicts.items()
    }
    for v in found.verdicts:
        beyond = tuple(
            f"{f.kind}/{f.metric}/{f.scope}" for f in v.findings if f.kind is not Kind.DATA
        )
        tonight = PastVerdict(found.run.as_of_ms, v.status, beyond)
        verdicts[v.model] = (*verdicts.get(v.model, ()), tonight)
    return {model: nights for model, nights in sorted(verdicts.items()) if nights}


def _incidents(before: Past, found: Assessment, since_ms: int) -> tuple[Incident, ...]:
    standing = {i.id: i for i in before.incidents}
    standing |= {t.incident.id: t.incident for t in found.transitions}
    kept = [
        i
        for i in standing.values()
        if i.state is not State.RESOLVED or (i.resolved_at_ms or 0) >= since_ms
    ]
    return tuple(sorted(kept, key=lambda i: (i.opened_at_ms, i.id)))
