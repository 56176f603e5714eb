"""What people do with incidents: acknowledge, resolve. Appended, with author, time and note."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from monitor.conventions import to_ms
from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Event, Incident, State, Transition
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.folder import query
from monitor.store.folding import Standing, read_standings
from monitor.store.times import iso, ms_from_iso
from monitor.store.writer import insert_events
from monitor.verdict.base import Kind

VERDICTS = ("true", "false", "known")  # was it a trouble? a known one is true, and no news


def acknowledge(
    store: Store,
    incident: str,
    *,
    author: str,
    note: str,
    wall: datetime,
    verdict: str | None = None,
) -> Incident:
    """Record that somebody has seen an incident and is on it; return it as it now stands.

    Parameters
    ----------
    incident : str
        Its id, or as much of the beginning as tells it from the others.
    author, note : str
        Who, and why; the author may not be empty.
    wall : datetime
        The desk's time.
    verdict : {"true", "false", "known"}, optional
        Whether it was right to tell: what precision is counted by.

    Raises
    ------
    UnknownNameError
        If no incident has that id (lists those not resolved), or there is no such verdict.
    UsageError
        If several begin so, if it is resolved, or if nobody signs.
    """
    return _act(
        store, incident, State.ACKNOWLEDGED, author=author, note=note, wall=wall, verdict=verdict
    )


def resolve(
    store: Store,
    incident: str,
    *,
    author: str,
    note: str,
    wall: datetime,
    verdict: str | None = None,
) -> Incident:
    """Record that an incident is over; return it as it now stands. See `acknowledge`.

    If its trouble is still there at the next pass, it is opened again.
    """
    return _act(
        store, incident, State.RESOLVED, author=author, note=note, wall=wall, verdict=verdict
    )


def find(store: Store, incident: str) -> Incident:
    """Return the incident of that id, or whose id begins so. Raises as `acknowledge` does."""
    with store.reading() as connection:
        return _find(connection, incident).incident


def life_of(store: Store, incident: str) -> list[dict[str, Any]]:
    """Return every event in an incident's life that counts, as it happened; raises as `find`."""
    with store.reading() as connection:
        id_ = _find(connection, incident).incident.id
        rows = connection.execute(query("incident_life"), {"id": id_}).mappings().all()
    return [dict(row) for row in rows]


def diagnosis_of(store: Store, incident: Incident) -> list[dict[str, Any]]:
    """Return why its models are wrong, as of the run that saw the incident last.

    One row a diagnosis, ``model, metric, scope, value, message``, in the order of the argument.
    """
    f, m = schema.findings.c, schema.models.c
    wanted = (
        select(m.name.label("model"), f.metric, f.scope, f.value, f.message)
        .join(schema.runs, schema.runs.c.key == f.run_key)
        .join(schema.models, m.key == f.model_key)
        .where(
            schema.runs.c.id == incident.run_id,
            f.kind == str(Kind.DIAGNOSIS),
            m.name.in_(incident.models),
        )
        .order_by(f.model_key, f.i)
    )
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def _act(
    store: Store,
    incident: str,
    state: State,
    *,
    author: str,
    note: str,
    wall: datetime,
    verdict: str | None,
) -> Incident:
    if not author.strip():
        raise UsageError("an act of the desk needs an author: say who you are")
    if verdict is not None and verdict not in VERDICTS:
        raise UnknownNameError("verdict", verdict, VERDICTS)
    with store.writing() as connection:
        standing = _find(connection, incident)
        before = standing.incident
        # What ended by itself before anybody came can still be judged true or false.
        late_word = verdict is not None and state is State.ACKNOWLEDGED
        if before.state is State.RESOLVED and late_word:
            state = State.RESOLVED
        elif before.state is State.RESOLVED:
            raise UsageError(
                f"incident {before.id} is resolved already; nothing was changed. "
                "It opens again by itself if its trouble comes back"
            )
        resolved_at = before.resolved_at_ms
        if state is State.RESOLVED and before.state is not State.RESOLVED:
            resolved_at = _venue_now(connection, before, wall)
        after = replace(before, state=state, resolved_at_ms=resolved_at)
        is_ack = state is State.ACKNOWLEDGED or before.state is State.RESOLVED
        event = Event.ACKNOWLEDGED if is_ack else Event.RESOLVED
        insert_events(
            store,
            connection,
            [Transition(event, after)],
            run=None,
            slot=standing.slot,
            wall=iso(wall),
            author=author.strip(),
            note=note,
            verdict=verdict,
        )
    return after


def _venue_now(connection: Connection, incident: Incident, wall: datetime) -> int:
    """Return the venue's time of the stream's latest run; the desk's where it has none."""
    r, t = schema.runs.c, schema.streams.c
    latest = connection.scalar(
        select(func.max(r.as_of))
        .join(schema.streams, t.key == r.stream_key)
        .where(
            t.venue == incident.venue,
            t.underlying == incident.underlying,
            t.cadence == incident.cadence,
        )
    )
    return to_ms(wall) if latest is None else ms_from_iso(latest)


def _find(connection: Connection, wanted: str) -> Standing:
    standings = read_standings(connection, members=True)
    found = [s for s in standings if s.incident.id.startswith(wanted)] if wanted else []
    exact = [s for s in found if s.incident.id == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        ids = ", ".join(s.incident.id for s in found[:5])
        raise UsageError(f"{len(found)} incidents begin with {wanted!r} ({ids}): give more of it")
    open_ids = [s.incident.id for s in standings if s.incident.state is not State.RESOLVED]
    raise UnknownNameError("incident", wanted, open_ids)
