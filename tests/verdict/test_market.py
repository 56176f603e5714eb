"""Is the chain fit to judge by? Edge by edge; and the smile's own change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import History
from monitor.market.snapshot import MarketContext
from monitor.outcome import Rejection
from monitor.verdict.base import Cause, Kind, Severity, Status
from monitor.verdict.rules import JudgementRules
from tests.verdict.nights import SNAPSHOT, market_judged

USUAL = {"atm_iv": 0.50}


def test_an_ordinary_night_is_fit_to_judge_by():
    verdict = market_judged()
    assert (verdict.status, verdict.findings) == (Status.ADEQUATE, ())


# What blinds: the last value within, the first beyond, and what it is put down to.
@pytest.mark.parametrize(
    ("metric", "within", "beyond", "cause"),
    [
        ("n_quotes", 40.0, 39.0, Cause.DATA),
        ("chain_age", 900.0, 900.5, Cause.DATA),
        ("listed_share", 0.80, 0.799, Cause.DATA),
        ("rejected_share@reason:crossed", 0.02, 0.0201, Cause.DATA),
        ("rejected_share", 0.60, 0.601, Cause.LIQUIDITY),
        ("parity_gap", 0.0003, 0.000301, Cause.DATA),
        ("parity_gap", -0.0003, -0.000301, Cause.DATA),
        ("future_gap", 0.001, 0.00101, Cause.DATA),
        ("future_gap", -0.001, -0.00101, Cause.DATA),
    ],
)
def test_a_night_is_blind_beyond_each_limit_and_not_at_it(metric, within, beyond, cause):
    assert market_judged({metric: within}).status is Status.ADEQUATE
    verdict = market_judged({metric: beyond})
    assert verdict.status is Status.INCONCLUSIVE
    (finding,) = verdict.findings
    assert (finding.kind, finding.cause) == (Kind.DATA, cause)
    # Dollars are reckoned by a wrong forward tonight: nobody waits for a second night.
    assert finding.severity is (Severity.RED if metric.endswith("_gap") else Severity.AMBER)
    assert verdict.reason == finding.message
    assert finding.value == beyond


@pytest.mark.parametrize("metric", ["chain_age", "listed_share", "parity_gap"])
def test_what_a_recorded_chain_does_not_know_blinds_nobody(metric):
    assert market_judged({metric: None}).status is Status.ADEQUATE


@pytest.mark.parametrize("factor", [90_000.0, 3.01, 0.33, 0.01])
def test_wrong_units_are_the_datas_fault_and_all_that_is_said(factor):
    # Hardly a quote is left of them: that is no thin market.
    left = {"n_quotes": 0.0, "rejected_share": 1.0, "parity_gap": 0.5}
    verdict = market_judged(left | {"unit_factor@prices": factor})
    assert verdict.status is Status.INCONCLUSIVE
    (finding,) = verdict.findings
    assert (finding.cause, finding.scope) == (Cause.DATA, "prices")
    assert verdict.reason.startswith(f"wrong units: prices are {factor:.3g} times")
    within = {"unit_factor@prices": 1.2, "unit_factor@forwards": 2.9}
    assert market_judged(within).status is Status.ADEQUATE


def test_a_repeated_chain_is_stale():
    again = History(chain_digest=SNAPSHOT.chain_digest, n_quotes=400)
    verdict = market_judged(history=again)
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason.startswith("stale")
    another = History(chain_digest="0" * 64, n_quotes=400)
    assert market_judged(history=another).status is Status.ADEQUATE


@pytest.mark.parametrize(("n", "blind"), [(200.0, False), (199.0, True)])
def test_half_of_last_nights_quotes_is_the_least(n, blind):
    verdict = market_judged({"n_quotes": n}, history=History(n_quotes=400))
    assert (verdict.status is Status.INCONCLUSIVE) is blind
    assert market_judged({"n_quotes": n}).status is Status.ADEQUATE  # no last night, no half


def test_too_few_quotes_are_told_once_and_not_as_half_a_chain_too():
    verdict = market_judged({"n_quotes": 3.0}, history=History(n_quotes=400))
    assert [f.message for f in verdict.findings] == ["3 usable quotes, at least 40 wanted"]


def test_quotes_that_are_there_but_cannot_be_used_are_a_thin_market():
    thin = market_judged({"n_quotes": 10.0, "rejected_share": 0.5})
    gone = market_judged({"n_quotes": 10.0, "rejected_share": 0.1})
    assert [f.cause for f in thin.findings] == [Cause.LIQUIDITY]
    assert [f.cause for f in gone.findings] == [Cause.DATA]


def test_an_empty_chain_has_no_quotes_and_no_shares_and_is_blind():
    nothing = dict.fromkeys(
        ["rejected_share", "rejected_share@reason:crossed", "parity_gap", "mark_rmse_z_spread"]
    )
    verdict = market_judged({"n_quotes": 0.0} | nothing)
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == "0 usable quotes, at least 40 wanted"


def test_a_venue_that_gave_no_chain_says_so_and_nothing_else():
    missing = Rejection("snapshot", "VenueUnavailable", "chain", "time-out after 3 tries")
    snapshot = replace(SNAPSHOT, context=MarketContext(missing=(missing,)))
    verdict = market_judged({"n_quotes": 0.0, "chain_age": 9e9}, snapshot=snapshot)
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == "no chain: time-out after 3 tries"
    assert len(verdict.findings) == 1
    # Something else that was not given is no reason to be blind.
    other = Rejection("snapshot", "VenueUnavailable", "dvol", "time-out after 3 tries")
    snapshot = replace(SNAPSHOT, context=MarketContext(missing=(other,)))
    assert market_judged(snapshot=snapshot).status is Status.ADEQUATE


def test_every_reason_to_be_blind_is_listed_and_the_first_is_the_verdicts():
    verdict = market_judged({"chain_age": 1e4, "parity_gap": 0.01, "n_quotes": 3.0})
    assert [f.metric for f in verdict.findings] == ["chain_age", "n_quotes", "parity_gap"]
    assert verdict.reason == verdict.findings[0].message


def test_a_blind_night_says_nothing_of_the_smile():
    verdict = market_judged(
        {"n_quotes": 3.0, "smile_change_score@headline:put_wing": 5.0}, usual=USUAL
    )
    assert {f.kind for f in verdict.findings} == {Kind.DATA}


# Doubts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "doubted"), [(4.0, False), (4.01, True)])
def test_marks_far_from_the_book_are_a_doubt_that_blinds_nobody(size, doubted):
    verdict = market_judged({"mark_rmse_z_spread": size})
    assert verdict.status is (Status.WATCH if doubted else Status.ADEQUATE)
    assert [f.severity for f in verdict.findings] == [Severity.RED] * doubted


@pytest.mark.parametrize(("gap", "doubted"), [(0.05, False), (0.051, True), (-0.051, True)])
def test_a_book_that_contradicts_the_venues_index_is_a_doubt(gap, doubted):
    verdict = market_judged({"iv30_dvol_gap": gap})
    assert [(f.cause, f.severity) for f in verdict.findings] == [
        (Cause.DATA, Severity.AMBER)
    ] * doubted


@pytest.mark.parametrize(("count", "doubted"), [(8.0, False), (9.0, True)])
def test_butterflies_given_away_are_quotes_of_different_moments(count, doubted):
    verdict = market_judged({"butterfly_market": count}, nights=400)  # n: of 400 butterflies
    assert [f.cause for f in verdict.findings] == [Cause.DATA] * doubted
    assert verdict.status is (Status.WATCH if doubted else Status.ADEQUATE)


def test_the_expiry_whose_forward_is_wrong_is_named():
    gaps = {"parity_gap": 0.002, "parity_gap@expiry:2026-04-24": 0.002}
    gaps["parity_gap@expiry:2026-06-26"] = -0.001
    verdict = market_judged(gaps)
    assert verdict.reason.startswith("the venue's forward of 2026-04-24 lies 20.0 bp outside")


def test_of_a_repeated_chain_nothing_is_said_but_that_it_is_one():
    again = History(chain_digest=SNAPSHOT.chain_digest, n_quotes=400)
    verdict = market_judged({"mark_rmse_z_spread": 9.0, "parity_gap": 0.01}, history=again)
    assert [f.metric for f in verdict.findings] == ["chain_age"]


# Liquidity --------------------------------------------------------------------------------------

WIDTHS = {"width_iv": 0.01, "rejected_share": 0.1}


@pytest.mark.parametrize(
    ("metric", "within", "beyond"),
    [("width_iv", 0.0175, 0.0176), ("rejected_share", 0.30, 0.301)],
)
def test_a_market_thinner_than_usual_is_told_and_blinds_nobody(metric, within, beyond):
    assert not market_judged({metric: within}, usual=WIDTHS).findings
    verdict = market_judged({metric: beyond}, usual=WIDTHS)
    assert verdict.status is Status.WATCH
    (finding,) = verdict.findings
    assert (finding.cause, finding.severity) == (Cause.LIQUIDITY, Severity.AMBER)


def test_nobody_knows_what_is_thin_before_nights_enough():
    for nights, told in ((19, 0), (20, 1)):
        verdict = market_judged({"width_iv": 0.1}, usual=WIDTHS, nights=nights)
        assert len(verdict.findings) == told


# The smile --------------------------------------------------------------------------------------


def moved(headline, size, score=-1.5, **night):
    values = {
        f"smile_change_score@headline:{headline}": score,
        f"smile_change_size@headline:{headline}": size,
    }
    return market_judged(values, usual=USUAL, **night)


@pytest.mark.parametrize("score", [1.0, -1.0])
def test_a_score_of_one_is_within_limits(score):
    assert not moved("put_wing", -0.05, score).findings


def test_a_change_of_level_is_news_of_the_market_and_no_page():
    values = {"atm_iv": 0.90, "smile_change_score@headline:atm_iv": 3.0}
    verdict = market_judged(values, usual=USUAL)
    assert verdict.status is Status.ADEQUATE
    (finding,) = verdict.findings
    assert (finding.cause, finding.severity) == (Cause.MARKET, Severity.INFO)
    assert verdict.reason == "atm_iv at 30 days 0.9000, usually 0.5000: +3.0 limits"


@pytest.mark.parametrize(
    ("size", "night", "severity"),
    [
        (-0.0051, {}, Severity.RED),
        (0.0051, {}, Severity.RED),
        # Not material; a short reference; more patience than the chart's own two nights.
        (-0.0049, {}, Severity.AMBER),
        (-0.0051, {"nights": 59}, Severity.AMBER),
        (-0.0051, {"rules": JudgementRules(persistent_nights=3)}, Severity.AMBER),
    ],
)
def test_a_change_of_a_wing_is_red_when_settled_material_and_lasting(size, night, severity):
    verdict = moved("put_wing", size, **night)
    assert verdict.status is Status.WATCH
    (finding,) = verdict.findings
    assert (finding.cause, finding.severity) == (Cause.MISSPECIFICATION, severity)
    assert verdict.reason == f"put wing {100 * size:+.2f} vol points: -1.5 limits"


@pytest.mark.parametrize(("put", "place"), [(2.0, ""), (-4.0, ", and more in the put wing")])
def test_a_wing_that_pages_names_the_other_where_that_stepped_further(put, place):
    values = {
        "smile_change_score@headline:call_wing": -1.2,
        "smile_change_size@headline:call_wing": -0.009,
        "smile_step@wing:call": -3.0,
        "smile_step@wing:put": put,
    }
    (finding,) = market_judged(values).findings
    assert finding.message == f"call wing -0.90 vol points{place}: -1.2 limits"


BENT = {
    "smile_change_score@headline:middle_term": 2.0,
    "smile_change_size@headline:middle_term": 0.012,
    "smile_step@expiry:2026-02-27": 3.0,
    "smile_step@expiry:2026-03-27": -6.0,
    "smile_step@bend:2026-04-24": 5.0,
    "smile_step@wing:put": 3.0,
}


@pytest.mark.parametrize(
    ("steps", "place"),
    [
        ({}, "most at 2026-03-27"),
        # The bend that the headline is about explains more than any tenor alone.
        ({"smile_step@bend:2026-04-24": -6.1}, "about 2026-04-24"),
        # Of 4 places and 7 onsets the largest deviate exceeds 3.57 in size once in a hundred.
        ({"smile_step@wing:put": -3.6}, "most at 2026-03-27, and the put wing"),
    ],
)
def test_a_bent_term_structure_names_the_likeliest_place(steps, place):
    (finding,) = market_judged(BENT | steps).findings
    expected = f"middle term structure +1.20 vol points, {place}: +2.0 limits"
    assert finding.message == expected


def test_an_expiry_out_of_line_is_named_and_worth_its_own_vega():
    values = {
        "smile_change_score@headline:expiry_gap": 1.5,
        "smile_change_size@headline:expiry_gap": 0.11,
        "term_gap_iv@chain": 0.019,
        "term_gap_iv@expiry:2026-03-27": -0.011,
        "term_gap_iv@expiry:2026-04-24": 0.019,
        "book_vega_usd@expiry:2026-04-24": -4e6,
    }
    # Charted by its cube root; told, and worth, by its vol beyond the usual one.
    (finding,) = market_judged(values, usual={"term_gap_iv": 0.004}).findings
    expected = "one expiry out of line +1.50 vol points, 2026-04-24: +1.5 limits"
    assert (finding.message, finding.severity) == (expected, Severity.RED)
    assert finding.usd == pytest.approx(60_000.0)


def test_a_market_that_is_learning_is_inconclusive_and_says_how_far_it_is():
    verdict = market_judged(learning=True)
    assert (verdict.status, verdict.reason) == (Status.INCONCLUSIVE, "learning: 7 of 20 nights")
    # Learning is no want of data: no finding blinds the models.
    assert not verdict.findings


def test_what_is_wrong_with_the_data_is_said_before_what_is_being_learnt():
    assert market_judged({"n_quotes": 1.0}, learning=True).reason.startswith("1 usable quotes")
    doubt = market_judged({"mark_rmse_z_spread": 9.0}, learning=True)
    assert doubt.status is Status.WATCH


def test_limits_come_from_the_rules():
    lenient = JudgementRules(min_quotes=5, max_parity_gap=0.1, max_age_s=np.inf)
    values = {"n_quotes": 5.0, "parity_gap": 0.05, "chain_age": 1e9}
    assert market_judged(values, rules=lenient).status is Status.ADEQUATE
