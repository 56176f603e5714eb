"""Feed metrics, each by its own arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.conventions import to_ms
from monitor.market.snapshot import MarketContext
from tests.diagnostics.evidence import market, reasons, value, values
from tests.market.chains import EXPIRIES, FORWARDS, chain

CHAIN = chain()
EVIDENCE = market(CHAIN)
LABELS = [f"expiry:{expiry:%Y-%m-%d}" for expiry in EXPIRIES]


def with_rows(where, **columns):
    """Return the chain with some rows changed."""
    new = {name: np.where(where, column, getattr(CHAIN, name)) for name, column in columns.items()}
    return market(replace(CHAIN, **new))


def out_of_the_money(row):
    forward = CHAIN.forward[row]
    return (CHAIN.strike[row] > forward) == CHAIN.is_call[row]


def test_usable_quotes_are_counted_by_chain_and_expiry():
    n = sum(out_of_the_money(row) for row in range(len(CHAIN)))
    assert value("n_quotes", EVIDENCE) == n == 39  # 13 strikes, one side each, of 3 expiries
    assert [value("n_quotes", EVIDENCE, label) for label in LABELS] == [13, 13, 13]


def test_rejections_are_shares_of_what_was_selected_by_reason():
    rows = [row for row in range(len(CHAIN)) if out_of_the_money(row)]
    crossed, bidless = np.isin(np.arange(len(CHAIN)), rows[:3]), np.arange(len(CHAIN)) == rows[5]
    bid = np.where(bidless, np.nan, np.where(crossed, CHAIN.ask * 1.01, CHAIN.bid))
    evidence = market(replace(CHAIN, bid=bid))
    assert values("rejected_share", evidence) == pytest.approx(
        {"chain": 4 / 39, "reason:crossed": 3 / 39, "reason:no_bid": 1 / 39}
    )
    # The in-the-money side is not selected: what is wrong there is not asked.
    inside = np.arange(len(CHAIN)) == next(r for r in range(len(CHAIN)) if not out_of_the_money(r))
    assert value("rejected_share", with_rows(inside, bid=np.nan)) == 0.0


@pytest.mark.moves("n_quotes rejected_share")
def test_a_quote_withdrawn_is_one_fewer_of_its_expiry_and_wider_quotes_are_as_many():
    rows = [r for r in range(len(CHAIN)) if out_of_the_money(r)]
    first = [r for r in rows if CHAIN.expiry_ms[r] == to_ms(EXPIRIES[0])]
    gone = with_rows(np.isin(np.arange(len(CHAIN)), first[:3]), bid=np.nan)
    assert value("n_quotes", gone) == value("n_quotes", EVIDENCE) - 3
    assert value("n_quotes", gone, LABELS[0]) == value("n_quotes", EVIDENCE, LABELS[0]) - 3
    for label in LABELS[1:]:
        assert value("n_quotes", gone, label) == value("n_quotes", EVIDENCE, label)
    assert value("rejected_share", gone) == value("rejected_share", EVIDENCE) + 3 / len(rows)
    wide = market(chain(width_iv=0.02))
    for name in ("n_quotes", "rejected_share"):
        assert values(name, wide) == values(name, EVIDENCE)


@pytest.mark.moves("listed_share")
def test_what_is_listed_is_counted_in_rows_whether_they_are_quoted_or_not():
    assert value("listed_share", market(replace(CHAIN, n_listed=104))) == len(CHAIN) / 104 == 0.75
    assert value("listed_share", market(replace(CHAIN, n_listed=156))) == 0.5
    nobody = replace(CHAIN, n_listed=104, bid=np.full(len(CHAIN), np.nan))
    assert value("listed_share", market(nobody)) == 0.75
    assert reasons("listed_share", EVIDENCE) == {"not_asked"}


@pytest.mark.moves("chain_age")
def test_the_age_is_the_venues_clock_less_the_chains_time():
    late = replace(CHAIN, venue_now_ms=CHAIN.as_of_ms + 90_500)
    assert value("chain_age", market(late)) == 90.5
    later = replace(late, venue_now_ms=late.venue_now_ms + 1_000)
    assert value("chain_age", market(later)) == 91.5
    # Neither what is quoted nor when its options expire makes it older.
    other = chain(width_iv=0.03, expiries=EXPIRIES[1:], venue_now_ms=late.venue_now_ms)
    assert value("chain_age", market(other)) == 90.5
    assert reasons("chain_age", EVIDENCE) == {"not_asked"}


@pytest.mark.moves("width_iv")
def test_the_width_is_the_median_of_ask_vol_less_bid_vol():
    # Vols come back from prices by inversion, to 1e-12.
    assert value("width_iv", EVIDENCE) == pytest.approx(0.01, abs=1e-10)
    one_wide = with_rows(np.arange(len(CHAIN)) == 0, bid=CHAIN.bid * 0.9)
    assert value("width_iv", one_wide) == pytest.approx(0.01, abs=1e-10)
    assert value("width_iv", market(chain(width_iv=0.02))) == pytest.approx(0.02, abs=1e-10)
    high = market(chain(lambda k, tau: 0.9 + 0.0 * k))
    for name in ("width_iv", "half_width_rms_iv"):
        assert value(name, high) == pytest.approx(value(name, EVIDENCE), abs=1e-10)


def test_a_forward_inside_its_parity_bounds_has_no_gap():
    assert set(values("parity_gap", EVIDENCE).values()) == {0.0}


def shifted(share, expiry=1):
    """Return the chain with one expiry's forward stated too high by a share of itself."""
    here = CHAIN.expiry_ms == to_ms(EXPIRIES[expiry])
    return market(
        replace(CHAIN, forward=np.where(here, CHAIN.forward * (1 + share), CHAIN.forward))
    )


