"""What the coin did, by the venue's candles: realised variance, its jumps, the premium over it.

Market numbers without a model, of the last day by minutes, the last week and thirty days by hours.
Candles of a test venue are scoped ``simulated:``, never ``window:``: they are no evidence about
the world. An archive without candles gives a recorded rejection, and the squared move of the
forwards between two snapshots stands by itself, labelled as such, with its error.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import tenor
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.errors import DomainError
from monitor.market.snapshot import MarketContext, Snapshot
from monitor.numerics.realised import Realised, jumps_among, realised
from monitor.outcome import Rejection

MS_PER_DAY = 86_400_000
DAYS_PER_YEAR = 365.0
# Name, series, days. Minutes see a day's jumps, hours average a month's.
WINDOWS = (("1d", "candles_1m", 1), ("7d", "candles_1h", 7), ("30d", "candles_1h", 30))
_LEAST_COVERED = 0.9  # of a window's returns
JUMP_LEVEL = 3.09  # 0.1 %: one false call in three years of nights
CANDLES = "venue's candles of the perpetual"


def _candle_step(series: str) -> int:
    return 60_000 if series == "candles_1m" else 3_600_000


def returns_within(context: MarketContext, series: str, days: int, now_ms: int) -> FloatArray:
    """Return log returns between successive closes of the last `days`, without gaps."""
    candles = getattr(context, series)
    step = _candle_step(series)
    since = candles.time_ms >= now_ms - days * MS_PER_DAY - step
    time_ms, close = candles.time_ms[since], candles.column("close")[since]
    good = np.isfinite(close) & (close > 0.0)
    time_ms, close = time_ms[good], close[good]
    beside = np.diff(time_ms) == step
    return np.asarray(np.diff(np.log(close))[beside])


@lru_cache(maxsize=4)
def windows(snapshot: Snapshot) -> dict[str, Realised | str]:
    """Return each window's variation, or why it has none."""
    found: dict[str, Realised | str] = {}
    for name, series, days in WINDOWS:
        returns = returns_within(snapshot.context, series, days, snapshot.as_of_ms)
        expected = days * MS_PER_DAY / _candle_step(series)
        if len(returns) < _LEAST_COVERED * expected:
            found[name] = f"{len(returns)} of {expected:.0f} returns in {series}"
            continue
        try:
            found[name] = realised(returns)
        except DomainError as error:
            found[name] = str(error)
    return found


def scope_of(context: MarketContext, window: str) -> str:
    """Return ``window:7d``, or ``simulated:7d`` where the venue is a test venue."""
    return f"{'simulated' if context.simulated else 'window'}:{window}"


def per_year(window: str) -> float:
    """Return how many of a window a year holds."""
    return DAYS_PER_YEAR / next(days for name, _, days in WINDOWS if name == window)


