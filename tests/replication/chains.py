"""Chains with a known smile, on strikes that stay where they are while the forward moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import MS_PER_DAY
from monitor.replication.chain import PastChain

AS_OF_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
TENOR_DAYS = (2.0, 7.0, 30.0, 90.0, 180.0)
Smile = Callable[[FloatArray, FloatArray], FloatArray]  # (k, tau) -> iv


def flat(k: FloatArray, tau: FloatArray) -> FloatArray:
    """Return a vol of 0.5 everywhere."""
    return np.full_like(k, 0.5)


def skewed(k: FloatArray, tau: FloatArray) -> FloatArray:
    """Return a smile about as steep as a coin's: 0.5 at the money, skew -0.15 at 30 days."""
    x = k / np.sqrt(tau)
    return 0.5 - 0.045 * x + 0.06 * x * x


def chain(
    forward: float = 80_000.0,
    smile: Smile = flat,
    *,
    days: tuple[float, ...] = TENOR_DAYS,
    strikes: FloatArray | None = None,
    half_width: float = 0.005,
    later_days: float = 0.0,
) -> PastChain:
    """Return the out-of-the-money chain on strikes around 80,000, a night's or a later one's."""
    strikes = np.arange(30_000.0, 200_001.0, 1_000.0) if strikes is None else strikes
    as_of_ms = AS_OF_MS + round(later_days * MS_PER_DAY)
    expiry_ms = np.repeat([AS_OF_MS + round(d * MS_PER_DAY) for d in days], len(strikes))
    tau = (expiry_ms - as_of_ms) / (365.0 * MS_PER_DAY)
    strike = np.tile(strikes, len(days))
    k = np.log(strike / forward)
    quoted = np.abs(k) < 2.5 * 0.5 * np.sqrt(tau)
    expiry_ms, tau, strike, k = (a[quoted] for a in (expiry_ms, tau, strike, k))
    iv = smile(k, tau)
    return PastChain(
        as_of_ms=as_of_ms,
        expiry_ms=expiry_ms,
        forward=np.full(len(k), forward),
        strike=strike,
        sign=np.where(strike > forward, 1.0, -1.0),
        iv_bid=iv - half_width,
        iv_ask=iv + half_width,
    )
