"""Rows of the venue's answers, from our own columns to its words and units."""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import MS_PER_DAY, MS_PER_YEAR
from monitor.market.instrument import parse_future_expiry
from monitor.market.snapshot import Snapshot
from monitor.pricing.black import black_vega
from monitor.pricing.implied import implied_deviation

# The venue's own prices move by 0.0001 up to 0.005 and by 0.0005 above (venue, 6 July 2023).
TICK, TICK_ABOVE, TICK_LIMIT = 0.0001, 0.0005, 0.005
_PERPETUAL_EXPIRY_MS = 32_503_708_800_000


def plain(value: float | None) -> float | None:
    """Return a number for JSON, which knows no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)


def percent(vol: float) -> float | None:
    """Return a vol as the venue prints it. Eight decimals bring back every two-decimal percent."""
    return None if not math.isfinite(vol) else round(float(vol) * 100.0, 8)


def option_summaries(chain: Snapshot, index: float | None, stamp_ms: int) -> list[dict[str, Any]]:
    """Return the rows of ``get_book_summary_by_currency`` for options."""
    base, quote = _currencies(chain.underlying, chain.price_unit)
    mid = 0.5 * (chain.bid + chain.ask)
    return [
        {
            "volume_usd": plain(_usd(chain.volume[i] * chain.mark[i], index, chain.price_unit)),
            "volume": plain(chain.volume[i]),
            "underlying_price": float(chain.forward[i]),
            "underlying_index": chain.underlying_index[i],
            "quote_currency": quote,
            "price_change": None,
            "open_interest": plain(chain.open_interest[i]),
            "mid_price": plain(mid[i]),
            "mark_price": plain(chain.mark[i]),
            "mark_iv": percent(chain.mark_iv[i]),
            "low": None,
            "last": None,
            "interest_rate": 0.0,
            "instrument_name": chain.instrument[i],
            "high": None,
            "estimated_delivery_price": plain(index),
            "creation_timestamp": stamp_ms,
            "bid_price": plain(chain.bid[i]),
            "base_currency": base,
            "ask_price": plain(chain.ask[i]),
        }
        for i in range(len(chain))
    ]


def future_summary(
    name: str, mark: float, index: float | None, stamp_ms: int, unit: str
) -> dict[str, Any]:
    """Return the row of ``get_book_summary_by_currency`` for one future or perpetual."""
    base, quote = _currencies(name.split("-")[0], "usd")
    row: dict[str, Any] = {
        "volume_usd": 0.0,
        "volume": 0.0,
        "quote_currency": "USD" if unit == "coin" else quote,
        "price_change": None,
        "open_interest": 0,
        "mid_price": mark,
        "mark_price": mark,
        "low": None,
        "last": mark,
        "instrument_name": name,
        "high": None,
        "estimated_delivery_price": plain(index),
        "creation_timestamp": stamp_ms,
        "bid_price": mark - 0.5,
        "base_currency": base,
        "ask_price": mark + 0.5,
    }
    if name.endswith("-PERPETUAL"):
        row |= {"funding_8h": 0.0, "current_funding": 0.0}
    return row


def option_listing(chain: Snapshot) -> list[dict[str, Any]]:
    """Return the rows of ``get_instruments`` for options."""
    base, quote = _currencies(chain.underlying, chain.price_unit)
    coin = chain.price_unit == "coin"
    return [
        {
            "tick_size": TICK,
            "tick_size_steps": [{"above_price": TICK_LIMIT, "tick_size": TICK_ABOVE}],
            "taker_commission": 0.0003,
            "maker_commission": 0.0003,
            "block_trade_commission": 0.0003,
            "strike": float(chain.strike[i]),
            "settlement_period": "week",
            "settlement_currency": base if coin else quote,
            "rfq": False,
            "quote_currency": quote,
            "price_index": index_name(chain.underlying),
            "option_type": "call" if chain.is_call[i] else "put",
            "min_trade_amount": 0.1,
            "kind": "option",
            "is_active": True,
            "instrument_type": "reversed" if coin else "linear",
            "instrument_name": chain.instrument[i],
            "instrument_id": crc32(chain.instrument[i].encode()),
            "expiration_timestamp": int(chain.expiry_ms[i]),
            "creation_timestamp": int(chain.expiry_ms[i]) - 28 * MS_PER_DAY,
            "counter_currency": "USD" if coin else quote,
            "contract_size": 1.0,
            "base_currency": base,
        }
        for i in range(len(chain))
    ]


def future_listing(name: str, unit: str) -> dict[str, Any]:
    """Return the row of ``get_instruments`` for one future or perpetual."""
    base, quote = _currencies(name.split("-")[0], unit)
    expiry = parse_future_expiry(name)
    return {
        "tick_size": 0.5,
        "tick_size_steps": [],
        "taker_commission": 0.0005,
        "maker_commission": 0.0,
        "block_trade_commission": 0.0001,
        "settlement_period": "perpetual" if expiry is None else "month",
        "settlement_currency": base if unit == "coin" else quote,
        "quote_currency": "USD" if unit == "coin" else quote,
        "min_trade_amount": 10.0,
        "max_liquidation_commission": 0.0075,
        "max_leverage": 50,
        "kind": "future",
        "is_active": True,
        "instrument_name": name,
        "instrument_id": crc32(name.encode()),
        "future_type": "reversed" if unit == "coin" else "linear",
        "expiration_timestamp": _PERPETUAL_EXPIRY_MS if expiry is None else expiry,
        "creation_timestamp": 1_534_242_287_000,
        "counter_currency": "USD" if unit == "coin" else quote,
        "contract_size": 10.0,
        "base_currency": base,
    }


def option_ticker(chain: Snapshot, i: int, index: float | None, now_ms: int) -> dict[str, Any]:
    """Return the answer of ``ticker`` for one option, bid and ask vols and greeks included."""
    forward, strike = float(chain.forward[i]), float(chain.strike[i])
    sign = 1.0 if chain.is_call[i] else -1.0
    tau = max(float(chain.expiry_ms[i]) - chain.as_of_ms, 1.0) / MS_PER_YEAR
    scale = 1.0 if chain.price_unit == "coin" else forward
    prices = np.array([chain.bid[i], chain.ask[i]]) / scale
    v, _ = implied_deviation(np.full(2, np.log(strike / forward)), prices, np.full(2, sign))
    # A side without a price has vol 0 in the venue's answer.
    bid_iv, ask_iv = np.nan_to_num(np.round(100.0 * v / np.sqrt(tau), 2), nan=0.0)
    return {
        "estimated_delivery_price": plain(index),
        "best_bid_amount": 0.0 if np.isnan(chain.bid[i]) else 10.0,
        "best_ask_amount": 0.0 if np.isnan(chain.ask[i]) else 10.0,
        "interest_rate": 0.0,
        "best_bid_price": float(np.nan_to_num(chain.bid[i])),
        "best_ask_price": float(np.nan_to_num(chain.ask[i])),
        "open_interest": plain(chain.open_interest[i]),
        "settlement_price": plain(chain.mark[i]),
        "last_price": None,
        "bid_iv": float(bid_iv),
        "ask_iv": float(ask_iv),
        "mark_iv": percent(chain.mark_iv[i]),
        "underlying_index": chain.underlying_index[i],
        "underlying_price": forward,
        "min_price": TICK,
        "max_price": None,
        "mark_price": plain(chain.mark[i]),
        "instrument_name": chain.instrument[i],
        "index_price": plain(index),
        "greeks": greeks(forward, strike, float(chain.mark_iv[i]), tau, sign),
        "stats": {"volume_usd": 0.0, "volume": plain(chain.volume[i]), "low": None, "high": None},
        "state": "open",
        "timestamp": now_ms,
    }


def greeks(
    forward: float, strike: float, vol: float, tau: float, sign: float
) -> dict[str, float | None]:
    """Return the venue's greeks: delta of the dollar price, vega a vol point, theta a day."""
    deviation = vol * math.sqrt(tau)
    if not deviation > 0:
        return dict.fromkeys(("rho", "theta", "vega", "gamma", "delta"))
    k = math.log(strike / forward)
    d1 = -k / deviation + deviation / 2.0
    density = float(black_vega(np.array(k), np.array(deviation**2)))
    called = 0.5 * math.erfc(-d1 / math.sqrt(2.0))
    second = 0.5 * math.erfc(-sign * (d1 - deviation) / math.sqrt(2.0))
    return {
        "rho": round(sign * strike * tau * second / 100.0, 5),
        "theta": round(-forward * density * vol / (2.0 * math.sqrt(tau)) / 365.0, 5),
        "vega": round(forward * density * math.sqrt(tau) / 100.0, 5),
        "gamma": round(density / (forward * deviation), 5),
        "delta": round(called if sign > 0 else called - 1.0, 5),
    }


