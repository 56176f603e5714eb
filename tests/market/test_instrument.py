import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.conventions import MS_PER_DAY, from_ms
from monitor.errors import DomainError
from monitor.market.instrument import Instrument, expiry_code, parse_instrument

EIGHT_HOURS = MS_PER_DAY // 3


def test_a_coin_settled_name_is_read_with_expiry_at_eight_utc():
    option = parse_instrument("BTC-27MAR26-70000-C")
    assert option.underlying == "BTC"
    assert option.price_unit == "coin"
    assert from_ms(option.expiry_ms).isoformat() == "2026-03-27T08:00:00+00:00"
    assert (option.strike, option.is_call) == (70000.0, True)


@pytest.mark.parametrize(
    ("name", "strike"), [("XRP_USDC-3APR26-2d5-P", 2.5), ("TRX_USDC-3APR26-0d325-P", 0.325)]
)
def test_a_d_in_the_strike_is_the_decimal_point(name, strike):
    option = parse_instrument(name)
    assert (option.strike, option.is_call, option.price_unit) == (strike, False, "usd")
    assert option.name == name


def test_the_day_of_an_expiry_is_written_without_a_leading_zero():
    assert expiry_code(parse_instrument("BTC-3APR26-70000-C").expiry_ms) == "3APR26"


@given(
    underlying=st.sampled_from(["BTC", "ETH", "SOL_USDC", "XRP_USDC"]),
    day=st.integers(min_value=15_000, max_value=45_000),
    strike=st.integers(min_value=1, max_value=10_000_000),
    decimals=st.integers(min_value=0, max_value=4),
    is_call=st.booleans(),
)
def test_formatting_and_parsing_undo_each_other(underlying, day, strike, decimals, is_call):
    option = Instrument(underlying, day * MS_PER_DAY + EIGHT_HOURS, strike / 10**decimals, is_call)
    assert parse_instrument(option.name) == option


@pytest.mark.parametrize(
    "name",
    [
        "",
        "BTC-PERPETUAL",
        "BTC-27MAR26",
        "BTC-31FEB26-70000-C",
        "BTC-27XXX26-70000-C",
        "BTC-27MAR26-0-C",
        "BTC-27MAR26-70000-X",
        "BTC-27MAR26-7d-C",
        "btc-27mar26-70000-c",
        "BTC-27MAR26-70000-C ",
    ],
)
def test_what_is_not_an_option_name_is_refused_by_name(name):
    with pytest.raises(DomainError, match=r"option|strike"):
        parse_instrument(name)
