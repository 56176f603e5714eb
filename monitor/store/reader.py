"""What a pass may know of the passes before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import and_, bindparam, select
from sqlalchemy.engine import Connection

from monitor.assessment import Past, Stream
from monitor.diagnostics.base import History, PastFit, Series, SeriesKey
from monitor.recollect import FIT_SLOTS, RECENT_METRICS, RESOLVED_SLOTS, USABLE, VERDICT_SLOTS
from monitor.replication.chain import PastChain
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.folder import query
from monitor.store.folding import read_incidents
from monitor.store.frames import alerts_frame as alerts_frame
from monitor.store.frames import history_frame as history_frame
from monitor.store.frames import parameters_frame as parameters_frame
from monitor.store.frames import rejections_frame as rejections_frame
from monitor.store.frames import runs_frame as runs_frame
from monitor.store.frames import status_frame as status_frame
from monitor.store.frames import surface_frame as surface_frame
from monitor.store.times import ms_from_iso
from monitor.store.typed import until_text
from monitor.verdict.base import Kind, PastVerdict, Status
from monitor.verdict.market import MARKET

_USABLE = {str(status) for status in USABLE}


@dataclass(frozen=True, slots=True)
class _PastRun:
    key: int
    slot: str
    as_of_ms: int
    n_quotes: int | None
    chain_digest: str


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What is kept of one verdict: by model, in one run."""

    status: Status
    beyond: tuple[str, ...]
    is_blind: bool  # inconclusive for want of data: nothing of it may serve as a reference


def read_past(
    store: Store,
    stream: Stream,
    slot: str,
    *,
    series: Collection[tuple[str, str]],
    window: int,
    lately: Collection[tuple[str, str]] = RECENT_METRICS,
    as_known: datetime | None = None,
) -> Past:
    """Return what is known from the slots of `stream` before `slot`, each by the run that speaks.

    Parameters
    ----------
    stream : Stream
    slot : str
        Nothing of this slot, nor of later ones, is read.
    series : collection of (metric, scope)
        The numbers whose history is wanted, for every model and for the market.
    window : int
        How many slots back the series reach.
    lately : collection of (metric, scope)
        Numbers of which the last 120 slots are read.
    as_known : datetime, optional
        By what the desk knew then; else by all it knows.

    Returns
    -------
    Past
        Fits: each model's latest usable one within the last 120 slots; an older one says nothing
        of tonight. Series: oldest first, of the nights that could be judged. Verdicts: of the last
        30 slots. The last chain: of the latest of those 30 that could be judged. Incidents: those
        not resolved, and those resolved within the last 7 slots.

    Raises
    ------
    StoreUnavailable, SchemaMismatch
    """
    known = until_text(as_known)
    with store.reading() as connection:
        key = store.dictionary.stream_key(connection, stream)
        if key is None:
            return Past()
        runs = _past_runs(connection, key, slot, max(window, FIT_SLOTS), known)
        if not runs:
            return Past(incidents=read_incidents(connection, stream=key, slot=slot, as_known=known))
        recent = runs[:VERDICT_SLOTS]
        judged = _judgements(connection, recent)
        fits = _fits(connection, recent, judged)
        if {model for _, model in judged} - fits.keys() - {MARKET}:
            # Seldom: a model without a usable fit for a month.
            older = runs[VERDICT_SLOTS:FIT_SLOTS]
            fits = _fits(connection, older, _judgements(connection, older)) | fits
        oldest_kept = runs[:RESOLVED_SLOTS][-1].slot
        return Past(
            history=History(
                fits=fits,
                series=_series(connection, key, runs[:window], series)
                | _series(connection, key, runs[:FIT_SLOTS], lately),
                chain_digest=runs[0].chain_digest,
                n_quotes=runs[0].n_quotes,
                last_chain=_last_chain(connection, recent, judged),
            ),
            verdicts=_verdicts(recent, judged),
            incidents=read_incidents(
                connection, stream=key, slot=slot, resolved_since=oldest_kept, as_known=known
            ),
        )


def has_run(store: Store, run_id: str) -> bool:
    """Return whether the run is stored and speaks for its slot: computing it again adds nothing.

    Raises
    ------
    StoreUnavailable, SchemaMismatch
    """
    with store.reading() as connection:
        found = connection.execute(query("speaking_run"), {"run": run_id}).first()
    return found is not None


def _past_runs(
    connection: Connection, stream: int, slot: str, n: int, as_known: str
) -> list[_PastRun]:
    asked = {"stream": stream, "slot": slot, "n": n, "as_known": as_known}
    found = connection.execute(query("past_runs"), asked)
    return [
        _PastRun(key, at, ms_from_iso(as_of), n_quotes, digest)
        for key, at, as_of, n_quotes, digest in found
    ]


