"""The pass is two functions: one that looks at a night alone, one that looks back."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.assess import Night, assess, judge_night, measure_snapshot
from monitor.assessment import Assessment, Past, Rules, Stream
from monitor.diagnostics.base import METRICS, NO_HISTORY, Evidence, Metric
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS
from monitor.recollect import NO_MEMORY, remember
from monitor.verdict.judgement import Judgement, JudgementKind
from tests.conftest import evening_ms

STREAM = Stream("deribit", "BTC")
RULES = Rules(models=("black", "heston"))


@pytest.fixture(scope="module")
def chains(world: Any) -> list[Snapshot]:
    """Two nights, and a third of which no quote is left."""
    nights = [world.snapshot("BTC", evening_ms(n)) for n in range(3)]
    nothing = np.full(len(nights[2]), np.nan)
    return [*nights[:2], replace(nights[2], bid=nothing, ask=nothing)]


@pytest.fixture(scope="module")
def past(chains: list[Snapshot]) -> Past:
    """What is known after the first night."""
    first = assess(chains[0], Past(), RULES, stream=STREAM, slot="2026-01-05")
    return remember(NO_MEMORY, first).past


@pytest.fixture(scope="module")
def measured(chains: list[Snapshot]) -> Night:
    """The second night, measured alone."""
    return measure_snapshot(chains[1], RULES)


def said(found: Assessment) -> str:
    """Return every number to its last bit, every word, and the order of all."""
    numbers = [(m, m.value.hex()) for m in found.metrics]
    fits = [(f.params.tobytes(), f.iv.tobytes(), f.covariance.tobytes()) for f in found.fits]
    told = (found.rejections, found.verdicts, found.transitions, found.messages)
    return repr([found.run, numbers, fits, told])


@pytest.mark.parametrize("night", [1, 2])
def test_a_night_measured_elsewhere_is_judged_to_the_same_bits(
    chains: list[Snapshot], past: Past, night: int
) -> None:
    where = {"stream": STREAM, "slot": f"2026-01-0{5 + night}"}
    here = assess(chains[night], past, RULES, **where)
    sent = pickle.dumps(measure_snapshot(chains[night], RULES))
    assert said(judge_night(pickle.loads(sent), past, RULES, **where)) == said(here)


def test_what_arrives_from_elsewhere_is_read_only_and_without_kernels(measured: Night) -> None:
    sent = pickle.dumps(measured)
    night = pickle.loads(sent)
    assert len(sent) < 1_000_000  # a chain of 800 options is 100 kB, a fit's Jacobian as much
    assert "grid" not in vars(night)
    for array in (night.quotes.iv, night.fits[0].jacobian, night.snapshot.bid):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    "metric", [m for _, m in METRICS.items() if m.stands_alone], ids=lambda m: m.name
)
def test_a_metric_that_says_it_needs_no_history_does_not_look_at_it(
    measured: Night, past: Past, metric: Metric
) -> None:
    night = measured
    evidence = Evidence(night.snapshot, night.quotes, NO_HISTORY, drift=RULES.drift)
    if metric.level == "model":
        evidence = replace(evidence, model=MODELS["heston"], fit=night.fits[1])
    later = replace(
        evidence,
        history=past.history,
        frozen_iv=night.quotes.iv,
        refreshed=night.fits[0],
        tonight={("heston", "rmse_iv", "chain"): 1.0},
    )
    assert list(metric.compute(later)) == list(metric.compute(evidence))


def test_an_experts_prior_draws_a_second_fit_and_changes_no_other_number(
    chains: list[Snapshot], past: Past
) -> None:
    where = {"stream": STREAM, "slot": "2026-01-06"}
    believed = Judgement(
        *("a", JudgementKind.PRIOR, "kappa", 0, 4_000_000_000_000, "me", "because"),
        model="heston", value=5.0, spread=0.1,
    )  # fmt: skip
    before = assess(chains[1], past, RULES, **where)
    after = assess(chains[1], past, replace(RULES, judgements=(believed,)), **where)
    pull = {"pulled_param", "pull_cost", "pull_distance"}

    def others(found: Assessment) -> list[tuple[Any, ...]]:
        return [
            (m.metric, m.model, m.scope, m.value) for m in found.metrics if m.metric not in pull
        ]

    assert others(after) == others(before)
    for one, other in zip(before.fits, after.fits, strict=True):
        np.testing.assert_array_equal(one.params, other.params)
    said = {(m.metric, m.scope): m.value for m in after.metrics if m.metric in pull}
    cold = next(f for f in after.fits if f.model == "heston").params[1]
    drawn = said["pulled_param", "param:kappa"]
    assert abs(drawn - 5.0) < abs(cold - 5.0) and said["pull_cost", "chain"] > 0.0
    assert not {m.metric for m in before.metrics} & pull
