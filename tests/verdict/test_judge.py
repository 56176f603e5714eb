"""The ordered argument about one model, step by step and edge by edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.fit import FitStatus
from monitor.diagnostics.base import History, Series
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.judge import judge_model
from monitor.verdict.market import MARKET
from monitor.verdict.rules import JudgementRules
from tests.verdict.nights import (
    BENCHMARK,
    DRIFT,
    GOOD,
    HEDGING,
    MARKING,
    RULES,
    SEEING,
    fit,
    judged,
    numbers,
    past_nights,
)

MISFIT = "misfit/rmse_iv/chain"
DRIFTED = "drift/change_score/headline:rmse_iv"
BLIND = Verdict(
    MARKET,
    Status.INCONCLUSIVE,
    "3 usable quotes",
    (Finding(Kind.DATA, Cause.DATA, Severity.AMBER, None, "n_quotes", "chain", 3.0, 40.0, "3"),),
)
LEARNING = Verdict(MARKET, Status.INCONCLUSIVE, "learning: 7 of 20 nights")
FAILED = fit(status=FitStatus.MAX_EVALUATIONS, reason="max_evaluations: 2026-03-27")
BAD = {"rmse_iv": 0.08, "rmse_z_spread": 3.0}
MOVED = {"change_score@headline:rmse_iv": 1.5}
FLAT = {"condition": 5.0}
USUAL = {"rmse_iv": 0.004}


def kinds(verdict):
    return [f.kind.value for f in verdict.findings]


# Every step of the argument at fault at once: the first one speaks, and the later ones are not
# heard. Then the first is put right, and the next one speaks.
EVERYTHING = BAD | MOVED | FLAT
ARGUMENT = [
    ("data", {"market": BLIND, "of": FAILED}, EVERYTHING, Status.INCONCLUSIVE, ["data"]),
    ("optimiser", {"of": FAILED}, EVERYTHING, Status.INCONCLUSIVE, ["numerical"]),
    (
        "misfit that lasts",
        {"past": past_nights(MISFIT)},
        EVERYTHING,
        Status.MISSPECIFIED,
        ["identifiability", "drift", "misfit"],
    ),
    ("misfit", {}, EVERYTHING, Status.WATCH, ["identifiability", "drift", "misfit"]),
    ("drift", {}, MOVED | FLAT, Status.WATCH, ["identifiability", "drift"]),
    ("identification", {}, FLAT, Status.WATCH, ["identifiability"]),
    ("learning", {"learning": True}, {}, Status.INCONCLUSIVE, []),
    ("nothing", {}, {}, Status.ADEQUATE, []),
]


@pytest.mark.parametrize(
    ("night", "values", "status", "found"), [a[1:] for a in ARGUMENT], ids=[a[0] for a in ARGUMENT]
)
def test_each_step_of_the_argument_hides_those_after_it(night, values, status, found):
    verdict = judged(values, usual=USUAL, **night)
    assert verdict.status is status
    assert kinds(verdict) == found


def test_misfit_is_named_before_drift_and_drift_before_identification():
    assert judged(EVERYTHING, usual=USUAL).reason.startswith("RMSE 8.00 vol points")
    risen = MOVED | FLAT | {"rmse_iv": 0.0095}
    assert judged(risen, usual=USUAL).reason.startswith("rmse_iv 0.0095, usually 0.004")
    assert judged(FLAT).reason.startswith("condition number 1e5.0")


def test_a_blind_night_is_told_once_as_the_markets():
    verdict = judged(EVERYTHING, market=BLIND, usual=USUAL)
    assert verdict.reason == "no judgement: 3 usable quotes"
    assert [f.severity for f in verdict.findings] == [None]


def test_a_market_that_is_learning_blinds_nobody():
    assert judged({}, market=LEARNING).status is Status.ADEQUATE


def test_a_model_without_a_fit_is_not_judged():
    verdict = judge_model("m", None, numbers("m", {}), SEEING, HEDGING, RULES, DRIFT)
    assert verdict.status is Status.INCONCLUSIVE


def test_levels_are_judged_while_change_is_learnt():
    assert judged(BAD, learning=True).status is Status.WATCH
    verdict = judged({}, learning=True)
    assert verdict.reason.startswith("learning: 7 of 20 nights; RMSE 0.50 of 6.00 vol points")


# Convergence ------------------------------------------------------------------------------------


def test_a_failed_calibration_is_an_amber_finding_where_the_model_is_used():
    (finding,) = judged({}, of=FAILED).findings
    assert (finding.cause, finding.severity) == (Cause.CALIBRATION, Severity.AMBER)
    assert finding.message == "the calibration did not converge: max_evaluations: 2026-03-27"
    (finding,) = judged({}, of=FAILED, use=BENCHMARK).findings
    assert finding.severity is None


def test_a_long_account_of_a_failed_calibration_is_cut_to_a_line():
    account = "; ".join(f"max_evaluations: 2026-0{i}-27 (200 evaluations)" for i in range(1, 9))
    verdict = judged({}, of=fit(status=FitStatus.MAX_EVALUATIONS, reason=account))
    assert len(verdict.reason) < 160
    assert verdict.reason.endswith("…")


def test_a_failed_calibration_without_an_account_gives_its_status():
    verdict = judged({}, of=fit(status=FitStatus.STALLED))
    assert verdict.reason == "the calibration did not converge: stalled"


# Identification ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "within", "beyond"),
    [("condition", 4.0, 4.01), ("bounds_hit", 0.0, 1.0), ("restarts_spread", 3.0, 3.01)],
)
def test_identification_is_doubted_beyond_its_limit_and_only_of_a_hedging_model(
    metric, within, beyond
):
    assert not judged({metric: within}).findings
    (finding,) = judged({metric: beyond}).findings
    assert (finding.kind, finding.metric) == (Kind.IDENTIFIABILITY, metric)
    assert finding.severity is Severity.AMBER
    for use in (MARKING, BENCHMARK):
        assert judged({metric: beyond}, use=use).status is Status.ADEQUATE


def test_parameters_at_a_bound_are_named():
    verdict = judged({"bounds_hit": 1.0}, of=fit(at_bound=np.array([0, -1])))
    assert verdict.reason == "at a bound: rho"


def test_an_exactly_flat_direction_is_a_doubt_though_it_has_no_number():
    known = {name: value for name, value in GOOD.items() if name != "condition"}
    verdict = judge_model(
        "m", fit(condition=np.inf), numbers("m", known), SEEING, HEDGING, RULES, DRIFT
    )
    assert verdict.status is Status.WATCH
    assert verdict.reason == "a direction is exactly flat"


# Misfit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "values", "misfits"),
    [
        (MARKING, {"rmse_iv": 0.0100}, []),
        (MARKING, {"rmse_iv": 0.0101}, ["rmse_iv"]),
        (MARKING, {"inside_share": 0.85}, []),
        (MARKING, {"inside_share": 0.849}, ["inside_share"]),
        (MARKING, {"rmse_iv": 0.02, "inside_share": 0.5}, ["rmse_iv", "inside_share"]),
        # Within the spread all over: whatever the size in vol, the quotes do not contradict it.
        (MARKING, {"rmse_iv": 0.02, "inside_share": 0.5, "rmse_z_spread": 1.0}, []),
        (MARKING, {"rmse_iv": 0.02, "rmse_z_spread": 1.01}, ["rmse_iv"]),
        (HEDGING, {"inside_share": 0.1}, []),  # no tolerance, no misfit
        (HEDGING, {"rmse_iv": 0.0601}, ["rmse_iv"]),
    ],
)
def test_misfit_is_a_tolerance_crossed_beyond_the_spread(use, values, misfits):
    assert [f.metric for f in judged(values, use=use).findings] == misfits


@pytest.mark.parametrize(
    ("past", "status", "severity", "words"),
    [
        # What a model brings with it is how it is, not what happened.
        ([], Status.WATCH, None, "as usual"),
        ([MISFIT], Status.MISSPECIFIED, None, "as usual"),
        # One night beyond, after good ones: not yet.
        (["", "", "", ""], Status.WATCH, None, "night 1"),
        # The second night in a row: red.
        (["", "", "", MISFIT], Status.MISSPECIFIED, Severity.RED, "night 2"),
        (["", "", MISFIT, MISFIT], Status.MISSPECIFIED, Severity.RED, "night 3"),
        # A night in between starts the count again.
        (["", "", "", MISFIT, ""], Status.WATCH, None, "night 1"),
        # Beyond on half of the nights before it: standing.
        ([MISFIT, "", MISFIT, "", MISFIT], Status.MISSPECIFIED, None, "as usual"),
        ([MISFIT, "", "", MISFIT, "", MISFIT], Status.MISSPECIFIED, Severity.RED, "night 2"),
    ],
)
def test_misfit_pages_when_it_is_new_and_lasts(past, status, severity, words):
    verdict = judged(BAD, past=past_nights(*past))
    assert verdict.status is status
    (finding,) = verdict.findings
    assert finding.severity is severity
    assert finding.message.endswith(words)


def test_two_tolerances_are_counted_apart():
    # The error has been beyond for nights; that few lie inside the spread is new tonight.
    past = past_nights("", "", "", MISFIT)
    verdict = judged(BAD | {"inside_share": 0.1}, use=MARKING, past=past)
    severities = {f.metric: f.severity for f in verdict.findings}
    assert severities == {"rmse_iv": Severity.RED, "inside_share": None}


# Drift ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "found"), [(1.0, False), (1.001, True), (-1.0, False), (-1.001, True)]
)
def test_change_is_a_score_beyond_one_in_size(score, found):
    verdict = judged({"change_score@headline:rmse_iv": score}, usual=USUAL)
    assert (kinds(verdict) == ["drift"]) is found


# Red needs all three: a settled reference, a material rise, a headline in vol. What is beyond the
# limit of a chart has lasted two nights by the chart's own making.
RISEN = {"change_score@headline:rmse_iv": 1.5, "rmse_iv": 0.0091}
SECOND = past_nights("", DRIFTED)


@pytest.mark.parametrize(
    ("values", "night", "severity"),
    [
        (RISEN, {"past": SECOND}, Severity.RED),
        (RISEN, {"past": ()}, Severity.RED),
        (RISEN, {"past": SECOND, "nights": 59}, Severity.AMBER),
        (RISEN | {"rmse_iv": 0.0089}, {"past": SECOND}, Severity.AMBER),  # 0.49 vol points
    ],
)
def test_drift_is_red_when_settled_material_and_lasting(values, night, severity):
    (finding,) = judged(values, usual=USUAL, **night).findings
    assert finding.severity is severity
    assert finding.cause is Cause.MISSPECIFICATION


def test_a_longer_patience_waits_for_the_nights_that_the_chart_does_not_vouch_for():
    patient = JudgementRules(persistent_nights=3)
    (first,) = judged(RISEN, usual=USUAL, rules=patient).findings
    (second,) = judged(RISEN, usual=USUAL, rules=patient, past=SECOND).findings
    assert (first.severity, second.severity) == (Severity.AMBER, Severity.RED)


def test_a_shift_of_structure_has_no_size_in_vol_stays_amber_and_names_the_parameter():
    values = {
        "change_score@headline:structure_shift": 9.0,
        "structure_away@param:kappa": 0.4,
        "structure_away@param:xi": -5.2,
    }
    (finding,) = judged(values, past=past_nights("drift/change_score/headline:x")).findings
    assert finding.severity is Severity.AMBER
    assert finding.message == "structure is not where it was, xi -5.2 deviations off: +9.0 limits"


def test_what_was_usual_is_the_reference_and_not_what_was_usual_years_ago():
    found = numbers("m", GOOD | MOVED | {"rmse_iv": 0.02}, past=SECOND)
    old, recent = np.full(394, 0.001), np.full(121, 0.018)  # 515 nights: renewed at 60 + 5 91
    series = Series(np.arange(515), np.concatenate([old, recent]))
    found = replace(found, history=History(series={("m", "rmse_iv", "chain"): series}))
    (finding,) = judge_model("m", fit(), found, SEEING, HEDGING, RULES, DRIFT).findings
    # Up by 0.2 vol points from the reference's 1.8, not by 1.9 from the lifetime's 0.1.
    assert finding.message.startswith("rmse_iv 0.02, usually 0.018")
    assert finding.severity is Severity.AMBER


@pytest.mark.parametrize(
    ("now", "use", "status"),
    [
        (0.0089, MARKING, Status.ADEQUATE),  # tolerance 1 vol point, material 0.5
        (0.0091, MARKING, Status.WATCH),
        (0.0101, MARKING, Status.WATCH),  # no material rise either way, and beyond its tolerance
    ],
)
def test_an_error_that_rose_within_its_tolerance_by_less_than_is_material_is_adequate(
    now, use, status
):
    usual = {"rmse_iv": 0.004 if now < 0.01 else 0.0098}
    values = MOVED | {"rmse_iv": now, "rmse_z_spread": 1.1}
    verdict = judged(values, use=use, usual=usual)
    assert verdict.status is status
    # Level and change are two questions: the change is told whatever the level.
    (told,) = [f.severity for f in verdict.findings if f.kind is Kind.DRIFT]
    assert told is (Severity.RED if now == 0.0091 else Severity.AMBER)


def test_a_change_of_structure_however_good_the_fit_is_watched():
    verdict = judged({"change_score@headline:structure_shift": 1.5}, usual=USUAL)
    assert verdict.status is Status.WATCH


# Benchmarks -------------------------------------------------------------------------------------


def test_a_benchmark_is_judged_like_any_other_and_never_pages_for_change():
    verdict = judged(RISEN, use=BENCHMARK, usual=USUAL, past=SECOND)
    assert verdict.status is Status.WATCH
    assert [f.severity for f in verdict.findings] == [None]


@pytest.mark.parametrize("values", [BAD, BAD | {"inside_share": 0.1}])
def test_a_benchmark_never_pages_for_misfit_even_with_a_tolerance(values):
    past = past_nights("", "", "", (MISFIT, "misfit/inside_share/chain"))
    verdict = judged(values, use=BENCHMARK, past=past)
    assert verdict.status is Status.MISSPECIFIED
    assert {f.severity for f in verdict.findings} == {None}


def test_a_model_that_nothing_could_have_spoken_against_is_not_called_adequate():
    thin = judged({"blind_vega": 0.51}, use=HEDGING)
    assert thin.status is Status.INCONCLUSIVE
    assert thin.reason.startswith("not enough data: 51% of the listed vega could not have shown an")
    assert not thin.findings  # told nobody: it is no fault of feed or model
    assert judged({"blind_vega": 0.50}).status is Status.ADEQUATE
    # What is seen against it stands, however little is seen.
    assert judged(BAD | {"blind_vega": 0.9}).status is not Status.INCONCLUSIVE


def test_misfit_and_change_say_where_they_sit():
    blocks = {
        "misfit_block@block:wing:put": 0.2,
        "misfit_block@block:bucket:2026-03-27/put": 0.6,
        "misfit_change_block@block:expiry:2026-03-27": 0.4,
    }
    (misfit,) = judged(BAD | blocks).findings
    assert misfit.message.endswith(", 60% of it in the put wing of 2026-03-27")
    (moved,) = judged(MOVED | blocks, usual=USUAL).findings
    assert moved.message.endswith(", 40% of the change in the expiry 2026-03-27")
    (plain,) = judged(BAD).findings
    assert " in the " not in plain.message
