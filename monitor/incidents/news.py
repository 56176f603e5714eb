"""Of all that waits to be told: what is told now, what a silence keeps back, what is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.incidents.base import Event, Incident, State
from monitor.incidents.digest import REMINDED, Item, in_order
from monitor.incidents.matching import Owners
from monitor.incidents.silence import Silence, silence_of
from monitor.verdict.base import Severity

# Nights do not begin to the second: a reminder due within the hour is due.
_SLACK = timedelta(hours=1)
_AT_ONCE = (Event.OPENED, Event.REOPENED)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One piece of news in the store.

    Attributes
    ----------
    number : int
        In the order in which they came.
    item : Item
    silenced : bool
        Whether a silence has kept it back so far.
    """

    number: int
    item: Item
    silenced: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be done with the news.

    Attributes
    ----------
    items : tuple of Item
        To be told, the loudest first.
    told, silenced : tuple of int
        Numbers of the news that are done with, and of those kept back.
    reminders : tuple of Incident
        Among the items: told again though nothing happened.
    """

    items: tuple[Item, ...] = ()
    told: tuple[int, ...] = ()
    silenced: tuple[int, ...] = ()
    reminders: tuple[Incident, ...] = ()


def plan(
    waiting: Sequence[Waiting],
    standing: Iterable[Incident],
    *,
    told_at: Mapping[str, datetime],
    silences: Sequence[Silence],
    owners: Owners,
    now: datetime,
    repeat: timedelta | None,
) -> Plan:
    """Return what is told now.

    Several pieces of news of one incident are one: it is told as it stands. One that opened and
    ended before anybody could be told is told as ended, unless a silence was meant to cover it.
    What a silence kept back is told when the silence is over, if the trouble is not.

    Parameters
    ----------
    waiting : sequence of Waiting
        Not told yet, oldest first; those kept back by a silence among them.
    standing : iterable of Incident
        All that are not resolved.
    told_at : mapping of incident id to datetime
        When each was last told.
    silences : sequence of Silence
    owners : mapping of model to owner
    now : datetime
        The desk's time.
    repeat : timedelta or None
        After how long a red incident that nobody has acknowledged is told again; None: never.
    """
    items: list[Item] = []
    told: list[int] = []
    kept_back: list[int] = []
    groups: dict[str, list[Waiting]] = {}
    for news in waiting:
        groups.setdefault(news.item.incident.id, []).append(news)
    for id_, group in groups.items():
        last = group[-1].item
        numbers = [news.number for news in group]
        ended = last.event == Event.RESOLVED
        silence = silence_of(last.incident, silences, owners, now)
        came_and_went = id_ not in told_at and any(news.silenced for news in group)
        if ended and (silence or came_and_went):
            told += numbers  # nobody asked to hear of it
        elif silence:
            kept_back += numbers
        else:
            told += numbers
            if ended or last.incident.state is not State.RESOLVED:
                items.append(_as_one(group))
    reminders = tuple(
        incident
        for incident in standing
        if repeat is not None
        and incident.id not in groups
        and incident.state is State.OPEN
        and incident.severity is Severity.RED
        and incident.id in told_at
        and now - told_at[incident.id] >= repeat - _SLACK
        and not silence_of(incident, silences, owners, now)
    )
    slot = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    items += [Item(i, REMINDED, i.severity, slot) for i in reminders]
    return Plan(in_order(items), tuple(told), tuple(kept_back), reminders)


def _as_one(group: Sequence[Waiting]) -> Item:
    """Return several pieces of news of one incident as one."""
    last = group[-1].item
    if last.event == Event.RESOLVED:
        return last
    first = next((n.item for n in group if n.item.event in _AT_ONCE), last)
    return replace(
        last,
        event=first.event,
        severity=max((n.item.severity for n in group), key=lambda s: s.rank),
    )
