"""What the watchdog asks of the database, and what it leaves there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.engine import Connection

from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Incident, Message, State
from monitor.incidents.watch import Beat, Expectation, Measured, Undelivered
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.bulk import insert_or_nothing
from monitor.store.folder import query
from monitor.store.folding import read_standings
from monitor.store.times import END_OF_TIME, iso, moment
from monitor.store.writer import queue
from monitor.verdict.base import Cause
from monitor.verdict.market import MARKET

_o, _r = schema.outbox.c, schema.receipts.c


def expect(
    store: Store, job: str, places: Iterable[tuple[str, str]], *, wall: datetime
) -> tuple[Expectation, ...]:
    """Expect a job to answer for places, those that are new from now on; return all of them."""
    wanted = list(places)
    with store.writing() as connection:
        for venue, underlying in wanted:
            connection.execute(
                insert_or_nothing(connection, schema.heartbeats).values(
                    job=job, venue=venue, underlying=underlying, since_wall=iso(wall)
                )
            )
    return expected(store, job, wanted)


def expected(store: Store, job: str, places: Iterable[tuple[str, str]]) -> tuple[Expectation, ...]:
    """Return the places among `places` that a job is expected to answer for, and since when."""
    wanted, h = set(places), schema.heartbeats.c
    with store.reading() as connection:
        found = connection.execute(
            select(h.venue, h.underlying, h.since_wall)
            .where(h.job == job)
            .order_by(h.venue, h.underlying)
        )
        return tuple(
            Expectation(venue, underlying, moment(since))
            for venue, underlying, since in found
            if (venue, underlying) in wanted
        )


def beats_since(store: Store, job: str, since: datetime) -> tuple[Beat, ...]:
    """Return how the runs of a job ended that ended since a moment of the desk's time."""
    j, t = schema.job_runs.c, schema.streams.c
    wanted = (
        select(t.venue, t.underlying, j.started_wall, j.ended_wall, j.outcome, j.note)
        .join(schema.streams, t.key == j.stream_key)
        .where(j.job == job, j.ended_wall >= iso(since))
        .order_by(j.key)
    )
    with store.reading() as connection:
        return tuple(
            Beat(venue, underlying, moment(started), moment(ended), outcome, note)
            for venue, underlying, started, ended, outcome, note in connection.execute(wanted)
        )


def last_beat(store: Store, job: str) -> datetime | None:
    """Return when a job last ended, by the desk's time; None if it never did."""
    j = schema.job_runs.c
    with store.reading() as connection:
        at = connection.scalar(select(func.max(j.ended_wall)).where(j.job == job))
    return None if at is None else moment(at)


def measured_last(store: Store, cadence: str) -> tuple[Measured, ...]:
    """Return what the latest run of each place measured."""
    values = {"at": END_OF_TIME, "as_known": END_OF_TIME}
    with store.reading() as connection:
        rows = connection.execute(query("status"), values).mappings().all()
        latest: dict[tuple[str, str], int] = {}
        models: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            place = (row["venue"], row["underlying"])
            if row["cadence"] == cadence and row["model"] == MARKET:
                latest[place] = row["run_key"]
        for row in rows:
            place = (row["venue"], row["underlying"])
            if row["cadence"] == cadence and row["run_key"] == latest.get(place):
                models.setdefault(place, set()).add(row["model"])
        coverage = _coverage(connection, list(latest.values()))
    return tuple(
        Measured(*place, frozenset(models[place]), coverage.get(run))
        for place, run in latest.items()
    )


def _coverage(connection: Connection, runs: Sequence[int]) -> dict[int, float]:
    s, m = schema.series.c, schema.metrics.c
    wanted = (
        select(m.run_key, m.value)
        .join(schema.series, and_(s.key == m.series_key, s.metric == "coverage"))
        .where(m.run_key.in_(runs))
    )
    return dict(connection.execute(wanted).tuples().all())


def undelivered(store: Store, since: datetime) -> tuple[Undelivered, ...]:
    """Return the messages that have not arrived: all that wait, and the dead of late."""
    wanted = (
        select(_o.title, _o.queued_wall, _o.state, _o.last_error)
        .where(_o.state != "sent", (_o.state == "pending") | (_o.queued_wall >= iso(since)))
        .order_by(_o.key)
    )
    with store.reading() as connection:
        return tuple(
            Undelivered(title, moment(queued), state == "dead", error or "")
            for title, queued, state, error in connection.execute(wanted)
        )


def incidents_now(store: Store) -> tuple[Incident, ...]:
    """Return all incidents as they stand, those of jobs that are resolved among them."""
    with store.reading() as connection:
        return tuple(
            s.incident
            for s in read_standings(connection)
            if s.incident.state is not State.RESOLVED or s.incident.cause is Cause.JOB
        )


# --- test messages ------------------------------------------------------------------------------


def queue_test(store: Store, code: str, messages: Sequence[Message], *, wall: datetime) -> None:
    """Queue a test message, one or several addressed differently, that asks for one receipt."""
    at = iso(wall)
    with store.writing() as connection:
        queue(connection, messages, run=None, wall=at)
        connection.execute(
            insert(schema.receipts).values(code=code, message_key=messages[0].key, asked_wall=at)
        )


def last_test(store: Store) -> datetime | None:
    """Return when the latest test message was queued; None if there was none."""
    with store.reading() as connection:
        at = connection.scalar(select(func.max(_r.asked_wall)))
    return None if at is None else moment(at)


def unread_since(store: Store) -> datetime | None:
    """Return when the oldest test message was queued after the last that somebody confirmed."""
    with store.reading() as connection:
        confirmed = connection.scalar(
            select(func.max(_r.asked_wall)).where(_r.received_wall.is_not(None))
        )
        at = connection.scalar(
            select(func.min(_r.asked_wall)).where(_r.asked_wall > (confirmed or ""))
        )
    return None if at is None else moment(at)


def confirm(store: Store, code: str, *, author: str, wall: datetime) -> datetime:
    """Record that somebody has read a test message; return when it was sent.

    Raises
    ------
    UnknownNameError
        If no test message bears the code; lists those that wait.
    UsageError
        If nobody signs, or it was confirmed before.
    """
    if not author.strip():
        raise UsageError("a receipt needs an author: say who you are")
    with store.writing() as connection:
        rows = connection.execute(select(schema.receipts)).mappings().all()
        by_code = {row["code"]: row for row in rows}
        row = by_code.get(code.strip().upper())
        if row is None:
            waiting = [c for c, r in by_code.items() if r["received_wall"] is None]
            if not waiting:
                raise UsageError(f"no test message waits for a receipt; {code!r} is in none")
            raise UnknownNameError("test message", code, waiting)
        if row["received_wall"] is not None:
            raise UsageError(f"{row['code']} was confirmed by {row['author']} before")
        connection.execute(
            update(schema.receipts)
            .where(_r.code == row["code"])
            .values(author=author.strip(), received_wall=iso(wall))
        )
    return moment(row["asked_wall"])
