"""A world come alive: a market that can be asked about any moment, over the wire or without."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.conventions import MS_PER_DAY, MS_PER_YEAR, from_ms, to_ms
from monitor.errors import DomainError
from monitor.market.instrument import Instrument, expiry_code
from monitor.market.snapshot import (
    CANDLE_COLUMNS,
    MarketContext,
    Snapshot,
    TimeSeries,
    no_series,
)
from monitor.sandbox.calendar import Expiry, expiries
from monitor.sandbox.ladder import strikes
from monitor.sandbox.market import futures_of
from monitor.sandbox.path import Path, generator
from monitor.sandbox.quoting import HABITS, interest, quote
from monitor.sandbox.truth import (
    DVOL_TAU,
    heston_params,
    mean_variance,
    strip_variance,
    true_variance,
)
from monitor.sandbox.worlds.base import WORLDS, Regime, World

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)
DEFAULT_BREAK_NIGHT = 64
_CHAINS_KEPT = 16
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

    def params(self, underlying: str, now_ms: int) -> FloatArray:
        """Return the true ``v0, kappa, theta_v, xi, rho`` at the moment."""
        v0 = self._paths[underlying].variance(now_ms)
        return heston_params(self.world.truths[underlying], v0, self.regime(now_ms))

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

    def snapshot(self, underlying: str, now_ms: int) -> Snapshot:
        """Return what a fetch through the sandbox at `now_ms` would give, without a network.

        The same snapshot to the bit, context included: a history can be written to an archive in
        seconds and continued over the wire.

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
        # As the venue client asks: 60 days of hours, one day of minutes, 30 days of the rest.
        marks = sorted(futures_of(chain).items(), key=lambda item: _expiry_of(chain, item[0]))
        month_ms = now_ms - 30 * MS_PER_DAY
        index = self.index_price(underlying, now_ms)
        context = MarketContext(
            index_price=index,
            perpetual_mark=self.perpetual_mark(underlying, now_ms),
            future_names=tuple(name for name, _ in marks),
            future_expiry_ms=np.array([_expiry_of(chain, name) for name, _ in marks], np.int64),
            future_mark=np.array([mark for _, mark in marks]),
            candles_1h=self.candles(
                underlying, _floor(now_ms, HOUR_MS) - 60 * MS_PER_DAY, now_ms, HOUR_MS, now_ms
            ),
            candles_1m=self.candles(
                underlying, _floor(now_ms, MINUTE_MS) - MS_PER_DAY, now_ms, MINUTE_MS, now_ms
            ),
            funding=self.funding(underlying, month_ms, now_ms, now_ms),
            dvol=self.dvol(underlying, month_ms, now_ms, HOUR_MS, now_ms),
            simulated=True,
        )
        return replace(chain, n_listed=len(chain), venue_now_ms=now_ms, context=context)

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
        truth = self.world.truths[underlying]
        variance = np.empty(len(times))
        for i, (t, v0) in enumerate(
            zip(times, self._paths[underlying].variances(times), strict=True)
        ):
            regime = self.regime(int(t))
            params = heston_params(truth, float(v0), regime)
            variance[i] = mean_variance(params, DVOL_TAU, regime.jumps)
            if regime.put_wing:
                variance[i] += self._strip(underlying, _floor(int(t), MS_PER_DAY))
        # The venue prints percent with two decimals.
        return TimeSeries(
            times, ("value",), np.asarray(np.round(np.sqrt(variance), 4), np.float64).reshape(-1, 1)
        )

    def _generate(self, underlying: str, as_of_ms: int) -> Snapshot:
        path, regime = self._paths[underlying], self.regime(as_of_ms)
        listed = expiries(as_of_ms)
        tau = np.array([(e.expiry_ms - as_of_ms) / MS_PER_YEAR for e in listed])
        index = float(np.exp(self._log_price(underlying, as_of_ms)))
        forward = np.round(index * np.exp(path.basis(as_of_ms) * tau), 2)
        ladders = [
            self._ladder(underlying, e, as_of_ms, f / index)
            for e, f in zip(listed, forward, strict=True)
        ]
        counts = [len(ladder) for ladder in ladders]
        which = np.repeat(np.arange(len(listed), dtype=np.int64), counts)
        strike = np.concatenate(ladders)
        k = np.log(strike / forward[which])
        params = self.params(underlying, as_of_ms)
        w = true_variance(params, regime, tau, which, k)
        # Every strike has a put and a call.
        both = np.repeat(np.arange(len(strike)), 2)
        is_call = np.tile([False, True], len(strike))
        rng = generator(self.seed, underlying, "quotes", as_of_ms)
        quoted = quote(k[both], w[both], tau[which[both]], is_call, HABITS[underlying], rng)
        expiry_ms = np.array([e.expiry_ms for e in listed])
        names = tuple(
            Instrument(underlying, int(expiry_ms[which[i]]), float(strike[i]), bool(call)).name
            for i, call in zip(both, is_call, strict=True)
        )
        open_interest, volume = interest(names, as_of_ms // MS_PER_DAY)
        sources = [_priced_off(underlying, e, listed) for e in listed]
        return Snapshot(
            venue="deribit",
            underlying=underlying,
            as_of_ms=as_of_ms,
            price_unit="coin",
            instrument=names,
            underlying_index=tuple(sources[j] for j in which[both]),
            expiry_ms=expiry_ms[which[both]],
            is_call=is_call,
            strike=strike[both],
            forward=forward[which[both]],
            bid=quoted.bid,
            ask=quoted.ask,
            mark=quoted.mark,
            mark_iv=quoted.mark_iv,
            open_interest=open_interest,
            volume=volume,
            index_price=round(index, 2),
        )

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
        jumps = self.world.regime(0.0).jumps
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
        """Return what a lifted wing adds to the 30-day variance, at midnight of a day."""
        regime = self.regime(day_ms + MS_PER_DAY - 1)
        params = self.params(underlying, day_ms)
        tau = np.array([DVOL_TAU])
        spread = np.sqrt(mean_variance(params, DVOL_TAU, None) * DVOL_TAU)
        k = np.linspace(-7.0, 6.0, 261) * spread
        index = np.zeros(len(k), np.int64)
        lifted = true_variance(params, regime, tau, index, k)
        plain = true_variance(params, replace(regime, put_wing=0.0), tau, index, k)
        return (strip_variance(k, lifted) - strip_variance(k, plain)) / DVOL_TAU

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


def _priced_off(underlying: str, expiry: Expiry, listed: tuple[Expiry, ...]) -> str:
    """Return the future that an expiry is priced off; a synthetic one where none is listed."""
    name = f"{underlying}-{expiry_code(expiry.expiry_ms)}"
    weeks = [e for e in listed if from_ms(e.expiry_ms).weekday() == 4][:2]
    months = [e for e in listed if e.series == "month"][:2]
    has_future = expiry.series == "quarter" or expiry in weeks or expiry in months
    return name if has_future else f"SYN.{name}"


def _expiry_of(chain: Snapshot, future: str) -> int:
    return int(chain.expiry_ms[chain.underlying_index.index(future)])


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
