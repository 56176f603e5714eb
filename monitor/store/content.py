"""All that one run left in the database, as values by name: what a replay is held against.

`read_content` says what is stored and `content_of` what an assessment would store, in one
vocabulary: part, place in it, column. Names stand where tables have keys, which differ from
database to database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.engine import Connection

from monitor.assessment import Assessment, Stream
from monitor.errors import UnknownNameError
from monitor.store import rows, schema
from monitor.store.base import Store
from monitor.store.times import moment, ms_from_iso
from monitor.verdict.market import MARKET

Place = tuple[Any, ...]
Values = dict[str, Any]
Content = dict[str, dict[Place, Values]]  # part, place, column

# Parts by their table and columns; the places are what names a row within its run.
_PARTS: dict[str, tuple[Table, Sequence[str], Sequence[str]]] = {
    "expiries": (schema.expiries, rows.EXPIRIES, ("i",)),
    "quotes": (schema.quotes, rows.QUOTES, ("i",)),
    "fits": (schema.fits, rows.FITS, ("model",)),
    "parameters": (schema.parameters, rows.PARAMETERS, ("model", "i")),
    "residuals": (schema.residuals, rows.RESIDUALS, ("model", "i")),
    "metrics": (schema.metrics, rows.METRICS, ("series",)),
    "rejections": (schema.rejections, rows.REJECTIONS, ("i",)),
    "verdicts": (schema.verdicts, rows.VERDICTS, ("model",)),
    "findings": (schema.findings, rows.FINDINGS, ("model", "i")),
    "events": (schema.incident_events, rows.EVENTS, ("incident", "event")),
}
# Of when and by whom it was written, not of what was found.
_NOT_CONTENT = frozenset("run_key wall author note".split())
# Parts that retention may have removed; the rest is kept for ever.
PERISHABLE = ("quotes", "residuals")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """The identity of a stored run, and what is needed to compute it again.

    Attributes
    ----------
    id : str
    stream : Stream
    slot : str
    as_of_ms : int
    snapshot, config, code, history : str
        Digests; see `monitor.assessment.Run`.
    known : datetime
        When it was first stored: the past it read was what the desk knew then.
    models : tuple of str
        Those judged, in the order of their names.
    n_quotes : int or None
    """

    id: str
    stream: Stream
    slot: str
    as_of_ms: int
    snapshot: str
    config: str
    code: str
    history: str
    known: datetime
    models: tuple[str, ...]
    n_quotes: int | None


def find_run(store: Store, run_id: str) -> StoredRun:
    """Return a stored run, whether or not it speaks for its slot.

    Parameters
    ----------
    run_id : str
        Its id, or as much of the beginning as tells it from the others.

    Raises
    ------
    UnknownNameError
        If no run, or more than one, begins so; names the latest runs, or those.
    """
    r, t, s, m = (x.c for x in (schema.runs, schema.streams, schema.snapshots, schema.models))
    with store.reading() as connection:
        like = r.id.startswith(run_id, autoescape=True) if run_id else r.id == ""
        ids = connection.execute(select(r.id).where(like).order_by(r.id).limit(10)).scalars().all()
        if len(ids) != 1:
            latest = select(r.id).order_by(r.key.desc()).limit(10)
            raise UnknownNameError("run", run_id, ids or connection.execute(latest).scalars())
        found = connection.execute(
            select(r, t.venue, t.underlying, t.cadence, s.digest)
            .join(schema.streams, t.key == r.stream_key)
            .join(schema.snapshots, s.key == r.snapshot_key)
            .where(r.id == ids[0])
        ).one()
        judged = (
            select(m.name)
            .join(schema.verdicts, schema.verdicts.c.model_key == m.key)
            .where(schema.verdicts.c.run_key == found.key, m.name != MARKET)
            .order_by(m.name)
        )
        models = tuple(connection.execute(judged).scalars())
    return StoredRun(
        id=found.id,
        stream=Stream(found.venue, found.underlying, found.cadence),
        slot=found.slot,
        as_of_ms=ms_from_iso(found.as_of),
        snapshot=found.digest,
        config=found.config,
        code=found.code,
        history=found.history,
        known=moment(found.written_wall),
        models=models,
        n_quotes=found.n_quotes,
    )


def run_ids(store: Store) -> list[str]:
    """Return the id of every stored run, in the order of writing."""
    r = schema.runs.c
    with store.reading() as connection:
        return list(connection.execute(select(r.id).order_by(r.key)).scalars())


def read_content(store: Store, run_id: str) -> Content:
    """Return all that is stored of a run."""
    r, e = schema.runs.c, schema.incident_events.c
    with store.reading() as connection:
        key, *counts = connection.execute(
            select(r.key, r.n_quotes, r.n_selected).where(r.id == run_id)
        ).one()
        models = _names(connection, schema.models.c.key, schema.models.c.name)
        incidents = _names(
            connection,
            schema.incidents.c.key,
            schema.incidents.c.id,
            schema.incidents.c.key.in_(select(e.incident_key).where(e.run_key == key)),
        )
        content: Content = {"run": {(): dict(zip(_COUNTS, counts, strict=True))}}
        for part, (table, columns, place) in _PARTS.items():
            wanted = [table.c[c] for c in columns]
            found = connection.execute(select(*wanted).where(table.c.run_key == key)).tuples()
            series = _series(connection, key) if part == "metrics" else {}
            content[part] = _placed(found, columns, place, models, incidents, series)
    return content


def content_of(found: Assessment) -> Content:
    """Return all that storing an assessment would leave."""
    quotes = found.quotes
    counts = (None, None) if quotes is None else (quotes.n, quotes.n_selected)
    content: Content = {"run": {(): dict(zip(_COUNTS, counts, strict=True))}}
    for part, (_, columns, place) in _PARTS.items():
        content[part] = _placed(_rows_of(part, found), columns, place, {}, {}, {})
    return content


def n_values(content: Content) -> int:
    """Return how many values there are."""
    return sum(len(row) for part in content.values() for row in part.values())


_COUNTS = ("n_quotes", "n_selected")


def _rows_of(part: str, found: Assessment) -> Iterable[rows.Row]:
    """Return the rows of one part; names stand in the places of keys."""
    fits, verdicts, quotes = found.fits, found.verdicts, found.quotes
    named: Any = None  # the row functions lay whatever they are given into the key's place
    if part == "expiries" and quotes is not None:
        yield from rows.expiry_rows(0, quotes)
    elif part == "quotes" and quotes is not None:
        yield from rows.quote_rows(0, quotes)
    elif part == "metrics":
        words = {(0, m.metric, m.scope, m.model or "", m.unit) for m in found.metrics}
        named = {w: (w[3], w[1], w[2], w[4]) for w in words}
        yield from rows.metric_rows(0, named, 0, found)
    elif part == "rejections":
        yield from rows.rejection_rows(0, found)
    elif part == "verdicts":
        yield from ((0, v.model, str(v.status), v.reason) for v in verdicts)
    for fit in fits:
        named = fit.model
        if part == "fits":
            yield rows.fit_row(0, named, fit)
        elif part == "parameters":
            yield from rows.parameter_rows(0, named, fit)
        elif part == "residuals":
            yield from rows.residual_rows(0, named, fit, found)
    for verdict in verdicts if part == "findings" else ():
        named = verdict.model
        yield from rows.finding_rows(0, named, verdict)
    for transition in found.transitions if part == "events" else ():
        named = transition.incident.id
        yield rows.event_row(named, transition, run=0, slot=found.run.slot, wall="")


def _placed(
    found: Iterable[Sequence[Any]],
    columns: Sequence[str],
    place: Sequence[str],
    models: Mapping[Any, str],
    incidents: Mapping[Any, str],
    series: Mapping[Any, Place],
) -> dict[Place, Values]:
    """Return rows by place, keys turned into names."""
    names = {"model_key": "model", "series_key": "series", "incident_key": "incident"}
    turned: dict[str, Mapping[Any, Any]] = {
        "model_key": models,
        "series_key": series,
        "incident_key": incidents,
    }
    placed: dict[Place, Values] = {}
    for row in found:
        values = {
            names.get(c, c): turned[c].get(v, v) if c in turned else v
            for c, v in zip(columns, row, strict=True)
            if c not in _NOT_CONTENT
        }
        where = tuple(values.pop(c) for c in place)
        placed[where[0] if place == ("series",) else where] = values
    return placed


def _names(connection: Connection, key: Any, name: Any, *where: Any) -> dict[Any, str]:
    found = connection.execute(select(key, name).where(*where)).tuples()
    return dict(found.all())


def _series(connection: Connection, run_key: int) -> dict[Any, Place]:
    s, m = schema.series.c, schema.metrics.c
    wanted = (
        select(s.key, s.model, s.metric, s.scope, s.unit)
        .join(schema.metrics, m.series_key == s.key)
        .where(m.run_key == run_key)
    )
    return {key: tuple(words) for key, *words in connection.execute(wanted).tuples()}


def differences(stored: Content, computed: Content) -> Iterator[tuple[str, Place, str, Any, Any]]:
    """Yield every value that is not the same to the last bit: part, place, column, both values.

    A row that one side lacks differs in every column of the other's. A part that retention has
    removed is not compared. Zeros of both signs count as one: SQLite keeps no other.
    """
    for part in computed:
        mine, theirs = stored.get(part, {}), computed[part]
        if part in PERISHABLE and not mine:
            continue
        for where in sorted(mine.keys() | theirs.keys(), key=repr):
            a, b = mine.get(where, {}), theirs.get(where, {})
            for column in b or a:
                x, y = a.get(column, ABSENT), b.get(column, ABSENT)
                if x != y:
                    yield part, where, column, x, y


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()
