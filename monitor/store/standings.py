"""What the board said of a model while a judgement was in force, and which runs knew of it."""

from __future__ import annotations

from sqlalchemy import select

from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import iso_from_ms
from monitor.verdict.judgement import Judgement


def statuses_between(store: Store, judgement: Judgement, *, cadence: str) -> list[str]:
    """Return the statuses of its model on the nights a judgement was in force for, oldest first."""
    r, t, v, m, a = (
        schema.runs.c,
        schema.streams.c,
        schema.verdicts.c,
        schema.models.c,
        schema.answers,
    )
    later = a.alias()
    speaks = ~(
        select(later.c.key)
        .where(
            later.c.stream_key == a.c.stream_key,
            later.c.slot == a.c.slot,
            (later.c.known_wall > a.c.known_wall)
            | ((later.c.known_wall == a.c.known_wall) & (later.c.key > a.c.key)),
        )
        .exists()
    )
    wanted = (
        select(v.status)
        .join(schema.models, m.key == v.model_key)
        .join(schema.runs, r.key == v.run_key)
        .join(schema.streams, t.key == r.stream_key)
        .join(a, a.c.run_key == r.key)
        .where(
            t.cadence == cadence,
            m.name == (judgement.model or ""),
            r.as_of >= iso_from_ms(judgement.since_ms),
            r.as_of < iso_from_ms(judgement.until_ms),
            speaks,
        )
        .order_by(r.as_of)
    )
    if judgement.venue is not None:
        wanted = wanted.where(t.venue == judgement.venue)
    if judgement.underlying is not None:
        wanted = wanted.where(t.underlying == judgement.underlying)
    with store.reading() as connection:
        return list(connection.execute(wanted).scalars())


def runs_under(store: Store, judgement: Judgement) -> frozenset[str]:
    """Return the runs that were judged under a judgement: of its nights, written since it was made.

    A night it was in force for may have been judged before anybody said so.
    """
    r, j = schema.runs.c, schema.judgements.c
    wanted = (
        select(r.id)
        .join(schema.judgements, j.id == judgement.id)
        .where(
            r.written_wall >= j.created_wall,
            r.as_of >= iso_from_ms(judgement.since_ms),
            r.as_of < iso_from_ms(judgement.until_ms),
        )
    )
    with store.reading() as connection:
        return frozenset(connection.execute(wanted).scalars())