@pytest.mark.moves("parity_gap")
@pytest.mark.parametrize("share", [0.02, -0.02])
def test_a_shifted_forward_lies_outside_by_the_distance_to_the_nearer_bound(share):
    here = CHAIN.expiry_ms == to_ms(EXPIRIES[1])
    lows, highs = [], []
    for strike in np.unique(CHAIN.strike[here]):
        call = np.flatnonzero(here & CHAIN.is_call & (CHAIN.strike == strike))[0]
        put = np.flatnonzero(here & ~CHAIN.is_call & (CHAIN.strike == strike))[0]
        lows.append(strike / (1.0 - (CHAIN.bid[call] - CHAIN.ask[put])))
        highs.append(strike / (1.0 - (CHAIN.ask[call] - CHAIN.bid[put])))
    stated = FORWARDS[1] * (1.0 + share)
    gap = stated - (min(highs) if share > 0 else max(lows))
    evidence = shifted(share)
    assert value("parity_gap", evidence, LABELS[1]) == pytest.approx(gap / stated, rel=1e-9)
    assert value("parity_gap", evidence) == value("parity_gap", evidence, LABELS[1])
    assert value("parity_gap", evidence, LABELS[0]) == 0.0
    assert value("parity_gap", EVIDENCE, LABELS[1]) == 0.0


def test_bounds_that_cross_do_not_hide_a_forward_that_lies_outside_both():
    # One strike's call is bid up and another's put is: the first says F is high, the other low, and
    # the stated forward lies below the one bound and above the other.
    here = CHAIN.expiry_ms == to_ms(EXPIRIES[1])
    strikes = np.unique(CHAIN.strike[here])
    up = here & CHAIN.is_call & (CHAIN.strike == strikes[5])
    down = here & ~CHAIN.is_call & (CHAIN.strike == strikes[7])
    moved = 0.02 * (up | down)
    evidence = market(replace(CHAIN, bid=CHAIN.bid + moved, ask=CHAIN.ask + moved))
    low, high = evidence.quotes.parity_low[1], evidence.quotes.parity_high[1]
    assert high < FORWARDS[1] < low
    gap = value("parity_gap", evidence, LABELS[1])
    assert abs(gap) == pytest.approx(max(low - FORWARDS[1], FORWARDS[1] - high) / FORWARDS[1])
    assert abs(gap) > 0.005


def test_a_chain_without_pairs_has_no_parity():
    assert reasons("parity_gap", with_rows(CHAIN.is_call, bid=np.nan, ask=np.nan)) == {"no_pairs"}


def test_the_future_gap_is_the_options_forward_over_the_futures_mark():
    context = MarketContext(
        future_names=("BTC-27FEB26", "BTC-26JUN26", "BTC-25SEP26"),
        future_expiry_ms=np.array([to_ms(EXPIRIES[1]), to_ms(EXPIRIES[2]), to_ms(EXPIRIES[2]) + 1]),
        future_mark=np.array([90_000.0, 92_010.0, 1.0]),
    )
    found = values("future_gap", market(replace(CHAIN, context=context)))
    # 90,500 / 90,000 - 1 and 92,000 / 92,010 - 1; no future expires with the first options.
    assert found == pytest.approx(
        {"chain": 5e-3 / 0.9, LABELS[1]: 5e-3 / 0.9, LABELS[2]: -10.0 / 92_010.0}
    )
    assert reasons("future_gap", EVIDENCE) == {"no_futures"}


@pytest.mark.moves("future_gap")
def test_the_future_gap_is_the_futures_and_the_forwards_alone():
    def gap(mark, snapshot=CHAIN):
        context = MarketContext(
            index_price=70_000.0,
            future_names=("BTC-27FEB26",),
            future_expiry_ms=np.array([to_ms(EXPIRIES[1])]),
            future_mark=np.array([mark]),
        )
        return value("future_gap", market(replace(snapshot, context=context)))

    assert gap(90_500.0) == 0.0
    assert gap(90_500.0 / 1.01) == pytest.approx(0.01)
    assert gap(90_500.0 / 1.01, chain(width_iv=0.03)) == gap(90_500.0 / 1.01)


