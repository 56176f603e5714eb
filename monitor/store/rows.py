"""From an assessment to rows: pure, one function a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from monitor.arrays import FloatArray
from monitor.assessment import Assessment
from monitor.calibration.fit import Fit
from monitor.diagnostics.residual import standardised
from monitor.incidents.base import Incident, Transition
from monitor.market.quotes import Quotes
from monitor.store.bulk import null_if_nan, nullable
from monitor.store.times import iso_from_ms, iso_or_none
from monitor.verdict.base import Verdict

Row = tuple[Any, ...]

EXPIRIES = ("run_key", "i", "expiry", "tau", "forward", "discount", "parity_low", "parity_high")
QUOTES = tuple("run_key i expiry_i strike sign k iv_bid iv_ask iv noise vega open_interest".split())
RESIDUALS = ("run_key", "model_key", "i", "iv", "z")
FITS = tuple(
    "run_key model_key status reason cost condition evaluations restarts restarts_spread".split()
)
PARAMETERS = ("run_key", "model_key", "i", "name", "value", "stderr", "at_bound")
METRICS = ("series_key", "run_key", "value", "n", "stderr")
REJECTIONS = ("run_key", "i", "stage", "reason", "subject", "detail")
VERDICTS = ("run_key", "model_key", "status", "reason")
FINDINGS = tuple(
    "run_key model_key i kind cause severity about metric scope value threshold usd message".split()
)
EVENTS = tuple(
    "incident_key event run_key slot wall author note state severity model metric scope last_seen "
    "resolved_at value threshold usd message run_id escalated runs_seen runs_quiet reopenings "
    "models verdict".split()
)
MEMBERS = tuple(
    "run_key incident_key i model metric scope value threshold is_floor is_found runs_calm".split()
)


def expiry_rows(run: int, quotes: Quotes) -> Iterator[Row]:
    """Yield one row an expiry that has quotes."""
    columns = zip(
        map(iso_from_ms, quotes.expiry_ms.tolist()),
        quotes.tau.tolist(),
        quotes.forward.tolist(),
        quotes.discount.tolist(),
        nullable(quotes.parity_low),
        nullable(quotes.parity_high),
        strict=True,
    )
    return ((run, i, *row) for i, row in enumerate(columns))


def quote_rows(run: int, quotes: Quotes) -> Iterator[Row]:
    """Yield one row a quote, in the order of `Quotes`."""
    columns = zip(
        quotes.expiry_index.tolist(),
        quotes.strike.tolist(),
        quotes.sign.astype(int).tolist(),
        quotes.k.tolist(),
        quotes.iv_bid.tolist(),
        quotes.iv_ask.tolist(),
        quotes.iv.tolist(),
        quotes.noise.tolist(),
        quotes.vega.tolist(),
        nullable(quotes.open_interest),
        strict=True,
    )
    return ((run, i, *row) for i, row in enumerate(columns))


def residual_rows(run: int, model: int, fit: Fit, found: Assessment) -> Iterator[Row]:
    """Yield one row a quote: the model's vol, and its residual in units of its noise."""
    quotes = found.quotes
    if quotes is None or len(fit.iv) != quotes.n:
        return iter(())  # nothing was fitted
    z = standardised(quotes, fit, found.noise)
    columns = zip(nullable(fit.iv), nullable(z), strict=True)
    return ((run, model, i, *row) for i, row in enumerate(columns))


def fit_row(run: int, model: int, fit: Fit) -> Row:
    """Return how one calibration ended."""
    return (
        run,
        model,
        str(fit.status),
        fit.reason,
        null_if_nan(fit.cost),
        null_if_nan(fit.condition),
        fit.evaluations,
        len(fit.restarts_cost),
        null_if_nan(fit.restarts_spread),
    )


def parameter_rows(run: int, model: int, fit: Fit) -> Iterator[Row]:
    """Yield one row a parameter, in the order of the fit's vector."""
    columns = zip(
        fit.names,
        nullable(fit.params),
        nullable(standard_errors(fit)),
        fit.at_bound.tolist(),
        strict=True,
    )
    return ((run, model, i, *row) for i, row in enumerate(columns))


def standard_errors(fit: Fit) -> FloatArray:
    """Return the roots of the covariance's diagonal, shape (P,); NaN where it says nothing."""
    variance = np.diagonal(fit.covariance)
    return np.sqrt(np.where(variance >= 0, variance, np.nan))


def metric_rows(run: int, keys: Mapping[Row, int], stream: int, found: Assessment) -> list[Row]:
    """Return one row a metric value, in the order in which the table is stored."""
    return sorted(
        (
            keys[(stream, m.metric, m.scope, m.model or "", m.unit)],
            run,
            float(m.value),
            int(m.n),
            null_if_nan(m.stderr),
        )
        for m in found.metrics
    )


def rejection_rows(run: int, found: Assessment) -> Iterator[Row]:
    """Yield one row a rejection."""
    return (
        (run, i, r.stage, r.reason, r.subject, r.detail) for i, r in enumerate(found.rejections)
    )


def finding_rows(run: int, model: int, verdict: Verdict) -> Iterator[Row]:
    """Yield the findings of a verdict in the order of the argument."""
    for i, f in enumerate(verdict.findings):
        severity = None if f.severity is None else str(f.severity)
        numbers = (null_if_nan(f.value), null_if_nan(f.threshold), null_if_nan(f.usd))
        yield (
            *(run, model, i, str(f.kind), str(f.cause), severity, f.model, f.metric, f.scope),
            *(*numbers, f.message),
        )


def event_row(
    incident_key: int,
    transition: Transition,
    *,
    run: int | None,
    slot: str,
    wall: str,
    author: str | None = None,
    note: str | None = None,
    verdict: str | None = None,
) -> Row:
    """Return one event of an incident's life, with its whole state after it."""
    after = transition.incident
    return (
        *(incident_key, str(transition.event), run, slot, wall, author, note),
        *(str(after.state), str(after.severity), after.model, after.metric, after.scope),
        *(iso_from_ms(after.last_seen_ms), iso_or_none(after.resolved_at_ms)),
        *(null_if_nan(after.value), null_if_nan(after.threshold), null_if_nan(after.usd)),
        *(after.message, after.run_id, bool(after.escalated)),
        *(after.runs_seen, after.runs_quiet, after.reopenings, " ".join(after.models), verdict),
    )


def member_rows(run: int, incident_key: int, incident: Incident) -> Iterator[Row]:
    """Yield the numbers behind an incident as they stand after a run."""
    for i, m in enumerate(incident.members):
        numbers = (null_if_nan(m.value), null_if_nan(m.threshold))
        yield (
            *(run, incident_key, i, m.model, m.metric, m.scope, *numbers),
            *(m.is_floor, m.is_found, m.runs_calm),
        )
