"""From tonight's findings to what happens to incidents: opened, seen, escalated, held, resolved.

One trouble is one incident: findings are grouped by cause, over models, expiries and metrics of one
underlying; a venue that does not answer at all is one trouble for all its underlyings. On a blind
night nothing but what blinds it moves: not seeing a trouble is no sign that it is over, and what
the models would say of a broken chain is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from types import MappingProxyType

from monitor.arrays import digest_of
from monitor.diagnostics.base import MetricValue
from monitor.incidents.base import EVERYWHERE, Event, Incident, State, Transition
from monitor.incidents.hysteresis import Tonight, carried_over, distance, member_of
from monitor.incidents.rules import IncidentRules
from monitor.incidents.words import ending
from monitor.verdict.base import Cause, Finding, Kind, PastVerdict, Severity, Status, Verdict
from monitor.verdict.market import MARKET, VENUE

# What these are about is seen, or not, on every run, blind or not; and is over when it is.
_SEEING = (Cause.DATA, Cause.LIQUIDITY, Cause.JOB)
_BLINDING = (Cause.DATA, Cause.LIQUIDITY)
NOTHING_PAST: Mapping[str, Sequence[PastVerdict]] = MappingProxyType({})


@dataclass(frozen=True)
class _Pass:
    """What one call of `advance` is about."""

    venue: str
    underlying: str
    cadence: str
    as_of_ms: int
    run_id: str
    rules: IncidentRules
    tonight: Tonight
    past: Mapping[str, Sequence[PastVerdict]]
    blinded_by: Cause | None
    slot: str

    @property
    def blind(self) -> bool:
        return self.blinded_by is not None

    def key_of(self, finding: Finding) -> str:
        where = EVERYWHERE if finding.scope == VENUE else self.underlying
        # Quotes that a broken feed leaves unusable are no second trouble.
        follows = finding.cause is Cause.LIQUIDITY and self.blinded_by is Cause.DATA
        return f"{self.venue}/{where}/{self.cadence}/{Cause.DATA if follows else finding.cause}"

    def is_unseen(self, cause: Cause) -> bool:
        """Return whether tonight's chain cannot show if a trouble of this cause is over."""
        if self.blinded_by is Cause.DATA and cause is Cause.LIQUIDITY:
            return True
        return self.blind and cause not in _SEEING

    def runs_since(self, moment_ms: int) -> int:
        """Return how many runs back a resolution lies: 1 if it was the last."""
        return 1 + sum(v.as_of_ms > moment_ms for v in self.past.get(MARKET, ()))

    def blind_runs(self, before: Incident) -> int:
        """Return how many runs in a row, tonight's among them, an incident has blinded."""
        if not self.blind:
            return 0
        if before.state is State.RESOLVED:  # a run that could be judged lies between
            return 1
        nights = reversed(self.past.get(MARKET, ()))
        # While it was open, what left the market without a verdict was the data and not learning.
        earlier = takewhile(
            lambda v: v.status is Status.INCONCLUSIVE and v.as_of_ms >= before.opened_at_ms, nights
        )
        return 1 + sum(1 for _ in earlier)

    def is_pending(self, finding: Finding) -> bool:
        """Return whether an amber finding has not stood for long enough to be told."""
        if finding.severity is not Severity.AMBER or finding.cause in _SEEING:
            return False
        nights = list(self.past.get(finding.model or MARKET, ()))[::-1]
        key = f"{finding.kind}/{finding.metric}/{finding.scope}"
        earlier = self.rules.open_after_runs - 1
        return not all(key in v.beyond for v in nights[:earlier]) or len(nights) < earlier


def advance(
    verdicts: Sequence[Verdict],
    incidents: Sequence[Incident],
    *,
    venue: str,
    underlying: str,
    cadence: str,
    as_of_ms: int,
    run_id: str,
    rules: IncidentRules,
    metrics: Iterable[MetricValue] = (),
    past: Mapping[str, Sequence[PastVerdict]] = NOTHING_PAST,
    slot: str = "",
) -> tuple[Transition, ...]:
    """Return what happens to each incident tonight, in the order of their keys.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Tonight's, the market's among them.
    incidents : sequence of Incident
        As they stood: those not resolved, and those resolved recently.
    venue, underlying, cadence : str
    as_of_ms : int
        The venue's time of tonight's chain.
    run_id : str
    rules : IncidentRules
    metrics : iterable of MetricValue
        Tonight's numbers: by them a trouble is known to be calm.
    past : mapping of model to sequence of PastVerdict, oldest first
        How the latest nights were judged: how long a finding has stood, how long ago a run was.
    slot : str
        Which all underlyings of a venue share, asked some seconds after one another: what befalls
        them together is one incident by it.
    """
    work = _Pass(
        *(venue, underlying, cadence, as_of_ms, run_id, rules),
        *(Tonight.of(metrics, verdicts), past, _blinded_by(verdicts)),
        slot,
    )
    groups: dict[str, list[Finding]] = {}
    for finding in (f for v in verdicts for f in v.findings if f.severity is not None):
        groups.setdefault(work.key_of(finding), []).append(finding)
    known = {i.key: i for i in sorted(incidents, key=lambda i: i.opened_at_ms)}
    found = (
        _next(work, key, known.get(key), groups.get(key, [])) for key in sorted({*groups, *known})
    )
    return tuple(transition for transition in found if transition is not None)


def is_blind(verdicts: Sequence[Verdict]) -> bool:
    """Return whether tonight's chain could not be judged."""
    return _blinded_by(verdicts) is not None


