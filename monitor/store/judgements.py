"""Expert judgement as the desk keeps it: appended, ended, never changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from monitor.arrays import digest_of
from monitor.conventions import from_ms
from monitor.errors import UnknownNameError, UsageError
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import END_OF_TIME, iso, iso_from_ms, ms_from_iso
from monitor.verdict.judgement import Judgement, JudgementKind

_j, _e = schema.judgements.c, schema.judgement_ends.c


def add_judgement(store: Store, judgement: Judgement, *, wall: datetime) -> Judgement:
    """Record a judgement, and return it with its id.

    Raises
    ------
    UsageError
        If nobody signs, no reason is given, or it ends before it begins.
    """
    if not judgement.author.strip() or not judgement.reason.strip():
        raise UsageError("a judgement needs an author and a reason: it will be read in a year")
    if judgement.until_ms <= judgement.since_ms:
        since, until = from_ms(judgement.since_ms), from_ms(judgement.until_ms)
        raise UsageError(f"the judgement would end ({until:%F}) before it begins ({since:%F})")
    id_ = digest_of([judgement.effect, judgement.venue, judgement.underlying, iso(wall)])[:8]
    judgement = replace(judgement, id=id_)
    with store.writing() as connection:
        connection.execute(
            insert(schema.judgements).values(
                id=id_,
                kind=str(judgement.kind),
                venue=judgement.venue,
                underlying=judgement.underlying,
                model=judgement.model,
                subject=judgement.subject,
                value=judgement.value,
                spread=judgement.spread,
                since=iso_from_ms(judgement.since_ms),
                until=iso_from_ms(judgement.until_ms),
                author=judgement.author.strip(),
                reason=judgement.reason.strip(),
                incident=judgement.incident,
                created_wall=iso(wall),
            )
        )
    return judgement


def end_judgement(
    store: Store, id_: str, *, author: str, reason: str, until_ms: int, wall: datetime
) -> Judgement:
    """End a judgement before its time, and return it as it now stands.

    Raises
    ------
    UnknownNameError
        If none has that id; lists those that have not ended.
    UsageError
        If it has ended by then already, or nobody signs.
    """
    if not author.strip():
        raise UsageError("an act of the desk needs an author: say who you are")
    with store.writing() as connection:
        found = _find(connection, id_)
        if found.until_ms <= until_ms:
            raise UsageError(f"{found.id} has ended on {from_ms(found.until_ms):%Y-%m-%d} already")
        key = connection.execute(select(_j.key).where(_j.id == found.id)).scalar_one()
        end = max(until_ms, found.since_ms)
        connection.execute(
            insert(schema.judgement_ends).values(
                judgement_key=key,
                until=iso_from_ms(end),
                author=author.strip(),
                reason=reason.strip(),
                wall=iso(wall),
            )
        )
    return replace(found, until_ms=end)


def list_judgements(store: Store, *, as_known: datetime | None = None) -> tuple[Judgement, ...]:
    """Return every judgement, oldest first; with `as_known`, as they were known then."""
    with store.reading() as connection:
        return read_judgements(
            connection, as_known=END_OF_TIME if as_known is None else iso(as_known)
        )


def find_judgement(store: Store, id_: str) -> Judgement:
    """Return the judgement whose id begins so. Raises as `end_judgement` does."""
    with store.reading() as connection:
        return _find(connection, id_)


def next_night(store: Store, venue: str | None, underlying: str | None) -> datetime | None:
    """Return the venue's time just after the latest stored run of a place; None without a run.

    What is said today is about nights to come, by the venue's clock and not by the desk's.
    """
    r, t = schema.runs.c, schema.streams.c
    wanted = select(func.max(r.as_of)).join(schema.streams, t.key == r.stream_key)
    if venue is not None:
        wanted = wanted.where(t.venue == venue)
    if underlying is not None:
        wanted = wanted.where(t.underlying == underlying)
    with store.reading() as connection:
        latest = connection.scalar(wanted)
    return None if latest is None else from_ms(ms_from_iso(latest) + 1)


def read_judgements(
    connection: Connection, *, as_known: str = END_OF_TIME
) -> tuple[Judgement, ...]:
    """Return every judgement, oldest first, each until its earliest known end."""
    ends: dict[int, list[str]] = defaultdict(list)
    known = select(_e.judgement_key, _e.until).where(_e.wall <= as_known)
    for key, until in connection.execute(known):
        ends[key].append(until)
    rows = connection.execute(
        select(schema.judgements).where(_j.created_wall <= as_known).order_by(_j.key)
    ).mappings()
    return tuple(
        Judgement(
            id=row["id"],
            kind=JudgementKind(row["kind"]),
            subject=row["subject"],
            since_ms=ms_from_iso(row["since"]),
            until_ms=ms_from_iso(min([row["until"], *ends[row["key"]]])),
            author=row["author"],
            reason=row["reason"],
            venue=row["venue"],
            underlying=row["underlying"],
            model=row["model"],
            value=row["value"],
            spread=row["spread"],
            incident=row["incident"],
        )
        for row in rows
    )


def _find(connection: Connection, id_: str) -> Judgement:
    known = read_judgements(connection)
    found = [j for j in known if id_ and j.id.startswith(id_)]
    if len(found) != 1:
        raise UnknownNameError("judgement", id_, [j.id for j in known])
    return found[0]
