"""What the desk reads in the morning: one message a run, and only where there is news."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.conventions import from_ms
from monitor.incidents.base import Event, Message, Transition
from monitor.verdict.base import Severity, Verdict

_NEWS = (Event.OPENED, Event.REOPENED, Event.ESCALATED, Event.RESOLVED)
_WORDS = {
    Event.OPENED: "opened",
    Event.REOPENED: "is back",
    Event.ESCALATED: "got worse",
    Event.RESOLVED: "resolved",
}


def compose(
    verdicts: Sequence[Verdict],
    transitions: Sequence[Transition],
    *,
    venue: str,
    underlying: str,
    as_of_ms: int,
    run_id: str,
) -> tuple[Message, ...]:
    """Return tonight's message, or none where nothing opened, worsened or ended.

    An incident of severity info is recorded and told nobody.
    """
    news = [
        t
        for t in transitions
        if t.event in _NEWS and t.incident.severity.rank >= Severity.AMBER.rank
    ]
    if not news:
        return ()
    # The end of a trouble is told as quietly as may be: on the amber route.
    severity = max(
        (Severity.AMBER if t.event is Event.RESOLVED else t.incident.severity for t in news),
        key=lambda s: s.rank,
    )
    first = max(news, key=lambda t: (t.event is not Event.RESOLVED, t.incident.severity.rank))
    head = f"{first.incident.cause} {_WORDS[first.event]}"
    more = f", and {len(news) - 1} more" if len(news) > 1 else ""
    title = f"[{severity.value.upper()}] {venue} {underlying}: {head}{more}"
    lines = [f"{underlying} on {venue}, {from_ms(as_of_ms):%Y-%m-%d %H:%M} UTC", ""]
    for t in news:
        i = t.incident
        lines.append(f"{i.severity.value.upper()} {i.cause}, {_WORDS[t.event]} ({i.id})")
        lines.append(f"  {i.message}")
        if t.event is not Event.OPENED:
            lines.append(f"  since {from_ms(i.opened_at_ms):%Y-%m-%d}, {i.runs_seen} runs")
    lines += ["", "Board"]
    lines += [f"  {v.model:<10} {v.status.value:<13} {v.reason}" for v in verdicts]
    lines += ["", f"misspec alerts show {first.incident.id}", f"run {run_id}"]
    return (Message(run_id, severity, title, "\n".join(lines)),)
