"""Errors go where they are told, at the size told, and leave the rest as recorded."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY, tenor
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules, tick_size
from monitor.proving.inject import PLACES, Injection, Trials, count_of, injected, onsets_of
from tests.sandbox.rooms import MOMENT_MS, world


@pytest.fixture(scope="module")
def chain():
    return world().chain("BTC", MOMENT_MS)


def rises(chain, injection):
    """Return deviations from the forward and the rise of mid vols, quote by quote."""
    before = build_quotes(chain, CleaningRules())
    after = build_quotes(injected(chain, injection), CleaningRules())
    then = dict(zip(before.instrument, before.iv, strict=True))
    both = np.array([i in then for i in after.instrument])
    up = np.array([iv - then.get(i, iv) for i, iv in zip(after.instrument, after.iv, strict=True)])
    x = after.k / (after.iv * np.sqrt(after.tau[after.expiry_index]))
    tick_iv = tick_size(after.c_ask, "coin") / after.vega
    return after, x[both], up[both], tick_iv[both]


@pytest.mark.parametrize("size", [0.01, 0.04])
@pytest.mark.parametrize("place", ["put wing", "call wing"])
def test_a_wing_lifts_by_so_many_vol_points_and_the_rest_stays(chain, place, size):
    _, x, up, tick_iv = rises(chain, Injection(place, size))
    out = -x if place == "put wing" else x
    np.testing.assert_array_equal(up[out < 0], 0.0)
    # Rounding to ticks takes or gives up to one, and vol is not quite linear in price.
    far = out > 1.2
    assert np.all(np.abs(up - size)[far] < 2.1 * tick_iv[far] + 0.1 * size)
    fine = far & (tick_iv < 0.01)
    assert fine.sum() > 10
    error = np.sqrt(np.mean(tick_iv[fine] ** 2) / 4 / fine.sum())  # of a coin toss between ticks
    assert abs(np.mean(up[fine]) - size) < 4 * error


def test_an_expiry_lifts_as_a_whole(chain):
    expiry_ms = int(np.unique(chain.expiry_ms)[7])
    moved = injected(chain, Injection("expiry", 0.02, expiry_ms))
    here = chain.expiry_ms == expiry_ms
    np.testing.assert_allclose((moved.mark_iv - chain.mark_iv)[here], 0.02)
    for column in ("bid", "ask", "mark", "mark_iv"):
        np.testing.assert_array_equal(getattr(moved, column)[~here], getattr(chain, column)[~here])
    assert np.nanmean((moved.bid - chain.bid)[here]) > 0


def test_prices_stay_on_ticks_and_widths_within_two(chain):
    moved = injected(chain, Injection("put wing", 0.02))
    touched = moved.bid != chain.bid
    ticks = moved.bid / tick_size(moved.bid, "coin")
    both = touched & np.isfinite(moved.bid) & np.isfinite(moved.ask)
    np.testing.assert_allclose(ticks[both], np.round(ticks[both]), atol=1e-6)
    before, after = chain.ask - chain.bid, moved.ask - moved.bid
    # Bid and ask on either side of 0.005 have ticks of their own.
    tick = tick_size(np.maximum(moved.ask, chain.ask), "coin")
    assert np.all(np.abs(after - before)[both] < 2.01 * tick[both])


@pytest.mark.parametrize("size", [0.01, 0.02, 0.04])
def test_a_lift_is_no_wrong_forward(chain, size):
    # Rounded apart, puts and calls contradicted the forward by up to two ticks: a data fault.
    quotes = build_quotes(injected(chain, Injection("put wing", size)), CleaningRules())
    out = np.fmax(quotes.parity_low - quotes.forward, quotes.forward - quotes.parity_high)
    assert np.nanmax(out / quotes.forward) < 1e-4


def test_absent_prices_stay_absent_and_unmarked_options_alone(chain):
    moved = injected(chain, Injection("put wing", 0.04))
    np.testing.assert_array_equal(np.isnan(moved.bid), np.isnan(chain.bid))
    np.testing.assert_array_equal(np.isnan(moved.ask), np.isnan(chain.ask))
    assert moved.as_of_ms == chain.as_of_ms


def test_each_onset_has_its_whole_length_recorded():
    trials = Trials((), "BTC", first=70, every=20, nights=10)
    assert list(onsets_of(153, trials)) == [70, 90, 110, 130]
    assert list(onsets_of(79, trials)) == []
    assert count_of(153, trials) == 153 + 4 * 9 * 10
    assert len(PLACES) == 3


def test_expiries_are_far_enough_to_outlive_a_trial():
    chain = world().chain("BTC", MOMENT_MS)
    days = 365 * tenor(chain.as_of_ms, np.unique(chain.expiry_ms))
    assert np.min(np.abs(days - 45.0)) < 30.0
    assert MS_PER_DAY == 86_400_000
