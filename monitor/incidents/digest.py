"""What the desk reads in the morning: one message a night, to each receiver what concerns it.

The news of all underlyings of the night, what stands open besides, and the board. Nothing new and
nothing to be reminded of: no message. Pure: what is told to whom is a function of the news, the
routes and the silences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.arrays import digest_of
from monitor.incidents.base import Event, Incident, Message
from monitor.incidents.matching import Owners, Route, receivers_of
from monitor.incidents.pages import html_of, text_of
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


def address(
    items: Sequence[Item],
    *,
    owners: Owners,
    routes: Sequence[Route],
    otherwise: Mapping[str, tuple[str, ...]],
) -> dict[tuple[str, ...], tuple[Item, ...]]:
    """Return what is told to whom: receivers who are told the same share one message.

    News that no receiver is named for goes to the one without a name, the log.
    """
    by_receiver: dict[str, list[Item]] = {}
    for item in items:
        told = receivers_of(item.incident, item.loudness, owners, routes, otherwise)
        for receiver in told or ("",):
            by_receiver.setdefault(receiver, []).append(item)
    groups: dict[tuple[Item, ...], list[str]] = {}
    for receiver, its in by_receiver.items():
        groups.setdefault(tuple(its), []).append(receiver)
    return {tuple(sorted(names)): its for its, names in groups.items()}


def message_of(digest: Digest, receivers: tuple[str, ...], now: datetime) -> Message:
    """Return the message of a digest; the same news give the same key for ever.

    A reminder is news of its own each time: its slot is the moment it was due.
    """
    told = sorted((i.incident.id, i.slot, i.event) for i in digest.items)
    names = tuple(name for name in receivers if name)
    return Message(
        key=digest_of([told, receivers])[:16],
        severity=digest.severity,
        title=digest.title,
        body=text_of(digest, now),
        html=html_of(digest, now),
        receivers=names,
    )


def in_order(items: Sequence[Item]) -> tuple[Item, ...]:
    """Return news with the loudest first; what ended comes last."""

    def rank(item: Item) -> tuple[int, int, str, str]:
        ended = item.event == Event.RESOLVED
        return (ended, -item.loudness.rank, place(item.incident), item.incident.key)

    return tuple(sorted(items, key=rank))
