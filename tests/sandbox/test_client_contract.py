"""The unmodified client cannot tell the sandbox from the venue: blocking and asynchronous."""

import asyncio

import ccxt
import ccxt.async_support
import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY
from monitor.market.instrument import parse_instrument
from tests.sandbox.rooms import MOMENT_MS, sandbox, world

HOUR_MS = 3_600_000
PERPETUAL = "BTC/USD:BTC"


class Blocking:
    """The blocking client; `call` runs one method."""

    def __init__(self, url):
        self.client = ccxt.deribit({"urls": {"api": {"rest": url}}, "enableRateLimit": False})

    def call(self, method, *args, **kwargs):
        return getattr(self.client, method)(*args, **kwargs)

    def close(self):
        self.client.session.close()


class Asynchronous:
    """The asynchronous client behind the same face, on a loop of its own."""

    def __init__(self, url):
        self.loop = asyncio.new_event_loop()
        config = {"urls": {"api": {"rest": url}}, "enableRateLimit": False}
        self.client = ccxt.async_support.deribit(config | {"asyncio_loop": self.loop})
        self.client.timeout_on_exit = 0

    def call(self, method, *args, **kwargs):
        return self.loop.run_until_complete(getattr(self.client, method)(*args, **kwargs))

    def close(self):
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


@pytest.fixture(scope="module", params=[Blocking, Asynchronous])
def client(request):
    with sandbox() as running:
        client = request.param(running.url)
        client.call("load_markets")
        yield client
        client.close()


@pytest.fixture(scope="module")
def chain():
    return world().chain("BTC", MOMENT_MS)


def unified(name):
    """Return the client's symbol of an option."""
    option = parse_instrument(name)
    _, day, strike, kind = name.split("-")
    months = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
    date = f"{day[-2:]}{months.index(day[-5:-2]) + 1:02d}{int(day[:-5]):02d}"
    coin = option.underlying
    return f"{coin}/USD:{coin}-{date}-{strike}-{kind}"


def test_markets_have_the_venues_expiries_strikes_and_ticks(client, chain):
    markets = client.client.markets
    options = {m["id"]: m for m in markets.values() if m["option"] and m["base"] == "BTC"}
    assert set(options) == set(chain.instrument)
    market = options[chain.instrument[0]]
    assert (market["expiry"], market["strike"]) == (chain.expiry_ms[0], chain.strike[0])
    assert (market["inverse"], market["contractSize"]) == (True, 1.0)
    assert market["precision"]["price"] == 0.0001
    assert markets[PERPETUAL]["swap"]
    futures = [m for m in markets.values() if m["future"] and m["base"] == "BTC"]
    named = {i for i in chain.underlying_index if not i.startswith("SYN.")}
    assert {m["id"] for m in futures} == named


