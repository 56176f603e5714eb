"""From the events in an incident's life to the incident as it stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.engine import Connection

from monitor.incidents.base import EVERYWHERE, Event, Incident, Member, State
from monitor.store import schema
from monitor.store.folder import query
from monitor.store.times import END_OF_TIME, ms_from_iso, ms_or_none
from monitor.verdict.base import Cause, Severity

AFTER_ALL_SLOTS = "~"  # sorts after every slot, which begins with a digit


@dataclass(frozen=True, slots=True)
class Standing:
    """An incident as it stands, and the slot in which its state last changed.

    Attributes
    ----------
    incident : Incident
    slot : str
        Of the machine's last event.
    turned_slot : str
        Of the event that gave it its state.
    """

    incident: Incident
    slot: str
    turned_slot: str


def read_standings(
    connection: Connection,
    *,
    stream: int | None = None,
    slot: str = AFTER_ALL_SLOTS,
    as_known: str = END_OF_TIME,
    resolved_since: str = "",
    members: bool = False,
) -> list[Standing]:
    """Return incidents as they stood before `slot`, by what was known at `as_known`.

    Those resolved in a slot before `resolved_since` are left out: years of them are read fast,
    but not built. The numbers behind each are read where `members` are asked for.
    """
    values = {"stream": stream, "slot": slot, "as_known": as_known}
    found = connection.execute(query("incidents"), values)
    columns = tuple(found.keys())
    standings, runs = [], {}
    for values_of_row in found.cursor.fetchall():
        row = dict(zip(columns, values_of_row, strict=True))
        by_desk = row["desk_state"] is not None and row["turned"] != Event.RESOLVED
        state = row["desk_state"] if by_desk else row["state"]
        turned = (row["desk_slot"] if by_desk else row["turned_slot"]) or row["slot"]
        if state != State.RESOLVED or turned >= resolved_since:
            standings.append(Standing(_incident(row, by_desk), row["slot"], turned))
            runs[row["id"]] = (row["run_key"], row["incident_no"])
    if not members:
        return standings
    behind = _members(connection, {run for run, _ in runs.values() if run is not None})
    return [
        replace(s, incident=replace(s.incident, members=behind.get(runs[s.incident.id], ())))
        for s in standings
    ]


def _members(
    connection: Connection, runs: Collection[int]
) -> dict[tuple[int, int], tuple[Member, ...]]:
    """Return the numbers behind incidents, by run and incident."""
    m = schema.incident_members.c
    wanted = (
        select(
            *(m.run_key, m.incident_key, m.model, m.metric, m.scope, m.value, m.threshold),
            *(m.is_floor, m.is_found, m.runs_calm),
        )
        .where(m.run_key.in_(sorted(runs)))
        .order_by(m.run_key, m.incident_key, m.i)
    )
    behind: dict[tuple[int, int], tuple[Member, ...]] = {}
    for run, incident, *fields in connection.execute(wanted):
        behind[run, incident] = (*behind.get((run, incident), ()), Member(*fields))
    return behind


def read_incidents(
    connection: Connection,
    *,
    stream: int,
    slot: str,
    resolved_since: str = "",
    as_known: str = END_OF_TIME,
) -> tuple[Incident, ...]:
    """Return the incidents a pass may know: not resolved, or resolved since that slot.

    Those of the stream, and those of its whole venue.
    """
    found = [
        standing.incident
        for key in (stream, *_whole_venue(connection, stream))
        for standing in read_standings(
            connection,
            stream=key,
            slot=slot,
            as_known=as_known,
            resolved_since=resolved_since,
            members=True,
        )
    ]
    return tuple(sorted(found, key=lambda i: (i.opened_at_ms, i.id)))


def _whole_venue(connection: Connection, stream: int) -> Sequence[int]:
    """Return the key of the stream that stands for all underlyings of a stream's venue, if any."""
    t, whole = schema.streams.alias(), schema.streams.alias()
    wanted = (
        select(whole.c.key)
        .join(t, and_(t.c.venue == whole.c.venue, t.c.cadence == whole.c.cadence))
        .where(t.c.key == stream, whole.c.underlying == EVERYWHERE, whole.c.key != stream)
    )
    return connection.execute(wanted).scalars().all()


def _incident(row: Mapping[str, Any], by_desk: bool) -> Incident:
    """Lay what the desk did over what the machine said.

    The machine's last event gives the facts. The state is the desk's where it acted after the
    machine last opened, escalated, reopened or resolved the incident; a pass that merely saw it
    again, perhaps without knowing yet what the desk did, does not undo that.
    """
    resolved_at = row["desk_resolved_at"] if by_desk else row["resolved_at"]
    return Incident(
        id=row["id"],
        key=row["trouble"],
        state=State(row["desk_state"] if by_desk else row["state"]),
        severity=Severity(row["severity"]),
        cause=Cause(row["cause"]),
        venue=row["venue"],
        underlying=row["underlying"],
        cadence=row["cadence"],
        model=row["model"],
        metric=row["metric"],
        scope=row["scope"],
        opened_at_ms=ms_from_iso(row["opened_at"]),
        last_seen_ms=ms_from_iso(row["last_seen"]),
        resolved_at_ms=ms_or_none(resolved_at),
        value=row["value"],
        threshold=row["threshold"],
        usd=row["usd"],
        message=row["message"],
        run_id=row["run_id"],
        escalated=bool(row["escalated"]),
        runs_seen=row["runs_seen"],
        runs_quiet=row["runs_quiet"],
        reopenings=row["reopenings"],
        models=tuple(row["models"].split()),
    )
