"""One metric through time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.engine import Connection, Row

from monitor.arrays import IntArray
from monitor.store.base import Store
from monitor.store.folder import query, query_live
from monitor.store.times import END_OF_TIME
from monitor.store.typed import bounds, frame_of
from monitor.store.wide import columns_of

HISTORY = tuple(
    "as_of run_id venue underlying cadence model metric scope value unit n stderr".split()
)

_ALL_SLOTS = {"first_slot": "", "last_slot": END_OF_TIME}
_ANSWER = {"run_key": int, "slot": bytes}
_RUN = {"key": int, "id": str, "as_of": bytes}
_NUMBER = {"run_key": int, "value": float, "n": int, "stderr": float}


@dataclass(frozen=True)
class _Part:
    """The numbers of one stream, a row each: which run, which series, and what was measured."""

    stream: Row[Any]
    kinds: Sequence[Row[Any]]
    kind: IntArray
    as_of: IntArray
    run_id: Any
    numbers: dict[str, Any]


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
    spans = bounds(since, until, as_known)
    is_bounded = since is not None or until is not None
    parts = []
    with store.reading() as connection:
        for stream in connection.execute(query("history_streams"), place).all():
            asked = {"stream": stream.key, **spans}
            kinds = connection.execute(query("history_series"), number | _only(asked, "stream"))
            named = kinds.all()
            if not named:
                continue
            slots: dict[str, str] = _ALL_SLOTS
            if is_bounded:
                # Who speaks is found slot by slot, and only of those that are meant.
                between = _only(asked, "stream", "since", "until")
                meant = connection.execute(query("history_slots"), between).one()
                slots = {name: slot or "" for name, slot in meant._mapping.items()}
            runs = _runs(connection, asked | slots, assume_live=assume_live)
            if len(runs["key"]):
                parts.append(_part(connection, stream, named, runs))
    return _joined(metric, parts)


def _only(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _runs(connection: Connection, asked: Mapping[str, Any], *, assume_live: bool) -> dict[str, Any]:
    """Return the runs of a stream that spoke for their slots, by key."""
    answers = query_live("history_answers") if assume_live else query("history_answers")
    known = _only(asked, "stream", "first_slot", "last_slot", "as_known")
    answer = columns_of(connection, answers, _ANSWER, known)
    slot = np.asarray(answer["slot"])
    speaks = np.ones(len(slot), dtype=bool)
    speaks[:-1] = slot[1:] != slot[:-1]
    runs = columns_of(
        connection, query("history_runs"), _RUN, _only(asked, "stream", "since", "until")
    )
    key, speakers = np.asarray(runs["key"]), np.asarray(answer["run_key"])[speaks]
    order = np.argsort(key, kind="stable")
    order = order[np.isin(key[order], speakers)]
    return {
        "key": key[order],
        "id": np.array(runs["id"], dtype=object)[order],
        "as_of": _milliseconds(np.asarray(runs["as_of"]))[order],
    }


def _milliseconds(stored: Any) -> IntArray:
    """Return stored instants, which are of one form, as milliseconds since 1970."""
    found: IntArray = stored.astype("S23").astype("M8[ms]").astype(np.int64)  # without their Z
    return found


def _part(
    connection: Connection, stream: Row[Any], kinds: Sequence[Row[Any]], runs: dict[str, Any]
) -> _Part:
    """Lay runs and series beside values: in the database, it would cost a search a value."""
    keys = [kind.key for kind in kinds]
    span = {"series": keys, "low": int(runs["key"][0]), "high": int(runs["key"][-1])}
    # Of one series, nothing need say which.
    wanted = _NUMBER if len(keys) == 1 else {"series_key": int, **_NUMBER}
    found = columns_of(connection, query("history"), wanted, span)
    run_key = np.asarray(found.pop("run_key"))
    run = np.minimum(np.searchsorted(runs["key"], run_key), len(runs["key"]) - 1)
    kind = np.zeros(len(run), dtype=np.int64)
    if len(keys) > 1:
        kind = pd.Index(keys).get_indexer(pd.Index(found.pop("series_key")))
    speaks = np.flatnonzero(runs["key"][run] == run_key)
    run = run[speaks]
    numbers = {name: np.asarray(column)[speaks] for name, column in found.items()}
    return _Part(stream, kinds, kind[speaks], runs["as_of"][run], runs["id"][run], numbers)


def _joined(metric: str, parts: Sequence[_Part]) -> pd.DataFrame:
    """Return the rows of all streams by time.

    Of one time, they go in the order of the streams; of one stream, in that of its series, which
    come by model and scope.
    """

    def whole(of_part: Callable[[_Part], Any], dtype: Any = object) -> Any:
        return np.concatenate([np.empty(0, dtype), *(of_part(part) for part in parts)])

    def words(name: str) -> Any:
        return whole(
            lambda p: np.array([getattr(kind, name) for kind in p.kinds], dtype=object)[p.kind]
        )

    def places(name: str) -> Any:
        return whole(lambda p: np.full(len(p.kind), getattr(p.stream, name), object))

    def numbers(name: str) -> Any:
        return whole(lambda p: p.numbers[name], np.float64)

    as_of = whole(lambda p: p.as_of, np.int64)
    place = np.repeat(np.arange(len(parts)), [len(part.kind) for part in parts])
    order: Any = slice(None)
    if len(parts) > 1 or any(len(part.kinds) > 1 for part in parts) or (np.diff(as_of) < 0).any():
        order = np.lexsort((whole(lambda p: p.kind, np.int64), place, as_of))
    columns: dict[str, Any] = {
        "as_of": as_of.view("M8[ms]"),
        "run_id": whole(lambda p: p.run_id),
        **{name: places(name) for name in ("venue", "underlying", "cadence")},
        **{name: words(name) for name in ("model", "scope", "unit")},
        "metric": np.full(len(as_of), metric, dtype=object),
        **{name: numbers(name) for name in ("value", "stderr")},
        "n": numbers("n").astype(np.int64),
    }
    ordered = {name: columns[name][order] for name in HISTORY}
    return frame_of(ordered | {"as_of": pd.DatetimeIndex(ordered["as_of"]).tz_localize("UTC")})