def _judgements(
    connection: Connection, runs: Sequence[_PastRun]
) -> dict[tuple[int, str], _Judgement]:
    """Return the verdicts of `runs` by (run key, model)."""
    keys = [run.key for run in runs]
    findings: dict[tuple[int, int], list[tuple[str, str, str]]] = defaultdict(list)
    found = connection.execute(_FINDINGS, {"keys": keys}).cursor.fetchall()
    for run, model, kind, metric, scope in found:
        findings[(run, model)].append((kind, metric, scope))
    judged = {}
    for run, model, name, status in connection.execute(_VERDICTS, {"keys": keys}):
        of_run = findings[(run, model)]
        is_blind = status == Status.INCONCLUSIVE and any(f[0] == Kind.DATA for f in of_run)
        beyond = tuple(
            f"{kind}/{metric}/{scope}" for kind, metric, scope in of_run if kind != Kind.DATA
        )
        judged[(run, name)] = _Judgement(Status(status), beyond, is_blind)
    return judged


def _verdicts(
    runs: Sequence[_PastRun], judged: Mapping[tuple[int, str], _Judgement]
) -> dict[str, tuple[PastVerdict, ...]]:
    by_model: dict[str, list[PastVerdict]] = defaultdict(list)
    as_of = {run.key: run.as_of_ms for run in runs}
    order = {run.key: i for i, run in enumerate(runs)}
    recent = ((k, j) for k, j in judged.items() if k[0] in order)
    for (run, model), judgement in sorted(recent, key=lambda item: -order[item[0][0]]):
        by_model[model].append(PastVerdict(as_of[run], judgement.status, judgement.beyond))
    return {model: tuple(verdicts) for model, verdicts in sorted(by_model.items())}


def _fits(
    connection: Connection,
    runs: Sequence[_PastRun],
    judged: Mapping[tuple[int, str], _Judgement],
) -> dict[str, PastFit]:
    """Return each model's latest usable fit."""
    order = {run.key: i for i, run in enumerate(runs)}
    candidates: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for run, model, name, status in connection.execute(_FIT_STATES, {"keys": list(order)}):
        judgement = judged.get((run, name))
        if status in _USABLE and not (judgement and judgement.is_blind):
            candidates[name].append((order[run], run, model))
    fits = {}
    for name, found in sorted(candidates.items()):
        for i, _, model in sorted(found):
            fit = _past_fit(connection, runs[i], model, name)
            if fit is not None:
                fits[name] = fit
                break
    return fits


def _past_fit(connection: Connection, run: _PastRun, model: int, name: str) -> PastFit | None:
    """Return one stored fit; None where its parameters cannot be laid on another chain."""
    found = connection.execute(_PARAMETERS, {"run": run.key, "model": model}).all()
    params = _floats([row[1] for row in found])
    if np.isinf(params).any() or not np.isfinite(params).any():
        return None
    expiries = connection.execute(_EXPIRIES, {"run": run.key}).all()
    return PastFit(
        model=name,
        as_of_ms=run.as_of_ms,
        expiry_ms=np.array([ms_from_iso(row[0]) for row in expiries], dtype=np.int64),
        tau=_floats([row[1] for row in expiries]),
        names=tuple(row[0] for row in found),
        params=params,
        stderr=_floats([row[2] for row in found]),
    )


def _last_chain(
    connection: Connection,
    runs: Sequence[_PastRun],
    judged: Mapping[tuple[int, str], _Judgement],
) -> PastChain | None:
    """Return the quotes of the latest night that could be judged."""
    for run in runs:
        market = judged.get((run.key, MARKET))
        if not run.n_quotes or (market is not None and market.is_blind):
            continue
        found = connection.execute(_CHAIN, {"run": run.key}).all()
        if not found:
            continue  # its quotes are no longer kept
        expiry, *columns = zip(*found, strict=True)
        known = {text: ms_from_iso(text) for text in set(expiry)}
        return PastChain(
            run.as_of_ms,
            np.array([known[text] for text in expiry], dtype=np.int64),
            *(_floats(column) for column in columns),
        )
    return None


