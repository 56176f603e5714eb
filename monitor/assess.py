"""The pure pass: one snapshot and what may be known of the past, to an assessment.

`assess` looks at no clock, file or database: the same snapshot, past and rules give the same
assessment, bit for bit. It is two functions, one after the other: `measure_snapshot` needs no
earlier night, costs most and runs anywhere; `judge_night` needs the nights before, and is cheap.
It stands just below the pipeline, which touches the world around it.
*Refused:* a pipeline of stages with shared mutable state, whose order one has to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from monitor.assessment import PULSE, Assessment, Past, Rules, Run, Stream, code_digest
from monitor.calibration.fit import Fit
from monitor.calibration.pull import Pulled, pulled_fit
from monitor.calibration.refresh import refreshed_fit
from monitor.calibration.solve import calibrate, grid_of
from monitor.diagnostics.base import (
    NO_HISTORY,
    Evidence,
    History,
    MetricValue,
    Outcome,
    PastFit,
    measure,
    measure_alone,
)
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.pulling import prior_of
from monitor.incidents.lifecycle import advance
from monitor.judging import beliefs, noted, rebased, referenced
from monitor.market.build import build_quotes
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS, Grid, Model
from monitor.outcome import Rejection
from monitor.verdict.base import Verdict
from monitor.verdict.diagnosis import COMPARED, diagnosed
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judge import judge_model
from monitor.verdict.market import MARKET, judge_market
from monitor.verdict.numbers import Numbers

_NOT_IN_INVENTORY = ModelUse("benchmark")
_QUOTES_A_PARAMETER = 2  # of a slice that is carried into the next night, at the least


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


@dataclass(frozen=True, eq=False)
class Night:
    """What can be said of one chain without looking back: the unit of work of a cluster.

    It depends on the snapshot and the rules alone, so that nights are made in any order and on any
    machine, and are the same bits. It travels between processes (pickle) without its kernels.

    Attributes
    ----------
    snapshot : Snapshot
    quotes : Quotes
    fits : tuple of Fit
        Cold, one a model in the order of the rules; empty where no quote is left.
    market : mapping of metric to outcomes
        The market's numbers that need no history.
    models : mapping of model to mapping of metric to outcomes
        Each model's; absent where its fit gives no vol at all.
    """

    snapshot: Snapshot
    quotes: Quotes
    fits: tuple[Fit, ...]
    market: Mapping[str, tuple[Outcome, ...]]
    models: Mapping[str, Mapping[str, tuple[Outcome, ...]]]

    @cached_property
    def grid(self) -> Grid:
        """Where models are asked; its kernels are shared by all that is priced on the chain."""
        return grid_of(self.quotes)

    def __getstate__(self) -> dict[str, object]:
        """Return what travels: kernels are megabytes, and are made again where they are needed."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take up what travelled; arrays lose their seal on the way."""
        self.__dict__.update(state)
        for part in (self.snapshot, self.quotes, *self.fits):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    value.setflags(write=False)


def measure_snapshot(snapshot: Snapshot, rules: Rules) -> Night:
    """Return what can be said of one chain without looking back: quotes, cold fits, most numbers.

    Four fifths of a pass, and the part that a backfill spreads over processes and machines.

    Raises
    ------
    UnknownNameError
        If `rules` names a model that is not registered. Nothing about the market raises.
    """
    models = [MODELS[name] for name in rules.models]
    quotes = build_quotes(snapshot, rules.cleaning)
    chain = Evidence(snapshot, quotes, NO_HISTORY, drift=rules.drift)
    grid = grid_of(quotes) if quotes.n else None
    fits, measured = [], {}
    for model in models:
        if grid is None:
            break
        fit = calibrate(model, quotes, grid=grid, settings=rules.calibration)
        fits.append(fit)
        if np.isfinite(fit.iv).any():
            measured[model.name] = measure_alone(replace(chain, model=model, fit=fit))
    night = Night(snapshot, quotes, tuple(fits), measure_alone(chain), measured)
    if grid is not None:
        night.__dict__["grid"] = grid  # with the kernels it has by now
    return night


