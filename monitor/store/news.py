"""News of incidents: gathered into messages, once, in one transaction.

What to say and to whom is decided by the caller's pure function; here stands only that a piece of
news and the message that tells it change together, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.engine import Connection

from monitor.incidents.base import Incident, Message, State
from monitor.incidents.digest import REMINDED, BoardRow, Item
from monitor.incidents.news import Plan, Waiting
from monitor.incidents.silence import Silence
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.folder import query
from monitor.store.folding import Standing, read_standings
from monitor.store.silences import read_silences
from monitor.store.times import END_OF_TIME, iso, moment
from monitor.store.writer import queue
from monitor.verdict.base import Severity
from monitor.verdict.market import MARKET

_n = schema.news.c


@dataclass(frozen=True)
class Desk:
    """What is known when news are gathered.

    Attributes
    ----------
    waiting : tuple of Waiting
        Not told yet, oldest first.
    standing : tuple of Incident
        Not resolved.
    told_at : dict of incident id to datetime
    silences : tuple of Silence
    board : tuple of dict
        Rows of the verdict board of nightly streams.
    """

    waiting: tuple[Waiting, ...]
    standing: tuple[Incident, ...]
    told_at: dict[str, datetime]
    silences: tuple[Silence, ...]
    board: tuple[dict[str, Any], ...]


Decide = Callable[[Desk], tuple[Plan, Sequence[Message]]]


def gather(store: Store, decide: Decide, *, now: datetime, before: datetime | None = None) -> Plan:
    """Turn waiting news into messages in the outbox, and return what was done.

    Parameters
    ----------
    decide : callable
        From what is known to what is told, and in which messages.
    now : datetime
        The desk's time.
    before : datetime, optional
        Leave news of runs alone that are younger: the night that brought them may be about to
        gather them. What the watchdog found belongs to no run, and is told at once.
    """
    at = iso(now)
    try:
        with store.writing() as connection:
            desk = read_desk(connection, before=iso(before or now))
            plan, messages = decide(desk)
            _mark(connection, plan.silenced, state="silenced", told=None)
            if _mark(connection, plan.told, state="told", told=at) != len(plan.told):
                raise _GatheredByARival
            if plan.reminders:
                connection.execute(insert(schema.news), _reminders(connection, plan, at))
            queue(connection, messages, run=None, wall=at)
    except _GatheredByARival:
        return Plan()  # its messages say it, and ours were not queued
    return plan


class _GatheredByARival(Exception):
    pass


def read_desk(connection: Connection, *, before: str = END_OF_TIME) -> Desk:
    """Return what is known of news, incidents, silences and the board."""
    standings = read_standings(connection)
    by_number = _numbers(connection, standings)
    return Desk(
        waiting=tuple(_waiting(connection, by_number, before)),
        standing=tuple(s.incident for s in standings if s.incident.state is not State.RESOLVED),
        told_at=_told_at(connection),
        silences=read_silences(connection),
        board=_board(connection),
    )


def _numbers(connection: Connection, standings: Sequence[Standing]) -> dict[int, Incident]:
    by_id = {s.incident.id: s.incident for s in standings}
    found = connection.execute(select(schema.incidents.c.key, schema.incidents.c.id)).all()
    return {key: by_id[id_] for key, id_ in found if id_ in by_id}


def _waiting(connection: Connection, incidents: dict[int, Incident], before: str) -> list[Waiting]:
    wanted = (
        select(_n.key, _n.incident_key, _n.event, _n.severity, _n.slot, _n.state)
        .where(_n.state != "told", or_(_n.run_key.is_(None), _n.queued_wall <= before))
        .order_by(_n.key)
    )
    return [
        Waiting(
            number,
            Item(incidents[incident], event, Severity(severity), slot),
            silenced=state == "silenced",
        )
        for number, incident, event, severity, slot, state in connection.execute(wanted)
        if incident in incidents  # the run that brought it speaks for its slot no longer
    ]


def _told_at(connection: Connection) -> dict[str, datetime]:
    wanted = (
        select(schema.incidents.c.id, func.max(_n.told_wall))
        .join(schema.incidents, schema.incidents.c.key == _n.incident_key)
        .where(_n.state == "told")
        .group_by(schema.incidents.c.id)
    )
    return {id_: moment(at) for id_, at in connection.execute(wanted)}


def _board(connection: Connection) -> tuple[dict[str, Any], ...]:
    values = {"at": END_OF_TIME, "as_known": END_OF_TIME}
    rows = connection.execute(query("status"), values).mappings().all()
    return tuple(dict(row) for row in rows)


def _mark(connection: Connection, numbers: Sequence[int], *, state: str, told: str | None) -> int:
    if not numbers:
        return 0
    changed = connection.execute(
        update(schema.news)
        .where(_n.key.in_(numbers), _n.state != "told")
        .values(state=state, told_wall=told)
    )
    return changed.rowcount


def _reminders(connection: Connection, plan: Plan, at: str) -> list[dict[str, Any]]:
    ids = [i.id for i in plan.reminders]
    wanted = select(schema.incidents.c.id, schema.incidents.c.key)
    keys = dict(connection.execute(wanted.where(schema.incidents.c.id.in_(ids))).tuples().all())
    return [
        {
            "incident_key": keys[i.id],
            "run_key": None,
            "slot": at,
            "event": REMINDED,
            "severity": str(i.severity),
            "queued_wall": at,
            "state": "told",
            "told_wall": at,
        }
        for i in plan.reminders
    ]


def board_rows(
    board: Sequence[dict[str, Any]], *, cadence: str, models: Sequence[str]
) -> tuple[BoardRow, ...]:
    """Return the board of one cadence: markets first, then models as configured.

    A stream whose latest night is more than a night and a half older than the board's is unknown:
    yesterday's green is not tonight's.
    """
    rows = [row for row in board if row["cadence"] == cadence]
    if not rows:
        return ()
    latest = max(moment(row["as_of"]) for row in rows)
    rank = {name: n for n, name in enumerate((MARKET, *models))}
    rows.sort(
        key=lambda r: (r["venue"], r["underlying"], rank.get(r["model"], len(rank)), r["model"])
    )
    return tuple(_row(row, latest) for row in rows)


def _row(row: dict[str, Any], latest: datetime) -> BoardRow:
    as_of = moment(row["as_of"])
    where, night = f"{row['venue']} {row['underlying']}", f"{as_of:%Y-%m-%d %H:%M} UTC"
    if (latest - as_of).total_seconds() > _OLD_S:
        return BoardRow(where, night, row["model"], "unknown", "no pass since")
    return BoardRow(where, night, row["model"], row["status"], row["reason"])


_OLD_S = 1.5 * 86_400