def _series(
    connection: Connection,
    stream: int,
    runs: Sequence[_PastRun],
    wanted: Collection[tuple[str, str]],
) -> dict[SeriesKey, Series]:
    """Return the named numbers of `runs`, by (model, metric, scope)."""
    if not wanted or not runs:
        return {}
    # By names and scopes apart, which an index serves; the few pairs not asked for fall away here.
    pairs = set(wanted)
    asked = {
        "stream": stream,
        "metrics": sorted({metric for metric, _ in pairs}),
        "scopes": sorted({scope for _, scope in pairs}),
    }
    named: dict[int, SeriesKey] = {
        key: (model or None, metric, scope)
        for key, metric, scope, model in connection.execute(_SERIES, asked)
        if (metric, scope) in pairs
    }
    if not named:
        return {}
    ordered = sorted(runs, key=lambda run: run.key)
    run_keys = np.array([run.key for run in ordered], dtype=np.int64)
    as_of = np.array([run.as_of_ms for run in ordered], dtype=np.int64)
    bounds = {"keys": sorted(named), "low": ordered[0].key, "high": ordered[-1].key}
    rows = connection.execute(_VALUES, bounds).cursor.fetchall()
    if not rows:
        return {}
    span = {"market": MARKET, "low": bounds["low"], "high": bounds["high"]}
    blind = [key for (key,) in connection.execute(_BLIND, span)]
    # All three columns as doubles: keys are far below 2**53.
    table = np.array(rows, dtype=np.float64)
    at = np.searchsorted(run_keys, table[:, 1])
    speaks = run_keys[np.minimum(at, len(run_keys) - 1)] == table[:, 1]
    speaks &= ~np.isin(table[:, 1], blind)
    if not speaks.any():
        return {}
    names = sorted(set(named.values()), key=repr)
    number = {name: i for i, name in enumerate(names)}
    number_of_key = {key: number[name] for key, name in named.items()}
    which = np.array([number_of_key[int(key)] for key in table[:, 0]], dtype=np.int64)
    which, time, value = which[speaks], as_of[at[speaks]], table[speaks, 2]
    order = np.lexsort((time, which))
    which, time, value = which[order], time[order], value[order]
    present, starts = np.unique(which, return_index=True)
    ends = [*starts[1:], len(which)]
    return {
        names[i]: Series(time[start:end], value[start:end])
        for i, start, end in zip(present.tolist(), starts.tolist(), ends, strict=True)
    }


def _floats(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _among(column: Any) -> Any:
    return column.in_(bindparam("keys", expanding=True))


_v, _m, _f = schema.verdicts.c, schema.models.c, schema.findings.c
_VERDICTS = (
    select(_v.run_key, _v.model_key, _m.name, _v.status)
    .join(schema.models, _m.key == _v.model_key)
    .where(_among(_v.run_key))
)
_FINDINGS = (
    select(_f.run_key, _f.model_key, _f.kind, _f.metric, _f.scope)
    .where(_among(_f.run_key))
    .order_by(_f.run_key, _f.model_key, _f.i)
)
# Nights whose chain could not be judged: what was measured on them is no past.
_BLIND = (
    select(_v.run_key)
    .join(schema.models, _m.key == _v.model_key)
    .join(schema.findings, and_(_f.run_key == _v.run_key, _f.model_key == _v.model_key))
    .where(
        _m.name == bindparam("market"),
        _v.run_key.between(bindparam("low"), bindparam("high")),
        _v.status == str(Status.INCONCLUSIVE),
        _f.kind == str(Kind.DATA),
    )
    .distinct()
)
_t = schema.fits.c
_FIT_STATES = (
    select(_t.run_key, _t.model_key, _m.name, _t.status)
    .join(schema.models, _m.key == _t.model_key)
    .where(_among(_t.run_key))
)
_p, _e = schema.parameters.c, schema.expiries.c
_PARAMETERS = (
    select(_p.name, _p.value, _p.stderr)
    .where(_p.run_key == bindparam("run"), _p.model_key == bindparam("model"))
    .order_by(_p.i)
)
_EXPIRIES = select(_e.expiry, _e.tau).where(_e.run_key == bindparam("run")).order_by(_e.i)
_q = schema.quotes.c
_CHAIN = (
    select(_e.expiry, _e.forward, _q.strike, _q.sign, _q.iv_bid, _q.iv_ask)
    .join_from(
        schema.quotes,
        schema.expiries,
        and_(_e.run_key == _q.run_key, _e.i == _q.expiry_i),
    )
    .where(_q.run_key == bindparam("run"))
    .order_by(_q.i)
)
_s, _x = schema.series.c, schema.metrics.c
_SERIES = select(_s.key, _s.metric, _s.scope, _s.model).where(
    _s.stream_key == bindparam("stream"),
    _s.metric.in_(bindparam("metrics", expanding=True)),
    _s.scope.in_(bindparam("scopes", expanding=True)),
)
_VALUES = select(_x.series_key, _x.run_key, _x.value).where(
    _among(_x.series_key), _x.run_key >= bindparam("low"), _x.run_key <= bindparam("high")
)
