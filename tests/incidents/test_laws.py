"""Whatever the nights bring: one open incident a trouble, nothing told twice, nothing lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.incidents.base import Event, State
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Cause, Severity
from tests.incidents.stories import Story, calm, data, drift, flat, level, misfit

MODELS = st.sampled_from(["svi", "heston"])
SEVERITIES = st.sampled_from([Severity.AMBER, Severity.RED, None])
FINDINGS = st.one_of(
    st.builds(misfit, MODELS, SEVERITIES, st.sampled_from([0.07, 0.2])),
    st.builds(drift, MODELS, SEVERITIES, st.sampled_from([-3.0, 1.1, 2.0])),
    st.builds(flat, MODELS),
    st.builds(level),
)
BLINDING = st.one_of(
    st.builds(data),
    st.builds(
        data, st.just(Cause.LIQUIDITY), st.just("rejected_share"), st.just(0.8), st.just(0.6)
    ),
)
# Each number is there on most nights, calm, between its levels, or beyond.
NUMBERS = st.lists(
    st.builds(calm, st.sampled_from([0.01, 0.058, 0.08]), MODELS), max_size=2, unique_by=str
)
NIGHT = st.one_of(
    st.tuples(st.lists(FINDINGS, max_size=3), st.just(False), NUMBERS),
    st.tuples(st.lists(BLINDING, min_size=1, max_size=2), st.just(True), NUMBERS),
)
NIGHTS = st.lists(NIGHT, min_size=1, max_size=30)
RULES = st.builds(
    IncidentRules,
    open_after_runs=st.integers(1, 2),
    resolve_after_runs=st.integers(1, 3),
    reopen_within_runs=st.integers(1, 7),
)


def lived(nights, rules):
    """Return the transitions of each night, and the story after each."""
    story, told = Story(rules=rules), []
    for findings, blind, numbers in nights:
        before = {i.id: i for i in story.incidents}
        told.append((before, story.pass_(*findings, blind=blind, numbers=numbers), story.incidents))
    return told


@settings(max_examples=120, deadline=None)
@given(NIGHTS, RULES)
def test_no_trouble_is_open_twice_lost_or_told_twice(nights, rules):
    seen_before: set[str] = set()
    ever_told: dict[str, list[Event]] = defaultdict(list)
    for (before, transitions, after), (findings, blind, _) in zip(
        lived(nights, rules), nights, strict=True
    ):
        # One open incident a trouble.
        open_keys = Counter(i.key for i in after if i.state is not State.RESOLVED)
        assert all(n == 1 for n in open_keys.values())
        assert len({t.incident.id for t in transitions}) == len(transitions)
        # Nothing that was open is gone without a word.
        by_id = {i.id: i for i in after}
        for incident in before.values():
            if incident.state is not State.RESOLVED:
                assert incident.id in by_id
        for t in transitions:
            was = before.get(t.incident.id)
            if t.event is Event.OPENED:
                assert t.incident.id not in seen_before
            elif t.event is Event.REOPENED:
                assert was is not None and was.state is State.RESOLVED
            else:
                assert was is not None and was.state is not State.RESOLVED
            if t.event is Event.ESCALATED:
                joined = set(t.incident.models) - set(was.models)
                assert t.incident.severity.rank > was.severity.rank or joined
            if t.event is Event.RESOLVED:
                assert t.incident.resolved_at_ms is not None
                assert not any(_is_about(f, t.incident) for f in findings)
            else:
                assert t.incident.resolved_at_ms is None
            if blind:
                assert t.incident.cause in (Cause.DATA, Cause.LIQUIDITY)
            if t.is_news:
                ever_told[t.incident.id].append(t.event)
        seen_before |= {t.incident.id for t in transitions}
    for events in ever_told.values():
        # Opened, perhaps worse; resolved; back, perhaps worse; resolved … An escalation from info
        # can be the first that is told.
        assert events[0] in (Event.OPENED, Event.ESCALATED, Event.REOPENED)
        ends = [e for e in events if e is not Event.ESCALATED]
        assert all(a is not b for a, b in pairwise(ends))


def _is_about(finding, incident):
    return finding.severity is not None and finding.cause is incident.cause


@settings(max_examples=60, deadline=None)
@given(NIGHTS, RULES)
def test_what_stands_long_enough_is_in_an_open_incident(nights, rules):
    run: Counter[tuple[str, str, str]] = Counter()
    for (_, _, after), (findings, blind, _) in zip(lived(nights, rules), nights, strict=True):
        heard = {(f.model or "", f.metric, f.scope): f for f in findings if f.severity is not None}
        run = Counter({key: run[key] + 1 for key in heard})
        open_causes = {i.cause for i in after if i.state is not State.RESOLVED}
        for key, finding in heard.items():
            at_once = finding.severity is not Severity.AMBER or blind
            # A thin chain that a broken feed leaves behind is the feed's trouble.
            follows = blind and findings[0].cause is Cause.DATA
            if at_once or run[key] >= rules.open_after_runs:
                assert (Cause.DATA if follows else finding.cause) in open_causes


@settings(max_examples=40, deadline=None)
@given(NIGHTS, RULES)
def test_the_same_nights_tell_the_same_story(nights, rules):
    assert lived(nights, rules) == lived(nights, rules)


@settings(max_examples=40, deadline=None)
@given(NIGHTS, RULES)
def test_calm_ends_every_trouble(nights, rules):
    story = Story(rules=rules)
    for findings, blind, numbers in nights:
        story.pass_(*findings, blind=blind, numbers=numbers)
    quiet = [calm(0.01, "svi"), calm(0.01, "heston")]
    for _ in range(max(rules.resolve_after_runs, rules.flapping_quiet_runs)):
        story.pass_(numbers=quiet)
    assert not story.open
