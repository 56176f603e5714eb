"""Frames say what happened, with exact intervals and infinite delays."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.assessment import Rules
from monitor.proving.inject import Trial
from monitor.proving.intervals import poisson_interval, share_interval
from monitor.proving.tables import (
    BREAKS,
    CALM,
    QUIET,
    breaks_frame,
    budget,
    calm_frame,
    quiet_frame,
    runs_frame,
    trials_frame,
)
from monitor.proving.totals import TOTALS, totals_frame, triage_frame
from tests.proving.lives import SPAN, lived, night, told


def test_an_interval_of_a_rate_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for rate in (0.5, 3.0, 12.0):
        draws = rng.poisson(rate, 4000)
        known = {int(n): poisson_interval(int(n), 1.0) for n in np.unique(draws)}
        hits = np.mean([known[int(n)][0] <= rate <= known[int(n)][1] for n in draws])
        assert hits >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)  # exact is never too short


def test_an_interval_of_a_share_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(1)
    for share in (0.1, 0.5, 0.95):
        draws = rng.binomial(20, share, 4000)
        known = {int(n): share_interval(int(n), 20) for n in np.unique(draws)}
        hits = np.mean([known[int(n)][0] <= share <= known[int(n)][1] for n in draws])
        assert hits >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_nights_between_false_pages_count_settled_nights_only():
    nights = [night(n, settled=n >= 0) for n in range(-5, 40)]
    nights[20] = night(15, told("red"))
    frame = quiet_frame([lived("calm", *nights)], Rules())
    (row,) = frame.to_dict("records")
    assert (row["nights"], row["red"], row["nights_between"]) == (40, 1, 40.0)
    low, high = poisson_interval(1, 40)
    assert (row["between_low"], row["between_high"]) == (1 / high, 1 / low)
    assert row["what"] == "1 misspecification (heston)"


def test_quiet_worlds_are_also_taken_together():
    runs = [lived(name, night(0)) for name in ("calm", "wandering")]
    frame = quiet_frame(runs, Rules())
    assert list(frame["world"]) == ["calm", "wandering", "together"]
    assert list(frame["nights"]) == [1, 1, 2]
    assert np.isinf(frame["nights_between"]).all()


def test_the_budget_of_an_underlying_is_its_share_of_the_desks():
    # One page in 365 nights over six streams, of which one underlying has three.
    assert budget(Rules()) == 730.0


def test_a_break_that_was_missed_has_an_infinite_delay():
    found = lived("put-wing-2", night(0), night(1, told("red")), seed=0)
    missed = lived("put-wing-2", night(0), night(1), seed=1)
    (row,) = breaks_frame([found, missed], SPAN).to_dict("records")
    assert (row["red"], row["found"], row["in_time"]) == (0.5, "1/2", "1/2")
    assert (row["red_low"], row["red_high"]) == share_interval(1, 2)
    assert (row["nights_median"], row["nights_90"]) == (2.0, np.inf)
    assert row["finders"] == "heston 1"
    assert (row["placed"], row["called_right"], row["svi_adequate"]) == (0.0, 0.5, 1.0)


def test_what_is_no_break_counts_false_pages_and_what_was_told():
    run = lived("quotes-halved", night(0, told("amber", "liquidity")), night(1, told("red")))
    (row,) = calm_frame([run]).to_dict("records")
    assert (row["false_red"], row["runs_paged"], row["misspecification"]) == (1, 1, 1)
    assert row["called_right"] == 0.0


def test_triage_leaves_what_was_not_told_out_of_the_share():
    runs = [
        lived("vol-up-40", night(0)),
        lived("vol-up-40", night(0, told("info", "market"))),
        lived("frozen-feed", night(0, told("amber", "misspecification"))),
        lived("listing-day", night(0)),
    ]
    frame = triage_frame(runs).set_index("expected")
    assert frame.loc["market", "right"] == 1.0
    assert frame.loc["data", "right"] == 0.0
    assert frame.loc["none", "right"] == 1.0


@pytest.mark.parametrize(("night_of_page", "in_time"), [(0, 1.0), (1, 1.0), (2, 0.0)])
def test_each_break_has_its_own_time_to_be_found_in(night_of_page, in_time):
    nights = [night(n, *([told("red")] if n == night_of_page else [])) for n in range(3)]
    (row,) = breaks_frame([lived("put-wing-2", *nights)], SPAN).to_dict("records")
    assert (row["within"], row["red_in_time"]) == (2, in_time)


def test_a_budget_holds_where_the_interval_of_the_rate_contains_it():
    budget_nights = budget(Rules())
    for reds, nights, holds in ((0, 400, True), (3, 400, False), (1, 730, True), (0, 9000, False)):
        quiet = [night(n, *([told("red")] if n < reds else [])) for n in range(nights)]
        (row,) = quiet_frame([lived("calm", *quiet)], Rules()).to_dict("records")
        low, high = poisson_interval(reds, nights)
        assert row["holds"] == holds == (low <= 1.0 / budget_nights <= high)


def test_totals_keep_apart_where_a_rival_is_the_truth_and_count_what_was_told():
    message = "put wing 2 vol points up"
    runs = [
        lived("put-wing-2", night(0, told("red", message=message))),
        lived("put-wing-2", night(0), seed=1),
        lived("put-wing-2-rich", night(0, told("amber"))),
        lived("forward-off-20bp", night(0, told("amber", "misspecification"))),
        lived("listing-day", night(0)),
    ]
    totals = totals_frame(runs, SPAN).set_index("of")
    rival = "where a rival is the truth"
    assert tuple(totals.loc[f"breaks found {rival}", ["hits", "n"]]) == (1, 3)
    assert tuple(totals.loc["seen, amber or red, where none is", ["hits", "n"]]) == (1, 1)
    named = f"right wing or expiry named, of those seen, {rival}"
    assert tuple(totals.loc[named, ["hits", "n"]]) == (1, 1)
    triage = "triage: right cause, of runs in which anything was told"
    assert tuple(totals.loc[triage, ["hits", "n"]]) == (2, 3)
    faults = "data faults without a word of misspecification"
    assert tuple(totals.loc[faults, ["hits", "n"]]) == (0, 1)
    unpaged = "non-breaks without a red page of any cause"
    assert tuple(totals.loc[unpaged, ["hits", "n"]]) == (1, 1)
    assert totals.loc[triage, "low"] == share_interval(2, 3)[0]


def test_every_run_has_a_row():
    runs = [lived("calm", night(0)), lived("jumps-on", night(0, told("red")))]
    frame = runs_frame(runs, SPAN)
    assert list(frame["expected"]) == ["none", "misspecification"]
    assert list(frame["red_night"].fillna(0)) == [0, 1]


def test_terminals_are_shown_columns_that_there_are():
    quiet = quiet_frame([lived("calm", night(0))], Rules())
    breaks = breaks_frame([lived("jumps-on", night(0))], SPAN)
    calm = calm_frame([lived("listing-day", night(0))])
    totals = totals_frame([lived("jumps-on", night(0))], SPAN)
    pairs = ((quiet, QUIET), (breaks, BREAKS), (calm, CALM), (totals, TOTALS))
    for frame, shown in pairs:
        assert set(shown) <= set(frame.columns)


@pytest.mark.parametrize(("who", "red"), [("heston", 1.0), ("market", 0.0), ("any", 1.0)])
def test_what_the_untouched_chain_shows_as_well_is_not_found(who, red):
    plain = (night(0), night(1, told("red", model="market")))
    nights = (night(0, told("red")), night(1, told("red", model="market")))
    trial = Trial("BTC", "put wing", 0.02, "2026-03-10", nights, plain)
    frame = trials_frame([trial], Rules()).set_index("who")
    assert frame.loc[who, "red"] == red
    assert frame.loc["heston", "red_median"] == 1.0
