"""What counts as found, as false, as placed and as called."""

from __future__ import annotations

import pytest

from monitor.proving.score import (
    ambers,
    called,
    expiry_of,
    falsely_paged,
    outcome_of,
    places_named,
)
from monitor.sandbox.worlds import WORLDS
from tests.proving.lives import SPAN, lived, night, told


def test_found_is_a_red_page_of_the_right_cause_and_its_night_counts_from_one():
    run = lived(
        "put-wing-2",
        night(0, told("amber", "calibration")),
        night(1, told("amber")),
        night(2, told("red", "data")),
        night(3, told("red")),
    )
    outcome = outcome_of(run, SPAN)
    assert (outcome.found, outcome.seen) == (4, 2)


def test_what_came_before_the_break_does_not_count_as_found():
    outcome = outcome_of(lived("put-wing-2", night(-1, told("red")), night(0)), SPAN)
    assert (outcome.found, outcome.seen, outcome.placed) == (None, None, None)
    assert outcome.called == "none"


def test_the_finders_are_those_with_a_red_finding_of_the_cause_that_night():
    findings = (told("red"), told("red", model="market"), told("amber", model="svi"))
    run = lived("jumps-on", night(0), night(1, told("red"), findings=findings))
    assert outcome_of(run, SPAN).finders == ("heston", "market")


def test_an_incident_that_turned_red_by_lasting_was_found_by_who_speaks_for_it():
    page = told("red", "data", "market")
    run = lived("marks-wrong", night(2, page, findings=(told("amber", "data", "market"),)))
    assert outcome_of(run, SPAN).finders == ("market",)


@pytest.mark.parametrize(
    ("world", "message", "right"),
    [
        ("put-wing-1", "svi: put wing 1.1 vol points above its ways", True),
        ("put-wing-1", "svi: call wing 1.1 vol points above its ways", False),
        ("put-wing-1", "market: rr25 at 30 days -0.0912, usually -0.0623", False),
        ("put-wing-1", "the output was put down to nothing", True),  # a word is a word
        ("expiry-shifted", "worst at expiry 2026-04-24", True),
        ("expiry-shifted", "worst at expiry 2026-05-29", False),
        ("term-bent", "worst at 2026-04-24", True),
        ("term-bent", "worst at 2026-03-13", False),
    ],
)
def test_a_place_is_named_where_scope_or_message_says_it(world, message, right):
    assert outcome_of(lived(world, night(0, told(message=message))), SPAN).placed is right


def test_a_place_counts_that_a_member_of_the_incident_names():
    page = told(message="heston: rmse_iv 0.01, usually 0.003")
    wing = told("amber", model="market", message="put wing +1.0 vol points")
    other = told("amber", "liquidity", model="market", message="put side is thin")
    for members, right in (((page, wing), True), ((page, other), False)):
        run = lived("put-wing-1", night(0, page, findings=members))
        assert outcome_of(run, SPAN).placed is right


def test_scopes_name_places_as_well():
    wings, expiries = places_named([told(scope="wing:call"), told(scope="expiry:2026-04-24")])
    assert (wings, expiries) == ({"call"}, {"2026-04-24"})


def test_the_shifted_expiry_is_the_one_six_weeks_out():
    # The break is on 10 March 2026: 24 April is 45 days later.
    assert expiry_of(WORLDS["expiry-shifted"].breaks[0], SPAN) == "2026-04-24"


def test_a_data_fault_without_a_place_is_not_asked_for_one():
    assert outcome_of(lived("marks-wrong", night(0, told("amber", "data"))), SPAN).placed is None


def test_called_is_the_gravest_cause_and_the_first_among_equals():
    nights = [
        night(0, told("amber", "liquidity"), told("amber", "calibration")),
        night(1, told("red", "data"), told("red")),
    ]
    assert called(nights) == "data"
    assert called(nights[:1]) == "liquidity"
    assert called([night(0)]) == "none"


def test_before_a_break_and_where_nothing_happens_every_red_page_is_false():
    red = told("red")
    assert len(falsely_paged(lived("put-wing-1", night(-1, red), night(0, red)))) == 1
    assert len(falsely_paged(lived("calm", night(-30, red), night(5, red)))) == 2


def test_an_event_that_is_no_reason_to_page_excuses_pages_of_its_own_cause_only():
    run = lived("spreads-tripled", night(0, told("red", "liquidity")), night(1, told("red")))
    assert [page.cause for _, page in falsely_paged(run)] == ["misspecification"]


def test_a_finding_that_is_not_told_again_is_no_second_page():
    standing = night(1, findings=(told("red"),))
    assert falsely_paged(lived("calm", night(0, told("red")), standing)) != []
    assert len(falsely_paged(lived("calm", night(0, told("red")), standing))) == 1


def test_ambers_are_counted_apart():
    run = lived("calm", night(0, told("amber"), told("red")), night(1, told("info", "market")))
    assert len(ambers(run)) == 1