def test_the_option_chain_is_the_chain(client, chain):
    rows = client.call("fetch_option_chain", "BTC")
    assert len(rows) == len(chain)
    for i in (0, len(chain) // 2, len(chain) - 1):
        row = rows[unified(chain.instrument[i])]
        assert row["markPrice"] == chain.mark[i]
        assert row["underlyingPrice"] == chain.forward[i]
        assert row["bidPrice"] == (None if np.isnan(chain.bid[i]) else chain.bid[i])
        assert float(row["info"]["mark_iv"]) == pytest.approx(100 * chain.mark_iv[i], abs=1e-9)
        assert int(row["info"]["creation_timestamp"]) == MOMENT_MS


def test_tickers_of_a_whole_currency_are_one_request(client, chain):
    tickers = client.call("fetch_tickers", None, {"code": "BTC", "kind": "option"})
    assert len(tickers) == len(chain)


def test_one_option_has_a_ticker_greeks_and_a_book(client, chain):
    at_the_money = int(
        np.argmin(np.abs(chain.strike / chain.forward - 1) + (chain.bid != chain.bid))
    )
    symbol = unified(chain.instrument[at_the_money])
    ticker = client.call("fetch_ticker", symbol)
    assert (ticker["bid"], ticker["ask"]) == (chain.bid[at_the_money], chain.ask[at_the_money])
    greeks = client.call("fetch_greeks", symbol)
    assert 0.3 < abs(greeks["delta"]) < 0.7
    assert greeks["bidImpliedVolatility"] < greeks["markImpliedVolatility"]
    assert greeks["markImpliedVolatility"] < greeks["askImpliedVolatility"]
    book = client.call("fetch_order_book", symbol, 5)
    assert book["bids"][0][0] == chain.bid[at_the_money]
    assert book["timestamp"] == MOMENT_MS


def test_the_clock_and_the_state_are_the_sandboxs(client):
    assert client.call("fetch_time") == MOMENT_MS
    status = client.call("fetch_status")
    assert (status["status"], status["updated"]) == ("ok", MOMENT_MS)


def test_candles_come_for_the_window_that_was_asked(client):
    since = MOMENT_MS - 10 * HOUR_MS
    candles = client.call("fetch_ohlcv", PERPETUAL, "1h", since, None, {"until": MOMENT_MS})
    assert [c[0] for c in candles] == list(
        range(since - since % HOUR_MS + HOUR_MS, MOMENT_MS + 1, HOUR_MS)
    )
    for _, opened, high, low, close, volume in candles:
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert volume > 0
    closes, opens = [c[4] for c in candles[:-1]], [c[1] for c in candles[1:]]
    assert closes == opens


def test_funding_volatility_index_and_prices_are_there(client):
    since = MOMENT_MS - 2 * MS_PER_DAY
    rates = client.call("fetch_funding_rate_history", PERPETUAL, since, None, {"until": MOMENT_MS})
    assert len(rates) == 48
    window = {"start_timestamp": since, "end_timestamp": MOMENT_MS}
    value = client.call(
        "publicGetGetFundingRateValue", window | {"instrument_name": "BTC-PERPETUAL"}
    )
    assert float(value["result"]) == pytest.approx(
        sum(float(r["info"]["interest_1h"]) for r in rates)
    )
    dvol = client.call(
        "publicGetGetVolatilityIndexData", window | {"currency": "BTC", "resolution": "3600"}
    )
    assert len(dvol["result"]["data"]) == 48
    assert 20 < float(dvol["result"]["data"][-1][4]) < 100
    index = client.call("publicGetGetIndexPrice", {"index_name": "btc_usd"})
    assert float(index["result"]["index_price"]) == world().index_price("BTC", MOMENT_MS)
    history = client.call("fetch_volatility_history", "BTC")
    assert 20 < history[-1]["volatility"] < 100
    delivered = client.call("publicGetGetDeliveryPrices", {"index_name": "btc_usd", "count": 3})
    assert [row["date"] for row in delivered["result"]["data"]] == [
        "2026-02-04",
        "2026-02-03",
        "2026-02-02",
    ]
    chart = client.call("publicGetGetIndexChartData", {"index_name": "btc_usd", "range": "1d"})
    assert len(chart["result"]) == 24 * 60 + 1


def test_the_envelope_says_test_net(client):
    assert client.call("publicGetGetTime")["testnet"] is True


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("publicGetGetBookSummaryByCurrency", {"currency": "DOGE"}, ccxt.BadRequest),
        ("publicGetTicker", {"instrument_name": "BTC-1JAN30-1-C"}, ccxt.BadRequest),
        ("publicGetGetAnnouncements", {}, ccxt.BadRequest),
        ("publicGetGetIndexPrice", {"index_name": "doge_usd"}, ccxt.BadRequest),
        (
            "publicGetGetTradingviewChartData",
            {"instrument_name": "BTC-PERPETUAL", "resolution": "7"},
            ccxt.BadRequest,
        ),
    ],
)
def test_the_venues_own_refusals_are_the_clients_own_errors(client, method, params, error):
    with pytest.raises(error):
        client.call(method, params)


def test_the_two_clients_send_the_same_requests():
    asked = []
    for kind in (Blocking, Asynchronous):
        with sandbox() as running:
            client = kind(running.url)
            for method, *args in (
                ("load_markets",),
                ("fetch_option_chain", "BTC"),
                ("fetch_order_book", PERPETUAL, 5),
            ):
                client.call(method, *args)
            client.close()
            asked.append([(r.method, r.params) for r in running.requests])
    assert asked[0] == asked[1]
