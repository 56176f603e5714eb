from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from tests.market.chains import AS_OF, EXPIRIES, FORWARDS, chain, skewed

RULES = CleaningRules()


def altered(snapshot, instrument, **prices):
    """Return the snapshot with other prices for one instrument."""
    i = snapshot.instrument.index(instrument)
    columns = {}
    for name, value in prices.items():
        column = np.array(getattr(snapshot, name))
        column[i] = value
        columns[name] = column
    return replace(snapshot, **columns)


def reasons(quotes):
    return {r.subject: r.reason for r in quotes.rejections}


def test_quotes_recover_the_smile_they_were_priced_with():
    quotes = build_quotes(chain(), RULES)
    tau = quotes.tau[quotes.expiry_index]
    truth = np.array([skewed(np.array(k), t) for k, t in zip(quotes.k, tau, strict=True)])
    # The chain is priced without ticks: only rounding of the premium separates the two.
    np.testing.assert_allclose(quotes.iv_bid, truth - 0.005, atol=1e-12)
    np.testing.assert_allclose(quotes.iv_ask, truth + 0.005, atol=1e-12)
    np.testing.assert_allclose(quotes.forward, FORWARDS)


def test_coin_and_dollar_chains_of_one_smile_meet_in_the_same_quotes():
    coin, usd = build_quotes(chain(), RULES), build_quotes(chain(price_unit="usd"), RULES)
    np.testing.assert_allclose(usd.iv, coin.iv, atol=1e-12)
    np.testing.assert_allclose(usd.c_bid, coin.c_bid, rtol=1e-13)
    # F / (1 + e F/K) against F (1 - e): they part by the spread e of the pair times |1 - F/K|.
    np.testing.assert_allclose(usd.parity_low, coin.parity_low, rtol=1e-3)


def test_only_the_out_of_the_money_option_of_a_strike_is_asked():
    quotes = build_quotes(chain(), RULES)
    assert np.all(np.where(quotes.k > 0, quotes.sign == 1, quotes.sign == -1))
    assert (
        quotes.n
        == quotes.n_selected
        == len(set(zip(quotes.expiry_index, quotes.strike, strict=True)))
    )
    assert not quotes.rejections


def test_quotes_are_sorted_by_tenor_then_moneyness():
    quotes = build_quotes(chain(), RULES)
    assert np.all(np.diff(quotes.tau) > 0)
    order = np.lexsort((quotes.k, quotes.expiry_index))
    assert np.array_equal(order, np.arange(quotes.n))


def test_tenor_runs_to_eight_utc_in_years_of_365_days():
    quotes = build_quotes(chain(), RULES)
    expected = [(e - AS_OF) / timedelta(days=365) for e in EXPIRIES]
    np.testing.assert_allclose(quotes.tau, expected, rtol=1e-15)


def test_noise_is_half_the_width_and_never_below_half_a_tick():
    wide = build_quotes(chain(width_iv=0.05), RULES)
    vegas = 0.5 * 0.0005 / wide.vega
    np.testing.assert_allclose(wide.noise[vegas < 0.02], 0.025, atol=1e-12)
    tight = build_quotes(chain(width_iv=1e-7), RULES)
    tick = np.where(tight.c_ask <= 0.005, 0.0001, 0.0005)
    np.testing.assert_allclose(tight.noise, 0.5 * tick / tight.vega)


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({"bid": np.nan}, "no_bid"),
        ({"bid": 0.0}, "no_bid"),
        ({"bid": -0.01}, "no_bid"),
        ({"ask": np.nan}, "no_ask"),
        ({"bid": 0.02, "ask": 0.01}, "crossed"),
        ({"bid": 0.02, "ask": 0.02}, "locked"),
        ({"ask": 1.0}, "above_maximum"),
        ({"bid": 1e-5, "ask": 0.3}, "too_wide"),
    ],
)
def test_a_bad_quote_is_rejected_with_its_reason(prices, reason):
    snapshot = chain()
    victim = build_quotes(snapshot, RULES).instrument[-1]  # a call of the last expiry
    assert victim.endswith("C")
    quotes = build_quotes(altered(snapshot, victim, **prices), RULES)
    assert reasons(quotes) == {victim: reason}
    assert victim not in quotes.instrument
    assert quotes.n == quotes.n_selected - 1


def test_the_last_hours_and_the_past_are_left_out_whole():
    dead, short = datetime(2026, 1, 9, 8, tzinfo=UTC), datetime(2026, 1, 10, 8, tzinfo=UTC)
    quotes = build_quotes(chain(expiries=(dead, short, EXPIRIES[0])), RULES)
    assert reasons(quotes) == {"2026-01-09": "expired", "2026-01-10": "too_short"}
    assert quotes.m == 1


def test_a_thin_expiry_is_left_out_whole_and_says_so():
    quotes = build_quotes(chain(), CleaningRules(min_quotes_per_expiry=14))
    assert quotes.n == 0
    assert set(reasons(quotes).values()) == {"thin"}


def test_an_empty_chain_gives_empty_quotes():
    nothing = chain(expiries=(EXPIRIES[0],))
    keep = np.zeros(len(nothing), bool)
    empty = replace(
        nothing,
        instrument=(),
        underlying_index=(),
        **{
            name: getattr(nothing, name)[keep]
            for name in (
                "expiry_ms is_call strike forward bid ask mark mark_iv open_interest volume"
            ).split()
        },
    )
    quotes = build_quotes(empty, RULES)
    assert (quotes.n, quotes.m, quotes.n_selected) == (0, 0, 0)


def test_parity_bounds_hold_the_forward_the_chain_was_priced_with():
    quotes = build_quotes(chain(), RULES)
    assert np.all(quotes.parity_low <= quotes.forward)
    assert np.all(quotes.forward <= quotes.parity_high)
    # One vol point at the money of a year's half is about 0.3 % of the forward.
    assert np.all(quotes.parity_high / quotes.parity_low - 1 < 0.01)


def test_crossed_quotes_bound_no_forward():
    there = chain()
    wild = np.arange(len(there)) % 4 == 0
    bid = np.where(wild, there.ask * 1.5, there.bid)
    crossed = replace(there, bid=bid, ask=np.where(wild, there.bid * 0.5, there.ask))
    quotes = build_quotes(crossed, RULES)
    assert np.all(quotes.parity_low <= quotes.forward)
    assert np.all(quotes.forward <= quotes.parity_high)
    assert np.isfinite(quotes.parity_high).all()


def test_parity_bounds_show_a_forward_the_book_does_not_carry():
    snapshot = chain(width_iv=0.001)
    quotes = build_quotes(replace(snapshot, forward=snapshot.forward * 1.01), RULES)
    assert np.all(quotes.parity_high < quotes.forward)
    np.testing.assert_allclose(quotes.parity_high, FORWARDS, rtol=2e-3)


def test_cleaning_never_asks_how_plausible_a_vol_is():
    snapshot = chain(lambda k, tau: np.where(np.abs(k) < 0.05, 3.0, 0.5) * np.ones_like(k))
    assert not build_quotes(snapshot, RULES).rejections
