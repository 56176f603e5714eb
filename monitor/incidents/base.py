"""The incident and its life, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitor.verdict.base import Cause, Severity


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What happened to an incident on a night, or by a desk's hand."""

    OPENED = "opened"
    ESCALATED = "escalated"  # more severe, or another model has it too
    SEEN = "seen"
    HELD = "held"  # below its opening level and not yet below its closing level
    QUIET = "quiet"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"


NEWS = (Event.OPENED, Event.REOPENED, Event.ESCALATED, Event.RESOLVED)
EVERYWHERE = "*"  # the underlying of an incident of a whole venue, the venue of one of a job


@dataclass(frozen=True, slots=True)
class Member:
    """One number of an incident: found tonight, or found earlier and not calm for long enough.

    Attributes
    ----------
    model : str or None
    metric, scope : str
    value, threshold : float or None
        None where the finding has no size: it is then over as soon as it is not found.
    is_floor : bool
        Whether the trouble is to lie below the threshold.
    is_found : bool
        Whether it was found tonight; else it is beyond its closing level, or calm.
    runs_calm : int
        Runs in a row within its closing level.
    """

    model: str | None
    metric: str
    scope: str
    value: float | None
    threshold: float | None
    is_floor: bool = False
    is_found: bool = True
    runs_calm: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble of the desk, from its opening to its resolution.

    Attributes
    ----------
    id : str
        Derived from the key and the opening time: the same on every replay.
    key : str
        ``venue/underlying/cadence/cause/subject``: one trouble, one key.
    state : State
    severity : Severity
        The worst it has reached.
    cause : Cause
    venue, underlying, cadence : str
    model : str or None
        The model it concerns most; None where it concerns the chain.
    metric, scope : str
        The number that speaks for it.
    opened_at_ms, last_seen_ms : int
        The venue's time.
    resolved_at_ms : int or None
    value, threshold, usd : float or None
    message : str
    run_id : str
        The run that saw it last.
    escalated : bool
        Whether its severity has risen since it opened.
    runs_seen, runs_quiet : int
        Runs it has been seen in; runs in a row without it since.
    reopenings : int
        How often it came back after it had been resolved; from `flapping_reopenings` on it flaps.
    models : tuple of str
        Every model it has concerned, in the order in which they joined.
    members : tuple of Member
        The numbers behind it.
    """

    id: str
    key: str
    state: State
    severity: Severity
    cause: Cause
    venue: str
    underlying: str
    cadence: str
    model: str | None
    metric: str
    scope: str
    opened_at_ms: int
    last_seen_ms: int
    resolved_at_ms: int | None
    value: float | None
    threshold: float | None
    usd: float | None
    message: str
    run_id: str
    escalated: bool = False
    runs_seen: int = 1
    runs_quiet: int = 0
    reopenings: int = 0
    models: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """One event in an incident's life: what happened, and the incident after it."""

    event: Event
    incident: Incident

    @property
    def is_news(self) -> bool:
        """Whether the desk is told: what opens, comes back, worsens or ends, above info."""
        return self.event in NEWS and self.incident.severity.rank >= Severity.AMBER.rank


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered to the desk; the outbox keeps it until it is.

    Attributes
    ----------
    key : str
        Identifies the message for ever: the same run gives the same key, so that it is queued
        once and a deduplicating receiver sees it once.
    severity : Severity
        Chooses the route.
    title, body : str
        Plain text.
    html : str or None
        The body for receivers that show it.
    receivers : tuple of str or None
        Names of the receivers (addresses without their secrets); None: the route of the severity.
    """

    key: str
    severity: Severity
    title: str
    body: str
    html: str | None = None
    receivers: tuple[str, ...] | None = None
