"""What a review asks of the record: every night's verdict, every night's forwards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from monitor.store import schema
from monitor.store.base import Store
from monitor.store.frames import runs_frame
from monitor.store.typed import frame_of_rows

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = tuple("as_of run_id venue underlying cadence model status reason".split())
FORWARDS = tuple("as_of run_id venue underlying cadence expiry tau forward".split())


def verdicts_frame(
    store: Store,
    *,
    venue: str | None = None,
    underlying: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return every night's verdicts, oldest first, by the runs that speak for their slots now."""
    v, m, r = schema.verdicts.c, schema.models.c, schema.runs.c
    statement = (
        select(r.id.label("run_id"), m.name.label("model"), v.status, v.reason)
        .join(schema.models, m.key == v.model_key)
        .join(schema.runs, r.key == v.run_key)
    )
    place = {"venue": venue, "underlying": underlying, "cadence": cadence}
    return _of_runs(store, statement, VERDICTS, place, since, until)


def forwards_frame(
    store: Store,
    *,
    venue: str | None = None,
    underlying: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return every night's forwards by expiry, oldest first."""
    e, r = schema.expiries.c, schema.runs.c
    statement = select(r.id.label("run_id"), e.expiry, e.tau, e.forward).join(
        schema.runs, r.key == e.run_key
    )
    place = {"venue": venue, "underlying": underlying, "cadence": cadence}
    return _of_runs(store, statement, FORWARDS, place, since, until)


def _of_runs(
    store: Store,
    statement: object,
    columns: tuple[str, ...],
    place: dict[str, str | None],
    since: datetime | None,
    until: datetime | None,
) -> pd.DataFrame:
    runs = runs_frame(store, **place, since=since, until=until)  # type: ignore[arg-type]
    with store.reading() as connection:
        result = connection.execute(statement)  # type: ignore[call-overload]
        found = frame_of_rows(tuple(result.keys()), result.all())
    keys = ["as_of", "run_id", "venue", "underlying", "cadence"]
    joined = runs[keys].merge(found, on="run_id", how="inner")
    joined = joined.sort_values([c for c in columns if c in ("as_of", "venue", "underlying")])
    return joined[list(columns)].reset_index(drop=True)
