"""One metric through time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.engine import RowMapping

from monitor.store.base import Store
from monitor.store.folder import query, query_live
from monitor.store.typed import bounds, frame_of, instants

HISTORY = tuple(
    "as_of run_id venue underlying cadence model metric scope value unit n stderr".split()
)


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
    number = {"metric": metric, "model": model, "scope": scope}
    with store.reading() as connection:
        spans = {"run_id": None, **place, **bounds(since, until, as_known)}
        of_runs = query_live("runs") if assume_live else query("runs")
        runs = connection.execute(of_runs, spans).mappings().all()
        kinds = connection.execute(query("history_series"), number).mappings().all()
        keys = [run["run_key"] for run in runs]
        span = {"low": min(keys, default=0), "high": max(keys, default=-1)}
        values = connection.execute(query("history"), {**number, **place, **span})
        rows = values.cursor.fetchall()
    return _join(metric, runs, kinds, rows)


def _join(
    metric: str,
    runs: Sequence[RowMapping],
    kinds: Sequence[RowMapping],
    rows: Sequence[tuple[int, int, float, int, float | None]],
) -> pd.DataFrame:
    """Lay runs and series beside values: in the database, it would cost a search a value.

    `runs` come in the order of time, `kinds` in that of model and scope, and so go the rows.
    """
    series_key, run_key, value, n, stderr = zip(*rows, strict=True) if rows else [()] * 5
    run = pd.Index([r["run_key"] for r in runs]).get_indexer(pd.Index(run_key))
    kind = pd.Index([k["key"] for k in kinds]).get_indexer(pd.Index(series_key))
    speaks = np.flatnonzero(run >= 0)
    order = speaks[np.lexsort((kind[speaks], run[speaks]))]
    run, kind = run[order], kind[order]

    def words(found: Sequence[RowMapping], name: str, at: Any) -> Any:
        return np.array([row[name] for row in found], dtype=object)[at]

    columns: dict[str, Any] = {
        "as_of": instants([r["as_of"] for r in runs])[run],
        **{c: words(runs, c, run) for c in ("run_id", "venue", "underlying", "cadence")},
        **{c: words(kinds, c, kind) for c in ("model", "scope", "unit")},
        "metric": np.full(len(order), metric, dtype=object),
        "value": np.array(value, dtype=np.float64)[order],
        "n": np.array(n, dtype=np.int64)[order],
        "stderr": np.array(stderr, dtype=np.float64)[order],
    }
    return frame_of({name: columns[name] for name in HISTORY})
