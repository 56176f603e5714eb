"""What a desk would have seen of one night, and no more: small enough to travel and to keep."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.assessment import Assessment
from monitor.incidents.base import Event
from monitor.incidents.lifecycle import is_blind
from monitor.verdict.base import Severity
from monitor.verdict.market import MARKET

# What tells the desk: the rest of an incident's life is silent.
_TELLS = (Event.OPENED, Event.REOPENED, Event.ESCALATED)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the desk was told, or that stood behind it.

    Attributes
    ----------
    severity, cause : str
    model : str
        ``market`` for the model-free smile and the feed.
    metric, scope, message : str
    """

    severity: str
    cause: str
    model: str
    metric: str
    scope: str
    message: str

    @property
    def pages(self) -> bool:
        """Whether it is red."""
        return self.severity == Severity.RED


@dataclass(frozen=True, slots=True)
class Seen:
    """One night.

    Attributes
    ----------
    night : int
        From the break on, 0 its own night; negative before it.
    told : tuple of Told
        Incidents that opened, came back or got worse.
    findings : tuple of Told
        All that was found tonight, told or known already.
    statuses : tuple of (str, str)
        Status of each model.
    blind : bool
        Whether the chain could not be judged.
    settled : bool
        Whether every reference was long enough for a red page.
    """

    night: int
    told: tuple[Told, ...]
    findings: tuple[Told, ...]
    statuses: tuple[tuple[str, str], ...]
    blind: bool
    settled: bool

    @property
    def pages(self) -> tuple[Told, ...]:
        """The red ones of what was told."""
        return tuple(t for t in self.told if t.pages)


def seen_of(found: Assessment, night: int, *, settled: bool) -> Seen:
    """Return what the desk would have seen of an assessment."""
    told = tuple(
        Told(str(i.severity), str(i.cause), i.model or MARKET, i.metric, i.scope, i.message)
        for i in (t.incident for t in found.transitions if t.event in _TELLS)
    )
    findings = tuple(
        Told(str(f.severity), str(f.cause), f.model or MARKET, f.metric, f.scope, f.message)
        for v in found.verdicts
        for f in v.findings
        if f.severity is not None
    )
    statuses = tuple((v.model, str(v.status)) for v in found.verdicts)
    return Seen(night, told, findings, statuses, is_blind(found.verdicts), settled)
