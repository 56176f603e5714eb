"""What a message of the desk is made of: news, what stands open besides, the board."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.incidents.base import Event, Incident
from monitor.incidents.words import place
from monitor.verdict.base import Severity

REMINDED = "reminded"  # of a red incident that nobody has acknowledged
WORDS: dict[str, str] = {
    Event.OPENED: "opened",
    Event.REOPENED: "is back",
    Event.ESCALATED: "got worse",
    Event.RESOLVED: "resolved",
    REMINDED: "is still open, not acknowledged",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of news.

    Attributes
    ----------
    incident : Incident
        As it stands now.
    event : str
    severity : Severity
        As it was when it happened.
    slot : str
        The night it happened in.
    """

    incident: Incident
    event: str
    severity: Severity
    slot: str

    @property
    def loudness(self) -> Severity:
        """How loudly it is told: the end of a trouble as quietly as may be."""
        return Severity.AMBER if self.event == Event.RESOLVED else self.severity

    @property
    def words(self) -> str:
        """What happened, in two words."""
        return WORDS[self.event]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One row of the verdict board."""

    where: str
    as_of: str
    model: str
    status: str
    reason: str


@dataclass(frozen=True)
class Digest:
    """What one receiver is told.

    Attributes
    ----------
    items : tuple of Item
        The loudest first.
    standing : tuple of Incident
        Open incidents without news.
    board : tuple of BoardRow
    remarks : tuple of str
        What is not about an incident: silences that ended, a watchdog that sleeps.
    link : str
        Base address of the dashboard; empty: none.
    flapping_reopenings : int
    """

    items: tuple[Item, ...]
    standing: tuple[Incident, ...] = ()
    board: tuple[BoardRow, ...] = ()
    remarks: tuple[str, ...] = ()
    link: str = ""
    flapping_reopenings: int = 2

    @property
    def severity(self) -> Severity:
        """The loudest of its news."""
        return max((i.loudness for i in self.items), key=lambda s: s.rank)

    @property
    def title(self) -> str:
        """One line: the severity, the night, the loudest news, how many more."""
        first = self.items[0]
        more = f", and {len(self.items) - 1} more" if len(self.items) > 1 else ""
        night = max(i.slot for i in self.items)[:10]
        said = f"{place(first.incident)}: {first.incident.cause} {first.words}"
        return f"[{self.severity.value.upper()}] {night} {said}{more}"
