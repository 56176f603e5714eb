"""Sentences about incidents and numbers, as the desk reads them."""

from __future__ import annotations

from monitor.conventions import from_ms
from monitor.incidents.base import EVERYWHERE, Incident
from monitor.incidents.hysteresis import Tonight
from monitor.verdict.base import Cause
from monitor.verdict.market import MARKET


def shown(value: float, unit: str) -> str:
    """Return a number in the unit that a desk speaks of.

    Examples
    --------
    >>> shown(0.0706, "vol"), shown(0.85, "share"), shown(1.4, "limits"), shown(12.0, "count")
    ('7.06 vol points', '85 %', '1.4 limits', '12')
    """
    if unit == "vol":
        return f"{100 * value:.2f} vol points"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.3g}" if unit in ("1", "count", "") else f"{value:.3g} {unit}"


def counted(n: int, what: str) -> str:
    """Return a count with its noun: ``1 run``, ``3 runs``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def place(incident: Incident) -> str:
    """Return where an incident is: ``deribit BTC``, ``deribit`` for a whole venue, or the job."""
    if incident.venue == EVERYWHERE:
        return incident.cadence
    if incident.underlying == EVERYWHERE:
        return incident.venue
    return f"{incident.venue} {incident.underlying}"


def ending(before: Incident, tonight: Tonight, runs: int) -> str:
    """Return what ended, and how things stand now: never the last alarm as if it were current."""
    first, last = (f"{from_ms(ms):%Y-%m-%d}" for ms in (before.opened_at_ms, before.last_seen_ms))
    stood = f"on {first}" if first == last else f"from {first} to {last}"
    was = f"it stood {stood}, {counted(before.runs_seen, 'run')}"
    if before.cause in (Cause.DATA, Cause.LIQUIDITY):
        return f"over: the chain can be judged again; {was}. It was: {before.message}"
    if before.cause is Cause.JOB:
        return f"over: it is done again; {was}. It was: {before.message}"
    subject = before.model or MARKET
    now = tonight.values.get((before.model, before.metric, before.scope))
    if now is None or before.value is None:
        return f"over: {subject} calm for {counted(runs, 'run')}; {was}. It was: {before.message}"
    name = before.metric
    if before.scope.startswith("headline:"):
        name = f"{name} of {before.scope.removeprefix('headline:')}"
    numbers = (
        f"{shown(now.value, now.unit)} tonight, {shown(before.value, now.unit)} when last seen"
    )
    limit = ""
    if before.threshold is not None and now.unit != "limits":  # a score is in limits already
        limit = f", limit {shown(before.threshold, now.unit)}"
    return f"over: {subject} {name} {numbers}{limit}; {was}"
