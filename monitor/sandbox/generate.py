"""A world come alive: a market that can be asked about any moment, over the wire or without."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.conventions import MS_PER_DAY, MS_PER_YEAR, to_ms
from monitor.errors import DomainError
from monitor.market.instrument import parse_future_expiry
from monitor.market.snapshot import (
    CANDLE_COLUMNS,
    MarketContext,
    Snapshot,
    TimeSeries,
    no_series,
)
from monitor.sandbox.calendar import Expiry
from monitor.sandbox.faults import crossed, halved, with_stale
from monitor.sandbox.ladder import strikes
from monitor.sandbox.path import Path, generator
from monitor.sandbox.scene import Scene, chain_of, expiry_meant, future_of, listed_at
from monitor.sandbox.truth import DVOL_TAU, TrueSmile, added_strip, mean_variance, smile_of
from monitor.sandbox.wander import Wandering
from monitor.sandbox.worlds import WORLDS, Regime, World

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)
DEFAULT_BREAK_NIGHT = 64
_CHAINS_KEPT = 16
# A feed that froze did so just after the evening's chain was read, at half past ten.
_FROZE_MS = 5_400_000
# A ladder remembers the forward's range for so long; older strikes have been let go.
_LADDER_MEMORY_MS = 10 * MS_PER_DAY


class GeneratedMarket:
    """A world of one seed.

    Parameters
    ----------
    world : World
    seed : int
    start : datetime
        A midnight UTC, night 0.
    break_night : int
        Night at whose 00:00 UTC the world's break happens.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int = 0,
        start: datetime = DEFAULT_START,
        break_night: int = DEFAULT_BREAK_NIGHT,
    ) -> None:
        self.world, self.seed = world, seed
        self.start_ms = to_ms(start)
        if self.start_ms % MS_PER_DAY:
            raise DomainError(f"a world starts at midnight UTC, was told {start.isoformat()}")
        self.break_ms = self.start_ms + break_night * MS_PER_DAY
        self._paths = {
            name: Path(seed, name, self.start_ms, truth.spot, truth.v0)
            for name, truth in world.truths.items()
        }
        self._wandering = {
            name: Wandering(seed, name, self.start_ms, truth)
            for name, truth in world.truths.items()
        }
        self._chains: OrderedDict[tuple[str, int], Snapshot] = OrderedDict()
        self._lock = threading.Lock()
        self._strip = lru_cache(maxsize=4096)(self._strip_of_day)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return tuple(sorted(self.world.truths))

    def night(self, now_ms: int) -> int:
        """Return the number of the night, 0 on the day of the start."""
        return (now_ms - self.start_ms) // MS_PER_DAY

    def regime(self, now_ms: int) -> Regime:
        """Return what differs from the truth at the moment."""
        return self.world.regime((now_ms - self.break_ms) / MS_PER_DAY)

    def smile(self, underlying: str, now_ms: int) -> TrueSmile:
        """Return what truly prices options at the moment."""
        wandering = self._wandering[underlying]
        return smile_of(
            self.world.truths[underlying],
            self._paths[underlying].variance(now_ms),
            wandering.structure(now_ms),
            wandering.residual(now_ms),
            self.regime(now_ms),
        )

    def params(self, underlying: str, now_ms: int) -> FloatArray:
        """Return the true ``v0, kappa, theta_v, xi, rho`` at the moment."""
        return self.smile(underlying, now_ms).params

    def chain(self, underlying: str, now_ms: int) -> Snapshot | None:
        """Return the chain of the last whole second; None for an underlying that is not there."""
        if underlying not in self._paths:
            return None
        as_of_ms = now_ms - now_ms % 1000
        key = underlying, as_of_ms
        with self._lock:
            if key in self._chains:
                self._chains.move_to_end(key)
                return self._chains[key]
        chain = self._generate(underlying, as_of_ms)
        with self._lock:
            self._chains[key] = chain
            while len(self._chains) > _CHAINS_KEPT:
                self._chains.popitem(last=False)
        return chain

    def snapshot(self, underlying: str, now_ms: int, *, brief: bool = False) -> Snapshot:
        """Return what a fetch through the sandbox at `now_ms` would give, without a network.

        The same snapshot to the bit, context included: a history can be written to an archive in
        seconds and continued over the wire. A brief one leaves out candles and funding, and of the
        volatility index all but the last hour: half the cost, and no verdict depends on them.

        Raises
        ------
        DomainError
            If the world has no such underlying, or does not live then.
        """
        chain = self.chain(underlying, now_ms)
        if chain is None:
            raise DomainError(
                f"world {self.world.name} has {', '.join(self.underlyings)}, not {underlying}"
            )
        marks = self.future_marks(underlying, now_ms)
        expiry_ms = [parse_future_expiry(name) for name in marks]
        context = MarketContext(
            index_price=self.index_price(underlying, now_ms),
            perpetual_mark=self.perpetual_mark(underlying, now_ms),
            future_names=tuple(marks),
            future_expiry_ms=np.array(expiry_ms, np.int64),
            future_mark=np.array(list(marks.values())),
            simulated=True,
        )
        context = replace(context, **self._series(underlying, now_ms, brief))
        return replace(chain, n_listed=len(chain), venue_now_ms=now_ms, context=context)

    def _series(self, underlying: str, now_ms: int, brief: bool) -> dict[str, TimeSeries]:
        hour, minute = _floor(now_ms, HOUR_MS), _floor(now_ms, MINUTE_MS)
        month = now_ms - 30 * MS_PER_DAY
        if brief:
            return {"dvol": self.dvol(underlying, hour, now_ms, HOUR_MS, now_ms)}
        # As the venue client asks: 60 days of hours, one day of minutes, 30 days of the rest.
        hours, minutes = hour - 60 * MS_PER_DAY, minute - MS_PER_DAY
        return {
            "candles_1h": self.candles(underlying, hours, now_ms, HOUR_MS, now_ms),
            "candles_1m": self.candles(underlying, minutes, now_ms, MINUTE_MS, now_ms),
            "funding": self.funding(underlying, month, now_ms, now_ms),
            "dvol": self.dvol(underlying, month, now_ms, HOUR_MS, now_ms),
        }

    def index_price(self, underlying: str, now_ms: int) -> float | None:
        if underlying not in self._paths:
            return None
        return round(float(np.exp(self._log_price(underlying, now_ms))), 2)

    def perpetual_mark(self, underlying: str, now_ms: int) -> float | None:
        if underlying not in self._paths:
            return None
        # Traded a little above the index while the basis is positive.
        premium = self._paths[underlying].basis(now_ms) / 365.0
        return round(float(np.exp(self._log_price(underlying, now_ms) + premium)), 2)

    def future_marks(self, underlying: str, now_ms: int) -> dict[str, float]:
        if underlying not in self._paths:
            return {}
        as_of_ms = now_ms - now_ms % 1000
        listed = listed_at(as_of_ms, self.regime(as_of_ms), self.break_ms)
        # What options are priced off may be wrong; a future trades, and its mark is not.
        forward = self._forwards(underlying, as_of_ms, listed)
        names = [future_of(underlying, e, listed) for e in listed]
        return {n: float(f) for n, f in zip(names, forward, strict=True) if n is not None}

    def candles(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        path, end_ms = self._paths[underlying], min(end_ms, now_ms)
        first = -(-start_ms // step_ms) * step_ms
        if first > end_ms or step_ms % MINUTE_MS:
            return no_series(CANDLE_COLUMNS)
        time_ms, log_price = path.log_minutes(first, end_ms + MINUTE_MS)
        time_ms, log_price = _kept(time_ms, log_price, first, now_ms)
        price = np.exp(log_price + self._jumped(underlying, time_ms))
        now = np.exp(self._log_price(underlying, now_ms))
        # Each minute's points: its first price and the next minute's, or the last one known.
        after = np.append(price[1:], now)
        edges = np.flatnonzero((time_ms - first) % step_ms == 0)
        close = np.append(after[edges[1:] - 1], after[-1])
        high = np.maximum.reduceat(np.maximum(price, after), edges)
        low = np.minimum.reduceat(np.minimum(price, after), edges)
        begun = time_ms[edges]
        columns = np.stack([price[edges], high, low, close], axis=1)
        inside = begun <= end_ms
        traded = self._traded(underlying, begun, step_ms)
        return TimeSeries(
            begun[inside],
            CANDLE_COLUMNS,
            np.column_stack([np.round(columns, 2), traded])[inside],
        )

    def funding(self, underlying: str, start_ms: int, end_ms: int, now_ms: int) -> TimeSeries:
        hours = _grid(start_ms, min(end_ms, now_ms), HOUR_MS)
        path = self._paths[underlying]
        rate = np.array([path.basis(int(t)) for t in hours]) / (24.0 * 365.0)
        noise = self._daily_draws(underlying, "funding", hours)
        return TimeSeries(
            hours,
            ("value",),
            np.asarray(np.round(rate + 2e-6 * noise, 12), np.float64).reshape(-1, 1),
        )

    def dvol(
        self, underlying: str, start_ms: int, end_ms: int, step_ms: int, now_ms: int
    ) -> TimeSeries:
        times = _grid(start_ms, min(end_ms, now_ms), step_ms)
        variance = np.empty(len(times))
        for i, t in enumerate(times):
            smile = self.smile(underlying, int(t))
            variance[i] = mean_variance(smile, DVOL_TAU)
            if not smile.is_plain:
                variance[i] += self._strip(underlying, _floor(int(t), MS_PER_DAY))
        # The venue prints percent with two decimals.
        return TimeSeries(
            times, ("value",), np.asarray(np.round(np.sqrt(variance), 4), np.float64).reshape(-1, 1)
        )

    def _generate(self, underlying: str, as_of_ms: int) -> Snapshot:
        if self.regime(as_of_ms).frozen:
            last = self._generate(underlying, self.break_ms - _FROZE_MS)
            return replace(last, as_of_ms=as_of_ms)
        rng = generator(self.seed, underlying, "quotes", as_of_ms)
        chain = chain_of(self.scene(underlying, as_of_ms), rng)
        return self._spoilt(chain)

    def _spoilt(self, chain: Snapshot) -> Snapshot:
        """Return a chain as a broken feed gives it."""
        regime = self.regime(chain.as_of_ms)
        if regime.stale is not None:
            last = self._generate(chain.underlying, self.break_ms - _FROZE_MS)
            chain = with_stale(chain, last, expiry_meant(regime.stale, self.break_ms))
        if regime.rows < 1.0:
            chain = halved(chain, regime.rows)
        return crossed(chain, regime.crossed) if regime.crossed else chain

    def scene(self, underlying: str, now_ms: int) -> Scene:
        """Return all that the chain of a moment is made from."""
        wandering = self._wandering[underlying]
        smile = self.smile(underlying, now_ms)
        listed = listed_at(now_ms, smile.regime, self.break_ms)
        index = float(np.exp(self._log_price(underlying, now_ms)))
        forward = self._forwards(underlying, now_ms, listed)
        return Scene(
            underlying,
            now_ms,
            index,
            listed,
            forward,
            tuple(
                self._ladder(underlying, e, now_ms, f / index)
                for e, f in zip(listed, forward, strict=True)
            ),
            smile,
            lambda expiry_ms, x: wandering.mids(expiry_ms, now_ms, x),
            lambda expiry_ms, x: wandering.passing(expiry_ms, now_ms, x),
            self.break_ms,
        )

    def _forwards(self, underlying: str, now_ms: int, listed: tuple[Expiry, ...]) -> FloatArray:
        """Return the true forward of each expiry, dollars per coin, as the venue rounds it."""
        tau = np.array([(e.expiry_ms - now_ms) / MS_PER_YEAR for e in listed])
        index = np.exp(self._log_price(underlying, now_ms))
        return np.asarray(np.round(index * np.exp(self._paths[underlying].basis(now_ms) * tau), 2))

    def _ladder(
        self, underlying: str, expiry: Expiry, now_ms: int, over_index: float
    ) -> FloatArray:
        since = max(expiry.listed_ms, now_ms - _LADDER_MEMORY_MS)
        path = self._paths[underlying]
        low, high = path.log_range(since, now_ms)
        jumped = self._jumped(underlying, np.array([now_ms]))[0]
        days = (expiry.expiry_ms - now_ms) / MS_PER_DAY
        return strikes(
            underlying,
            expiry.series,
            days,
            over_index * np.exp(low + min(jumped, 0.0)),
            over_index * np.exp(high + max(jumped, 0.0)),
            np.exp(path.log_price(max(expiry.listed_ms, path.first_ms))),
        )

    def _log_price(self, underlying: str, now_ms: int) -> float:
        jumped = self._jumped(underlying, np.array([now_ms]))[0]
        return self._paths[underlying].log_price(now_ms) + float(jumped)

    def _jumped(self, underlying: str, time_ms: IntArray) -> FloatArray:
        """Return the jumps of the path since the break, less what they are worth on average."""
        jumps = self.world.regime(0.0).jumps_of(self.world.truths[underlying])
        if jumps is None or len(time_ms) == 0 or time_ms[-1] <= self.break_ms:
            return np.zeros(len(time_ms))
        rng = generator(self.seed, underlying, "jumps")
        waits = rng.exponential(MS_PER_YEAR / jumps.lam, 2000)
        when = self.break_ms + np.cumsum(waits)
        sizes = jumps.mu_j + jumps.sigma_j * rng.standard_normal(len(when))
        total = np.concatenate([[0.0], np.cumsum(sizes)])
        years = np.maximum(time_ms - self.break_ms, 0) / MS_PER_YEAR
        drift = jumps.lam * np.expm1(jumps.mu_j + 0.5 * jumps.sigma_j**2)
        return np.asarray(total[np.searchsorted(when, time_ms, side="right")] - drift * years)

    def _strip_of_day(self, underlying: str, day_ms: int) -> float:
        """Return what is added to the plain 30-day variance, at midnight of a day."""
        return added_strip(self.smile(underlying, day_ms))

    def _daily_draws(self, underlying: str, stream: str, time_ms: IntArray) -> FloatArray:
        """Return a standard normal for each hour, from its day's own generator."""
        out = np.empty(len(time_ms))
        day = time_ms // MS_PER_DAY
        for d in np.unique(day):
            here = day == d
            draws = generator(self.seed, underlying, stream, int(d)).standard_normal(24)
            out[here] = draws[(time_ms[here] % MS_PER_DAY) // HOUR_MS]
        return out

    def _traded(self, underlying: str, time_ms: IntArray, step_ms: int) -> FloatArray:
        hourly = self._daily_draws(underlying, "volume", time_ms)
        return np.round(500.0 * np.exp(0.6 * hourly) * step_ms / HOUR_MS, 6)


def open_world(
    name: str,
    *,
    seed: int = 0,
    start: datetime = DEFAULT_START,
    break_night: int = DEFAULT_BREAK_NIGHT,
) -> GeneratedMarket:
    """Return the world registered as `name`, come alive.

    Raises
    ------
    UnknownNameError
        If no world is named so.
    DomainError
        If `start` is not a midnight UTC.
    """
    return GeneratedMarket(WORLDS[name], seed=seed, start=start, break_night=break_night)


def _floor(time_ms: int, step_ms: int) -> int:
    return time_ms - time_ms % step_ms


def _grid(start_ms: int, end_ms: int, step_ms: int) -> IntArray:
    first = -(-start_ms // step_ms) * step_ms
    return np.arange(first, end_ms + 1, step_ms, dtype=np.int64)


def _kept(
    time_ms: IntArray, values: FloatArray, start_ms: int, end_ms: int
) -> tuple[IntArray, FloatArray]:
    here = (time_ms >= start_ms) & (time_ms <= end_ms)
    return time_ms[here], values[here]
