"""A synthetic pass, made quickly: every part filled, nothing calibrated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.assessment import Assessment, Past, Run, Stream
from monitor.calibration.fit import Fit, FitStatus
from monitor.conventions import MS_PER_YEAR, expiry_label, to_ms
from monitor.diagnostics.base import MetricValue
from monitor.incidents.base import Event, Incident, Message, State, Transition
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.outcome import Rejection
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict

STREAM = Stream("deribit", "BTC", "day")
MODELS = ("adhoc", "black", "heston", "svi")
DAWN = datetime(2026, 1, 1, 20, tzinfo=UTC)
WALL = datetime(2026, 7, 1, 6, tzinfo=UTC)  # the desk's time of the first write


def day_slot(night: int) -> str:
    """Return the slot of a night: ``2026-01-01`` for the first."""
    return (DAWN + timedelta(days=night)).date().isoformat()


def as_of_ms(night: int) -> int:
    """Return the venue's time of a night's chain."""
    return to_ms(DAWN + timedelta(days=night))


def wall(night: int) -> datetime:
    """Return a desk's time that rises with the night."""
    return WALL + timedelta(minutes=night)


def make_assessment(
    night: int = 0,
    *,
    stream: Stream = STREAM,
    models: tuple[str, ...] = MODELS,
    expiries: int = 8,
    strikes: int = 12,
    code: str = "c" * 64,
    past: Past | None = None,
    judged: bool = True,
    chain_scale: float = 1.0,
    status: Status = Status.ADEQUATE,
    fit_status: FitStatus = FitStatus.CONVERGED,
    findings: tuple[Finding, ...] | None = None,
    transitions: tuple[Transition, ...] = (),
    messages: tuple[Message, ...] = (),
    metrics: tuple[MetricValue, ...] | None = None,
) -> Assessment:
    """Return a pass over a chain of ``expiries * strikes`` quotes.

    Numbers differ from night to night and are reproducible. ``judged=False`` is a chain that could
    not be judged: no quotes, no fits, no metrics.
    """
    rng = np.random.default_rng([night, expiries, strikes])
    snapshot = make_snapshot(night, stream=stream, expiries=expiries, strikes=strikes)
    quotes = make_quotes(snapshot, rng, chain_scale) if judged else None
    fits = tuple(make_fit(m, quotes, rng, fit_status) for m in models) if quotes else ()
    run = Run(
        stream=stream,
        slot=day_slot(night),
        as_of_ms=snapshot.as_of_ms,
        snapshot=snapshot.digest,
        config="f" * 64,
        code=code,
        history=(past or Past()).digest(),
    )
    if metrics is None:
        metrics = make_metrics(quotes, models, rng) if quotes else ()
    if findings is None:
        findings = (
            Finding(
                *(Kind.MISFIT, Cause.MISSPECIFICATION, None, None, "rmse", "chain"),
                *(0.031, 0.01, "standing misfit of 3.1 vol points"),
            ),
        )
    return Assessment(
        run=run,
        snapshot=snapshot,
        quotes=quotes,
        fits=fits,
        metrics=metrics,
        rejections=make_rejections(snapshot),
        verdicts=tuple(Verdict(m, status, f"{m} is {status}", findings) for m in models),
        transitions=transitions,
        messages=messages,
    )


def make_snapshot(night: int, *, stream: Stream, expiries: int, strikes: int) -> Snapshot:
    """Return a chain with one put or call a strike and quotes around nothing in particular."""
    n = expiries * strikes
    now = as_of_ms(night)
    expiry = np.repeat(now + (1 + np.arange(expiries)) * 10 * 86_400_000, strikes)
    strike = 80_000.0 * np.tile(np.linspace(0.6, 1.5, strikes), expiries)
    return Snapshot(
        venue=stream.venue,
        underlying=stream.underlying,
        as_of_ms=now,
        price_unit="coin",
        instrument=tuple(f"{stream.underlying}-{e}-{k:.0f}" for e, k in zip(expiry, strike)),  # noqa: B905
        underlying_index=("SYN",) * n,
        expiry_ms=expiry,
        is_call=strike > 80_000,
        strike=strike,
        forward=np.full(n, 80_000.0 + night),
        bid=np.full(n, 0.010),
        ask=np.full(n, 0.012),
        mark=np.full(n, 0.011),
        mark_iv=np.full(n, 0.55),
        open_interest=np.where(np.arange(n) % 7 == 0, np.nan, 10.0),
        volume=np.full(n, np.nan),
        index_price=80_010.0,
        n_listed=2 * n,
        venue_now_ms=now + 400,
    )


def make_quotes(snapshot: Snapshot, rng: np.random.Generator, scale: float) -> Quotes:
    """Return the whole chain as usable quotes around a parabolic smile."""
    expiry_ms, index = np.unique(snapshot.expiry_ms, return_inverse=True)
    n, m = len(snapshot), len(expiry_ms)
    k = np.log(snapshot.strike / snapshot.forward)
    iv = scale * (0.5 + 0.3 * k**2 - 0.1 * k + rng.normal(0, 0.002, n))
    half = 0.004 + 0.01 * np.abs(k)
    return Quotes(
        venue=snapshot.venue,
        underlying=snapshot.underlying,
        as_of_ms=snapshot.as_of_ms,
        expiry_ms=expiry_ms,
        tau=(expiry_ms - snapshot.as_of_ms) / MS_PER_YEAR,
        forward=np.full(m, snapshot.forward[0]),
        discount=np.ones(m),
        parity_low=np.where(np.arange(m) == 0, np.nan, 79_900.0),
        parity_high=np.where(np.arange(m) == 0, np.nan, 80_100.0),
        expiry_index=index,
        instrument=snapshot.instrument,
        strike=snapshot.strike,
        k=k,
        sign=np.where(k > 0, 1.0, -1.0),
        c_bid=snapshot.bid,
        c_ask=snapshot.ask,
        tick=np.full(n, 0.0001),
        iv_bid=iv - half,
        iv_ask=iv + half,
        iv=iv,
        vega=np.full(n, 0.1),
        noise=half,
        mark_iv=snapshot.mark_iv,
        open_interest=snapshot.open_interest,
        n_selected=n + 60,
        rejections=make_rejections(snapshot),
    )


