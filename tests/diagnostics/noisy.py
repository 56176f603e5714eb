"""Chains around a known surface, quoted as makers quote: a centre that is off, rounded to ticks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import MS_PER_DAY
from monitor.diagnostics.base import METRICS, Evidence, History, MetricValue, Series
from monitor.diagnostics.noise import NOISE_HISTORY
from monitor.market.quotes import Quotes
from monitor.models.base import Grid
from monitor.pricing.black import black_price, black_vega
from monitor.pricing.implied import implied_deviation
from tests.calibration.chains import AS_OF_MS, grid_of_tenors, quotes_from
from tests.market.chains import chain

TENOR_DAYS = (3.0, 10.0, 24.0, 52.0, 115.0)
TICK, TICK_ABOVE, TICK_LIMIT = 0.0001, 0.0005, 0.005
Surface = Callable[[Grid], FloatArray]
SNAPSHOT = chain(n_strikes=3)  # what no metric of noise looks at


def smile(grid: Grid) -> FloatArray:
    """Return vols that Black has not and any smooth curve follows."""
    x = grid.k / np.sqrt(grid.tau_of_point)
    return 0.55 - 0.06 * x + 0.05 * x * x


def grid_of(n_strikes: int = 25, tenor_days: tuple[float, ...] = TENOR_DAYS) -> Grid:
    """Return expiries of strikes out to two deviations."""
    return grid_of_tenors(np.array(tenor_days), n=n_strikes, reach=2.0)


def quoted(
    grid: Grid,
    iv: FloatArray,
    rng: np.random.Generator,
    *,
    half_width: float = 0.006,
    off: float = 0.4,
    stray: FloatArray | None = None,
) -> Quotes:
    """Return what makers quote around true vols.

    Parameters
    ----------
    half_width : float
        In vol, before rounding to ticks; each quote's is a third wider or narrower.
    off : float
        Deviation of a maker's centre from the truth, in half-widths.
    stray : ndarray of shape (n,), optional
        How far centres are off in that deviation; independent where not given.
    """
    tau = grid.tau_of_point
    sign = np.where(grid.k >= 0.0, 1.0, -1.0)
    fair = black_price(grid.k, iv * iv * tau, sign)
    vega = black_vega(grid.k, iv * iv * tau) * np.sqrt(tau)
    half = half_width * np.exp(0.35 * rng.standard_normal(grid.n)) * vega
    stray = rng.standard_normal(grid.n) if stray is None else stray
    centre = fair + off * half * stray
    ask_step = np.where(centre + half <= TICK_LIMIT, TICK, TICK_ABOVE)
    bid_step = np.where(centre - half <= TICK_LIMIT, TICK, TICK_ABOVE)
    c_ask = np.ceil((centre + half) / ask_step) * ask_step
    c_bid = np.floor((centre - half) / bid_step) * bid_step
    root = np.sqrt(tau)
    with np.errstate(invalid="ignore"):
        low = implied_deviation(grid.k, c_bid, sign)[0] / root
        high = implied_deviation(grid.k, c_ask, sign)[0] / root
    good = np.isfinite(low) & np.isfinite(high) & (c_bid > 0.0) & (high - low <= 0.15)
    kept = np.flatnonzero(good)
    shown = Grid(grid.expiry_ms, grid.tau, grid.expiry_index[kept], grid.k[kept], grid.w_ref)
    mid, width = 0.5 * (low + high)[kept], (high - low)[kept]
    tick = ask_step[kept]
    quotes = quotes_from(shown, mid)
    vega = black_vega(shown.k, mid * mid * shown.tau_of_point) * np.sqrt(shown.tau_of_point)
    return replace(
        quotes,
        c_bid=c_bid[kept],
        c_ask=c_ask[kept],
        tick=tick,
        iv_bid=low[kept],
        iv_ask=high[kept],
        vega=vega,
        noise=np.maximum(0.5 * width, 0.5 * tick / vega),
    )


def evidence_of(quotes: Quotes, history: History | None = None) -> Evidence:
    """Return the evidence on a chain alone."""
    return Evidence(SNAPSHOT, quotes, History() if history is None else history)


def history_of(nights: list[Quotes]) -> History:
    """Return what is kept of the noise of some nights, one a day."""
    kept: dict[tuple[str | None, str, str], tuple[list[int], list[float]]] = {}
    for t, quotes in enumerate(nights):
        for name in sorted({name for name, _ in NOISE_HISTORY}):
            for o in METRICS[name].compute(evidence_of(quotes)):
                if isinstance(o, MetricValue):
                    times, values = kept.setdefault((None, name, o.scope), ([], []))
                    times.append(AS_OF_MS + t * MS_PER_DAY)
                    values.append(o.value)
    return History(series={key: Series(np.array(t), np.array(v)) for key, (t, v) in kept.items()})
