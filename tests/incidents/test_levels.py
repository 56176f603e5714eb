"""A trouble that hovers or keeps coming back is one incident, and its end says what ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import DomainError
from monitor.incidents.base import Event
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Cause, Finding, Kind
from monitor.verdict.market import VENUE
from tests.incidents.stories import AMBER, DAY, RED, Story, calm, data, drift, misfit

LOW = replace(misfit(value=0.80, threshold=0.85), metric="inside_share")
HEADLINE = "headline:rmse_iv"


def share(value: float):
    return calm(value, metric="inside_share")


def change(value: float):
    return calm(value, metric="change_score", scope=HEADLINE)


# --- levels -------------------------------------------------------------------------------------


def test_a_level_crossed_and_recrossed_is_one_incident():
    # In vol points, over a tolerance of 6: above, hovering, above again, and at last well below.
    story = Story()
    for points in (7.1, 5.9, 5.6, 5.1, 5.7, 6.6, 6.2, 5.8, 5.5, 7.0, 7.6, 5.7, 5.2, 4.9, 3.9):
        story.level(points / 100)
    assert story.told == ["opened", "resolved"]
    assert len({t.incident.id for t in story.life}) == 1
    assert story.words[-1] == "resolved"  # the third night in a row below 5.4


def test_an_incident_is_held_while_its_number_lies_between_the_two_levels():
    story = Story()
    story.level(0.07)
    for _ in range(20):
        story.level(0.055)  # the closing level is 0.9 of 0.06
    assert story.words == ["opened"] + ["held"] * 20
    (incident,) = story.open
    assert incident.value == 0.07  # the last alarm, as it was
    assert incident.last_seen_ms == incident.opened_at_ms


def test_a_number_between_the_levels_opens_nothing():
    story = Story()
    assert [story.level(0.058) for _ in range(5)] == [()] * 5


def test_calm_must_last_in_a_row():
    story = Story()
    for points in (7, 5, 5, 5.5, 5, 5, 5.5, 5, 5, 5):
        story.level(points / 100)
    assert story.words[-3:] == ["quiet", "quiet", "resolved"]
    assert story.words.count("resolved") == 1


def test_a_share_that_fell_closes_above_its_floor():
    story = Story()
    story.pass_(LOW)
    story.pass_(numbers=[share(0.86)])  # 14 % outside: more than 0.9 of the 15 % allowed
    assert story.words == ["opened", "held"]
    story.pass_(numbers=[share(0.87)])
    assert story.words[-1] == "quiet"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_change_on_either_side_closes_below_its_own_level(sign):
    story = Story()
    story.pass_(drift(severity=RED, score=1.3 * sign))
    for score in (0.8, -0.8, 0.6):  # as far out on the other side is as far out
        story.pass_(numbers=[change(score * sign)])
    assert story.words == ["opened", "held", "held", "quiet"]


def test_every_number_of_an_incident_must_be_calm():
    story = Story()
    story.pass_(misfit(), LOW)
    for _ in range(4):
        story.pass_(numbers=[calm(0.03), share(0.84)])
    assert story.words == ["opened"] + ["held"] * 4
    (incident,) = story.open
    # The error has been calm for three runs and is no member any more.
    assert [m.metric for m in incident.members] == ["inside_share"]


def test_a_number_not_measured_is_over_unless_its_model_could_not_be_judged():
    gone, unjudged = Story(), Story()
    gone.pass_(misfit())
    unjudged.pass_(misfit())
    for _ in range(3):
        gone.pass_()
        unjudged.pass_(failed=["heston"])
    assert gone.words == ["opened", "quiet", "quiet", "resolved"]
    mine = [t.event for t in unjudged.life if t.incident.cause is Cause.MISSPECIFICATION]
    assert mine == [Event.OPENED, Event.HELD, Event.HELD, Event.HELD]


@pytest.mark.parametrize("value", [0.0, 1.1, -1.0])
def test_a_closing_level_beyond_the_opening_one_is_refused(value):
    with pytest.raises(DomainError, match="share of the opening level"):
        IncidentRules(close_level=value)


def test_a_longer_memory_than_a_pass_has_is_refused():
    with pytest.raises(DomainError, match="at most 30"):
        IncidentRules(reopen_within_runs=31)


# --- pending and flapping -----------------------------------------------------------------------


def test_how_long_amber_is_pending_can_be_set():
    story = Story(IncidentRules(open_after_runs=3))
    assert [len(story.pass_(drift())) for _ in range(3)] == [0, 0, 1]


def test_a_flapping_number_makes_one_incident_that_falls_silent():
    story = Story()
    for _ in range(20):  # up for a night, calm for four: a hundred nights
        story.level(0.07)
        for _ in range(4):
            story.level(0.03)
    assert len({t.incident.id for t in story.life}) == 1
    assert story.told == ["opened", "resolved", "reopened", "resolved", "reopened"]
    (incident,) = story.open
    assert incident.reopenings == 2
    for _ in range(10):
        story.level(0.03)
    assert story.told[-1] == "resolved"


def test_what_flaps_is_told_again_when_it_gets_worse():
    story = Story(IncidentRules(open_after_runs=1))
    for _ in range(4):
        story.pass_(drift())
        for _ in range(4):
            story.pass_()
    before = len(story.told)
    story.pass_(drift(severity=RED, score=2.0))
    assert story.told[before:] == ["escalated"]


# --- grouping and inhibition --------------------------------------------------------------------


def test_a_venue_that_does_not_answer_is_one_incident_for_all_its_underlyings():
    silent = Finding(
        Kind.DATA, Cause.DATA, AMBER, None, "n_quotes", VENUE, None, None, "no chain: timed out"
    )
    bitcoin, ether = Story(), Story(underlying="ETH")
    ether.seconds = 20  # asked after the other
    (one,) = bitcoin.pass_(silent, blind=True)
    (other,) = ether.pass_(silent, blind=True)
    assert one.incident.id == other.incident.id
    assert one.incident.key == "deribit/*/day/data"
    (ended,) = bitcoin.pass_()
    assert ended.event is Event.RESOLVED
    (later,) = Story(night=1).pass_(silent, blind=True)
    assert later.incident.id != one.incident.id


# --- endings ------------------------------------------------------------------------------------


def test_an_ending_says_what_ended_and_how_things_stand():
    story = Story()
    for value in (0.0706, 0.065, 0.041, 0.041, 0.041):
        story.level(value)
    end = story.life[-1].incident
    assert end.message == (
        "over: heston rmse_iv 4.10 vol points tonight, 6.50 vol points when last seen, limit 6.00 "
        "vol points; it stood from 1970-01-02 to 1970-01-03, 2 runs"
    )
    assert end.resolved_at_ms == 5 * DAY


def test_the_ending_of_a_broken_chain_says_so():
    story = Story()
    story.pass_(data(), blind=True)
    (end,) = story.pass_(numbers=[calm(400.0, None, "n_quotes")])
    assert end.incident.message.startswith("over: the chain can be judged again; it stood on 1970")


# --- whatever happens ---------------------------------------------------------------------------

_LIVING = {"seen", "held", "quiet", "escalated", "resolved"}
NEXT = {
    None: {"opened"},
    "resolved": {"reopened"},
    **dict.fromkeys(_LIVING - {"resolved"}, _LIVING),
}
NEXT |= {"opened": _LIVING, "reopened": _LIVING}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.0, 0.1) | st.none(), max_size=60))
def test_every_life_is_a_walk_through_the_same_few_states(levels):
    """None: a night on which the chain could not be judged."""
    story = Story()
    for level in levels:
        if level is None:
            story.pass_(data(), blind=True)
        else:
            story.level(level)
    last: dict[str, str] = {}
    for t in story.life:
        assert t.event.value in NEXT[last.get(t.incident.id)]
        last[t.incident.id] = t.event.value
    keys = [i.key for i in story.open]
    assert len(keys) == len(set(keys))  # never two of one trouble
    beyond = any(level is not None and level > 0.06 for level in levels)
    seen = any(t.incident.cause is Cause.MISSPECIFICATION for t in story.life)
    assert seen == beyond