def measure_pulse(snapshot: Snapshot, past: Past, rules: Rules) -> Night:
    """Return what last night's structure says of a chain, its states refreshed to it.

    Parameters
    ----------
    snapshot : Snapshot
    past : Past
        Its fits are last night's; a model without one has no fit, and no number, here either.
    rules : Rules
    """
    quotes = build_quotes(snapshot, rules.cleaning)
    chain = Evidence(snapshot, quotes, NO_HISTORY, drift=rules.drift)
    grid = grid_of(quotes) if quotes.n else None
    history = _readable(past.history)
    fits, measured = [], {}
    for name in rules.models if grid is not None else ():
        assert grid is not None
        carried = _carried(history, MODELS[name], grid)
        if carried is None:
            continue
        _, fit = refreshed_fit(MODELS[name], quotes, carried, grid=grid, settings=rules.calibration)
        fits.append(fit)
        if np.isfinite(fit.iv).any():
            measured[name] = measure_alone(replace(chain, model=MODELS[name], fit=fit))
    night = Night(snapshot, quotes, tuple(fits), measure_alone(chain), measured)
    if grid is not None:
        night.__dict__["grid"] = grid
    return night


def measure_for(snapshot: Snapshot, past: Past, rules: Rules, stream: Stream) -> Night:
    """Return a chain measured as its stream is: by cold fits, or by last night's structure."""
    if stream.cadence == PULSE:
        return measure_pulse(snapshot, past, rules)
    return measure_snapshot(snapshot, rules)


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
    night = measure_for(snapshot, past, rules, stream)
    return judge_night(night, past, rules, stream=stream, slot=slot)


def judge_night(night: Night, past: Past, rules: Rules, *, stream: Stream, slot: str) -> Assessment:
    """Return the assessment of a measured night: last night's fits on it, drift, verdicts, news.

    Parameters
    ----------
    night : Night
        By the same rules.
    past, rules, stream, slot
        As for `assess`.
    """
    snapshot, quotes = night.snapshot, night.quotes
    run = run_of(snapshot, past, rules, stream=stream, slot=slot)
    past = replace(past, history=rebased(past.history, rules.judgements))
    rivals = tuple(fit for fit in night.fits if fit.model in night.models)
    history = _readable(past.history)
    chain = Evidence(snapshot, quotes, history, drift=rules.drift, rivals=rivals)
    metrics, rejections = _sorted_out(measure(chain, night.market))
    rejections = [*quotes.rejections, *snapshot.context.missing, *rejections]
    # What a verdict may look up: its own subject's numbers and the market's, not all models'.
    own = {MARKET: tuple(metrics)}
    before = tuple(past.verdicts.get(MARKET, ()))
    of_market = Numbers.of(None, metrics, rejections, past.history, before)
    verdicts = [judge_market(snapshot, of_market, rules.judgement, rules.drift)]
    numbers: dict[str, Numbers] = {}
    fits = {fit.model: fit for fit in night.fits}
    for name in rules.models:
        fit, own[name] = fits.get(name), ()
        if fit is not None and name in night.models:
            evidence = _evidence_on(chain, MODELS[name], fit, night, rules)
            if stream.cadence != PULSE:
                evidence = replace(evidence, pulled=_pulled(evidence, fit, night.grid, rules))
            found, refused = _sorted_out(measure(evidence, night.models[name]))
            metrics += found
            rejections += refused
            own[name] = tuple(found)
        before = tuple(past.verdicts.get(name, ()))
        seen = Numbers.of(
            name, own[name], rejections, past.history, before, market=of_market.market
        )
        use = rules.inventory.get(name, _NOT_IN_INVENTORY)
        judged = judge_model(name, fit, seen, verdicts[0], use, rules.judgement, rules.drift)
        numbers[name] = seen
        verdicts.append(judged)
    compared = [m for m in metrics if m.metric in COMPARED]
    verdicts[1:] = [_diagnosed(v, numbers[v.model], compared, rejections) for v in verdicts[1:]]
    verdicts = [noted(referenced(v, own[v.model]), rules.judgements) for v in verdicts]
    transitions = advance(
        verdicts,
        past.incidents,
        venue=stream.venue,
        underlying=stream.underlying,
        cadence=stream.cadence,
        as_of_ms=snapshot.as_of_ms,
        run_id=run.id,
        rules=rules.incidents,
        metrics=metrics,
        past=past.verdicts,
        slot=slot,
    )
    return Assessment(
        run=run,
        snapshot=snapshot,
        quotes=quotes,
        fits=night.fits,
        metrics=tuple(metrics),
        rejections=tuple(rejections),
        verdicts=tuple(verdicts),
        transitions=transitions,
        noise=learnt_noise(chain.history),
    )


