"""The pure half of the Deribit venue: rows in, snapshot out."""

import math

import numpy as np
import pytest

from monitor.errors import VenueMalformed
from monitor.venues.deribit_answers import (
    candles_from_chart,
    dvol_from_index,
    funding_from_history,
    futures_from_book,
    snapshot_from_book,
)

# A row as the venue's documentation prints it; the client hands numbers over as text.
ROW = {
    "volume": "0.1",
    "underlying_price": "68827.27",
    "underlying_index": "BTC-28JUN24",
    "quote_currency": "BTC",
    "price_change": "0.0",
    "open_interest": "364.1",
    "mid_price": "0.4075",
    "mark_price": "0.40752052",
    "mark_iv": "61.85",
    "interest_rate": "0.0",
    "instrument_name": "BTC-28JUN24-42000-C",
    "estimated_delivery_price": "65479.26",
    "creation_timestamp": "1711101594477",
    "bid_price": "0.404",
    "base_currency": "BTC",
    "ask_price": "0.411",
}


def test_a_row_is_read_in_our_units():
    chain = snapshot_from_book([ROW], "BTC")
    assert chain.instrument == ("BTC-28JUN24-42000-C",)
    assert (chain.as_of_ms, chain.price_unit) == (1711101594477, "coin")
    assert (chain.strike[0], bool(chain.is_call[0])) == (42000.0, True)
    assert (chain.bid[0], chain.ask[0], chain.mark[0]) == (0.404, 0.411, 0.40752052)
    assert chain.mark_iv[0] == 0.6185  # percent at the venue
    assert (chain.forward[0], chain.underlying_index[0]) == (68827.27, "BTC-28JUN24")
    assert chain.index_price == 65479.26


def test_numbers_and_their_text_give_one_chain():
    typed = {
        k: float(v) if k not in ("instrument_name", "underlying_index") and v[0].isdigit() else v
        for k, v in ROW.items()
    }
    text, plain = snapshot_from_book([ROW], "BTC"), snapshot_from_book([typed], "BTC")
    assert text.chain_digest == plain.chain_digest


def test_absent_is_nan_and_the_chain_is_as_old_as_its_newest_row():
    older = ROW | {
        "instrument_name": "BTC-28JUN24-42000-P",
        "bid_price": None,
        "mark_iv": None,
        "creation_timestamp": "1711101594000",
    }
    chain = snapshot_from_book([older, ROW], "BTC")
    assert math.isnan(chain.bid[0])
    assert math.isnan(chain.mark_iv[0])
    assert chain.as_of_ms == 1711101594477


def test_linear_options_share_a_book_and_are_told_apart():
    xrp = ROW | {
        "instrument_name": "XRP_USDC-28JUN24-0d625-C",
        "underlying_price": "0.6",
        "underlying_index": "SYN.XRP_USDC-28JUN24",
    }
    sol = xrp | {"instrument_name": "SOL_USDC-28JUN24-150-C"}
    chain = snapshot_from_book([xrp, sol], "XRP_USDC")
    assert chain.instrument == ("XRP_USDC-28JUN24-0d625-C",)
    assert (chain.price_unit, chain.strike[0]) == ("usd", 0.625)


def test_a_row_that_cannot_be_placed_is_left_out_on_record():
    strange = ROW | {"instrument_name": "BTC-FS-28JUN24_PERP"}
    nowhere = ROW | {"instrument_name": "BTC-28JUN24-43000-C", "underlying_price": None}
    chain = snapshot_from_book([ROW, strange, nowhere], "BTC")
    assert len(chain) == 1
    assert [(r.stage, r.reason, r.subject) for r in chain.context.missing] == [
        ("chain", "unreadable_name", "BTC-FS-28JUN24_PERP"),
        ("chain", "no_forward", "BTC-28JUN24-43000-C"),
    ]


def test_a_row_sent_twice_is_one_and_two_different_rows_are_none():
    assert len(snapshot_from_book([ROW, dict(ROW)], "BTC")) == 1
    with pytest.raises(VenueMalformed, match=r"two rows for BTC-28JUN24-42000-C differ"):
        snapshot_from_book([ROW, ROW | {"ask_price": "0.5"}], "BTC")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "an empty chain, 0 rows"),
        ([ROW | {"instrument_name": "ETH-28JUN24-4000-C"}], "an empty chain, 1 rows"),
        ([ROW | {"underlying_price": "0"}], "an empty chain"),
        ([ROW | {"creation_timestamp": None}], "no row has a creation_timestamp"),
        ([ROW | {"bid_price": "n/a"}], "bid_price must be a number, was 'n/a'"),
        ([ROW | {"mark_iv": "1e999"}], "mark_iv must be finite"),
    ],
)
def test_what_is_no_chain_is_malformed(rows, message):
    with pytest.raises(VenueMalformed, match=message):
        snapshot_from_book(rows, "BTC")


def test_futures_leave_out_spreads_and_other_coins():
    rows = [
        {"instrument_name": "BTC-PERPETUAL", "mark_price": "71000.5"},
        {"instrument_name": "BTC-26JUN26", "mark_price": "72000"},
        {"instrument_name": "BTC-27MAR26", "mark_price": "71200"},
        {"instrument_name": "BTC-FS-27MAR26_PERP", "mark_price": "200"},
        {"instrument_name": "ETH-27MAR26", "mark_price": "2100"},
        {"instrument_name": "BTC-25SEP26", "mark_price": None},
    ]
    perpetual, dated = futures_from_book(rows, "BTC")
    assert perpetual == 71000.5
    assert [name for name, _, _ in dated] == ["BTC-27MAR26", "BTC-26JUN26"]


def test_series_are_read_and_their_faults_named():
    chart = {c: ["1", "2"] for c in ("open", "high", "low", "close", "volume")}
    candles = candles_from_chart(chart | {"ticks": ["1000", "2000"], "status": "ok"})
    np.testing.assert_array_equal(candles.time_ms, [1000, 2000])
    with pytest.raises(VenueMalformed, match="rise strictly"):
        candles_from_chart(chart | {"ticks": ["2000", "1000"]})
    with pytest.raises(VenueMalformed, match=r"columns of \[1, 2"):
        candles_from_chart(chart | {"ticks": ["1000"]})
    with pytest.raises(VenueMalformed, match="lists ticks"):
        candles_from_chart({"status": "no_data"})
    funding = funding_from_history([{"timestamp": "1000", "interest_1h": "-1e-6"}])
    assert funding.values.tolist() == [[-1e-6]]
    dvol = dvol_from_index({"data": [["1000", "40", "42", "39", "41.37"]]})
    assert dvol.values.tolist() == [[0.4137]]  # percent at the venue
    with pytest.raises(VenueMalformed, match="rows of time and four values"):
        dvol_from_index({"data": [[1, 2]]})
