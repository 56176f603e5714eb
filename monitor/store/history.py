"""One metric through time."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

from monitor.arrays import IntArray
from monitor.store.address import LARGE
from monitor.store.base import Store
from monitor.store.folder import query, query_live
from monitor.store.times import END_OF_TIME
from monitor.store.typed import bounds, frame_of, instants

HISTORY = tuple(
    "as_of run_id venue underlying cadence model metric scope value unit n stderr".split()
)

_ALL_SLOTS = {"first_slot": "", "last_slot": END_OF_TIME}


def history_frame(
    store: Store,
    metric: str,
    *,
    model: str | None = None,
    underlying: str | None = None,
    venue: str | None = None,
    scope: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_known: datetime | None = None,
    assume_live: bool = False,
) -> pd.DataFrame:
    """Return one metric through time, oldest first, with the columns `HISTORY`.

    `since` and `until` bound the venue's time and are included; `as_known` is the desk's. With
    `assume_live`, a backfilled night counts as known at its own time, as a live desk's would.
    """
    place = {"underlying": underlying, "venue": venue, "cadence": cadence}
    with _collector_at_rest(), store.reading() as connection:
        streams = connection.execute(query("history_streams"), place).all()
        of_streams = {"streams": [stream.key for stream in streams]}
        number = {"metric": metric, "model": model, "scope": scope, **of_streams}
        kinds = connection.execute(_listed("history_series", "streams"), number).all()
        runs: Sequence[Any] = ()
        rows: Sequence[Any] = ()
        if kinds:
            spans = {**of_streams, **_ALL_SLOTS, **bounds(since, until, as_known)}
            if since is not None or until is not None:
                meant = connection.execute(_listed("history_slots", "streams"), spans).one()
                spans |= {name: slot or "" for name, slot in meant._mapping.items()}
            of_runs = _listed("history_runs", "streams", assume_live=assume_live)
            runs = _many(connection, of_runs, spans)
            keys = [run[0] for run in runs]
            span = {"low": min(keys, default=0), "high": max(keys, default=-1)}
            wanted = {"series": [kind.key for kind in kinds], **span}
            rows = _many(connection, _listed("history", "series"), wanted)
        return _join(metric, streams, runs, kinds, rows)


def _many(connection: Connection, statement: Any, values: dict[str, Any]) -> Sequence[Any]:
    """Return plain tuples: a row object for each of a hundred thousand costs as much as they."""
    return connection.execute(statement, values, execution_options={LARGE: True}).cursor.fetchall()


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from walking rows that are none: a third of a large answer."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@cache
def _listed(name: str, parameter: str, *, assume_live: bool = False) -> Any:
    """Return a query one of whose parameters is a list."""
    found = query_live(name) if assume_live else query(name)
    return found.bindparams(bindparam(parameter, expanding=True))


def _join(
    metric: str,
    streams: Sequence[Any],
    runs: Sequence[Sequence[Any]],
    kinds: Sequence[Any],
    rows: Sequence[tuple[int, int, float, int, float | None]],
) -> pd.DataFrame:
    """Lay runs and series beside values: in the database, it would cost a search a value.

    Rows go by time; of one time, in the order of the streams; of one stream, in that of `kinds`,
    which come by model and scope.
    """
    series_key, run_key, value, n, stderr = zip(*rows, strict=True) if rows else [()] * 5
    of_run, run_id, as_of, stream_key = zip(*runs, strict=True) if runs else [()] * 4
    run = _places(of_run, run_key)
    kind = _places([k.key for k in kinds], series_key)
    speaks = np.flatnonzero(run >= 0)
    run, kind = run[speaks], kind[speaks]
    moment = instants(as_of)
    stream = _places([s.key for s in streams], stream_key)
    order = np.lexsort((kind, stream[run], moment.asi8[run])) if len(run) else run
    speaks, run, kind = speaks[order], run[order], kind[order]

    def words(found: Sequence[Any], name: str, at: Any) -> Any:
        return np.array([getattr(row, name) for row in found], dtype=object)[at]

    columns: dict[str, Any] = {
        "as_of": moment[run],
        "run_id": np.array(run_id, dtype=object)[run],
        **{c: words(streams, c, stream[run]) for c in ("venue", "underlying", "cadence")},
        **{c: words(kinds, c, kind) for c in ("model", "scope", "unit")},
        "metric": np.full(len(run), metric, dtype=object),
        "value": np.array(value, dtype=np.float64)[speaks],
        "n": np.array(n, dtype=np.int64)[speaks],
        "stderr": np.array(stderr, dtype=np.float64)[speaks],
    }
    return frame_of({name: columns[name] for name in HISTORY})


def _places(known: Sequence[int], keys: Sequence[int]) -> IntArray:
    """Return where each key stands among those known; -1 where it does not."""
    # Of tuples, pandas would have to find out first what is in them.
    return pd.Index(np.array(known, np.int64)).get_indexer(pd.Index(np.array(keys, np.int64)))
