"""What stands behind the sandbox's API: a market that can be asked about any moment of its past."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from monitor.archive import SnapshotRef, list_snapshots, read_refs
from monitor.market.instrument import parse_future_expiry
from monitor.market.snapshot import CANDLE_COLUMNS, Snapshot, TimeSeries, no_series

_CHAINS_KEPT = 8


class Market(Protocol):
    """A market with a past; every answer is a function of its arguments alone.

    No answer about `now_ms` may depend on what lies after it, nor on what was asked before.
    """

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings with options."""
        ...

    def chain(self, underlying: str, now_ms: int) -> Snapshot | None:
        """Return the latest chain at or before `now_ms`; None where there is none yet."""
        ...

    def index_price(self, underlying: str, now_ms: int) -> float | None:
        """Return the index in dollars per coin."""
        ...

    def perpetual_mark(self, underlying: str, now_ms: int) -> float | None:
        """Return the perpetual's mark in dollars per coin."""
        ...

    def future_marks(self, underlying: str, now_ms: int) -> dict[str, float]:
        """Return the marks of the dated futures by name; empty where nothing is known of them."""
        ...

    def candles(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        """Return the perpetual's candles that began in the window and by `now_ms`."""
        ...

    def funding(self, underlying: str, start_ms: int, end_ms: int, now_ms: int) -> TimeSeries:
        """Return the hourly funding rate, a decimal an hour."""
        ...

    def dvol(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        """Return the 30-day volatility index, a decimal."""
        ...


def futures_of(chain: Snapshot) -> dict[str, float]:
    """Return the marks of the dated futures that a chain's expiries are priced off, by name."""
    marks: dict[str, float] = {}
    for name, forward in zip(chain.underlying_index, chain.forward, strict=True):
        if name not in marks and parse_future_expiry(name) is not None:
            marks[name] = float(forward)
    return marks


def within(series: TimeSeries, start_ms: int, end_ms: int) -> TimeSeries:
    """Return the points of a series with ``start_ms <= time <= end_ms``."""
    here = (series.time_ms >= start_ms) & (series.time_ms <= end_ms)
    return TimeSeries(series.time_ms[here], series.columns, series.values[here])


class ArchiveMarket:
    """Recorded chains, played back; what was not recorded is absent and never made up."""

    def __init__(self, paths: Path | str | Iterable[Path | str]) -> None:
        self._refs: dict[str, list[SnapshotRef]] = {}
        for ref in list_snapshots(paths):
            self._refs.setdefault(ref.underlying, []).append(ref)
        self._times = {u: np.array([r.as_of_ms for r in refs]) for u, refs in self._refs.items()}
        self._kept: OrderedDict[SnapshotRef, Snapshot] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def underlyings(self) -> tuple[str, ...]:
        return tuple(sorted(self._refs))

    @property
    def refs(self) -> tuple[SnapshotRef, ...]:
        """Every recorded snapshot, in time order."""
        return tuple(sorted(ref for refs in self._refs.values() for ref in refs))

    def chain(self, underlying: str, now_ms: int) -> Snapshot | None:
        if underlying not in self._refs:
            return None
        i = int(np.searchsorted(self._times[underlying], now_ms, side="right")) - 1
        if i < 0:
            return None
        ref = self._refs[underlying][i]
        with self._lock:
            if ref not in self._kept:
                self._kept[ref] = next(read_refs([ref]))
            self._kept.move_to_end(ref)
            while len(self._kept) > _CHAINS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[ref]

    def index_price(self, underlying: str, now_ms: int) -> float | None:
        chain = self.chain(underlying, now_ms)
        return None if chain is None else chain.index_price

    def perpetual_mark(self, underlying: str, now_ms: int) -> float | None:
        chain = self.chain(underlying, now_ms)
        return None if chain is None else chain.context.perpetual_mark

    def future_marks(self, underlying: str, now_ms: int) -> dict[str, float]:
        chain = self.chain(underlying, now_ms)
        return {} if chain is None else futures_of(chain)

    def candles(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        chain = self.chain(underlying, now_ms)
        name = {3_600_000: "candles_1h", 60_000: "candles_1m"}.get(step_ms)
        if chain is None or name is None:
            return no_series(CANDLE_COLUMNS)
        return within(getattr(chain.context, name), start_ms, min(end_ms, now_ms))

    def funding(self, underlying: str, start_ms: int, end_ms: int, now_ms: int) -> TimeSeries:
        chain = self.chain(underlying, now_ms)
        if chain is None:
            return no_series()
        return within(chain.context.funding, start_ms, min(end_ms, now_ms))

    def dvol(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        chain = self.chain(underlying, now_ms)
        if chain is None:
            return no_series()
        return within(chain.context.dvol, start_ms, min(end_ms, now_ms))