def future_ticker(name: str, mark: float, index: float | None, now_ms: int) -> dict[str, Any]:
    """Return the answer of ``ticker`` for one future or perpetual."""
    ticker: dict[str, Any] = {
        "timestamp": now_ms,
        "stats": {"volume": 0.0, "volume_usd": 0.0, "low": None, "high": None},
        "state": "open",
        "settlement_price": mark,
        "open_interest": 0,
        "min_price": 0.985 * mark,
        "max_price": 1.015 * mark,
        "mark_price": mark,
        "last_price": mark,
        "instrument_name": name,
        "index_price": plain(index),
        "estimated_delivery_price": plain(index),
        "best_bid_price": mark - 0.5,
        "best_bid_amount": 10_000.0,
        "best_ask_price": mark + 0.5,
        "best_ask_amount": 10_000.0,
    }
    if name.endswith("-PERPETUAL"):
        ticker |= {"funding_8h": 0.0, "current_funding": 0.0}
    return ticker


def book_of(ticker: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of ``get_order_book`` with the best level of a ticker on each side."""
    sides = {}
    for side, key in (("bid", "bids"), ("ask", "asks")):
        amount = ticker[f"best_{side}_amount"]
        sides[key] = [[ticker[f"best_{side}_price"], amount]] if amount else []
    return ticker | sides | {"change_id": ticker["timestamp"] % 10**11}


def historical_vols(time_ms: FloatArray, close: FloatArray) -> list[list[float]]:
    """Return the annualised 15-day realised vol in percent, hour by hour, from hourly closes."""
    window = 15 * 24
    squares = np.diff(np.log(close)) ** 2
    if len(squares) < window:
        return []
    total = np.convolve(squares, np.ones(window), mode="valid")
    vols = 100.0 * np.sqrt(total / window * 24 * 365)
    return [[int(t), float(v)] for t, v in zip(time_ms[window:], vols, strict=True)]


def index_name(underlying: str) -> str:
    """Return the name of an underlying's index."""
    return underlying.lower() if "_" in underlying else f"{underlying.lower()}_usd"


def _currencies(underlying: str, unit: str) -> tuple[str, str]:
    base, _, quote = underlying.partition("_")
    return base, quote or (base if unit == "coin" else "USD")


def _usd(price: float, index: float | None, unit: str) -> float:
    return price * (index or math.nan) if unit == "coin" else price
