"""One run, one transaction: all of it is there, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.engine import Connection

from monitor.assessment import Assessment, Stream
from monitor.incidents.base import Message, Transition
from monitor.incidents.lifecycle import is_blind
from monitor.market.snapshot import Snapshot
from monitor.store import rows, schema
from monitor.store.answers import let_speak
from monitor.store.base import Store
from monitor.store.bulk import insert_or_nothing, insert_rows, null_if_nan
from monitor.store.times import iso, iso_from_ms, iso_or_none


def write_assessment(
    store: Store,
    assessment: Assessment,
    *,
    wall: datetime,
    tell: bool,
    is_live: bool | None = None,
) -> bool:
    """Store all that a pass found, and what is to be told of it, in one transaction.

    Parameters
    ----------
    store : Store
    assessment : Assessment
    wall : datetime
        The desk's time: from then on this run speaks for its slot. One whose chain could not be
        judged is kept, and tells nothing, where a run that could be judged speaks already.
    tell : bool
        Queue the messages. False for a backfill, which tells nobody.
    is_live : bool, optional
        Whether it was judged as it happened; as `tell` by default. A pulse is, and tells nobody.

    Returns
    -------
    bool
        False if the run was stored already; its numbers are then left as they are and nothing is
        queued. If another run had taken its slot since, this one speaks for it again.

    Raises
    ------
    StoreUnavailable, SchemaMismatch, StoreError
        Nothing of the run was kept.
    """
    known = iso(wall)
    source = "live" if (tell if is_live is None else is_live) else "backfill"
    with store.writing() as connection:
        run = assessment.run
        streams = store.dictionary.keys(connection, "streams", [_words(run.stream)])
        stream = streams[_words(run.stream)]
        run_key = _insert_run(connection, assessment, stream, known)
        is_new = run_key is not None
        if run_key is None:
            run_key = _key_of(connection, schema.runs, schema.runs.c.id == run.id)
        speaks = let_speak(
            connection,
            run_key,
            stream=stream,
            slot=run.slot,
            known=known,
            source=source,
            is_new=is_new,
            blind=is_blind(assessment.verdicts),
        )
        fresh: dict[str, dict[tuple[Any, ...], int]] = {}
        if is_new:
            tell = tell and speaks
            fresh = _insert_content(store, connection, assessment, stream, run_key)
            insert_events(
                store,
                connection,
                assessment.transitions,
                run=run_key,
                slot=run.slot,
                wall=known,
                tell=tell,
            )
            if tell:
                queue(connection, assessment.messages, run=run_key, wall=known)
    for table, keys in {"streams": streams, **fresh}.items():
        store.dictionary.remember(table, keys)
    return is_new


def record_job(
    store: Store,
    *,
    job: str,
    stream: Stream | None,
    slot: str,
    outcome: str,
    note: str,
    started_wall: datetime,
    ended_wall: datetime,
    messages: Iterable[Message] = (),
    transitions: Sequence[Transition] = (),
) -> None:
    """Store how a pass ended that has no assessment to show for it: failed, missed, skipped.

    Parameters
    ----------
    job : str
        ``nightly``, ``pulse``, ``watchdog``, ….
    stream : Stream or None
        None for a job about no single stream.
    slot : str
        The schedule slot it was to answer for.
    outcome : str
        One word: ``done``, ``failed``, ``missed``, ``late``, ….
    note : str
        One line with the reason.
    messages, transitions : sequences
        What the desk is told, and the incidents of cause ``job`` behind it; same transaction.
    """
    ended = iso(ended_wall)
    with store.writing() as connection:
        stream_key = None
        if stream is not None:
            keys = store.dictionary.keys(connection, "streams", [_words(stream)])
            stream_key = keys[_words(stream)]
        connection.execute(
            insert(schema.job_runs).values(
                job=job,
                stream_key=stream_key,
                slot=slot,
                outcome=outcome,
                note=note,
                started_wall=iso(started_wall),
                ended_wall=ended,
            )
        )
        insert_events(store, connection, transitions, run=None, slot=slot, wall=ended, tell=True)
        queue(connection, messages, run=None, wall=ended)


def insert_events(
    store: Store,
    connection: Connection,
    transitions: Iterable[Transition],
    *,
    run: int | None,
    slot: str,
    wall: str,
    author: str | None = None,
    note: str | None = None,
    verdict: str | None = None,
    tell: bool = False,
) -> None:
    """Append events, opening the incidents that are new, within the caller's transaction.

    With `tell`, what the desk should know of them is queued as news in the same transaction.
    """
    found, members, news = [], [], []
    for transition in transitions:
        after = transition.incident
        words = (after.venue, after.underlying, after.cadence)
        stream = store.dictionary.keys(connection, "streams", [words])[words]
        statement = insert_or_nothing(connection, schema.incidents).values(
            id=after.id,
            stream_key=stream,
            trouble=after.key,
            cause=str(after.cause),
            opened_at=iso_from_ms(after.opened_at_ms),
        )
        connection.execute(statement)
        key = _key_of(connection, schema.incidents, schema.incidents.c.id == after.id)
        signed = {"author": author, "note": note, "verdict": verdict}
        found.append(rows.event_row(key, transition, run=run, slot=slot, wall=wall, **signed))
        if run is not None:
            members += rows.member_rows(run, key, after)
        if tell and transition.is_news:
            news.append(
                {
                    "incident_key": key,
                    "run_key": run,
                    "slot": slot,
                    "event": str(transition.event),
                    "severity": str(after.severity),
                    "queued_wall": wall,
                    "state": "waiting",
                }
            )
    if found:
        insert_rows(connection, schema.incident_events, rows.EVENTS, found)
    if members:
        insert_rows(connection, schema.incident_members, rows.MEMBERS, members)
    if news:  # two streams of one venue may bring the same
        connection.execute(insert_or_nothing(connection, schema.news), news)


def queue(
    connection: Connection, messages: Iterable[Message], *, run: int | None, wall: str
) -> None:
    """Put messages into the outbox; one that was queued before is left as it stands."""
    queued = [
        {
            "message_key": m.key,
            "run_key": run,
            "severity": str(m.severity),
            "title": m.title,
            "body": m.body,
            "html": m.html,
            "receivers": None if m.receivers is None else "\n".join(m.receivers),
            "queued_wall": wall,
            "state": "pending",
            "attempts": 0,
            "next_attempt_wall": wall,
        }
        for m in messages
    ]
    if queued:
        connection.execute(insert_or_nothing(connection, schema.outbox), queued)


def _words(stream: Stream) -> tuple[str, str, str]:
    return (stream.venue, stream.underlying, stream.cadence)


def _key_of(connection: Connection, table: Table, condition: Any) -> int:
    return int(connection.execute(select(table.c.key).where(condition)).scalar_one())


def _insert_run(
    connection: Connection, assessment: Assessment, stream: int, wall: str
) -> int | None:
    """Return the new run's key; None where it is there already, or a rival just wrote it."""
    run, quotes = assessment.run, assessment.quotes
    statement = (
        insert_or_nothing(connection, schema.runs)
        .values(
            id=run.id,
            stream_key=stream,
            slot=run.slot,
            as_of=iso_from_ms(run.as_of_ms),
            snapshot_key=_snapshot_key(connection, assessment.snapshot),
            config=run.config,
            code=run.code,
            history=run.history,
            n_quotes=None if quotes is None else quotes.n,
            n_selected=None if quotes is None else quotes.n_selected,
            written_wall=wall,
        )
        .returning(schema.runs.c.key)
    )
    return connection.execute(statement).scalar()


