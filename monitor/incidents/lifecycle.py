"""From tonight's findings to what happens to incidents: opened, seen, escalated, quiet, resolved.

One trouble is one incident: findings are grouped by cause, over models, expiries and metrics of one
underlying. On a blind night nothing but the data incident moves: not seeing a trouble is no sign
that it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.arrays import digest_of
from monitor.incidents.base import Event, Incident, State, Transition
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.market import MARKET

_SEEING = (Cause.DATA, Cause.LIQUIDITY)


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
    """
    groups: dict[str, list[Finding]] = {}
    for finding in (f for v in verdicts for f in v.findings if f.severity is not None):
        key = f"{venue}/{underlying}/{cadence}/{finding.cause}"
        groups.setdefault(key, []).append(finding)
    blind = is_blind(verdicts)
    known = {i.key: i for i in sorted(incidents, key=lambda i: i.opened_at_ms)}
    transitions: list[Transition] = []
    for key in sorted(groups.keys() | known.keys()):
        before, findings = known.get(key), groups.get(key, [])
        if findings:
            worst = max(findings, key=lambda f: (f.severity.rank, _size(f)))  # type: ignore[union-attr]
            seen = _seen(worst, findings, before, key, as_of_ms, run_id, rules)
            if before is None:
                place = {"venue": venue, "underlying": underlying, "cadence": cadence}
                seen = Transition(seen.event, replace(seen.incident, **place))
            transitions.append(seen)
        elif (
            before is not None
            and before.state is not State.RESOLVED
            and (before.cause in _SEEING or not blind)
        ):
            transitions.append(_unseen(before, as_of_ms, run_id, rules))
    return tuple(transitions)


def is_blind(verdicts: Sequence[Verdict]) -> bool:
    """Return whether tonight's chain could not be judged."""
    return any(
        v.model == MARKET
        and v.status is Status.INCONCLUSIVE
        and any(f.kind is Kind.DATA for f in v.findings)
        for v in verdicts
    )


def _size(finding: Finding) -> float:
    if finding.value is None or not finding.threshold:
        return 0.0
    return abs(finding.value / finding.threshold)


def _seen(
    worst: Finding,
    findings: list[Finding],
    before: Incident | None,
    key: str,
    as_of_ms: int,
    run_id: str,
    rules: IncidentRules,
) -> Transition:
    severity = worst.severity
    assert severity is not None
    others = len({f.model or MARKET for f in findings} - {worst.model or MARKET})
    also = f" (and {others} more)" if others else ""
    message = f"{worst.model or MARKET}: {worst.message}{also}"
    tonight = {
        "model": worst.model,
        "metric": worst.metric,
        "scope": worst.scope,
        "value": worst.value,
        "threshold": worst.threshold,
        "usd": worst.usd,
        "message": message,
        "last_seen_ms": as_of_ms,
        "run_id": run_id,
        "runs_quiet": 0,
    }
    if before is None:
        incident = Incident(
            id=digest_of([key, as_of_ms])[:10],
            key=key,
            state=State.OPEN,
            severity=severity,
            cause=worst.cause,
            venue="",
            underlying="",
            cadence="",
            opened_at_ms=as_of_ms,
            resolved_at_ms=None,
            **tonight,  # type: ignore[arg-type]
        )
        return Transition(Event.OPENED, incident)
    runs_seen = before.runs_seen + 1
    blind_long = worst.cause in _SEEING and runs_seen >= rules.blind_nights_red
    if blind_long and severity.rank < Severity.RED.rank:
        severity = Severity.RED
    again = before.state is State.RESOLVED
    risen = severity.rank > before.severity.rank
    event = Event.REOPENED if again else Event.ESCALATED if risen else Event.SEEN
    incident = replace(
        before,
        # An acknowledged incident that gets worse is open again: what was accepted was less.
        state=State.OPEN if again or risen else before.state,
        severity=severity if again or risen else before.severity,
        resolved_at_ms=None,
        escalated=before.escalated or risen,
        runs_seen=runs_seen,
        **tonight,  # type: ignore[arg-type]
    )
    return Transition(event, incident)


def _unseen(before: Incident, as_of_ms: int, run_id: str, rules: IncidentRules) -> Transition:
    quiet = before.runs_quiet + 1
    # What the data did is over when a night can be judged again; a change needs some nights' calm.
    enough = 1 if before.cause in _SEEING else rules.resolve_after_runs
    if quiet < enough:
        return Transition(Event.QUIET, replace(before, runs_quiet=quiet))
    resolved = replace(
        before,
        state=State.RESOLVED,
        resolved_at_ms=as_of_ms,
        runs_quiet=quiet,
        run_id=run_id,
    )
    return Transition(Event.RESOLVED, resolved)
