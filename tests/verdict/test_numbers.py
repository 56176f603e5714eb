"""How the rules look back: streaks, standing, what is usual."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.diagnostics.base import History, MetricValue, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.outcome import Rejection
from monitor.verdict.base import Kind
from monitor.verdict.numbers import Numbers
from tests.verdict.nights import numbers, past_nights

RMSE, INSIDE = "misfit/rmse_iv/chain", "misfit/inside_share/chain"
RULES = DriftRules()


def streak(*beyond, metric="rmse_iv", scope=""):
    return numbers("m", {}, past=past_nights(*beyond)).streak(Kind.MISFIT, metric, scope)


def standing(*beyond, share=0.5):
    return numbers("m", {}, past=past_nights(*beyond)).standing(Kind.MISFIT, "rmse_iv", share)


def test_only_a_subjects_own_numbers_are_its_numbers():
    metrics = [
        MetricValue("rmse_iv", "svi", "chain", 0.01, "vol", 9),
        MetricValue("rmse_iv", "heston", "chain", 0.04, "vol", 9),
        MetricValue("rmse_iv", "svi", "wing:put", 0.02, "vol", 9),
        MetricValue("atm_iv", None, "chain", 0.5, "vol", 9),
    ]
    found = Numbers.of("svi", metrics, (), History(), ())
    assert found.get("rmse_iv") == 0.01
    assert found.get("rmse_iv", "wing:put") == 0.02
    assert found.get("atm_iv") is None
    assert [v.value for v in found.scopes("rmse_iv")] == [0.01, 0.02]


@pytest.mark.parametrize(
    ("nights", "count"),
    [
        ([], 0),
        ([RMSE], 1),
        ([RMSE, RMSE, RMSE], 3),
        ([RMSE, "", RMSE], 1),
        ([RMSE, RMSE, ""], 0),
        ([RMSE, (INSIDE, RMSE)], 2),
        ([RMSE, INSIDE], 0),
    ],
)
def test_a_streak_is_of_nights_in_a_row_that_end_last_night(nights, count):
    assert streak(*nights) == count


def test_a_streak_is_of_one_metric_and_of_one_scope_where_that_is_asked():
    assert streak("misfit/rmse_iv_other/chain") == 0
    assert streak("drift/rmse_iv/chain") == 0
    assert streak("misfit/rmse_iv/wing:put", scope="chain") == 0
    assert streak("misfit/rmse_iv/wing:put", scope="wing:put") == 1


@pytest.mark.parametrize(
    ("nights", "stands"),
    [
        ([], True),  # nothing to compare with
        ([RMSE, RMSE], True),  # from its first night on
        (["", RMSE], False),
        ([RMSE, ""], True),  # one of two
        (["", RMSE, "", RMSE], False),  # one of three before the present streak
        ([RMSE, "", RMSE, RMSE], True),
        (["", "", INSIDE], False),
    ],
)
def test_a_finding_stands_that_was_usual_before_its_present_streak(nights, stands):
    assert standing(*nights) is stands


def test_what_is_usual_is_the_median_of_the_reference():
    def usual(value):
        series = Series(np.arange(len(value)), np.array(value))
        history = History(series={("m", "rmse_iv", "chain"): series})
        return Numbers.of("m", (), (), history, ()).usual("rmse_iv", RULES)

    assert usual([]) is None
    assert usual([1.0, 2.0, 9.0]) == 2.0  # learning: all there is
    # 20 nights of reference; the 19 after it are what is set against it.
    assert usual([1.0] * 20 + [5.0] * 19) == 1.0
    assert usual([1.0] * 20 + [5.0] * 20) == 3.0  # renewed at forty
    # 242 nights: the reference ends there and is 120 long.
    assert usual([1.0] * 122 + [5.0] * 120) == 5.0
    assert Numbers.of("m", (), (), History(), ()).usual("rmse_iv", RULES) is None


def test_learning_is_the_subjects_own():
    rejections = [
        Rejection("metric", "learning", "change_score/heston/rmse_iv", "3 of 20 nights"),
        Rejection("metric", "learning", "smile_change_score/market/rr25", "4 of 20 nights"),
        Rejection("metric", "no_last_night", "param_change/svi", ""),
    ]
    subjects = ("heston", None, "svi")
    found = [Numbers.of(s, (), rejections, History(), ()).learning() for s in subjects]
    assert found == ["3 of 20 nights", "4 of 20 nights", None]
