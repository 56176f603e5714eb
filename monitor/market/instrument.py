"""The grammar of option names, so that no list of instruments is needed to read a chain.

``BTC-27MAR26-70000-C`` is settled in coin; ``XRP_USDC-27MAR26-2d5-P`` in dollars, at strike 2.5.
An instrument listed after the list was loaded is read like every other. *Refused:* the client
library's own expired-market guess, which puts the expiry at 00:00 UTC and gives ``3d5`` no strike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from monitor.conventions import EXPIRY_HOUR_UTC, from_ms, to_ms
from monitor.errors import DomainError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)(?:_(?P<quote>[A-Z]+))?"
    r"-(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"-(?P<strike>\d+(?:d\d+)?)-(?P<kind>[CP])"
)
_FUTURE = re.compile(r"[A-Z0-9]+(?:_[A-Z]+)?-\d{1,2}[A-Z]{3}\d{2}")


@dataclass(frozen=True, slots=True)
class Instrument:
    """One listed option.

    Attributes
    ----------
    underlying : str
        ``BTC``, or ``XRP_USDC`` for an option quoted in dollars.
    expiry_ms : int
        08:00 UTC of the expiry's day.
    strike : float
        Dollars per coin.
    is_call : bool
    """

    underlying: str
    expiry_ms: int
    strike: float
    is_call: bool

    @property
    def price_unit(self) -> str:
        """``coin``, or ``usd`` for an underlying with a quote currency in its name."""
        return "usd" if "_" in self.underlying else "coin"

    @property
    def name(self) -> str:
        """The name as the venue lists it."""
        return (
            f"{self.underlying}-{expiry_code(self.expiry_ms)}"
            f"-{_strike_text(self.strike)}-{'C' if self.is_call else 'P'}"
        )


def expiry_code(expiry_ms: int) -> str:
    """Return the expiry as names carry it.

    Examples
    --------
    >>> expiry_code(1774598400000)
    '27MAR26'
    """
    day = from_ms(expiry_ms)
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02d}"


# A chain has 800 names and mostly the same ones as the last: parsing is paid once.
@lru_cache(maxsize=1 << 16)
def parse_instrument(name: str) -> Instrument:
    """Return the option that `name` names.

    Parameters
    ----------
    name : str
        ``BTC-27MAR26-70000-C``; a ``d`` in the strike is the decimal point.

    Raises
    ------
    DomainError
        If the name is not one of an option, its date does not exist or its strike is zero.

    Examples
    --------
    >>> parse_instrument("XRP_USDC-27MAR26-2d5-P").strike
    2.5
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DomainError(
            f"an option is named like BTC-27MAR26-70000-C or XRP_USDC-27MAR26-2d5-P, was {name!r}"
        )
    base, quote = match["base"], match["quote"]
    try:
        expiry = datetime(
            2000 + int(match["year"]),
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            EXPIRY_HOUR_UTC,
            tzinfo=UTC,
        )
    except ValueError:
        found = "".join(match.group("day", "month", "year"))
        raise DomainError(f"no day is written {found} in the option name {name!r}") from None
    strike = float(match["strike"].replace("d", "."))
    if strike <= 0:
        raise DomainError(f"strike must be positive, was {strike} ({name})")
    return Instrument(
        base if quote is None else f"{base}_{quote}", to_ms(expiry), strike, match["kind"] == "C"
    )


def parse_future_expiry(name: str) -> int | None:
    """Return the expiry of a dated future, None for perpetuals, spreads and options.

    Examples
    --------
    >>> parse_future_expiry("BTC-27MAR26")
    1774598400000
    >>> parse_future_expiry("BTC-PERPETUAL") is None
    True
    """
    if not _FUTURE.fullmatch(name):
        return None
    return parse_instrument(f"{name}-1-C").expiry_ms


def _strike_text(strike: float) -> str:
    if strike == int(strike):
        return str(int(strike))
    # `repr` turns to exponents below 1e-4, which no listing has; ten decimals never do.
    return f"{strike:.10f}".rstrip("0").replace(".", "d")
