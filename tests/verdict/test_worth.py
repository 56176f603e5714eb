"""Findings carry dollars: a model's its misfit on the book, the smile's its change there."""

import numpy as np
import pytest

from monitor.diagnostics.base import History, MetricValue, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.verdict.base import Kind
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judge import _drift, _misfit
from monitor.verdict.market import _smile
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules

RULES, DRIFT = JudgementRules(), DriftRules()


def numbers(model, values, usual=()):
    """Return a subject's numbers; `values` are (metric, scope, value)."""
    series = {
        (model, metric, "chain"): Series(np.arange(9), np.full(9, value)) for metric, value in usual
    }
    metrics = [MetricValue(name, model, scope, value, "", 60) for name, scope, value in values]
    return Numbers.of(model, metrics, (), History(series=series), ())


def smile(headline, now, usual, *, vegas=(("wing:put", -10_000.0), ("wing:call", -22_000.0))):
    values = [
        (headline, "chain", now),
        ("smile_change_score", f"headline:{headline}", 1.7),
        ("smile_change_size", f"headline:{headline}", now - usual),
        ("book_vega_usd", "chain", -87_000.0),
    ]
    values += [("book_vega_usd", scope, vega) for scope, vega in vegas]
    (finding,) = _smile(numbers(None, values, [(headline, usual)]), RULES, DRIFT)
    return finding.usd


def test_a_models_misfit_and_drift_are_worth_its_gross_misfit_on_the_book():
    values = [
        ("rmse_iv", "chain", 0.05),
        ("rmse_z_spread", "chain", 3.0),
        ("change_score", "headline:rmse_iv", 2.0),
        ("book_misfit_gross_usd", "chain", 912.0),
        ("book_misfit_usd", "chain", -490.0),
    ]
    found = numbers("svi", values, [("rmse_iv", 0.01)])
    use = ModelUse("marking", max_rmse_iv=0.01)
    findings = [*_drift("svi", found, use, RULES, DRIFT), *_misfit("svi", found, use, RULES)]
    assert {f.kind for f in findings} == {Kind.DRIFT, Kind.MISFIT}
    assert {f.usd for f in findings} == {912.0}


def test_without_a_book_a_finding_has_no_worth():
    values = [("rmse_iv", "chain", 0.05), ("rmse_z_spread", "chain", 3.0)]
    use = ModelUse("marking", max_rmse_iv=0.01)
    (finding,) = _misfit("svi", numbers("svi", values), use, RULES)
    assert finding.usd is None
    assert smile("put_wing", 0.06, 0.03, vegas=()) is None


@pytest.mark.parametrize(
    ("headline", "now", "usual", "usd"),
    [
        ("put_wing", -0.06, -0.03, 0.03 * 10_000),  # the put wing's vega
        ("call_wing", 0.04, 0.02, 0.02 * 22_000),  # the call wing's
        ("atm_iv", 0.70, 0.50, 0.20 * 87_000),  # the whole book's
    ],
)
def test_a_change_of_the_smile_is_worth_its_size_times_the_vega_it_moves(headline, now, usual, usd):
    assert smile(headline, now, usual) == pytest.approx(usd)
