"""Who speaks for a slot, and since when: within the transaction that stores a run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, insert, select
from sqlalchemy.engine import Connection

from monitor.store import schema
from monitor.verdict.base import Kind, Status
from monitor.verdict.market import MARKET


def let_speak(
    connection: Connection,
    run_key: int,
    *,
    stream: int,
    slot: str,
    known: str,
    source: str,
    is_new: bool,
    blind: bool,
) -> bool:
    """Let a run speak for its slot from now on; return whether it does.

    One whose chain could not be judged does not take the slot from one that could: its answer is
    on record, and with it, at the same moment, that the other still speaks. What was known of the
    night is known still, by whatever moment one asks.

    Parameters
    ----------
    run_key : int
    stream : int
    slot, known, source : str
        As stored.
    is_new : bool
        Whether the run was not stored before; else nothing need be said twice.
    blind : bool
        Whether its chain could not be judged.
    """
    speaker = _speaker(connection, stream, slot)
    if speaker is not None and speaker.run_key == run_key:
        return True
    yields = blind and speaker is not None and not _is_blind(connection, speaker.run_key)
    if not yields or is_new:
        _answer(connection, stream, slot, run_key, known, source)
    if yields and is_new:
        _answer(connection, stream, slot, speaker.run_key, known, speaker.source)
    return not yields


def _speaker(connection: Connection, stream: int, slot: str) -> Any:
    """Return who speaks for a slot, and how it came to; None where nobody does."""
    answers = schema.answers
    latest = (
        select(answers.c.run_key, answers.c.source)
        .where(answers.c.stream_key == stream, answers.c.slot == slot)
        .order_by(answers.c.known_wall.desc(), answers.c.key.desc())
        .limit(1)
    )
    return connection.execute(latest).one_or_none()


def _is_blind(connection: Connection, run_key: int) -> bool:
    """Return of a stored run what `monitor.incidents.lifecycle.is_blind` says of verdicts."""
    v, m, f = schema.verdicts.c, schema.models.c, schema.findings.c
    unfit = (
        select(v.run_key)
        .join(schema.models, m.key == v.model_key)
        .join(schema.findings, and_(f.run_key == v.run_key, f.model_key == v.model_key))
        .where(
            v.run_key == run_key,
            m.name == MARKET,
            v.status == str(Status.INCONCLUSIVE),
            f.kind == str(Kind.DATA),
        )
        .limit(1)
    )
    return connection.execute(unfit).first() is not None


def _answer(
    connection: Connection, stream: int, slot: str, run_key: int, known: str, source: str
) -> None:
    connection.execute(
        insert(schema.answers).values(
            stream_key=stream, slot=slot, run_key=run_key, known_wall=known, source=source
        )
    )