def make_fit(model: str, quotes: Quotes, rng: np.random.Generator, status: FitStatus) -> Fit:
    """Return a fit with five parameters: an expiry for ``svi`` and ``black``, else a chain.

    The last parameter has no standard error, and a model per expiry has no last slice.
    """
    per_expiry = model in ("svi", "black")
    words = ("a", "b", "rho", "m", "s") if model != "heston" else "v0 kappa theta_v xi rho".split()
    names = tuple(words)
    if per_expiry:
        names = tuple(f"{w}@{expiry_label(e)}" for e in quotes.expiry_ms.tolist() for w in words)
    p = len(names)
    params = rng.normal(0.5, 0.1, p)
    if per_expiry:
        params[-5:] = np.nan
    covariance = np.diag(np.full(p, 1e-4))
    covariance[-1] = covariance[:, -1] = np.nan
    iv = quotes.iv + rng.normal(0, 0.01, quotes.n)
    iv[0] = np.nan
    return Fit(
        model=model,
        names=names,
        params=params,
        iv=iv,
        leverage=np.full(quotes.n, p / (p + quotes.n)),
        jacobian=np.zeros((quotes.n, p)),
        covariance=covariance,
        condition=np.inf if model == "heston" else 120.0,
        status=status,
        reason="" if status is FitStatus.CONVERGED else "gradient 1e-3 after 200 evaluations",
        cost=float(rng.uniform(50, 500)),
        evaluations=80,
        at_bound=np.where(np.arange(p) == 1, 1, 0),
        restarts_cost=np.sort(rng.uniform(50, 500, 4)),
        restarts_spread=0.1,
    )


def make_metrics(
    quotes: Quotes, models: tuple[str, ...], rng: np.random.Generator
) -> tuple[MetricValue, ...]:
    """Return a realistic number of values: per chain, wing, expiry and parameter."""
    scopes = ["chain", "wing:put", "wing:centre", "wing:call"]
    scopes += [f"expiry:{expiry_label(e)}" for e in quotes.expiry_ms.tolist()]
    values = []
    for model in models:
        for metric in ("bias", "rmse", "largest", "bias_z", "rmse_z", "inside", "frozen_rmse"):
            for scope in scopes:
                stderr = 0.001 if metric == "bias" else None
                value = float(rng.normal(0.02, 0.005))
                values.append(MetricValue(metric, model, scope, value, "vol", quotes.n, stderr))
    for metric in ("atm_vol", "risk_reversal_25", "butterfly_25", "parity_gap"):
        for scope in scopes[4:]:
            values.append(MetricValue(metric, None, scope, float(rng.normal(0.5, 0.1)), "vol", 1))
    values.append(MetricValue("rejection_rate", None, "chain", 0.1, "1", quotes.n_selected))
    return tuple(values)


def make_rejections(snapshot: Snapshot) -> tuple[Rejection, ...]:
    """Return sixty, as a real chain has."""
    return tuple(
        Rejection("quote", "no_bid", f"{snapshot.underlying}-X-{i}", "bid absent")
        for i in range(60)
    )


def make_incident(
    night: int = 0,
    *,
    opened: int | None = None,
    subject: str = "heston",
    run_id: str = "0" * 16,
    state: State = State.OPEN,
    severity: Severity = Severity.AMBER,
    stream: Stream = STREAM,
    resolved: int | None = None,
    runs_quiet: int = 0,
    escalated: bool = False,
) -> Incident:
    """Return the incident of `subject` as it stands after `night`."""
    opened = night if opened is None else opened
    return Incident(
        id=f"{subject}-{opened:04d}",
        key=f"{stream.venue}/{stream.underlying}/{stream.cadence}/misspecification/{subject}",
        state=state,
        severity=severity,
        cause=Cause.MISSPECIFICATION,
        venue=stream.venue,
        underlying=stream.underlying,
        cadence=stream.cadence,
        model=subject,
        metric="rmse",
        scope="wing:put",
        opened_at_ms=as_of_ms(opened),
        last_seen_ms=as_of_ms(night),
        resolved_at_ms=None if resolved is None else as_of_ms(resolved),
        value=0.05 + night / 1000,
        threshold=0.03,
        usd=None,
        message=f"put wing off by {5 + night / 10:.1f} vol points",
        run_id=run_id,
        escalated=escalated,
        runs_seen=night - opened + 1,
        runs_quiet=runs_quiet,
    )


def make_event(event: Event, night: int, **kw: object) -> Transition:
    """Return one event of the incident that `make_incident` gives."""
    return Transition(event, make_incident(night, **kw))  # type: ignore[arg-type]


def make_message(key: str = "m1", severity: Severity = Severity.RED) -> Message:
    """Return a message with letters beyond ASCII."""
    return Message(key, severity, f"BTC heston: wing off ({key})", "Put wing +5 vol points; σ=0.65")
