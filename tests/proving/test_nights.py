"""Worlds lived through: one past a seed, the same answer in one process and in two."""

from __future__ import annotations

from functools import partial

import pytest

from monitor.assessment import Rules
from monitor.errors import DomainError, UnknownNameError
from monitor.proving.nights import Span, default_worlds, families, live_all
from monitor.proving.pool import run_all
from monitor.sandbox.worlds import WORLDS

SPAN = Span(learnt=2, broken=2, quiet=1)
RULES = Rules(models=("black",))


def test_worlds_that_share_their_past_are_one_family_a_seed():
    names = ("calm", "jumps-on", "put-wing-1-rich")
    found = families(names, [3, 4], "BTC")
    assert [(f.quiet, f.worlds, f.seed) for f in found] == [
        ("calm", ("calm", "jumps-on"), 3),
        ("calm-rich", ("put-wing-1-rich",), 3),
        ("calm", ("calm", "jumps-on"), 4),
        ("calm-rich", ("put-wing-1-rich",), 4),
    ]
    assert [f.count(SPAN) for f in found[:2]] == [2 + 1 + 2, 2 + 2]


def test_an_unknown_world_lists_those_known():
    with pytest.raises(UnknownNameError, match=r"no world is named 'stormy'.*calm"):
        families(["stormy"], [0], "BTC")


def test_by_default_every_world_is_lived_once():
    names = default_worlds()
    assert "left-wing-up" not in names
    assert set(names) == {n for n in WORLDS if not WORLDS[n].same_as}


def test_nights_count_from_the_break_and_quiet_worlds_tell_all_of_theirs():
    ticks = []
    (family,) = families(["calm", "vol-up-40"], [0], "BTC")
    calm, up = live_all(SPAN, RULES, family, lambda: ticks.append(1))
    assert [s.night for s in calm.nights] == [-2, -1, 0]
    assert [s.night for s in up.nights] == [0, 1]
    assert len(ticks) == family.count(SPAN)
    assert not any(s.settled for s in up.nights)


@pytest.mark.slow  # two interpreters load the whole package: 10 s
def test_two_processes_give_what_one_gives():
    tasks = families(["calm", "frozen-feed-rich"], [1], "ETH")
    ticks = {1: [], 2: []}
    found = {
        n: run_all(
            partial(live_all, SPAN, RULES), tasks, processes=n, tick=partial(ticks[n].append, 1)
        )
        for n in (1, 2)
    }
    assert found[1] == found[2]
    assert len(ticks[1]) == len(ticks[2]) == sum(task.count(SPAN) for task in tasks)


def test_an_underlying_that_no_world_has_is_refused():
    (family,) = families(["calm"], [1], "SOL")
    with pytest.raises(DomainError, match="has BTC, ETH, not SOL"):
        live_all(SPAN, RULES, family, lambda: None)
