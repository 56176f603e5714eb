"""Silences as the desk keeps them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from sqlalchemy import Row, insert, select, update
from sqlalchemy.engine import Connection

from monitor.arrays import digest_of
from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.matching import Matcher
from monitor.incidents.silence import Silence
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import iso, moment

_s = schema.silences.c
FIELDS = tuple(f.name for f in fields(Matcher))


def add_silence(
    store: Store, matcher: Matcher, *, author: str, reason: str, until: datetime, wall: datetime
) -> Silence:
    """Record a silence and return it.

    Raises
    ------
    UsageError
        If it means everything, has no author or reason, or is over before it begins.
    """
    if matcher.is_empty:
        raise UsageError("a silence of everything would hide the next trouble: say of what")
    if not author.strip() or not reason.strip():
        raise UsageError("a silence needs an author and a reason")
    if until <= wall:
        raise UsageError(f"the silence would be over before it begins: {until:%Y-%m-%d %H:%M} UTC")
    id_ = digest_of([str(matcher), author, iso(wall)])[:8]
    row = {name: ",".join(getattr(matcher, name)) or None for name in FIELDS}
    with store.writing() as connection:
        connection.execute(
            insert(schema.silences).values(
                id=id_,
                author=author.strip(),
                reason=reason.strip(),
                created_wall=iso(wall),
                until_wall=iso(until),
                **row,
            )
        )
    return Silence(id_, matcher, author.strip(), reason.strip(), wall, until)


def end_silence(store: Store, id_: str, *, author: str, wall: datetime) -> Silence:
    """Take a silence back, and return it as it now stands.

    Raises
    ------
    UnknownNameError
        If no silence that holds has that id; lists those that hold.
    """
    with store.writing() as connection:
        holding = {s.id: s for s in read_silences(connection) if s.is_active(wall)}
        found = [s for name, s in holding.items() if id_ and name.startswith(id_)]
        if len(found) != 1:
            raise UnknownNameError("silence that holds", id_, holding)
        connection.execute(
            update(schema.silences)
            .where(_s.id == found[0].id)
            .values(ended_wall=iso(wall), ended_by=author)
        )
    return Silence(*(getattr(found[0], f.name) for f in fields(Silence)[:-1]), wall)


def read_silences(connection: Connection) -> tuple[Silence, ...]:
    """Return every silence, oldest first."""
    return tuple(
        _silence(row) for row in connection.execute(select(schema.silences).order_by(_s.key))
    )


def list_silences(store: Store) -> tuple[Silence, ...]:
    """Return every silence, oldest first."""
    with store.reading() as connection:
        return read_silences(connection)


def _silence(row: Row[tuple[object, ...]]) -> Silence:
    values = row._mapping
    matcher = Matcher(
        **{name: tuple((values[name] or "").split(",")) if values[name] else () for name in FIELDS}
    )
    return Silence(
        id=values["id"],
        matcher=matcher,
        author=values["author"],
        reason=values["reason"],
        created=moment(values["created_wall"]),
        until=moment(values["until_wall"]),
        ended=None if values["ended_wall"] is None else moment(values["ended_wall"]),
    )