def _snapshot_key(connection: Connection, snapshot: Snapshot) -> int:
    connection.execute(
        insert_or_nothing(connection, schema.snapshots).values(
            digest=snapshot.digest,
            chain_digest=snapshot.chain_digest,
            venue=snapshot.venue,
            underlying=snapshot.underlying,
            as_of=iso_from_ms(snapshot.as_of_ms),
            price_unit=snapshot.price_unit,
            n_instruments=len(snapshot),
            n_listed=snapshot.n_listed,
            index_price=null_if_nan(snapshot.index_price),
            venue_now=iso_or_none(snapshot.venue_now_ms),
            simulated=snapshot.context.simulated,
        )
    )
    return _key_of(connection, schema.snapshots, schema.snapshots.c.digest == snapshot.digest)


def _insert_content(
    store: Store, connection: Connection, found: Assessment, stream: int, run: int
) -> dict[str, dict[tuple[Any, ...], int]]:
    """Insert everything but the run itself; return the dictionary keys it used."""
    names = {(f.model,) for f in found.fits} | {(v.model,) for v in found.verdicts}
    models = store.dictionary.keys(connection, "models", names)
    series = store.dictionary.keys(
        connection,
        "series",
        {(stream, m.metric, m.scope, m.model or "", m.unit) for m in found.metrics},
    )

    def put(table: Table, columns: Sequence[str], content: Iterable[rows.Row]) -> None:
        insert_rows(connection, table, columns, content)

    if found.quotes is not None:
        put(schema.expiries, rows.EXPIRIES, rows.expiry_rows(run, found.quotes))
        put(schema.quotes, rows.QUOTES, rows.quote_rows(run, found.quotes))
    put(
        schema.fits,
        rows.FITS,
        [rows.fit_row(run, models[(f.model,)], f) for f in found.fits],
    )
    for fit in found.fits:
        model = models[(fit.model,)]
        put(schema.parameters, rows.PARAMETERS, rows.parameter_rows(run, model, fit))
        put(schema.residuals, rows.RESIDUALS, rows.residual_rows(run, model, fit, found))
    put(schema.metrics, rows.METRICS, rows.metric_rows(run, series, stream, found))
    put(schema.rejections, rows.REJECTIONS, rows.rejection_rows(run, found))
    put(
        schema.verdicts,
        rows.VERDICTS,
        [(run, models[(v.model,)], str(v.status), v.reason) for v in found.verdicts],
    )
    for verdict in found.verdicts:
        model = models[(verdict.model,)]
        put(schema.findings, rows.FINDINGS, rows.finding_rows(run, model, verdict))
    return {"models": models, "series": series}