def _each(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield a number of every window that has candles."""
    snapshot = evidence.snapshot
    if not len(snapshot.context.candles_1h) and not len(snapshot.context.candles_1m):
        yield Rejection("metric", "no_candles", metric.name, "the snapshot came without candles")
        return
    for name, found in windows(snapshot).items():
        if isinstance(found, str):
            yield Rejection("metric", "no_candles", f"{metric.name}/{name}", found)
            continue
        value, error = _number(found, metric.name, per_year(name))
        scope = scope_of(snapshot.context, name)
        yield metric.value(evidence, value, scope=scope, n=found.n, stderr=error)


def _number(found: Realised, what: str, years: float) -> tuple[float, float | None]:
    if what == "realised_variance":
        return found.variance * years, found.variance_error * years
    if what == "bipower_variance":
        return found.bipower * years, found.variance_error * years
    if what == "realised_jump_share":
        return found.jump_share, found.jump_share_error
    return found.jump_z, None


# Of each number of a window: unit, definition, source.
_OF_WINDOWS = {
    "realised_variance": (
        "1/year",
        "Sum of squared log returns of the perpetual over the last day (minutes), week and thirty "
        "days (hours), annualised over 365 days.",
        "Andersen and Bollerslev (1998), International Economic Review 39(4)",
    ),
    "bipower_variance": (
        "1/year",
        "Variance without jumps: pi/2 times the sum of products of the sizes of neighbouring log "
        "returns, over the windows of realised_variance and annualised as it is.",
        "Barndorff-Nielsen and Shephard (2006), J. Financial Econometrics 4(1)",
    ),
    "realised_jump_share": (
        "share",
        "One less bipower over realised variance; below zero where chance has it so.",
        "Huang and Tauchen (2005), J. Financial Econometrics 3(4)",
    ),
    "realised_jump_z": (
        "1",
        "The ratio statistic of jumps within the window: standard normal without jumps, beyond "
        "3.09 at one time in a thousand.",
        "Huang and Tauchen (2005), J. Financial Econometrics 3(4)",
    ),
}


def _register() -> None:
    for name, (unit, definition, source) in _OF_WINDOWS.items():
        register = metric(
            name, unit=unit, level="market", definition=definition, source=f"{source}; {CANDLES}"
        )
        register(_each)


_register()


@metric(
    "realised_jumps",
    unit="count",
    level="market",
    definition="Returns of the last seven days, by hours, that are jumps at 1 % of a window.",
    source=f"Lee and Mykland (2008), Review of Financial Studies 21(6); {CANDLES}",
)
def realised_jumps(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how many hours of the last week were jumps."""
    snapshot = evidence.snapshot
    returns = returns_within(snapshot.context, "candles_1h", 14, snapshot.as_of_ms)
    week, learnt = 7 * 24, 94  # their own choice for hours of a year: sqrt(365 x 24)
    if len(returns) < week + learnt:
        detail = f"{len(returns)} of {week + learnt} returns in candles_1h"
        yield Rejection("metric", "no_candles", metric.name, detail)
        return
    found = jumps_among(returns[-(week + learnt) :], window=learnt)
    scope = scope_of(snapshot.context, "7d")
    yield metric.value(evidence, float(found.sum()), scope=scope, n=week)


@metric(
    "variance_premium",
    unit="1/year",
    level="market",
    definition="Model-free variance over the next 30 days, as the square of iv30, less realised "
    "variance of the last 30.",
    source=f"Bollerslev, Tauchen and Zhou (2009), Review of Financial Studies 22(11); {CANDLES}",
    after=True,
)
def variance_premium(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield what the market pays over what the coin did."""
    iv30 = evidence.tonight.get((None, "iv30", CHAIN))
    found = windows(evidence.snapshot)["30d"]
    if isinstance(found, str):
        yield Rejection("metric", "no_candles", metric.name, found)
    elif iv30 is None:
        yield Rejection("metric", "no_30_days", metric.name, "no model-free vol at 30 days")
    else:
        years = per_year("30d")
        value, error = iv30**2 - found.variance * years, found.variance_error * years
        scope = scope_of(evidence.snapshot.context, "30d")
        yield metric.value(evidence, value, scope=scope, n=found.n, stderr=error)


@metric(
    "snapshot_variance",
    unit="1/year",
    level="market",
    definition="Squared log move of the forwards since the last chain, median over common "
    "expiries, annualised: realised variance of one observation, whose error is root two of it.",
    source="Own; for archives without candles",
    needs="one night",
)
def snapshot_variance(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the squared move since the last chain."""
    last, quotes = evidence.history.last_chain, evidence.quotes
    then = (
        {}
        if last is None
        else dict(zip(last.expiry_ms.tolist(), last.forward.tolist(), strict=True))
    )
    moves = [
        np.log(now / then[expiry])
        for expiry, now in zip(quotes.expiry_ms.tolist(), quotes.forward.tolist(), strict=True)
        if expiry in then
    ]
    if last is None or not moves or quotes.as_of_ms <= last.as_of_ms:
        detail = "no earlier chain with an expiry in common"
        yield Rejection("metric", "no_last_night", metric.name, detail)
        return
    years = float(tenor(last.as_of_ms, np.array([quotes.as_of_ms]))[0])
    value = float(np.median(moves)) ** 2 / years
    yield metric.value(evidence, value, n=1, stderr=np.sqrt(2.0) * value)
