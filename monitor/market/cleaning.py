"""Which quotes can be judged, by what is visible without a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from monitor.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What a quote must be to count.

    Attributes
    ----------
    min_tenor_h : float
        Shorter tenors are left out, in hours. Never below 1: in its last half hour the venue's
        option settles on an average and is no European option.
    max_width_iv : float
        Widest bid–ask in vol, a decimal.
    min_quotes_per_expiry : int
        Thinner expiries are left out whole.
    excluded : tuple of str
        Instruments left out by hand, as names or patterns: ``BTC-27MAR26-*``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_tenor_h: float = 12.0
    max_width_iv: float = 0.10
    min_quotes_per_expiry: int = 3
    excluded: tuple[str, ...] = ()


def tick_size(price: FloatArray, price_unit: str) -> FloatArray:
    """Return the venue's tick at each price.

    Notes
    -----
    Coin-settled BTC and ETH options tick by 0.0001 up to 0.005 and by 0.0005 above (Deribit,
    6 July 2023). Dollar-quoted options: 5 dollars, shown here as a price in dollars.
    """
    if price_unit == "coin":
        return np.where(price <= 0.005, 0.0001, 0.0005)
    return np.full_like(price, 5.0)


def first_reason(tests: list[tuple[str, BoolArray]]) -> list[str | None]:
    """Return for each quote the first test it fails, or None.

    Parameters
    ----------
    tests : list of (reason, failed)
        In the order of the argument; `failed` of shape (n,).
    """
    n = len(tests[0][1])
    reasons: list[str | None] = [None] * n
    for reason, failed in reversed(tests):
        for i in np.flatnonzero(failed):
            reasons[i] = reason
    return reasons
