"""Small chains with a known smile, for tests of what is built on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import tenor, to_ms
from monitor.market.snapshot import Snapshot
from monitor.pricing.black import black_price

AS_OF = datetime(2026, 1, 10, 0, 0, tzinfo=UTC)
EXPIRIES = (
    datetime(2026, 1, 16, 8, tzinfo=UTC),
    datetime(2026, 2, 27, 8, tzinfo=UTC),
    datetime(2026, 6, 26, 8, tzinfo=UTC),
)
FORWARDS = (90_000.0, 90_500.0, 92_000.0)

Smile = Callable[[FloatArray, float], FloatArray]


def skewed(k: FloatArray, tau: float) -> FloatArray:
    """Return a plausible smile: 50 vol at the money, a put skew, some curvature."""
    x = k / np.sqrt(tau)
    return 0.5 - 0.05 * x + 0.04 * x**2


def chain(
    smile: Smile = skewed,
    *,
    width_iv: float = 0.01,
    n_strikes: int = 13,
    expiries: tuple[datetime, ...] = EXPIRIES,
    forwards: tuple[float, ...] = FORWARDS,
    price_unit: str = "coin",
    as_of: datetime = AS_OF,
    **changes: object,
) -> Snapshot:
    """Return a chain without ticks: bid and ask are the smile minus and plus half the width."""
    as_of_ms = to_ms(as_of)
    columns: dict[str, list[object]] = {}
    for expiry, forward in zip(expiries, forwards, strict=False):
        tau = float(tenor(as_of_ms, np.array(to_ms(expiry))))
        spread = 0.5 * np.sqrt(max(tau, 1e-4))
        strikes = np.unique(np.round(forward * np.exp(np.linspace(-2, 2, n_strikes) * spread), -2))
        for is_call in (True, False):
            sign = np.where(is_call, 1.0, -1.0) * np.ones_like(strikes)
            k = np.log(strikes / forward)
            iv = smile(k, max(tau, 1e-4))
            scale = forward if price_unit == "usd" else 1.0

            def price(vol: FloatArray, k=k, sign=sign, tau=tau, scale=scale) -> list[float]:
                return list(scale * black_price(k, vol**2 * max(tau, 1e-4), sign))

            rows = {
                "instrument": [
                    f"BTC-{expiry:%-d%b%y}-{s:g}-{'C' if is_call else 'P'}".upper() for s in strikes
                ],
                "underlying_index": [f"BTC-{expiry:%-d%b%y}".upper()] * len(strikes),
                "expiry_ms": [to_ms(expiry)] * len(strikes),
                "is_call": [is_call] * len(strikes),
                "strike": list(strikes),
                "forward": [forward] * len(strikes),
                "bid": price(iv - width_iv / 2),
                "ask": price(iv + width_iv / 2),
                "mark": price(iv),
                "mark_iv": list(iv),
                "open_interest": [1.0] * len(strikes),
                "volume": [0.0] * len(strikes),
            }
            for name, values in rows.items():
                columns.setdefault(name, []).extend(values)
    made: dict[str, object] = {name: np.array(values) for name, values in columns.items()}
    made["instrument"] = tuple(columns["instrument"])
    made["underlying_index"] = tuple(columns["underlying_index"])
    made.update(changes)
    return Snapshot("deribit", "BTC", as_of_ms, price_unit, **made)  # type: ignore[arg-type]