def _blinded_by(verdicts: Sequence[Verdict]) -> Cause | None:
    """Return the cause of the first finding that makes the chain unfit; None where it is fit."""
    return next(
        (
            f.cause
            for v in verdicts
            if v.model == MARKET and v.status is Status.INCONCLUSIVE
            for f in v.findings
            if f.kind is Kind.DATA
        ),
        None,
    )


def _next(
    work: _Pass, key: str, before: Incident | None, findings: list[Finding]
) -> Transition | None:
    """Return what happens to one trouble; None where nothing does."""
    is_over = before is not None and before.state is State.RESOLVED
    if findings:
        if before is not None and not (is_over and _is_another(work, before)):
            return _seen(work, before, findings)
        if all(work.is_pending(f) for f in findings):
            return None
        return _opened(work, key, findings)
    if before is None or is_over or work.is_unseen(before.cause):
        return None
    return _unseen(work, before)


def _is_another(work: _Pass, before: Incident) -> bool:
    """Return whether a trouble that returns is a new one: the old was over for too long."""
    resolved = before.resolved_at_ms if before.resolved_at_ms is not None else before.last_seen_ms
    return work.runs_since(resolved) > work.rules.reopen_within_runs


def _worst(findings: list[Finding]) -> tuple[Finding, Severity]:
    # Of a broken feed and the thin chain that follows from it, the feed speaks.
    worst = max(
        findings,
        key=lambda f: (f.cause is Cause.DATA, f.severity.rank, _size(f)),  # type: ignore[union-attr]
    )
    assert worst.severity is not None
    return worst, worst.severity


def _size(finding: Finding) -> float:
    return 0.0 if finding.value is None else distance(member_of(finding), finding.value)


def _told_of(worst: Finding, findings: list[Finding], work: _Pass) -> dict[str, object]:
    """Return what the worst finding gives to the incident."""
    others = len({f.model or MARKET for f in findings} - {worst.model or MARKET})
    also = f" and {others} more" if others else ""
    subject = "" if worst.cause is Cause.JOB else f"{worst.model or MARKET}{also}: "
    return {
        "model": worst.model,
        "metric": worst.metric,
        "scope": worst.scope,
        "value": worst.value,
        "threshold": worst.threshold,
        "usd": worst.usd,
        "message": f"{subject}{worst.message}",
        "last_seen_ms": work.as_of_ms,
        "run_id": work.run_id,
        "runs_quiet": 0,
    }


def _models(before: tuple[str, ...], findings: list[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*before, *(f.model or MARKET for f in findings)]))


def _opened(work: _Pass, key: str, findings: list[Finding]) -> Transition:
    worst, severity = _worst(findings)
    venue, underlying, cadence, _ = key.split("/")
    together = underlying == EVERYWHERE and work.slot
    incident = Incident(
        id=digest_of([key, work.slot if together else work.as_of_ms])[:10],
        key=key,
        state=State.OPEN,
        severity=severity,
        cause=worst.cause,
        venue=venue,
        underlying=underlying,
        cadence=cadence,
        opened_at_ms=work.as_of_ms,
        resolved_at_ms=None,
        models=_models((), findings),
        members=tuple(member_of(f) for f in findings),
        **_told_of(worst, findings, work),  # type: ignore[arg-type]
    )
    return Transition(Event.OPENED, incident)


def _seen(work: _Pass, before: Incident, findings: list[Finding]) -> Transition:
    worst, severity = _worst(findings)
    runs_seen = before.runs_seen + 1
    if worst.cause in _BLINDING and work.blind_runs(before) >= work.rules.blind_nights_red:
        severity = max(severity, Severity.RED, key=lambda s: s.rank)
    again = before.state is State.RESOLVED
    risen = severity.rank > before.severity.rank
    # A second model with a red finding is worse than one; a second number of the same model is not.
    red = {f.model or MARKET for f in findings if f.severity is Severity.RED}
    worse = risen or bool(red - set(before.models))
    members = tuple(member_of(f) for f in findings)
    incident = replace(
        before,
        # An acknowledged incident that gets worse is open again: what was accepted was less.
        state=State.OPEN if again or worse else before.state,
        severity=severity if again or risen else before.severity,
        resolved_at_ms=None,
        escalated=before.escalated or risen,
        runs_seen=runs_seen,
        reopenings=before.reopenings + again,
        models=_models(before.models, findings),
        members=members
        + carried_over(before.members, members, work.tonight, work.rules, _enough(work, before)),
        **_told_of(worst, findings, work),  # type: ignore[arg-type]
    )
    event = Event.REOPENED if again else Event.ESCALATED if worse else Event.SEEN
    return Transition(event, incident)


def _enough(work: _Pass, before: Incident) -> int:
    """Return how many calm runs in a row resolve an incident."""
    # What the data or a job did is over when it is seen to be; a change needs some nights' calm.
    if before.cause in _SEEING:
        return 1
    flaps = before.reopenings >= work.rules.flapping_reopenings
    return work.rules.flapping_quiet_runs if flaps else work.rules.resolve_after_runs


def _unseen(work: _Pass, before: Incident) -> Transition:
    enough = _enough(work, before)
    kept = carried_over(before.members, (), work.tonight, work.rules, enough)
    if any(m.runs_calm == 0 for m in kept):
        return Transition(Event.HELD, replace(before, runs_quiet=0, members=kept))
    quiet = before.runs_quiet + 1
    if quiet < enough:
        return Transition(Event.QUIET, replace(before, runs_quiet=quiet, members=kept))
    resolved = replace(
        before,
        state=State.RESOLVED,
        resolved_at_ms=work.as_of_ms,
        runs_quiet=quiet,
        run_id=work.run_id,
        message=ending(before, work.tonight, quiet),
        members=(),
    )
    return Transition(Event.RESOLVED, resolved)