@pytest.mark.moves("mark_rmse_z_spread")
def test_marks_are_measured_in_half_spreads_from_the_middle_of_the_book():
    assert value("mark_rmse_z_spread", EVIDENCE) == pytest.approx(0.0, abs=1e-6)
    off = market(replace(CHAIN, mark_iv=CHAIN.mark_iv + 0.015))
    assert value("mark_rmse_z_spread", off) == pytest.approx(3.0, rel=1e-6)  # 0.015 / 0.005
    # Marks that go with the book, wherever it goes, are no further from it.
    high = chain(lambda k, tau: 0.8 + 0.0 * k)
    off_high = market(replace(high, mark_iv=high.mark_iv + 0.015))
    assert value("mark_rmse_z_spread", off_high) == pytest.approx(3.0, rel=1e-6)
    none = market(replace(CHAIN, mark_iv=np.full(len(CHAIN), np.nan)))
    assert reasons("mark_rmse_z_spread", none) == {"no_marks"}


def test_the_book_says_nothing_of_the_marks_and_the_marks_nothing_of_the_book():
    off = market(replace(CHAIN, mark_iv=CHAIN.mark_iv + 0.015))
    for name in ("n_quotes", "rejected_share", "width_iv", "parity_gap"):
        assert values(name, off) == values(name, EVIDENCE)


@pytest.mark.moves("half_width_rms_iv")
def test_the_size_of_half_widths_grows_with_every_width_and_with_nothing_else():
    quotes = EVIDENCE.quotes
    half = 0.5 * (quotes.iv_ask - quotes.iv_bid)
    assert value("half_width_rms_iv", EVIDENCE) == pytest.approx(np.sqrt(np.mean(half**2)))
    wide = with_rows(np.ones(len(CHAIN), bool), ask=CHAIN.ask + (CHAIN.ask - CHAIN.bid))
    assert value("half_width_rms_iv", wide) == pytest.approx(
        2 * value("half_width_rms_iv", EVIDENCE), rel=0.05
    )
    marked = with_rows(np.ones(len(CHAIN), bool), mark=0.9 * CHAIN.mark)
    assert value("half_width_rms_iv", marked) == value("half_width_rms_iv", EVIDENCE)


# Units ------------------------------------------------------------------------------------------


def with_marks(**changes):
    """Return a chain whose marks say what its book does, some columns changed by a factor."""
    quotes, by_name = EVIDENCE.quotes, {}
    for name, iv in zip(quotes.instrument, quotes.iv, strict=True):
        by_name[name] = iv
    columns = {name: getattr(CHAIN, name) * factor for name, factor in changes.items()}
    mark_iv = np.array([by_name.get(name, np.nan) for name in CHAIN.instrument])
    columns["mark_iv"] = mark_iv * changes.get("mark_iv", 1.0)
    return market(replace(CHAIN, index_price=FORWARDS[0], **columns))


def test_units_that_agree_give_a_factor_of_one():
    found = values("unit_factor", with_marks())
    # Marks are the middle of the book in vol, prices its middle in coin: convexity is all between.
    assert found["prices"] == pytest.approx(1.0, abs=0.01)
    assert found["forwards"] == pytest.approx(FORWARDS[1] / FORWARDS[0])


@pytest.mark.moves("unit_factor")
@pytest.mark.parametrize(
    ("changes", "scope", "factor"),
    [
        ({"bid": 90_000.0, "ask": 90_000.0}, "prices", 90_000.0),  # dollars called coins
        ({"bid": 0.01, "ask": 0.01}, "prices", 0.01),
        ({"forward": 100.0, "strike": 100.0}, "forwards", 100.0),
    ],
)
def test_wrong_units_show_as_the_factor_they_are(changes, scope, factor):
    found = values("unit_factor", with_marks(**changes))
    assert found[scope] == pytest.approx(factor, rel=0.02)
    assert values("unit_factor", with_marks())[scope] == pytest.approx(1.0, abs=0.01)
    assert found["chain"] == found[scope]


def test_vols_in_percent_show_in_prices():
    assert values("unit_factor", with_marks(mark_iv=100.0))["prices"] < 0.3
    assert values("unit_factor", with_marks(mark_iv=0.01))["prices"] > 10.0


def test_without_index_and_marks_there_is_nothing_to_compare():
    bare = market(replace(CHAIN, mark_iv=np.full(len(CHAIN), np.nan)))
    assert reasons("unit_factor", bare) == {"no_marks"}