def _diagnosed(
    verdict: Verdict,
    numbers: Numbers,
    metrics: list[MetricValue],
    rejections: list[Rejection],
) -> Verdict:
    """Return the verdict on a model with what all of tonight's numbers say of why."""
    numbers = replace(numbers, rejections=tuple(rejections))
    return diagnosed(verdict, numbers, metrics, per_expiry=MODELS[verdict.model].per_expiry)


def _readable(history: History) -> History:
    """Return the history without fits of models that a release has changed or dropped since."""
    return replace(history, fits={n: f for n, f in history.fits.items() if _is_of_today(f)})


def _is_of_today(past: PastFit) -> bool:
    if past.model not in MODELS:
        return False
    model = MODELS[past.model]
    names = tuple(name.split("@")[0] for name in past.names)
    slices = len(past.expiry_ms) if model.per_expiry else 1
    return names == tuple(p.name for p in model.parameters) * slices


def _evidence_on(chain: Evidence, model: Model, fit: Fit, night: Night, rules: Rules) -> Evidence:
    """Return the evidence on one model: tonight's fit, and last night's laid on tonight."""
    frozen_iv, refreshed = None, None
    carried = _carried(chain.history, model, night.grid)
    if carried is not None:
        frozen_iv, refreshed = refreshed_fit(
            model, chain.quotes, carried, grid=night.grid, settings=rules.calibration
        )
    use = rules.inventory.get(model.name, _NOT_IN_INVENTORY)
    return replace(
        chain,
        model=model,
        fit=fit,
        frozen_iv=frozen_iv,
        refreshed=refreshed,
        tolerance_iv=use.max_rmse_iv,
    )


def _carried(history: History, model: Model, grid: Grid) -> np.ndarray | None:
    past, last = history.fits.get(model.name), history.last_chain
    if past is None:
        return None
    params = past.params
    if model.per_expiry and last is not None and last.as_of_ms == past.as_of_ms:
        # What was drawn through a handful of quotes, an expiry newly listed, foretells no others.
        p = len(model.parameters)
        n_quotes = np.array([np.sum(last.expiry_ms == expiry) for expiry in past.expiry_ms])
        params = np.where(np.repeat(n_quotes, p) >= _QUOTES_A_PARAMETER * p, params, np.nan)
    carried = model.carry(params, past.expiry_ms, past.tau, grid)
    return carried if np.isfinite(carried).any() else None


def _pulled(evidence: Evidence, fit: Fit, grid: Grid, rules: Rules) -> Pulled | None:
    """Return the fit drawn towards what experts say, and to last night where that is asked for."""
    model, quotes, settings = evidence.model, evidence.quotes, rules.calibration
    assert model is not None
    said, follow = beliefs(rules.judgements, model.name), model.name in settings.pull
    prior = prior_of(model, grid, evidence.history, said, follow=follow)
    if prior is None:
        return None
    return Pulled(prior, pulled_fit(model, quotes, fit, prior, grid=grid, settings=settings))


def _sorted_out(
    outcomes: list[MetricValue | Rejection],
) -> tuple[list[MetricValue], list[Rejection]]:
    values = [o for o in outcomes if isinstance(o, MetricValue)]
    return values, [o for o in outcomes if isinstance(o, Rejection)]
