"""What the venue said, once, with nothing derived from it.

A `Snapshot` is one option chain of one underlying at one moment of the venue's clock, as columns,
with the market around it. Two snapshots with the same chain have the same `chain_digest`, however
they reached us: over the network, from an archive, in any order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from monitor.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    digest_of,
    frozen_bools,
    frozen_floats,
    frozen_ints,
)
from monitor.conventions import from_ms
from monitor.errors import DomainError
from monitor.outcome import Rejection

CHAIN_FLOATS = ("strike", "bid", "ask", "mark", "mark_iv", "forward", "open_interest", "volume")
# Venues print implied vols in percent with two decimals. Dividing by 100 leaves the last bit to
# the route a number took; ten decimals bring every route to the same double.
_IV_DECIMALS = 10


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """Values against the venue's time, oldest first.

    Attributes
    ----------
    time_ms : ndarray of shape (T,)
        Start of each interval, or moment of each value.
    columns : tuple of str
        What each column of `values` is, e.g. ``open high low close volume``.
    values : ndarray of shape (T, len(columns))
        NaN = absent.
    """

    time_ms: IntArray
    columns: tuple[str, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        time_ms = frozen_ints(self.time_ms)
        values = frozen_floats(self.values).reshape(len(time_ms), len(self.columns))
        if np.any(np.diff(time_ms) <= 0):
            raise DomainError("the times of a series must rise strictly")
        values.setflags(write=False)
        object.__setattr__(self, "time_ms", time_ms)
        object.__setattr__(self, "values", values)

    # The generated repr prints every number; asyncio, which builds the repr of each finished
    # task, would spend a tenth of a second on a chain.
    def __repr__(self) -> str:
        return f"<TimeSeries of {len(self)} x {' '.join(self.columns)}>"

    def __len__(self) -> int:
        return len(self.time_ms)

    def column(self, name: str) -> FloatArray:
        """Return one column of shape (T,)."""
        return self.values[:, self.columns.index(name)]


CANDLE_COLUMNS = ("open", "high", "low", "close", "volume")


def no_series(columns: tuple[str, ...] = ("value",)) -> TimeSeries:
    """Return a series without points."""
    return TimeSeries(np.empty(0, np.int64), columns, np.empty((0, len(columns))))


@dataclass(frozen=True, eq=False)
class MarketContext:
    """What the venue said of the market around the chain; every part may be absent.

    Attributes
    ----------
    index_price, perpetual_mark : float or None
        Dollars per coin.
    future_names : tuple of str
    future_expiry_ms, future_mark : ndarray of shape (f,)
        Dated futures: expiry, and mark in dollars per coin.
    candles_1h, candles_1m : TimeSeries
        Columns ``open high low close volume`` of the index or perpetual.
    funding : TimeSeries
        Column ``value``: funding rate of the perpetual per interval.
    dvol : TimeSeries
        Column ``value``: the venue's 30-day volatility index, a decimal.
    simulated : bool
        True where the venue says that it is a test venue: such series are never evidence about
        the world.
    missing : tuple of Rejection
        What was asked for and not given.
    """

    index_price: float | None = None
    perpetual_mark: float | None = None
    future_names: tuple[str, ...] = ()
    future_expiry_ms: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    future_mark: FloatArray = field(default_factory=lambda: np.empty(0))
    candles_1h: TimeSeries = field(default_factory=lambda: no_series(CANDLE_COLUMNS))
    candles_1m: TimeSeries = field(default_factory=lambda: no_series(CANDLE_COLUMNS))
    funding: TimeSeries = field(default_factory=no_series)
    dvol: TimeSeries = field(default_factory=no_series)
    simulated: bool = False
    missing: tuple[Rejection, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "future_expiry_ms", frozen_ints(self.future_expiry_ms))
        object.__setattr__(self, "future_mark", frozen_floats(self.future_mark))

    def __repr__(self) -> str:
        kind = "simulated " if self.simulated else ""
        return f"<{kind}MarketContext at {self.index_price}, {len(self.missing)} parts missing>"

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        parts: list[object] = [
            self.index_price,
            self.perpetual_mark,
            self.future_names,
            self.future_expiry_ms,
            self.future_mark,
            self.simulated,
            self.missing,
        ]
        for series in (self.candles_1h, self.candles_1m, self.funding, self.dvol):
            parts += [series.columns, series.time_ms, series.values]
        return digest_of(parts)


NO_CONTEXT = MarketContext()


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One option chain as the venue gave it, sorted by (expiry, strike, put before call).

    Attributes
    ----------
    venue, underlying : str
        ``deribit``, ``BTC``.
    as_of_ms : int
        The venue's time of the chain.
    price_unit : {"coin", "usd"}
        Unit of `bid`, `ask` and `mark`.
    instrument, underlying_index : tuple of str, length n
        Names as listed; the future or synthetic each expiry is priced off.
    expiry_ms : ndarray of shape (n,)
    is_call : ndarray of shape (n,)
    strike, forward : ndarray of shape (n,)
        Dollars per coin; `forward` is the venue's own for the expiry.
    bid, ask, mark : ndarray of shape (n,)
        In `price_unit`. NaN = absent.
    mark_iv : ndarray of shape (n,)
        Decimal. NaN = absent.
    open_interest, volume : ndarray of shape (n,)
        Coins. NaN = absent.
    index_price : float or None
        Index beside the chain; informative only, options are priced off `forward`.
    n_listed : int or None
        Live option instruments the venue lists, where it was asked.
    venue_now_ms : int or None
        The venue's clock when the chain was received; None for recorded chains.
    context : MarketContext

    Raises
    ------
    DomainError
        If columns differ in length, a strike or forward is not a positive number, or an
        instrument occurs twice.
    """

    venue: str
    underlying: str
    as_of_ms: int
    price_unit: str
    instrument: tuple[str, ...]
    underlying_index: tuple[str, ...]
    expiry_ms: IntArray
    is_call: BoolArray
    strike: FloatArray
    forward: FloatArray
    bid: FloatArray
    ask: FloatArray
    mark: FloatArray
    mark_iv: FloatArray
    open_interest: FloatArray
    volume: FloatArray
    index_price: float | None = None
    n_listed: int | None = None
    venue_now_ms: int | None = None
    context: MarketContext = NO_CONTEXT

    def __post_init__(self) -> None:
        n = len(self.instrument)
        expiry_ms, is_call = np.asarray(self.expiry_ms), np.asarray(self.is_call)
        columns = {name: np.asarray(getattr(self, name), np.float64) for name in CHAIN_FLOATS}
        lengths = {len(c) for c in columns.values()} | {
            len(expiry_ms),
            len(is_call),
            len(self.underlying_index),
        }
        if lengths - {n}:
            raise DomainError(f"columns of one chain differ in length: {sorted(lengths | {n})}")
        if len(set(self.instrument)) != n:
            twice = sorted({i for i in self.instrument if self.instrument.count(i) > 1})
            raise DomainError(f"an instrument stands twice in one chain: {', '.join(twice[:5])}")
        for name in ("strike", "forward"):
            bad = ~(np.isfinite(columns[name]) & (columns[name] > 0))
            if bad.any():
                i = int(np.argmax(bad))
                raise DomainError(
                    f"{name} must be positive, was {columns[name][i]} ({self.instrument[i]})"
                )
        columns["mark_iv"] = np.round(columns["mark_iv"], _IV_DECIMALS)
        order = np.lexsort((is_call, columns["strike"], expiry_ms))
        for name, column in columns.items():
            object.__setattr__(self, name, frozen_floats(column[order]))
        object.__setattr__(self, "expiry_ms", frozen_ints(expiry_ms[order]))
        object.__setattr__(self, "is_call", frozen_bools(is_call[order]))
        for name in ("instrument", "underlying_index"):
            values = getattr(self, name)
            object.__setattr__(self, name, tuple(str(values[i]) for i in order))

    def __repr__(self) -> str:
        return (
            f"<Snapshot {self.venue} {self.underlying} {self.as_of.isoformat()}, "
            f"{len(self)} options>"
        )

    def __len__(self) -> int:
        return len(self.instrument)

    @property
    def as_of(self) -> datetime:
        """The venue's time of the chain, aware UTC."""
        return from_ms(self.as_of_ms)

    @cached_property
    def chain_digest(self) -> str:
        """The SHA-256 of the chain without its time: equal for a chain that did not change."""
        parts: list[object] = [
            self.venue,
            self.underlying,
            self.price_unit,
            self.instrument,
            self.underlying_index,
            self.expiry_ms,
            self.is_call,
        ]
        return digest_of(parts + [getattr(self, name) for name in CHAIN_FLOATS])

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything said: time, chain and context. It names the snapshot."""
        return digest_of(
            [
                self.as_of_ms,
                self.chain_digest,
                self.index_price,
                self.n_listed,
                self.venue_now_ms,
                self.context.digest,
            ]
        )
