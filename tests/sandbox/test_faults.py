"""Faults strike what they name, when they say, and change nothing else."""

import numpy as np
import pytest

from monitor.errors import UnknownNameError
from monitor.sandbox.faults import (
    CONTENT,
    TRANSPORT,
    Fault,
    FaultPlan,
    chosen,
    crossed,
    halved,
)
from tests.sandbox.rooms import MOMENT_MS, world

BOOK = "get_book_summary_by_currency"


def struck(plan, path="get_time", params=None, now_ms=0, n=6):
    return [bool(plan.draw(path, params or {}, now_ms)) for _ in range(n)]


def test_a_fault_strikes_so_many_requests_after_so_many():
    plan = FaultPlan([Fault("html", after=2, times=3)])
    assert struck(plan) == [False, False, True, True, True, False]


def test_only_the_named_path_and_parameters_are_struck_and_counted():
    plan = FaultPlan([Fault("html", path=BOOK, params={"kind": "option"}, times=1)])
    assert struck(plan, "get_time", n=3) == [False] * 3
    assert struck(plan, BOOK, {"kind": "future"}, n=3) == [False] * 3
    assert struck(plan, BOOK, {"kind": "option", "currency": "BTC"}, n=2) == [True, False]


def test_a_fault_keeps_to_its_hours():
    plan = FaultPlan([Fault("html", since_ms=100, until_ms=200)])
    assert [struck(plan, now_ms=t, n=1)[0] for t in (99, 100, 199, 200)] == [
        False,
        True,
        True,
        False,
    ]


def test_faults_can_be_added_and_taken_away_while_it_runs():
    plan = FaultPlan()
    assert struck(plan, n=1) == [False]
    plan.add(Fault("dropped"))
    assert struck(plan, n=2) == [True, True]
    plan.clear()
    assert struck(plan, n=1) == [False]


def test_an_unknown_kind_lists_those_known():
    with pytest.raises(UnknownNameError, match=r"no fault is named 'flood'.*crossed.*truncated"):
        Fault("flood")
    assert not set(TRANSPORT) & set(CONTENT)


def test_a_share_concerns_the_same_options_at_every_request():
    chain = world().chain("BTC", MOMENT_MS)
    first = chosen(chain, 0.3)
    np.testing.assert_array_equal(first, chosen(chain, 0.3))
    assert first.mean() == pytest.approx(0.3, abs=1e-3)
    assert np.all(chosen(chain, 0.6)[first])


def test_half_a_chain_is_rows_of_the_whole_one():
    chain = world().chain("BTC", MOMENT_MS)
    half = halved(chain, 0.5)
    assert len(half) == round(len(chain) / 2)
    whole = dict(zip(chain.instrument, chain.mark, strict=True))
    assert all(whole[i] == m for i, m in zip(half.instrument, half.mark, strict=True))


def test_crossing_exchanges_the_two_sides():
    chain = world().chain("BTC", MOMENT_MS)
    bad = crossed(chain, 0.2)
    here = bad.bid > bad.ask
    assert here.any()
    np.testing.assert_array_equal(bad.bid[here], chain.ask[here])
    np.testing.assert_array_equal(bad.bid[~here], chain.bid[~here])
