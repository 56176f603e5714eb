"""A night on which every metric has a value: what laws about all of them are tried on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.calibration.prior import expert_prior
from monitor.calibration.pull import Pulled, pulled_fit
from monitor.calibration.solve import CalibrationSettings, calibrate, evaluate, grid_of
from monitor.conventions import to_ms
from monitor.diagnostics.base import Evidence, History, MetricValue, Series, measure
from monitor.diagnostics.detectable import USUAL_HISTORY
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.noise_model import CELLS
from monitor.market.quotes import Quotes
from monitor.market.snapshot import CANDLE_COLUMNS, MarketContext, Snapshot, TimeSeries
from monitor.models import MODELS
from monitor.replication.chain import PastChain
from tests.diagnostics.evidence import quotes_of, remembered
from tests.market.chains import AS_OF, chain

MARKET = "market"
NAMES = ("svi", "heston", "bates")
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
EXPIRIES = tuple(AS_OF + timedelta(days=d, hours=8) for d in (5, 13, 27, 48, 83, 139, 230))
FORWARDS = tuple(90_000.0 * 1.002**j for j in range(len(EXPIRIES)))
# By which each model is asked, without a search: near to the chain, and not of it.
NEAR = {
    "heston": np.array([0.27, 3.0, 0.33, 1.4, -0.25]),
    "bates": np.array([0.20, 3.0, 0.25, 1.2, -0.25, 8.0, -0.03, 0.08]),
}
QUICK = CalibrationSettings(restarts=1)


def recorded(night: int) -> Snapshot:
    """Return a chain on the first night or on the second, whose near put wing is bent."""

    def smile(k: FloatArray, tau: float) -> FloatArray:
        x = k / np.sqrt(tau)
        iv = 0.52 - 0.05 * x + 0.04 * x * x + 0.002 * np.sin(977.0 * (1 + night) * k)
        return iv + night * (0.01 + 0.03 * (x < -0.2) * (tau < 0.03))

    as_of = AS_OF + timedelta(days=night - 1)
    return chain(smile, n_strikes=21, expiries=EXPIRIES, forwards=FORWARDS, as_of=as_of)


def around(forward: float) -> MarketContext:
    """Return candles, a volatility index and a future: a coin of 50 vol with one jump."""
    now, rng = to_ms(AS_OF), np.random.default_rng(3)

    def candles(step: int, count: int, jump: float) -> tuple[TimeSeries, FloatArray]:
        returns = 0.5 * np.sqrt(step / (365 * DAY_MS)) * rng.standard_normal(count)
        returns[-30] += jump
        close = forward * np.exp(np.cumsum(returns))
        times = now - step * np.arange(count, 0, -1)
        columns = np.stack([close, close, close, close, np.ones(count)], axis=1)
        return TimeSeries(times, CANDLE_COLUMNS, columns), returns

    hours, returns = candles(HOUR_MS, 40 * 24, 0.06)
    minutes, _ = candles(MINUTE_MS, 24 * 60 + 1, 0.0)
    moves = 0.1 * (rng.standard_normal(720) * np.std(returns) - 0.4 * returns[-720:])
    level = np.abs(0.52 + np.cumsum(moves))
    times = np.append(hours.time_ms[-720:], now)  # the last value is of the hour of the chain
    return MarketContext(
        future_names=("BTC-FUTURE",),
        future_expiry_ms=np.array([to_ms(EXPIRIES[2])]),
        future_mark=np.array([1.001 * forward]),
        candles_1h=hours,
        candles_1m=minutes,
        dvol=TimeSeries(times, ("value",), np.append(level, 0.53)[:, None]),
    )


def quiet_past(models: Iterable[str | None]) -> dict[tuple[str | None, str, str], Series]:
    """Return seventy nights of everything that a night may want of the nights before."""
    times, rng = to_ms(AS_OF) - DAY_MS * np.arange(70, 0, -1), np.random.default_rng(1)
    charts = {"change_score", "smile_change_score"}
    wanted = [key for key in (*HISTORY_METRICS, *USUAL_HISTORY) if key[0] not in charts]
    learnt = [(name, c) for name in ("noise_power", "noise_weight") for c in (*CELLS, "chain")]
    # Makers that are off by a third of what is usual in some cells, by thrice as much in others.
    level = dict(zip(learnt, np.exp(rng.uniform(-2.0, 2.0, len(learnt))), strict=True))
    return {
        (who, *key): Series(times, 0.02 + 0.001 * rng.standard_normal(70))
        for who in models
        for key in wanted
    } | {(None, *key): Series(times, level[key] * (1.0 + 0.1 * rng.random(70))) for key in learnt}


def _fitted(name: str, quotes: Quotes) -> Fit:
    if name not in NEAR:
        return calibrate(MODELS[name], quotes, settings=QUICK)
    # Held where it is, but with the errors of a fit: nothing is at a bound.
    return replace(
        evaluate(MODELS[name], quotes, NEAR[name]), at_bound=np.zeros(len(NEAR[name]), np.int64)
    )


@cache
def whole_night() -> dict[str, Evidence]:
    """Return the evidence on the market and on each model."""
    first = recorded(0)
    second = replace(
        recorded(1),
        context=around(FORWARDS[0]),
        index_price=FORWARDS[0],
        n_listed=400,
        venue_now_ms=to_ms(AS_OF) + 2_500,
    )
    then, quotes = quotes_of(first), quotes_of(second)
    fits = {name: _fitted(name, quotes) for name in NAMES}
    history = History(
        fits={name: remembered(_fitted(name, then), then) for name in NAMES},
        series=quiet_past((None, *NAMES)),
        last_chain=PastChain.of(replace(then, forward=0.99 * then.forward)),
    )
    # Limits cost by their horizon, and it is a short one that ends no reference of 60 nights yet.
    rules = DriftRules(horizon_nights=12)
    on_chain = Evidence(second, quotes, history, tolerance_iv=0.01, drift=rules)
    nights, grid = {MARKET: on_chain}, grid_of(quotes)
    for name, fit in fits.items():
        model, past = MODELS[name], history.fits[name]
        carried = model.carry(past.params, past.expiry_ms, past.tau, grid)
        laid, pulled = evaluate(model, quotes, carried, grid=grid), None
        if name == "heston":
            prior = expert_prior(model, grid, [("kappa", 4.0, 0.5)])
            pulled = Pulled(prior, pulled_fit(model, quotes, fit, prior, grid=grid))
        nights[name] = replace(
            on_chain,
            model=model,
            fit=fit,
            frozen_iv=laid.iv,
            refreshed=laid,
            pulled=pulled,
            rivals=tuple(fits.values()),
        )
    return nights


def said(evidence: Evidence) -> dict[tuple[str, str], float]:
    """Return every value of a night by metric and scope."""
    found = measure(evidence)
    return {(o.metric, o.scope): o.value for o in found if isinstance(o, MetricValue)}
