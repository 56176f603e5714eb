"""The life of an incident, turn by turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.incidents.base import Event, State
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Cause, Severity
from tests.incidents.stories import AMBER, RED, Story, calm, data, drift, flat, level, misfit

CALM = {"numbers": [calm()]}


def test_a_red_finding_opens_at_once_and_is_told_once():
    story = Story()
    (opened,) = story.pass_(misfit())
    assert (opened.event, opened.is_news) == (Event.OPENED, True)
    for _ in range(5):
        (seen,) = story.pass_(misfit(value=0.09))
        assert (seen.event, seen.is_news) == (Event.SEEN, False)
    assert seen.incident.id == opened.incident.id
    assert (seen.incident.runs_seen, seen.incident.value) == (6, 0.09)


def test_an_amber_finding_waits_for_a_second_night():
    story = Story()
    assert story.events(flat()) == []
    assert story.events(flat()) == ["opened"]
    again = Story()
    assert [again.events(flat()), again.events(), again.events(flat())] == [[], [], []]
    hasty = Story(rules=IncidentRules(open_after_runs=1))
    assert hasty.events(flat()) == ["opened"]


def test_a_trouble_that_gets_worse_is_told_again_and_only_once():
    story = Story(rules=IncidentRules(open_after_runs=1))
    assert story.events(drift()) == ["opened"]
    assert story.events(drift(severity=RED)) == ["escalated"]
    assert story.events(drift(severity=RED)) == ["seen"]
    # Milder again: what it reached is what it is, and reaching it again is no news.
    assert story.events(drift()) == ["seen"]
    assert story.events(drift(severity=RED)) == ["seen"]
    (incident,) = story.open
    assert (incident.severity, incident.escalated) == (RED, True)


def test_three_calm_nights_in_a_row_end_a_trouble():
    story = Story()
    story.pass_(misfit())
    assert story.events(**CALM) == ["quiet"]
    assert story.events(**CALM) == ["quiet"]
    assert story.events(misfit()) == ["seen"]  # the count begins again
    told = [story.events(**CALM) for _ in range(4)]
    assert told == [["quiet"], ["quiet"], ["resolved"], []]
    assert not story.open


def test_a_number_between_its_levels_holds_the_trouble_open():
    story = Story()
    story.pass_(misfit())  # 0.08 of 0.06
    for _ in range(10):
        assert story.events(numbers=[calm(0.055)]) == ["held"]  # above 0.9 of 0.06
    assert [story.events(numbers=[calm(0.053)]) for _ in range(3)][-1] == ["resolved"]


def test_a_misfit_that_stays_and_is_told_no_more_is_not_over():
    # After a month a misfit counts as usual and is told no more; the number is still there.
    story = Story()
    story.pass_(misfit())
    for _ in range(10):
        standing = misfit(severity=None)
        assert story.events(standing, numbers=[calm(0.08)]) == ["held"]
    assert [i.state for i in story.open] == [State.OPEN]


def test_a_trouble_that_returns_within_a_week_is_the_same_one_and_later_another():
    for nights, event in ((5, "reopened"), (6, "reopened"), (7, "opened")):
        story = Story()
        (first,) = story.pass_(misfit())
        assert [story.events(**CALM) for _ in range(3)][-1] == ["resolved"]
        for _ in range(nights):
            assert story.events(**CALM) == []
        (back,) = story.pass_(misfit())
        # Counted in runs: the night after the resolution is the first.
        assert back.event.value == event, nights
        assert (back.incident.id == first.incident.id) is (event == "reopened")
        assert back.is_news


def test_reopening_does_not_reach_further_than_the_rules_say():
    story = Story(rules=IncidentRules(reopen_within_runs=2))
    story.pass_(misfit())
    for _ in range(3 + 2):
        story.pass_(**CALM)
    assert story.events(misfit()) == ["opened"]


def test_findings_of_one_cause_are_one_trouble_over_models_and_metrics():
    story = Story()
    transitions = story.pass_(misfit("svi"), misfit("heston", value=0.12), drift("heston"), flat())
    by_cause = {t.incident.cause: t.incident for t in transitions}
    # The doubt of identification waits for a second night.
    assert set(by_cause) == {Cause.MISSPECIFICATION}
    incident = by_cause[Cause.MISSPECIFICATION]
    assert set(incident.models) == {"svi", "heston"}
    # The worst speaks: twice its tolerance, against a third more than it.
    assert (incident.model, incident.value) == ("heston", 0.12)
    assert incident.message == "heston and 1 more: RMSE 12.00 vol points"


def test_another_model_that_turns_red_makes_a_trouble_worse():
    story = Story()
    story.pass_(misfit("heston"))
    assert story.events(misfit("heston"), misfit("svi")) == ["escalated"]
    assert story.events(misfit("heston"), misfit("svi")) == ["seen"]


def test_news_of_the_market_is_kept_and_never_told():
    story = Story()
    told = [story.pass_(level()), story.pass_(level(3.0))]
    nights = told + [story.pass_() for _ in range(5)]
    assert [t.event.value for night in nights for t in night][:2] == ["opened", "seen"]
    assert not any(t.is_news for night in nights for t in night)


def test_on_a_blind_night_only_what_blinds_it_moves():
    story = Story()
    story.pass_(misfit())
    before = story.open
    for _ in range(5):
        transitions = story.pass_(misfit(), data(), blind=True)
        assert {t.incident.cause for t in transitions} == {Cause.DATA}
    assert before[0] in story.open
    # Not seeing it for five nights was no calm: three more are needed.
    assert "resolved" not in story.events(**CALM)[1:]


def test_a_data_trouble_ends_with_the_first_night_that_can_be_judged():
    story = Story()
    assert story.events(data(), blind=True) == ["opened"]
    assert story.events(data(), blind=True) == ["seen"]
    healthy = calm(400.0, None, "n_quotes")
    assert story.events(numbers=[healthy]) == ["resolved"]


def test_three_blind_nights_in_a_row_are_red():
    story = Story()
    severities = []
    for _ in range(5):
        (transition,) = story.pass_(data(), blind=True)
        severities.append((transition.event.value, transition.incident.severity))
    assert severities == [
        ("opened", AMBER),
        ("seen", AMBER),
        ("escalated", RED),
        ("seen", RED),
        ("seen", RED),
    ]


def test_blind_nights_that_are_not_in_a_row_are_not_red():
    story = Story()
    healthy = calm(400.0, None, "n_quotes")
    for _ in range(5):
        (transition, *_) = story.pass_(data(), blind=True)
        assert transition.incident.severity is AMBER
        story.pass_(numbers=[healthy])


def test_a_doubt_about_marks_is_no_blind_night_and_does_not_turn_red():
    story = Story()
    for _ in range(6):
        (transition,) = story.pass_(data(metric="mark_rmse_z_spread", value=5.0, threshold=4.0))
        assert transition.incident.severity is AMBER


def test_a_model_that_could_not_be_fitted_is_not_a_model_that_is_calm():
    story = Story()
    story.pass_(misfit("heston"))
    for _ in range(5):
        events = {t.incident.cause: t.event for t in story.pass_(failed=["heston"])}
        assert events.get(Cause.MISSPECIFICATION) in (None, Event.HELD)
    assert Cause.MISSPECIFICATION in {i.cause for i in story.open}


def test_an_acknowledged_trouble_stays_so_until_it_gets_worse():
    story = Story(rules=IncidentRules(open_after_runs=1))
    story.pass_(drift())
    story.incidents = tuple(replace(i, state=State.ACKNOWLEDGED) for i in story.incidents)
    (seen,) = story.pass_(drift())
    assert (seen.event, seen.incident.state) == (Event.SEEN, State.ACKNOWLEDGED)
    (worse,) = story.pass_(drift(severity=RED))
    assert (worse.event, worse.incident.state) == (Event.ESCALATED, State.OPEN)


@pytest.mark.parametrize(
    ("milder", "worse"),
    [
        # Beyond a ceiling by a sixth; below a floor by half.
        (misfit(value=0.07), replace(misfit(value=0.4, threshold=0.85), metric="inside_share")),
        (data(value=39.0), data(value=3.0)),
        (drift(severity=RED, score=-1.1), drift(severity=RED, score=-4.0, headline="bf25")),
    ],
)
def test_the_finding_furthest_beyond_its_limit_speaks_for_the_trouble(milder, worse):
    for order in ([milder, worse], [worse, milder]):
        story = Story()
        (opened,) = story.pass_(*order, blind=milder.cause is Cause.DATA)
        assert opened.incident.value == worse.value


def test_ids_and_keys_follow_from_the_trouble_and_the_night_alone():
    first, second = Story(), Story()
    (one,), (other,) = first.pass_(misfit()), second.pass_(misfit(value=0.2))
    assert one.incident.id == other.incident.id
    assert one.incident.key == "deribit/BTC/day/misspecification"
    later = Story(night=1)
    assert later.pass_(misfit())[0].incident.id != one.incident.id


def test_a_trouble_that_flaps_must_be_calm_for_longer():
    story = Story()
    for _ in range(3):
        story.pass_(misfit())
        for _ in range(3):
            last = story.events(**CALM)
    assert last == ["quiet"]  # the second return made it flap: ten nights now
    assert [story.events(**CALM) for _ in range(7)][-1] == ["resolved"]


def test_severity_none_opens_nothing():
    assert Story().events(misfit(severity=None)) == []
    assert Severity.INFO.rank < Severity.AMBER.rank < Severity.RED.rank
