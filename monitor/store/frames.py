"""Questions about the history, answered as frames.

Instants are aware UTC timestamps, absent numbers NaN, absent words None. Unless `as_known` is
given, each slot is spoken for by the run that speaks for it now; with it, by the one that did then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import bindparam, select, text
from sqlalchemy.engine import Connection

from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Incident, State
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.folder import query
from monitor.store.folding import read_standings
from monitor.store.times import END_OF_TIME, iso, iso_from_ms, iso_or_none

_DAWN = "0000"
_FLOATS = frozenset(
    "value stderr threshold usd tau forward strike k iv_bid iv_ask iv noise vega open_interest "
    "model_iv residual z".split()
)
_INSTANTS = frozenset("as_of opened_at last_seen resolved_at expiry known_wall".split())
_WHOLE = frozenset("n at_bound".split())

HISTORY = tuple(
    "as_of run_id venue underlying cadence model metric scope value unit n stderr".split()
)
STATUS = tuple("as_of venue underlying cadence model status reason findings run_id".split())
ALERTS = tuple(
    "id key state escalated silenced severity cause venue underlying cadence model metric scope "
    "opened_at last_seen resolved_at value threshold usd message run_id".split()
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
) -> pd.DataFrame:
    """Return one metric through time, oldest first, with the columns `HISTORY`.

    `since` and `until` bound the venue's time and are included; `as_known` is the desk's.
    """
    filters = {
        "metric": metric,
        "model": model,
        "underlying": underlying,
        "venue": venue,
        "scope": scope,
        "cadence": cadence,
    }
    return _frame(store, "history", HISTORY, {**filters, **_span(since, until, as_known)})


def runs_frame(
    store: Store,
    *,
    run_id: str | None = None,
    venue: str | None = None,
    underlying: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_known: datetime | None = None,
) -> pd.DataFrame:
    """Return the runs, oldest first: identity, digests, usable quotes, since when known."""
    filters = {"run_id": run_id, "venue": venue, "underlying": underlying, "cadence": cadence}
    return _frame(store, "runs", None, {**filters, **_span(since, until, as_known)})


def parameters_frame(
    store: Store,
    *,
    model: str | None = None,
    run_id: str | None = None,
    venue: str | None = None,
    underlying: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_known: datetime | None = None,
) -> pd.DataFrame:
    """Return fitted parameters with standard errors and the bounds they touch, oldest first."""
    filters = {
        "model": model,
        "run_id": run_id,
        "venue": venue,
        "underlying": underlying,
        "cadence": cadence,
    }
    return _frame(store, "parameters", None, {**filters, **_span(since, until, as_known)})


def rejections_frame(
    store: Store,
    *,
    stage: str | None = None,
    reason: str | None = None,
    run_id: str | None = None,
    venue: str | None = None,
    underlying: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_known: datetime | None = None,
) -> pd.DataFrame:
    """Return what was left out and why, oldest first."""
    filters = {
        "stage": stage,
        "reason": reason,
        "run_id": run_id,
        "venue": venue,
        "underlying": underlying,
        "cadence": cadence,
    }
    return _frame(store, "rejections", None, {**filters, **_span(since, until, as_known)})


def status_frame(
    store: Store, *, at: datetime | None = None, as_known: datetime | None = None
) -> pd.DataFrame:
    """Return the verdict board at `at`: the latest judgement of each model in each stream.

    A model not judged in the last 30 slots of its stream has left the board. `findings` holds a
    list of dictionaries, in the order of the argument.
    """
    values = {"at": _until(at), "as_known": _until(as_known)}
    with store.reading() as connection:
        found = connection.execute(query("status"), values).mappings().all()
        findings = _findings(connection, [row["run_key"] for row in found])
    rows = [
        tuple(
            findings.get((row["run_key"], row["model_key"]), []) if c == "findings" else row[c]
            for c in STATUS
        )
        for row in found
    ]
    return _build(STATUS, rows)


def alerts_frame(
    store: Store,
    *,
    state: str | None = None,
    all: bool = False,
    as_known: datetime | None = None,
) -> pd.DataFrame:
    """Return incidents as they stand, oldest first, with the columns `ALERTS`.

    Parameters
    ----------
    state : str, optional
        Only those in this state.
    all : bool
        Resolved ones too; by default only open and acknowledged ones.

    Raises
    ------
    UnknownNameError
        If there is no such state.
    """
    if state is not None and state not in [str(s) for s in State]:
        raise UnknownNameError("state", state, [str(s) for s in State])
    with store.reading() as connection:
        standings = read_standings(connection, as_known=_until(as_known))
    rows = [
        _alert(standing.incident)
        for standing in standings
        if (
            standing.incident.state == state
            if state
            else all or standing.incident.state is not State.RESOLVED
        )
    ]
    return _build(ALERTS, rows)


def surface_frame(
    store: Store,
    *,
    run_id: str | None = None,
    underlying: str | None = None,
    at: datetime | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    models: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return market against model, quote by quote, of one run.

    Parameters
    ----------
    run_id : str, optional
        The run; else the latest with usable quotes at `at` (now by default) of `underlying`,
        among those of `venue` and `cadence` where given.
    models : collection of str, optional
        Only these.

    Returns
    -------
    DataFrame
        One row a model and quote, with ``as_of, run_id, venue, underlying, model, expiry, tau,
        forward, strike, cp, k, iv_bid, iv_ask, iv, noise, vega, open_interest, model_iv, residual,
        z``; vols are decimals, ``residual`` is model less market.

    Raises
    ------
    UnknownNameError
        If there is no such run, or it has no such model.
    UsageError
        If neither a run nor an underlying is named, or no run fits.
    """
    if run_id is None and underlying is None:
        raise UsageError("name a run, or an underlying")
    with store.reading() as connection:
        run = _surface_run(connection, run_id, underlying, at, venue, cadence)
        result = connection.execute(query("surface"), {"run_key": run["run_key"]})
        columns, found = tuple(result.keys()), result.all()
    if models is not None:
        known = {row[0] for row in found}
        for name in models:
            if name not in known:
                raise UnknownNameError(f"model in run {run['run_id']}", name, known)
        found = [row for row in found if row[0] in set(models)]
    head = tuple(run[name] for name in ("as_of", "run_id", "venue", "underlying"))
    return _build(
        ("as_of", "run_id", "venue", "underlying", *columns), [(*head, *row) for row in found]
    )


