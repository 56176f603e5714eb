"""Wider quotes explain larger errors, and no more than that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import History, MetricValue, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status
from monitor.verdict.explained import HALF_WIDTH, WIDTH, allowed_error, is_explained
from monitor.verdict.judge import judge_model
from monitor.verdict.numbers import Numbers
from tests.verdict.nights import GOOD, HEDGING, RULES, SEEING, fit, numbers

DRIFT = DriftRules()


def night(now, half_before, half_tonight, *, usual=0.003, score=3.0) -> Numbers:
    """Return the numbers of a model whose error has left its reference."""
    made = numbers(
        "m",
        GOOD | {"rmse_iv": now, "change_score@headline:rmse_iv": score},
        usual={"rmse_iv": usual},
    )
    widths = Series(np.arange(60), np.full(60, half_before))
    series = made.history.series | {(None, HALF_WIDTH, "chain"): widths}
    tonight = MetricValue(HALF_WIDTH, None, "chain", half_tonight, "", 1)
    market = {HALF_WIDTH: {"chain": tonight}}
    return replace(made, history=History(series=series), market=market)


@pytest.mark.parametrize("misfit", [0.0, 0.003, 0.05])
def test_a_right_model_and_a_standing_misfit_stay_within_what_wider_quotes_explain(misfit):
    # Residuals of 400 quotes: what the model always gets wrong, and mids off by half a half-width.
    rng = np.random.default_rng(3)
    half = np.minimum(0.004 * np.exp(rng.standard_normal(400)), 0.02)  # as cleaning leaves them
    bias = misfit * rng.standard_normal(400)

    def errors(width):
        noise = 0.4 * width * half * rng.standard_normal((2000, 400))
        return np.sqrt(np.mean((bias + noise) ** 2, axis=1))

    size = float(np.sqrt(np.mean(half**2)))
    usual = float(np.median(errors(1.0)))
    inside = np.mean(errors(3.0) <= allowed_error(usual, size, 3.0))
    assert inside > 0.9
    # Without the wider quotes the same errors would be news on every night.
    if misfit < 0.01:
        assert np.mean(errors(3.0) <= allowed_error(usual, size, 1.0)) < 0.01


def test_an_error_that_grew_more_than_the_quotes_widened_is_news():
    assert is_explained("rmse_iv", 0.0062, night(0.0062, 0.006, 0.012), DRIFT)
    assert not is_explained("rmse_iv", 0.0080, night(0.0080, 0.006, 0.012), DRIFT)


def test_the_middle_counts_where_the_far_options_were_too_wide_to_stay():
    far = night(0.0080, 0.006, 0.006)
    assert not is_explained("rmse_iv", 0.0080, far, DRIFT)
    series = far.history.series | {
        (None, WIDTH, "chain"): Series(np.arange(60), np.full(60, 0.010)),
    }
    market = far.market | {WIDTH: {"chain": MetricValue(WIDTH, None, "chain", 0.030, "", 1)}}
    tripled = replace(far, history=History(series=series), market=market)
    assert is_explained("rmse_iv", 0.0080, tripled, DRIFT)


def test_narrower_quotes_explain_nothing():
    assert allowed_error(0.003, 0.010, 0.5) == 0.003


@pytest.mark.parametrize("metric", ["structure_jump", "rr25"])
def test_only_errors_in_vol_are_explained(metric):
    assert not is_explained(metric, 0.0, night(0.001, 0.006, 0.012), DRIFT)


@pytest.mark.parametrize(("now", "told"), [(0.0029, 0), (0.0062, 1)])
def test_a_chart_that_remembers_does_not_speak_on_a_night_on_which_nothing_is_wrong(now, told):
    found = night(now, 0.006, 0.006)
    verdict = judge_model("m", fit(), found, SEEING, HEDGING, RULES, DRIFT)
    assert len(verdict.findings) == told


def test_a_thin_market_is_no_change_of_the_model():
    found = night(0.0062, 0.006, 0.012)
    verdict = judge_model("m", fit(), found, SEEING, HEDGING, RULES, DRIFT)
    assert (verdict.status, verdict.findings) == (Status.ADEQUATE, ())


@pytest.mark.parametrize(("cause", "status"), [("liquidity", "adequate"), ("data", "watch")])
def test_a_change_of_structure_is_not_told_of_a_thin_market(cause, status):
    doubt = Finding(
        Kind.DATA, Cause(cause), Severity.AMBER, None, "width_iv", "chain", 0.02, 0.01, "wide"
    )
    market = replace(SEEING, status=Status.WATCH, findings=(doubt,))
    made = numbers("m", GOOD | {"change_score@headline:structure_shift": 1.5})
    assert judge_model("m", fit(), made, market, HEDGING, RULES, DRIFT).status == status
    # An error that grew more than the quotes widened is told all the same.
    grown = night(0.0080, 0.006, 0.012)
    assert judge_model("m", fit(), grown, market, HEDGING, RULES, DRIFT).status is Status.WATCH
