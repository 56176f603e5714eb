"""What the desk reads in the morning: one message a night, to each receiver what concerns it.

The news of all underlyings of the night, what stands open besides, and the board. Nothing new and
nothing to be reminded of: no message. Pure: what is told to whom is a function of the news, the
routes and the silences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.arrays import digest_of
from monitor.incidents.base import Event, Message
from monitor.incidents.letter import REMINDED as REMINDED
from monitor.incidents.letter import BoardRow as BoardRow
from monitor.incidents.letter import Digest as Digest
from monitor.incidents.letter import Item as Item
from monitor.incidents.matching import Owners, Route, receivers_of
from monitor.incidents.pages import html_of, text_of
from monitor.incidents.words import place


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
