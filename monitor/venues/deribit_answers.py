"""What Deribit's answers say, as pure functions of the decoded JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.errors import DomainError, VenueMalformed
from monitor.market.instrument import Instrument, parse_future_expiry, parse_instrument
from monitor.market.snapshot import (
    CANDLE_COLUMNS,
    MarketContext,
    Snapshot,
    TimeSeries,
)
from monitor.outcome import Rejection
from monitor.venues.parsing import number, numbers, required_number


def snapshot_from_book(
    rows: Sequence[Mapping[str, Any]],
    underlying: str,
    *,
    venue_now_ms: int | None = None,
    n_listed: int | None = None,
) -> Snapshot:
    """Return the chain in the rows of one ``get_book_summary_by_currency`` answer.

    Parameters
    ----------
    rows : sequence of mappings
        As the venue sends them; numbers may be text. Rows of other underlyings are passed over.
    underlying : str
        ``BTC`` or ``XRP_USDC``.
    venue_now_ms, n_listed
        See `Snapshot`. Rows that cannot be read are in its ``context.missing``.

    Raises
    ------
    VenueMalformed
        If no row can be read, no row carries a time, a number is not one, or two rows of one
        option differ.
    """
    options: dict[str, tuple[Instrument, Mapping[str, Any]]] = {}
    left_out: list[Rejection] = []
    for row in rows:
        name = str(row.get("instrument_name"))
        if not name.startswith(f"{underlying}-"):
            continue
        try:
            option = parse_instrument(name)
        except DomainError as error:
            left_out.append(Rejection("chain", "unreadable_name", name, str(error)))
            continue
        forward = number(row.get("underlying_price"), f"underlying_price of {name}")
        if not forward > 0:
            left_out.append(
                Rejection("chain", "no_forward", name, f"underlying_price was {forward}")
            )
        elif options.get(name, (option, row))[1] != row:
            raise VenueMalformed(
                f"deribit {underlying}: two rows for {name} differ; a chain has one row an option"
            )
        else:
            options[name] = (option, row)
    if not options:
        raise VenueMalformed(
            f"deribit {underlying}: an empty chain, {len(rows)} rows of which none is an option on "
            f"{underlying} with a forward; is the underlying listed, the venue in maintenance?"
        )
    parsed = [option for option, _ in options.values()]
    kept = [row for _, row in options.values()]
    stamps = numbers(kept, "creation_timestamp")
    if np.all(np.isnan(stamps)):
        raise VenueMalformed(f"deribit {underlying}: no row has a creation_timestamp")
    index = numbers(kept, "estimated_delivery_price")
    index = index[np.isfinite(index)]
    return Snapshot(
        venue="deribit",
        underlying=underlying,
        as_of_ms=int(np.nanmax(stamps)),
        price_unit=parsed[0].price_unit,
        instrument=tuple(options),
        underlying_index=tuple(str(row.get("underlying_index") or "") for row in kept),
        expiry_ms=np.array([option.expiry_ms for option in parsed], np.int64),
        is_call=np.array([option.is_call for option in parsed], np.bool_),
        strike=np.array([option.strike for option in parsed]),
        forward=numbers(kept, "underlying_price"),
        bid=numbers(kept, "bid_price"),
        ask=numbers(kept, "ask_price"),
        mark=numbers(kept, "mark_price"),
        mark_iv=numbers(kept, "mark_iv") / 100.0,
        open_interest=numbers(kept, "open_interest"),
        volume=numbers(kept, "volume"),
        index_price=float(np.median(index)) if len(index) else None,
        n_listed=n_listed,
        venue_now_ms=venue_now_ms,
        context=MarketContext(missing=tuple(left_out)),
    )


def futures_from_book(
    rows: Sequence[Mapping[str, Any]], underlying: str
) -> tuple[float | None, list[tuple[str, int, float]]]:
    """Return the perpetual's mark and the dated futures as (name, expiry_ms, mark), by expiry."""
    perpetual: float | None = None
    dated = []
    for row in rows:
        name = str(row.get("instrument_name"))
        mark = number(row.get("mark_price"), f"mark_price of {name}")
        if not name.startswith(f"{underlying}-") or not mark > 0:
            continue
        if name == f"{underlying}-PERPETUAL":
            perpetual = mark
            continue
        expiry = parse_future_expiry(name)
        # Spreads between two futures are listed beside them and are no price of the coin.
        if expiry is not None:
            dated.append((name, expiry, mark))
    return perpetual, sorted(dated, key=lambda future: future[1])


def candles_from_chart(result: Any) -> TimeSeries:
    """Return the candles of a ``get_tradingview_chart_data`` result.

    Raises
    ------
    VenueMalformed
        If their columns differ in length, a time is absent, or times run backwards.
    """
    columns = ("ticks", *CANDLE_COLUMNS)
    if not isinstance(result, Mapping) or not all(isinstance(result.get(c), list) for c in columns):
        raise VenueMalformed(f"candles: lists {', '.join(columns)} were due, came {_found(result)}")
    return _series("candles", [result[c] for c in columns], CANDLE_COLUMNS)


def funding_from_history(rows: Sequence[Mapping[str, Any]]) -> TimeSeries:
    """Return the hourly funding rate of a ``get_funding_rate_history`` result, a decimal an hour.

    Raises
    ------
    VenueMalformed
        If a time is absent or times run backwards.
    """
    time = [row.get("timestamp") for row in rows]
    return _series("funding", [time, [row.get("interest_1h") for row in rows]], ("value",))


def dvol_from_index(result: Any) -> TimeSeries:
    """Return the closing values of a ``get_volatility_index_data`` result, as decimals.

    Raises
    ------
    VenueMalformed
        If a time is absent or times run backwards.
    """
    data = result.get("data") if isinstance(result, Mapping) else None
    if not isinstance(data, list) or not all(isinstance(p, list) and len(p) == 5 for p in data):
        raise VenueMalformed(f"dvol: rows of time and four values were due, came {_found(result)}")
    series = _series("dvol", [[p[0] for p in data], [p[4] for p in data]], ("value",))
    return replace(series, values=np.round(series.values / 100.0, 10))


def _series(what: str, columns: Sequence[Sequence[Any]], names: tuple[str, ...]) -> TimeSeries:
    time, *values = columns
    if any(len(column) != len(time) for column in values):
        raise VenueMalformed(f"{what}: columns of {[len(c) for c in columns]} points")
    stamps = np.array([int(required_number(t, f"time of {what}")) for t in time], np.int64)
    table = np.array([[number(v, what) for v in column] for column in values]).reshape(
        len(names), len(stamps)
    )
    try:
        return TimeSeries(stamps, names, table.T)
    except DomainError as error:
        raise VenueMalformed(f"{what}: {error}") from error


def _found(result: Any) -> str:
    return f"keys {sorted(result)}" if isinstance(result, Mapping) else type(result).__name__
