"""The venue's public methods as functions of the market and the time; no sockets here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.arrays import frozen_floats
from monitor.conventions import MS_PER_DAY, from_ms
from monitor.market.snapshot import Snapshot
from monitor.sandbox import rows
from monitor.sandbox.faults import CHANGES, Fault, chosen, rows_kept
from monitor.sandbox.market import Market

_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_MOST_CANDLES, _MOST_VOL_POINTS, _MOST_FUNDING = 5000, 1000, 744
_RESOLUTIONS = {str(m): m * _MINUTE_MS for m in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)}
_RESOLUTIONS["1D"] = MS_PER_DAY

Params = Mapping[str, str]


class ApiError(Exception):
    """An error that the venue itself would answer with."""

    def __init__(self, code: int, message: str, **data: str) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True)
class Moment:
    """The market as one request sees it."""

    market: Market
    now_ms: int
    faults: Sequence[Fault] = ()

    def chain(self, underlying: str) -> Snapshot | None:
        """Return the chain, with the faults of content that strike this request."""
        at_ms = self.now_ms
        for fault in self.faults:
            if fault.kind == "stale":
                at_ms = self.now_ms - int(1000 * fault.size)
        chain = self.market.chain(underlying, at_ms)
        for fault in self.faults:
            if chain is not None and fault.kind in CHANGES:
                chain = CHANGES[fault.kind](chain, fault.size)
        return chain

    def futures(self, underlying: str) -> dict[str, float]:
        """Return the marks of the perpetual and the dated futures, by name."""
        marks = dict(self.market.future_marks(underlying, self.now_ms))
        perpetual = self.market.perpetual_mark(underlying, self.now_ms)
        if perpetual is not None:
            marks[f"{underlying}-PERPETUAL"] = perpetual
        return marks


def answer(method: str, params: Params, moment: Moment) -> Any:
    """Return the ``result`` of a public method.

    Raises
    ------
    ApiError
        As the venue would answer.
    """
    if method not in METHODS:
        raise ApiError(-32601, "Method not found")
    return METHODS[method](params, moment)


def _get_time(params: Params, moment: Moment) -> int:
    return moment.now_ms


def _status(params: Params, moment: Moment) -> dict[str, str]:
    return {"locked": "false"}


def _test(params: Params, moment: Moment) -> dict[str, str]:
    return {"version": "1.2.26"}


def _get_currencies(params: Params, moment: Moment) -> list[dict[str, Any]]:
    codes = sorted({_currency_of(u) for u in moment.market.underlyings} | _bases(moment))
    return [
        {
            "currency": code,
            "currency_long": code,
            "coin_type": code,
            "network_currency": code,
            "fee_precision": 4,
            "min_confirmations": 1,
            "withdrawal_fee": 0.0,
            "min_withdrawal_fee": 0.0,
            "withdrawal_priorities": [],
            "in_cross_collateral_pool": True,
        }
        for code in codes
    ]


def _get_instruments(params: Params, moment: Moment) -> list[dict[str, Any]]:
    kind = params.get("kind", "any")
    if params.get("expired") == "true":
        return []
    listed: list[dict[str, Any]] = []
    for underlying in _underlyings(params.get("currency", "any"), moment):
        chain = moment.chain(underlying)
        unit = _unit(underlying)
        if chain is not None and kind in ("any", "option"):
            for fault in moment.faults:
                if fault.kind == "listing_day":
                    chain = rows_kept(chain, ~chosen(chain, fault.size))
            listed += rows.option_listing(chain)
        if kind in ("any", "future"):
            listed += [rows.future_listing(name, unit) for name in moment.futures(underlying)]
    return listed


def _get_book_summary_by_currency(params: Params, moment: Moment) -> list[dict[str, Any]]:
    if "currency" not in params:
        raise ApiError(-32602, "Invalid params", reason="missing value", param="currency")
    kind = params.get("kind", "any")
    book: list[dict[str, Any]] = []
    for underlying in _underlyings(params["currency"], moment):
        chain = moment.chain(underlying)
        index = moment.market.index_price(underlying, moment.now_ms)
        if chain is not None and kind in ("any", "option"):
            # The chain's own index, which a stale chain has from its own time.
            own = index if chain.index_price is None else chain.index_price
            book += rows.option_summaries(chain, own, chain.as_of_ms)
        if kind in ("any", "future"):
            book += [
                rows.future_summary(name, mark, index, moment.now_ms, _unit(underlying))
                for name, mark in moment.futures(underlying).items()
            ]
    return book


def _get_book_summary_by_instrument(params: Params, moment: Moment) -> list[dict[str, Any]]:
    name = _instrument(params)
    everything = _get_book_summary_by_currency({"currency": "any"}, moment)
    found = [row for row in everything if row["instrument_name"] == name]
    if not found:
        raise _unknown_instrument()
    return found


def _ticker(params: Params, moment: Moment) -> dict[str, Any]:
    name = _instrument(params)
    underlying = _underlying_of(name, moment)
    index = moment.market.index_price(underlying, moment.now_ms)
    futures = moment.futures(underlying)
    if name in futures:
        return rows.future_ticker(name, futures[name], index, moment.now_ms)
    chain = moment.chain(underlying)
    if chain is None or name not in chain.instrument:
        raise _unknown_instrument()
    return rows.option_ticker(chain, chain.instrument.index(name), index, chain.as_of_ms)


def _get_order_book(params: Params, moment: Moment) -> dict[str, Any]:
    return rows.book_of(_ticker(params, moment))


def _get_tradingview_chart_data(params: Params, moment: Moment) -> dict[str, Any]:
    underlying = _underlying_of(_instrument(params), moment)
    step_ms = _RESOLUTIONS.get(params.get("resolution", ""))
    if step_ms is None:
        raise ApiError(-32602, "Invalid params", reason="invalid resolution", param="resolution")
    start_ms, end_ms = _window(params)
    candles = moment.market.candles(underlying, start_ms, end_ms, step_ms, moment.now_ms)
    time_ms, values = candles.time_ms[-_MOST_CANDLES:], candles.values[-_MOST_CANDLES:]
    columns = {name: values[:, j].tolist() for j, name in enumerate(candles.columns)}
    cost = (values[:, 3] * values[:, 4]).tolist()
    status = "ok" if len(time_ms) else "no_data"
    return columns | {"ticks": time_ms.tolist(), "cost": cost, "status": status}


def _get_funding_rate_history(params: Params, moment: Moment) -> list[dict[str, Any]]:
    underlying = _underlying_of(_instrument(params), moment)
    start_ms, end_ms = _window(params)
    rates = moment.market.funding(underlying, start_ms, end_ms, moment.now_ms)
    return [
        {
            "timestamp": int(t),
            "index_price": rows.plain(moment.market.index_price(underlying, int(t))),
            "prev_index_price": None,
            "interest_8h": 8.0 * float(rate),
            "interest_1h": float(rate),
        }
        for t, rate in zip(
            rates.time_ms[-_MOST_FUNDING:], rates.values[-_MOST_FUNDING:, 0], strict=True
        )
    ]


def _get_funding_rate_value(params: Params, moment: Moment) -> float:
    underlying = _underlying_of(_instrument(params), moment)
    start_ms, end_ms = _window(params)
    rates = moment.market.funding(underlying, start_ms, end_ms, moment.now_ms)
    return float(np.sum(rates.values[:, 0]))


def _get_volatility_index_data(params: Params, moment: Moment) -> dict[str, Any]:
    currency = params.get("currency", "")
    if currency not in moment.market.underlyings:
        raise ApiError(-32602, "Invalid params", reason="invalid currency", param="currency")
    seconds = {"1": 1, "60": 60, "3600": 3600, "43200": 43_200, "1D": 86_400}
    if params.get("resolution") not in seconds:
        raise ApiError(-32602, "Invalid params", reason="invalid resolution", param="resolution")
    step_ms = 1000 * seconds[params["resolution"]]
    start_ms, end_ms = _window(params)
    index = moment.market.dvol(currency, start_ms, end_ms, step_ms, moment.now_ms)
    vols = np.round(100.0 * index.values[:, 0], 2)
    opened = np.concatenate([vols[:1], vols[:-1]])
    data = [
        [int(t), float(o), float(max(o, c)), float(min(o, c)), float(c)]
        for t, o, c in zip(index.time_ms, opened, vols, strict=True)
    ]
    rest = int(index.time_ms[-_MOST_VOL_POINTS - 1]) if len(data) > _MOST_VOL_POINTS else None
    return {"data": data[-_MOST_VOL_POINTS:], "continuation": rest}


def _get_historical_volatility(params: Params, moment: Moment) -> list[list[float]]:
    (underlying,) = _underlyings(params.get("currency", ""), moment)[:1] or ("",)
    candles = moment.market.candles(
        underlying, moment.now_ms - 31 * MS_PER_DAY, moment.now_ms, _HOUR_MS, moment.now_ms
    )
    return rows.historical_vols(frozen_floats(candles.time_ms), candles.column("close"))


def _get_index_price(params: Params, moment: Moment) -> dict[str, Any]:
    index = moment.market.index_price(_underlying_of_index(params, moment), moment.now_ms)
    return {"index_price": rows.plain(index), "estimated_delivery_price": rows.plain(index)}


def _get_index_price_names(params: Params, moment: Moment) -> list[str]:
    return [rows.index_name(u) for u in moment.market.underlyings]


def _get_index_chart_data(params: Params, moment: Moment) -> list[list[float]]:
    underlying = _underlying_of_index(params, moment)
    spans = {"1h": 1 / 24, "1d": 1, "2d": 2, "1m": 30, "1y": 365, "all": 365}
    span_ms = int(spans.get(params.get("range", "1d"), 1) * MS_PER_DAY)
    step_ms = _MINUTE_MS if span_ms <= 2 * MS_PER_DAY else _HOUR_MS
    candles = moment.market.candles(
        underlying, moment.now_ms - span_ms, moment.now_ms, step_ms, moment.now_ms
    )
    closes = zip(candles.time_ms, candles.column("close"), strict=True)
    return [[int(t), float(c)] for t, c in closes]


def _get_delivery_prices(params: Params, moment: Moment) -> dict[str, Any]:
    underlying = _underlying_of_index(params, moment)
    offset, count = int(params.get("offset", 0)), int(params.get("count", 10))
    eight = moment.now_ms - (moment.now_ms - 8 * _HOUR_MS) % MS_PER_DAY
    prices = []
    for day in range(offset, offset + count):
        index = moment.market.index_price(underlying, eight - day * MS_PER_DAY)
        if index is not None:
            date = f"{from_ms(eight - day * MS_PER_DAY):%Y-%m-%d}"
            prices.append({"date": date, "delivery_price": index})
    return {"data": prices, "records_total": offset + len(prices)}


def _no_trades(params: Params, moment: Moment) -> dict[str, Any]:
    return {"trades": [], "has_more": False}


def _nothing(params: Params, moment: Moment) -> list[Any]:
    return []


METHODS: Mapping[str, Callable[[Params, Moment], Any]] = {
    "get_book_summary_by_currency": _get_book_summary_by_currency,
    "get_book_summary_by_instrument": _get_book_summary_by_instrument,
    "get_currencies": _get_currencies,
    "get_delivery_prices": _get_delivery_prices,
    "get_funding_rate_history": _get_funding_rate_history,
    "get_funding_rate_value": _get_funding_rate_value,
    "get_historical_volatility": _get_historical_volatility,
    "get_index_chart_data": _get_index_chart_data,
    "get_index_price": _get_index_price,
    "get_index_price_names": _get_index_price_names,
    "get_instruments": _get_instruments,
    "get_last_trades_by_instrument": _no_trades,
    "get_last_trades_by_instrument_and_time": _no_trades,
    "get_mark_price_history": _nothing,
    "get_order_book": _get_order_book,
    "get_time": _get_time,
    "get_tradingview_chart_data": _get_tradingview_chart_data,
    "get_volatility_index_data": _get_volatility_index_data,
    "status": _status,
    "test": _test,
    "ticker": _ticker,
}


def _unit(underlying: str) -> str:
    return "usd" if "_" in underlying else "coin"


def _currency_of(underlying: str) -> str:
    return underlying.partition("_")[2] or underlying


def _bases(moment: Moment) -> set[str]:
    return {underlying.partition("_")[0] for underlying in moment.market.underlyings}


def _underlyings(currency: str, moment: Moment) -> list[str]:
    known = moment.market.underlyings
    if currency == "any":
        return list(known)
    if currency not in {_currency_of(u) for u in known} | _bases(moment):
        raise ApiError(-32602, "Invalid params", reason="invalid currency", param="currency")
    return [u for u in known if _currency_of(u) == currency]


def _instrument(params: Params) -> str:
    if "instrument_name" not in params:
        raise ApiError(-32602, "Invalid params", reason="missing value", param="instrument_name")
    return params["instrument_name"]


def _unknown_instrument() -> ApiError:
    return ApiError(-32602, "Invalid params", reason="wrong format", param="instrument_name")


def _underlying_of(name: str, moment: Moment) -> str:
    underlying = name.split("-")[0]
    if underlying not in moment.market.underlyings:
        raise _unknown_instrument()
    return underlying


def _underlying_of_index(params: Params, moment: Moment) -> str:
    for underlying in moment.market.underlyings:
        if rows.index_name(underlying) == params.get("index_name"):
            return underlying
    raise ApiError(-32602, "Invalid params", reason="invalid index name", param="index_name")


def _window(params: Params) -> tuple[int, int]:
    try:
        return int(float(params["start_timestamp"])), int(float(params["end_timestamp"]))
    except (KeyError, ValueError):
        raise ApiError(
            -32602, "Invalid params", reason="missing value", param="start_timestamp"
        ) from None
