"""A desk's quiet nights at the level of metrics: numbers that wander about where they belong.

Each number of a real night is drawn anew every night around its own value, autocorrelated, and
nothing ever changes; from there on all is the product's: change is scored, verdicts are reached,
incidents live, pages are counted. ``python -m tests.incidents.quiet NIGHTS STREAMS`` prints them.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.assess import Night, assess, judge_night, measure_snapshot
from monitor.assessment import Past, Rules, Stream
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import METRICS, MetricValue, Outcome
from monitor.diagnostics.drift_rules import DriftRules
from monitor.incidents.base import Event, Incident
from monitor.models import MODELS
from monitor.recollect import NO_MEMORY, remember
from monitor.sandbox.generate import open_world
from monitor.verdict.base import Severity
from monitor.verdict.inventory import ModelUse
from tests.conftest import evening_ms

DAY = 86_400_000
REAL = ("svi", "heston")  # whose numbers the others' are drawn after
STREAMS = tuple(Stream(v, u) for v in ("deribit", "okx", "bybit") for u in ("BTC", "ETH"))
# Autocorrelation and relative size of the nightly noise: of recorded nights' errors, roughly.
PERSISTENCE, SPREAD = 0.4, 0.12
PAGING = (Event.OPENED, Event.REOPENED, Event.ESCALATED)


def named(count: int) -> tuple[str, ...]:
    """Register so many models that are SVI or Heston by other names, and return the names."""
    names = tuple(f"{REAL[n % 2]}-{n}" for n in range(count))
    for n, name in enumerate(names):
        if name not in MODELS:
            twin = copy.copy(MODELS[REAL[n % 2]])
            object.__setattr__(twin, "name", name)
            MODELS.add(name, twin)
    return names


def rules_of(models: Sequence[str]) -> Rules:
    """Return the rules of a desk on which every model may page, in the desk's one budget."""
    streams = (len(models) + 1) * len(STREAMS)
    uses = {
        name: ModelUse("hedging" if name.startswith("heston") else "marking", max_rmse_iv=0.06)
        for name in models
    }
    return Rules(models=tuple(models), inventory=uses, drift=DriftRules(streams=streams))


@dataclass(frozen=True)
class Template:
    """A real night: its chain, its fits, and every number that looks at no history of its own."""

    night: Night
    market: tuple[Outcome, ...]
    models: Mapping[str, tuple[Outcome, ...]]


def template() -> Template:
    """Return the second of two calm nights, whose numbers include those about the night before."""
    world, rules = open_world("calm"), Rules(models=REAL)
    first = assess(world.snapshot("BTC", evening_ms(0)), Past(), rules, stream=STREAMS[0], slot="a")
    night = measure_snapshot(world.snapshot("BTC", evening_ms(1)), rules)
    past = remember(NO_MEMORY, first).past
    second = judge_night(night, past, rules, stream=STREAMS[0], slot="b")
    kept = [v for v in second.metrics if not METRICS[v.metric].after]
    models = {m: tuple(v for v in kept if v.model == m) for m in REAL}
    return Template(night, tuple(v for v in kept if v.model is None), models)


def quiet_nights(
    base: Template,
    models: Sequence[str],
    rng: np.random.Generator,
    nights: int,
    broken: int | None,
) -> Iterator[Night]:
    """Yield nights on which nothing happens; from `broken` on the models err five times as much."""
    fits: dict[str, Fit] = {fit.model: fit for fit in base.night.fits}
    whose = {name: name.split("-")[0] for name in models}
    values = [*base.market]
    for name in models:
        values += [v._replace(model=name) for v in base.models[whose[name]]]
    wander = rng.normal(size=len(values))
    chain = base.night.snapshot
    for n in range(nights):
        fresh = rng.normal(size=len(values))
        wander = PERSISTENCE * wander + np.sqrt(1.0 - PERSISTENCE**2) * fresh
        tonight = [_moved(v, e) for v, e in zip(values, wander, strict=True)]
        if broken is not None and n >= broken:
            tonight = [v._replace(value=5.0 * v.value) if _is_error(v) else v for v in tonight]
        yield replace(
            base.night,
            # Another chain every night, to the last digit of its first bid.
            snapshot=replace(
                chain, as_of_ms=chain.as_of_ms + n * DAY, bid=chain.bid * (1.0 + 1e-9 * n)
            ),
            fits=tuple(replace(fits[whose[name]], model=name) for name in models),
            market=_by_metric(tonight, None),
            models={name: _by_metric(tonight, name) for name in models},
        )


# What the chain is judged by is what it is; it is the models and the smile that wander.
_FIXED = {"chain_age", "n_quotes", "listed_share", "coverage", "rejected_share", "parity_gap"}
_FIXED |= {"future_gap", "mark_rmse_z_spread", "iv30_dvol_gap", "butterfly_market", "bounds_hit"}
_FIXED |= {"condition", "restarts_spread", "converged", "inside_share"}


def _moved(v: MetricValue, e: float) -> MetricValue:
    if v.metric in _FIXED:
        return v
    if v.value > 0:
        return v._replace(value=float(v.value * np.exp(SPREAD * e)))
    return v._replace(value=float(v.value + SPREAD * max(abs(v.value), 0.005) * e))


def _is_error(v: MetricValue) -> bool:
    return v.model is not None and v.metric.endswith("rmse_iv")


def _by_metric(values: Sequence[MetricValue], model: str | None) -> dict[str, tuple[Outcome, ...]]:
    level = "market" if model is None else "model"
    names = [m.name for _, m in METRICS.items() if m.level == level and not m.after]
    mine: dict[str, list[Outcome]] = {name: [] for name in names}
    for v in values:
        if v.model == model:
            mine[v.metric].append(v)
    return {name: tuple(found) for name, found in mine.items()}


@dataclass(frozen=True)
class Told:
    """One piece of news: the night and stream it came in, what, and of which incident."""

    night: int
    stream: Stream
    event: Event
    incident: Incident

    @property
    def is_page(self) -> bool:
        """Whether it wakes somebody."""
        return self.event in PAGING and self.incident.severity is Severity.RED


def live(
    nights: int,
    streams: Sequence[Stream],
    *,
    seed: int,
    models: int = 11,
    broken: int | None = None,
) -> Iterator[Told]:
    """Live through quiet nights on some streams and yield what the desk is told."""
    names = named(models)
    rules, base = rules_of(names), template()
    for number, stream in enumerate(streams):
        memory, rng = NO_MEMORY, np.random.default_rng([seed, number])
        for n, night in enumerate(quiet_nights(base, names, rng, nights, broken)):
            history = replace(memory.past.history, fits={}, last_chain=None)
            past = replace(memory.past, history=history)
            found = judge_night(night, past, rules, stream=stream, slot=f"{n:04d}")
            memory = remember(memory, found)
            for t in found.transitions:
                if t.is_news:
                    yield Told(n, stream, t.event, t.incident)


if __name__ == "__main__":
    asked, of, start = int(sys.argv[1]), int(sys.argv[2]), time.process_time()
    heard = list(live(asked, STREAMS[:of], seed=1))
    for told in heard:
        what = f"{told.stream.venue} {told.stream.underlying} {told.incident.message[:90]}"
        print(told.night, "PAGE" if told.is_page else told.incident.severity, told.event, what)
    pages = sum(told.is_page for told in heard)
    print(
        f"{asked} nights, {of} streams of 11 models: {pages} pages, {len(heard) - pages} ambers, "
        f"{time.process_time() - start:.0f} s"
    )
