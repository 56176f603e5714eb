"""The conventions by which raw market numbers become dimensionless ones, each in one place.

Time is a count of milliseconds since 1970-01-01 UTC (`*_ms`) inside arrays and an aware UTC
`datetime` elsewhere. Prices meet in ``c = C / (D F)``: a coin-settled option is quoted in it
already (venue convention: coin price = Black-76(F, K) / F with F the expiry's own forward), a
dollar-quoted one is divided by F here, and nowhere else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.errors import DomainError

MS_PER_DAY = 86_400_000
MS_PER_YEAR = 365 * MS_PER_DAY
EXPIRY_HOUR_UTC = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """Return an aware `datetime` as whole milliseconds since 1970.

    Raises
    ------
    DomainError
        If `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise DomainError(f"a time needs a zone, was {moment.isoformat()}: pass an aware UTC time")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return milliseconds since 1970 as an aware UTC `datetime`."""
    return _EPOCH + timedelta(milliseconds=int(ms))


# Every name of a parameter and every scope of an expiry asks for one.
@lru_cache(maxsize=1024)
def expiry_label(expiry_ms: int) -> str:
    """Return the ISO date that names an expiry in scopes and reports: ``2026-03-27``."""
    return from_ms(expiry_ms).date().isoformat()


def tenor(as_of_ms: int, expiry_ms: IntArray) -> FloatArray:
    """Return the time to expiry in years, actual/365, to the millisecond; negative once expired."""
    return (np.asarray(expiry_ms, dtype=np.float64) - as_of_ms) / MS_PER_YEAR


def log_moneyness_from_strike(strike: FloatArray, forward: FloatArray) -> FloatArray:
    """Return k = ln(K/F)."""
    return np.log(np.asarray(strike) / np.asarray(forward))


def strike_from_log_moneyness(k: FloatArray, forward: FloatArray) -> FloatArray:
    """Return K = F exp(k)."""
    return np.asarray(forward) * np.exp(np.asarray(k))


def premium_from_quote(price: FloatArray, forward: FloatArray, price_unit: str) -> FloatArray:
    """Return the dimensionless premium c = C / (D F) of quoted prices.

    Parameters
    ----------
    price, forward : ndarray of shape (n,)
        Quoted price in the venue's unit; forward in dollars per coin.
    price_unit : {"coin", "usd"}
        ``coin``: the quote is a fraction of a coin and is c itself. ``usd``: dollars per coin of
        underlying, undiscounted (venues margin and settle on the forward), divided by F here.

    Raises
    ------
    DomainError
        If `price_unit` is neither.
    """
    if price_unit == "coin":
        return np.asarray(price, dtype=np.float64)
    if price_unit == "usd":
        return np.asarray(price, dtype=np.float64) / np.asarray(forward, dtype=np.float64)
    raise DomainError(f"price_unit must be 'coin' or 'usd', was {price_unit!r}")
