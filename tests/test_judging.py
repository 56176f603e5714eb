"""What an expert said, at work on one night: references begun anew, verdicts that name theirs."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.diagnostics.base import History, MetricValue, Series
from monitor.judging import rebased, referenced
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.judgement import Judgement, JudgementKind

DAY = 86_400_000
NIGHTS = Series(DAY * np.arange(10), np.arange(10.0))
KEYS = (
    ("heston", "rmse_iv", "chain"),
    ("heston", "change_score", "headline:rmse_iv"),
    ("heston", "change_limit", "cusum:rmse_iv"),
    ("heston", "param", "param:xi"),
    ("heston", "change_score", "headline:structure_shift"),
    ("svi", "rmse_iv", "chain"),
    (None, "smile_point_iv", "point:10p"),
    (None, "smile_change_score", "headline:put_wing"),
    (None, "term_point_iv", "tenor:30d"),
)
HISTORY = History(series=dict.fromkeys(KEYS, NIGHTS))


def begun_anew(subject="", model=None):
    """Return the series of which only what came from the seventh night on is left."""
    j = Judgement(
        "a", JudgementKind.REBASE, subject, 6 * DAY, 400 * DAY, "me", "because", model=model
    )
    after = rebased(HISTORY, [j]).series
    assert all(len(s) in (4, 10) for s in after.values())
    return {key for key, s in after.items() if len(s) == 4}


def test_a_reference_begun_anew_forgets_what_it_is_made_of_and_what_was_said_of_it():
    assert begun_anew() == set(KEYS)
    assert begun_anew(model="svi") == {KEYS[5]}
    assert begun_anew(model="market") == set(KEYS[6:])
    assert begun_anew("rmse_iv", "heston") == set(KEYS[:3])
    assert begun_anew("structure_shift", "heston") == set(KEYS[3:5])
    assert begun_anew("put_wing") == set(KEYS[6:8])


def test_without_such_a_word_nothing_is_forgotten():
    assert rebased(HISTORY, []) is HISTORY


def reference(model, metric, **scopes):
    return [
        MetricValue(metric, model, s.replace("_of_", ":"), v, "1", 60) for s, v in scopes.items()
    ]


HESTON = reference(
    "heston", "reference", version_of_rmse_iv=77.0, begins_of_rmse_iv=20260105.0,
    ends_of_rmse_iv=20260305.0,
)  # fmt: skip
SMILE = reference(None, "smile_reference", version_of_put_wing=5.0, ends_of_put_wing=20260228.0)
ADEQUATE = Verdict("heston", Status.ADEQUATE, "RMSE 0.30 vol points")


def test_every_verdict_names_its_own_reference():
    said = referenced(ADEQUATE, [*HESTON, *SMILE]).reason
    assert said.startswith("RMSE 0.30 vol points [60 nights to 2026-03-05, ")
    of_market = referenced(Verdict("market", Status.WATCH, "put wing"), [*HESTON, *SMILE]).reason
    assert of_market.startswith("put wing [60 nights to 2026-02-28, ")
    assert said[-7:] != of_market[-7:]
    another = [*reference("heston", "reference", version_of_rmse_iv=78.0), *HESTON[1:]]
    assert referenced(ADEQUATE, another).reason != said


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("svi", Status.INCONCLUSIVE, "learning: 7 of 20 nights"),
        Verdict(
            "heston",
            Status.INCONCLUSIVE,
            "no judgement: stale",
            (
                Finding(
                    *(Kind.DATA, Cause.DATA, Severity.AMBER, None, "chain_age", "chain"),
                    *(None, None, "stale"),
                ),
            ),
        ),
    ],
    ids=["learning", "blind"],
)
def test_a_verdict_that_judges_no_change_names_none(verdict):
    assert referenced(verdict, [*HESTON, *SMILE]) == verdict