def _surface_run(
    connection: Connection,
    run_id: str | None,
    underlying: str | None,
    at: datetime | None,
    venue: str | None,
    cadence: str | None,
) -> dict[str, Any]:
    r, t = schema.runs.c, schema.streams.c
    wanted = (
        select(r.key.label("run_key"), r.id.label("run_id"), r.as_of, t.venue, t.underlying)
        .join(schema.streams, t.key == r.stream_key)
        .order_by(r.as_of.desc(), r.key.desc())
        .limit(1)
    )
    if run_id is not None:
        row = connection.execute(wanted.where(r.id == run_id)).mappings().one_or_none()
        if row is None:
            latest = select(r.id).order_by(r.key.desc()).limit(10)
            raise UnknownNameError("run", run_id, connection.execute(latest).scalars())
        return dict(row)
    speaks = text("runs.key IN (SELECT run_key FROM current_runs)")
    wanted = wanted.where(t.underlying == underlying, r.n_quotes > 0, r.as_of <= _until(at), speaks)
    for column, value in ((t.venue, venue), (t.cadence, cadence)):
        if value is not None:
            wanted = wanted.where(column == value)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(t.underlying).distinct()).scalars()
        raise UsageError(
            f"no run of {underlying} with usable quotes by {_until(at)}; "
            f"stored underlyings: {', '.join(sorted(known)) or 'none'}"
        )
    return dict(row)


def _findings(
    connection: Connection, runs: Sequence[int]
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    f = schema.findings.c
    columns = (f.kind, f.cause, f.severity, f.metric, f.scope, f.value, f.threshold, f.usd)
    statement = (
        select(f.run_key, f.model_key, f.about.label("model"), *columns, f.message)
        .where(f.run_key.in_(bindparam("runs", expanding=True)))
        .order_by(f.run_key, f.model_key, f.i)
    )
    out: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in connection.execute(statement, {"runs": list(set(runs))}).mappings():
        finding = dict(row)
        out.setdefault((finding.pop("run_key"), finding.pop("model_key")), []).append(finding)
    return out


def _alert(incident: Incident) -> tuple[Any, ...]:
    shown = {
        "state": str(incident.state),
        "severity": str(incident.severity),
        "cause": str(incident.cause),
        "silenced": False,
        "opened_at": iso_from_ms(incident.opened_at_ms),
        "last_seen": iso_from_ms(incident.last_seen_ms),
        "resolved_at": iso_or_none(incident.resolved_at_ms),
    }
    return tuple(shown[c] if c in shown else getattr(incident, c) for c in ALERTS)


def _until(moment: datetime | None) -> str:
    return END_OF_TIME if moment is None else iso(moment)


def _span(
    since: datetime | None, until: datetime | None, as_known: datetime | None
) -> dict[str, str]:
    return {
        "since": _DAWN if since is None else iso(since),
        "until": _until(until),
        "as_known": _until(as_known),
    }


def _frame(
    store: Store, name: str, columns: tuple[str, ...] | None, values: dict[str, Any]
) -> pd.DataFrame:
    with store.reading() as connection:
        result = connection.execute(query(name), values)
        found, rows = tuple(result.keys()), result.all()
    frame = _build(found, rows)
    return frame if columns is None else frame[list(columns)]


def _build(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return a frame whose column types do not depend on what happens to be in the rows."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    frame = {}
    for name, column in zip(columns, values, strict=True):
        if name in _INSTANTS:
            instants = pd.to_datetime(list(column), utc=True, format="ISO8601")
            frame[name] = pd.Series(instants.as_unit("ms"))
        elif name in _FLOATS:
            frame[name] = pd.Series(column, dtype="float64")
        elif name in _WHOLE:
            frame[name] = pd.Series(column, dtype="int64")
        else:
            frame[name] = pd.Series(column, dtype="object")
    return pd.DataFrame(frame, columns=list(columns))
