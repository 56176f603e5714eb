"""Questions about the history, answered as frames.

Instants are aware UTC timestamps, absent numbers NaN, absent words None. Unless `as_known` is
given, each slot is spoken for by the run that speaks for it now; with it, by the one that did then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import bindparam, select, text
from sqlalchemy.engine import Connection

from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Incident, State
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.folder import query, query_live
from monitor.store.folding import read_standings
from monitor.store.history import HISTORY as HISTORY
from monitor.store.history import history_frame as history_frame
from monitor.store.times import iso_from_ms, iso_or_none
from monitor.store.typed import bounds, frame_of_rows, until_text

STATUS = tuple("as_of venue underlying cadence model status reason findings run_id".split())
ALERTS = tuple(
    "id key state escalated silenced severity cause venue underlying cadence model metric scope "
    "opened_at last_seen resolved_at value threshold usd message run_id".split()
)


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
    found = _frame(store, "runs", {**filters, **bounds(since, until, as_known)})
    return found.drop(columns="run_key")


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
    return _frame(store, "parameters", {**filters, **bounds(since, until, as_known)})


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
    return _frame(store, "rejections", {**filters, **bounds(since, until, as_known)})


def status_frame(
    store: Store,
    *,
    at: datetime | None = None,
    as_known: datetime | None = None,
    assume_live: bool = False,
) -> pd.DataFrame:
    """Return the verdict board at `at`: the latest judgement of each model in each stream.

    A model not judged in the last 30 slots of its stream has left the board. `findings` holds a
    list of dictionaries, in the order of the argument. With `assume_live`, a backfilled night
    counts as known at its own time, as a live desk's would.
    """
    values = {"at": until_text(at), "as_known": until_text(as_known)}
    with store.reading() as connection:
        board = query_live("status") if assume_live else query("status")
        found = connection.execute(board, values).mappings().all()
        findings = _findings(connection, [row["run_key"] for row in found])
    rows = [
        tuple(
            findings.get((row["run_key"], row["model_key"]), []) if c == "findings" else row[c]
            for c in STATUS
        )
        for row in found
    ]
    return frame_of_rows(STATUS, rows)


def alerts_frame(
    store: Store,
    *,
    state: str | None = None,
    all: bool = False,
    as_known: datetime | None = None,
    silenced: Callable[[Incident], bool] = lambda _: False,
) -> pd.DataFrame:
    """Return incidents as they stand, oldest first, with the columns `ALERTS`.

    Parameters
    ----------
    state : str, optional
        Only those in this state.
    all : bool
        Resolved ones too; by default only open and acknowledged ones.
    silenced : callable
        Whether a silence keeps an incident from being told: a matter of the desk's clock.

    Raises
    ------
    UnknownNameError
        If there is no such state.
    """
    if state is not None and state not in [str(s) for s in State]:
        raise UnknownNameError("state", state, [str(s) for s in State])
    with store.reading() as connection:
        standings = read_standings(connection, as_known=until_text(as_known))
    rows = [
        _alert(standing.incident, silenced(standing.incident))
        for standing in standings
        if (
            standing.incident.state == state
            if state
            else all or standing.incident.state is not State.RESOLVED
        )
    ]
    return frame_of_rows(ALERTS, rows)


def messages_frame(store: Store, *, all: bool = False) -> pd.DataFrame:
    """Return messages and how each receiver of each fared, oldest first.

    Those that all their receivers have are left out, unless all are asked for.
    """
    wanted = "SELECT * FROM message_log {} ORDER BY queued_wall, message_key, target"
    with store.reading() as connection:
        found = connection.execute(text(wanted.format("" if all else "WHERE state <> 'sent'")))
        return frame_of_rows(tuple(found.keys()), [tuple(row) for row in found])


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
        run = surface_run(connection, run_id, underlying, at, venue, cadence)
        result = connection.execute(query("surface"), {"run_key": run["run_key"]})
        columns, found = tuple(result.keys()), result.all()
    if models is not None:
        known = {row[0] for row in found}
        for name in models:
            if name not in known:
                raise UnknownNameError(f"model in run {run['run_id']}", name, known)
        found = [row for row in found if row[0] in set(models)]
    head = tuple(run[name] for name in ("as_of", "run_id", "venue", "underlying"))
    return frame_of_rows(
        ("as_of", "run_id", "venue", "underlying", *columns), [(*head, *row) for row in found]
    )


def surface_run(
    connection: Connection,
    run_id: str | None,
    underlying: str | None,
    at: datetime | None,
    venue: str | None,
    cadence: str | None,
) -> Mapping[str, Any]:
    """Return a run by its id, or the latest of an underlying with usable quotes at `at`."""
    if run_id is not None:
        r, t = schema.runs.c, schema.streams.c
        columns = (r.key.label("run_key"), r.id.label("run_id"), r.as_of, t.venue, t.underlying)
        wanted = select(*columns).join(schema.streams, t.key == r.stream_key).where(r.id == run_id)
        row = connection.execute(wanted).mappings().one_or_none()
        if row is None:
            latest = select(r.id).order_by(r.key.desc()).limit(10)
            raise UnknownNameError("run", run_id, connection.execute(latest).scalars())
        return dict(row)
    place = {"underlying": underlying, "venue": venue, "cadence": cadence, "at": until_text(at)}
    row = connection.execute(query("surface_run"), place).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(schema.streams.c.underlying).distinct()).scalars()
        raise UsageError(
            f"no run of {underlying} with usable quotes by {until_text(at)}; "
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


def _alert(incident: Incident, silenced: bool) -> tuple[Any, ...]:
    shown = {
        "state": str(incident.state),
        "severity": str(incident.severity),
        "cause": str(incident.cause),
        "silenced": silenced,
        "opened_at": iso_from_ms(incident.opened_at_ms),
        "last_seen": iso_from_ms(incident.last_seen_ms),
        "resolved_at": iso_or_none(incident.resolved_at_ms),
    }
    return tuple(shown[c] if c in shown else getattr(incident, c) for c in ALERTS)


def _frame(store: Store, name: str, values: dict[str, Any]) -> pd.DataFrame:
    with store.reading() as connection:
        result = connection.execute(query(name), values)
        columns, rows = tuple(result.keys()), result.all()
    return frame_of_rows(columns, rows)
