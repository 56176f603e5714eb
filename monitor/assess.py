"""The pure pass: one snapshot and what may be known of the past, to an assessment.

`assess` looks at no clock, file or database: the same snapshot, past and rules give the same
assessment, bit for bit. It stands just below the pipeline, which touches the world around it.
*Refused:* a pipeline of stages with shared mutable state, whose order one has to know.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.assessment import Assessment, Past, Rules, Run, Stream, code_digest
from monitor.calibration.fit import Fit
from monitor.calibration.solve import calibrate, evaluate, grid_of
from monitor.diagnostics.base import Evidence, History, MetricValue, measure
from monitor.incidents.lifecycle import advance
from monitor.incidents.messages import compose
from monitor.market.build import build_quotes
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS, Grid, Model
from monitor.outcome import Rejection
from monitor.verdict.base import Verdict
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judge import judge_model
from monitor.verdict.market import MARKET, judge_market
from monitor.verdict.numbers import Numbers

_NOT_IN_INVENTORY = ModelUse("benchmark")


def run_of(snapshot: Snapshot, past: Past, rules: Rules, *, stream: Stream, slot: str) -> Run:
    """Return the identity of the pass that `assess` would make of the same arguments."""
    return Run(
        stream=stream,
        slot=slot,
        as_of_ms=snapshot.as_of_ms,
        snapshot=snapshot.digest,
        config=rules.digest(),
        code=code_digest(),
        history=past.digest(),
    )


def assess(
    snapshot: Snapshot, past: Past, rules: Rules, *, stream: Stream, slot: str
) -> Assessment:
    """Return all that can be said of one chain, given what was known before it.

    Parameters
    ----------
    snapshot : Snapshot
    past : Past
        From slots before `slot` of the same stream.
    rules : Rules
    stream : Stream
    slot : str

    Raises
    ------
    UnknownNameError
        If `rules` names a model that is not registered. Nothing about the market raises.
    """
    run = run_of(snapshot, past, rules, stream=stream, slot=slot)
    models = [MODELS[name] for name in rules.models]
    quotes = build_quotes(snapshot, rules.cleaning)
    chain = Evidence(snapshot, quotes, past.history, drift=rules.drift)
    metrics, rejections = _sorted_out(measure(chain))
    rejections = [*quotes.rejections, *snapshot.context.missing, *rejections]
    verdicts = [_market_verdict(snapshot, metrics, rejections, past, rules)]
    fits: list[Fit] = []
    grid = grid_of(quotes) if quotes.n else None
    for model in models:
        fit = None
        if grid is not None:
            evidence = _evidence_on(chain, model, grid, rules)
            fit = evidence.fit
            assert fit is not None
            fits.append(fit)
            if np.isfinite(fit.iv).any():
                found, refused = _sorted_out(measure(evidence))
                metrics += found
                rejections += refused
        past_verdicts = past.verdicts.get(model.name, ())
        numbers = Numbers.of(model.name, metrics, rejections, past.history, past_verdicts)
        use = rules.inventory.get(model.name, _NOT_IN_INVENTORY)
        judged = judge_model(
            model.name, fit, numbers, verdicts[0], use, rules.judgement, rules.drift
        )
        verdicts.append(judged)
    transitions = advance(
        verdicts,
        past.incidents,
        venue=stream.venue,
        underlying=stream.underlying,
        cadence=stream.cadence,
        as_of_ms=snapshot.as_of_ms,
        run_id=run.id,
        rules=rules.incidents,
    )
    messages = compose(
        verdicts,
        transitions,
        venue=stream.venue,
        underlying=stream.underlying,
        as_of_ms=snapshot.as_of_ms,
        run_id=run.id,
    )
    return Assessment(
        run=run,
        snapshot=snapshot,
        quotes=quotes,
        fits=tuple(fits),
        metrics=tuple(metrics),
        rejections=tuple(rejections),
        verdicts=tuple(verdicts),
        transitions=transitions,
        messages=messages,
    )


def _market_verdict(
    snapshot: Snapshot,
    metrics: list[MetricValue],
    rejections: list[Rejection],
    past: Past,
    rules: Rules,
) -> Verdict:
    numbers = Numbers.of(
        None, metrics, rejections, past.history, tuple(past.verdicts.get(MARKET, ()))
    )
    return judge_market(snapshot, numbers, rules.judgement, rules.drift)


def _evidence_on(chain: Evidence, model: Model, grid: Grid, rules: Rules) -> Evidence:
    """Return the evidence on one model: tonight's fit, and last night's laid on tonight."""
    quotes = chain.quotes
    fit = calibrate(model, quotes, grid=grid, settings=rules.calibration)
    frozen_iv, refreshed = None, None
    carried = _carried(chain.history, model, grid)
    if carried is not None:
        frozen_iv = evaluate(model, quotes, carried, grid=grid).iv
        refreshed = _refreshed(model, quotes, grid, carried, rules)
    return replace(chain, model=model, fit=fit, frozen_iv=frozen_iv, refreshed=refreshed)


def _carried(history: History, model: Model, grid: Grid) -> np.ndarray | None:  # type: ignore[type-arg]
    past = history.fits.get(model.name)
    if past is None:
        return None
    carried = model.carry(past.params, past.expiry_ms, past.tau, grid)
    return carried if np.isfinite(carried).any() else None


def _refreshed(
    model: Model,
    quotes: Quotes,
    grid: Grid,
    carried: np.ndarray,  # type: ignore[type-arg]
    rules: Rules,
) -> Fit:
    states = np.array([p.role == "state" for p in model.tiled(grid)])
    settings = rules.calibration
    return calibrate(model, quotes, grid=grid, settings=settings, start=carried, free=states)


def _sorted_out(
    outcomes: list[MetricValue | Rejection],
) -> tuple[list[MetricValue], list[Rejection]]:
    values = [o for o in outcomes if isinstance(o, MetricValue)]
    return values, [o for o in outcomes if isinstance(o, Rejection)]
