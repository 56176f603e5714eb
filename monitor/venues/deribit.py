"""Deribit: one bulk request a chain, everything else is context.

Prices are in coin for BTC and ETH; linear options (``XRP_USDC``) are in dollars and share one bulk
request for all underlyings. The venue prints implied vols in percent, prints the expiry's own
forward as ``underlying_price``, and stamps the chain with ``creation_timestamp``.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace

import numpy as np

from monitor.conventions import MS_PER_DAY
from monitor.market.snapshot import (
    CANDLE_COLUMNS,
    MarketContext,
    Snapshot,
    TimeSeries,
    no_series,
)
from monitor.venues.base import (
    VENUES,
    Missing,
    Sleep,
    Venue,
    VenueKind,
    VenueSettings,
    require_share_of_listed,
)
from monitor.venues.client import Client
from monitor.venues.deribit_answers import (
    candles_from_chart,
    dvol_from_index,
    funding_from_history,
    futures_from_book,
    snapshot_from_book,
)
from monitor.venues.parsing import envelope, key_of, required_number, rows_of

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000
# The venue gives at most 5000 candles, 1000 points of its volatility index and 744 of funding.
_HOURLY_DAYS, _DVOL_DAYS, _FUNDING_DAYS = 60, 30, 30


@dataclass(frozen=True, kw_only=True)
class DeribitSettings(VenueSettings):
    """How Deribit is asked; its limit is 20 requests a second, a pass makes nine."""


class Deribit(Venue):
    """The live venue, or whatever speaks its API at ``settings.url``."""

    name = "deribit"

    def __init__(self, settings: DeribitSettings, rng: np.random.Generator, sleep: Sleep) -> None:
        self._settings = settings
        self._client = Client("deribit", "rest", settings, rng, sleep)

    async def now_ms(self) -> int:
        answer = await self._client.ask("publicGetGetTime")
        return int(required_number(envelope(answer, "get_time"), "get_time"))

    async def fetch(self, underlying: str) -> Snapshot:
        currency = underlying.partition("_")[2] or underlying
        answer = await self._client.ask(
            "publicGetGetBookSummaryByCurrency", {"currency": currency, "kind": "option"}
        )
        rows = rows_of(answer, "get_book_summary_by_currency")
        missing = Missing()
        now_ms = await missing.unless_missing("time", self.now_ms())
        n_listed = await missing.unless_missing("instruments", self._listed(underlying, currency))
        chain = snapshot_from_book(rows, underlying, venue_now_ms=now_ms, n_listed=n_listed)
        require_share_of_listed(
            len(chain), n_listed, self._settings.min_listed_share, f"{self.name} {underlying}"
        )
        simulated = str(answer.get("testnet")).lower() == "true"
        around = _Surroundings(self._client, underlying, currency, now_ms or chain.as_of_ms)
        context = await around.all(simulated, missing)
        # What the parser left out comes first: it concerns the chain itself.
        left_out = (*chain.context.missing, *context.missing)
        return replace(chain, context=replace(context, missing=left_out))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _listed(self, underlying: str, currency: str) -> int:
        answer = await self._client.ask(
            "publicGetGetInstruments",
            {"currency": currency, "kind": "option", "expired": "false"},
        )
        names = [str(row.get("instrument_name")) for row in rows_of(answer, "get_instruments")]
        return sum(name.startswith(f"{underlying}-") for name in names)


@dataclass(frozen=True)
class _Surroundings:
    """The questions about the market around a chain, each one request."""

    client: Client
    underlying: str
    currency: str
    now_ms: int

    @property
    def perpetual(self) -> str:
        return f"{self.underlying}-PERPETUAL"

    async def all(self, simulated: bool, missing: Missing) -> MarketContext:
        """Return every answer that came; `missing` records the others."""
        book = await missing.unless_missing("futures", self.futures())
        mark, dated = (None, []) if book is None else book
        if book is not None and mark is None:
            missing.note("absent", "perpetual_mark", f"no mark for {self.perpetual}")
        return MarketContext(
            index_price=await missing.unless_missing("index_price", self.index()),
            perpetual_mark=mark,
            future_names=tuple(name for name, _, _ in dated),
            future_expiry_ms=np.array([expiry for _, expiry, _ in dated], np.int64),
            future_mark=np.array([mark for _, _, mark in dated]),
            candles_1h=await _series(
                "candles_1h", self.candles(_HOUR_MS, _HOURLY_DAYS), missing, CANDLE_COLUMNS
            ),
            candles_1m=await _series(
                "candles_1m", self.candles(_MINUTE_MS, 1), missing, CANDLE_COLUMNS
            ),
            funding=await _series("funding", self.funding(), missing),
            dvol=await _series("dvol", self.dvol(), missing),
            simulated=simulated,
            # Last: it holds what the lines above went without.
            missing=tuple(missing.rejections),
        )

    async def index(self) -> float:
        name = self.underlying.lower()
        answer = await self.client.ask(
            "publicGetGetIndexPrice", {"index_name": name if "_" in name else f"{name}_usd"}
        )
        result = envelope(answer, "get_index_price")
        return required_number(key_of(result, "index_price"), "index_price")

    async def futures(self) -> tuple[float | None, list[tuple[str, int, float]]]:
        answer = await self.client.ask(
            "publicGetGetBookSummaryByCurrency", {"currency": self.currency, "kind": "future"}
        )
        rows = rows_of(answer, "get_book_summary_by_currency")
        return futures_from_book(rows, self.underlying)

    async def candles(self, step_ms: int, days: int) -> TimeSeries:
        answer = await self.client.ask(
            "publicGetGetTradingviewChartData",
            {
                "instrument_name": self.perpetual,
                "resolution": str(step_ms // _MINUTE_MS),
                "start_timestamp": self.now_ms - self.now_ms % step_ms - days * MS_PER_DAY,
                "end_timestamp": self.now_ms,
            },
        )
        return candles_from_chart(envelope(answer, "get_tradingview_chart_data"))

    async def funding(self) -> TimeSeries:
        answer = await self.client.ask(
            "publicGetGetFundingRateHistory",
            {"instrument_name": self.perpetual} | self._window(_FUNDING_DAYS),
        )
        return funding_from_history(rows_of(answer, "get_funding_rate_history"))

    async def dvol(self) -> TimeSeries:
        answer = await self.client.ask(
            "publicGetGetVolatilityIndexData",
            {"currency": self.underlying, "resolution": str(_HOUR_MS // 1000)}
            | self._window(_DVOL_DAYS),
        )
        return dvol_from_index(envelope(answer, "get_volatility_index_data"))

    # Windows end at the venue's now: the client's own would end at the machine's, and a virtual
    # or replayed venue has another.
    def _window(self, days: int) -> dict[str, int]:
        return {"start_timestamp": self.now_ms - days * MS_PER_DAY, "end_timestamp": self.now_ms}


async def _series(
    subject: str,
    answer: Awaitable[TimeSeries],
    missing: Missing,
    columns: tuple[str, ...] = ("value",),
) -> TimeSeries:
    found = await missing.unless_missing(subject, answer)
    if found is not None and len(found) == 0:
        missing.note("empty", subject, "no points in the window that was asked for")
    return no_series(columns) if found is None else found


VENUES.add(
    "deribit",
    VenueKind(
        "deribit",
        "Deribit's public API: BTC and ETH options in coin, linear options in USDC",
        DeribitSettings,
        Deribit,
    ),
)
