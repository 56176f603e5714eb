"""What is said of why: behind the sentence that tells, and for the record; it decides nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.diagnostics.base import MetricValue
from monitor.outcome import Rejection
from monitor.verdict.base import Kind, Status
from monitor.verdict.diagnosis import diagnosed
from tests.verdict.nights import HEDGING, judged, numbers, past_nights

BAD = {"rmse_iv": 0.08, "rmse_z_spread": 3.0}
JUMPS = {"failed_assumption@assumption:jumps": 0.62}
WIDE = dict.fromkeys(("saturation",), 0.6)


def said(values, *, past=(), per_expiry=False, others=(), rejections=(), verdict=None):
    verdict = verdict or judged(values, use=HEDGING, past=past)
    found = numbers("m", values, past=past)
    found = replace(found, rejections=tuple(rejections))
    metrics = [*(m for by_scope in found.values.values() for m in by_scope.values()), *others]
    return verdict, diagnosed(verdict, found, metrics, per_expiry=per_expiry)


def of(model, metric, value, scope="chain"):
    return MetricValue(metric, model, scope, value, "1", 300)


def recorded(verdict):
    return [f for f in verdict.findings if f.kind is Kind.DIAGNOSIS]


def test_why_stands_behind_what_and_moves_neither_status_nor_severity():
    plain, why = said(BAD | JUMPS | WIDE)
    assert why.status is plain.status and why.reason.startswith(plain.reason)
    assert "lacks jumps" in why.reason and "62%" in why.reason and "overfit" in why.reason
    for before, after in zip(plain.findings, why.findings, strict=False):
        assert (before.severity, before.metric, before.value) == (
            after.severity,
            after.metric,
            after.value,
        )
    assert [f.severity for f in recorded(why)] == [None, None]
    assert why.findings[: len(plain.findings)] != plain.findings


def test_on_a_night_without_findings_it_is_for_the_record_alone():
    plain, why = said(JUMPS)
    assert (why.status, why.reason) == (Status.ADEQUATE, plain.reason)
    assert [f.scope for f in recorded(why)] == ["assumption:jumps"]


def test_what_failed_on_most_nights_before_fails_as_usual():
    often = past_nights(*["diagnosis/failed_assumption/assumption:jumps"] * 6)
    seldom = past_nights(*["diagnosis/failed_assumption/assumption:forward"] * 6)
    assert "misfit, as usual" in said(BAD | JUMPS, past=often)[1].reason
    for past in (seldom, often[:2], ()):
        assert "misfit, as usual" not in said(BAD | JUMPS, past=past)[1].reason


def test_a_constant_that_gave_way_is_told_where_a_change_is():
    gone = {"failed_constant@assumption:rho": 0.4}
    moved = {"change_score@headline:rmse_iv": 1.5}
    assert "rho is not what it was" not in said(BAD | gone)[1].reason
    assert "rho is not what it was" in said(moved | gone)[1].reason
    assert [f.metric for f in recorded(said(BAD | gone)[1])] == ["failed_constant"]


def test_a_model_that_strains_at_held_out_strikes_is_overfit_only_where_a_simpler_one_foretells():
    greedy = BAD | {"heldout_ratio": 2.6, "effective_parameters": 40.0, "refreshed_rmse_iv": 0.05}
    plain = (("effective_parameters", 6.0), ("rmse_iv", 0.09), ("refreshed_rmse_iv", 0.04))
    worse = (*plain[:2], ("refreshed_rmse_iv", 0.06))
    larger = (("effective_parameters", 50.0), *plain[1:])
    better_fit = (plain[0], ("rmse_iv", 0.01), plain[2])
    for row, overfit in ((plain, True), (worse, False), (larger, False), (better_fit, False)):
        others = [of("adhoc", metric, value) for metric, value in row]
        assert ("overfit" in said(greedy, others=others)[1].reason) is overfit
    assert (
        "foretold better by adhoc"
        in said(greedy, others=[of("adhoc", *m) for m in plain])[1].reason
    )


def test_a_flat_direction_is_named_for_a_surface_and_passed_over_for_slices():
    flat = BAD | {"weakest_direction@direction:kappa/theta_v": 3.0}
    known = BAD | {"weakest_direction@direction:kappa/theta_v": 0.3}
    assert "do not tell kappa, theta_v" in said(flat)[1].reason
    assert "unidentified" not in said(known)[1].reason
    assert "unidentified" not in said(flat, per_expiry=True)[1].reason
    exact = Rejection("metric", "flat_direction", "weakest_direction/m", "exactly flat in kappa")
    other = replace(exact, subject="weakest_direction/other")
    assert "exactly flat in kappa" in said(BAD, rejections=[exact])[1].reason
    assert "unidentified" not in said(BAD, rejections=[other])[1].reason


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        (0.0, "not told from tonight's best: svi"),
        (1.0, "not told from tonight's best: svi"),
        (9.0, "best of tonight: svi"),
    ],
)
def test_the_rivals_that_cannot_be_told_from_the_best_are_named(mine, words):
    values = BAD | {"behind_best@best:svi": mine}
    others = [
        of("svi", "behind_best", 0.0, "best:svi"),
        of("black", "behind_best", 8.0, "best:svi"),
    ]
    verdict = said(values, others=others)[1]
    assert verdict.reason.endswith(words)
    assert "black" not in verdict.reason


def test_nothing_is_said_of_a_night_that_could_not_be_judged():
    from tests.verdict.test_judge import BLIND, FAILED

    for how in ({"market": BLIND}, {"of": FAILED}):
        verdict = judged(BAD | JUMPS, **how)
        assert said(BAD | JUMPS, verdict=verdict)[1] is verdict
