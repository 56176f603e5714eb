"""What venues take for a trade: facts of their published pages, with the day they were read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A venue's taker fees, per coin of notional.

    Attributes
    ----------
    venue, price_unit : str
    option : float
        Coins per coin of option.
    option_cap : float
        Largest share of the premium that an option's fee may be.
    future : float
        Coins per coin of dated future.
    read_on : str
        The day the page was read. Venues change fees without notice: a change is a new entry, and
        older nights keep the one of their time.
    """

    venue: str
    price_unit: str
    option: float
    option_cap: float
    future: float
    read_on: str

    def option_fee(self, c: FloatArray) -> FloatArray:
        """Return the fee of one coin of options at premiums `c`, in coins."""
        return np.minimum(self.option, self.option_cap * np.asarray(c))


# Deribit: options 0.03 % of the underlying, dollar-settled ones 0.05 %, at most 12.5 % of the
# premium; dated futures 0.05 % for takers. Pages of earlier years say 0.04 % and 20 %.
FEES = (
    FeeSchedule("deribit", "coin", 0.0003, 0.125, 0.0005, "2026-11-22"),
    FeeSchedule("deribit", "usd", 0.0005, 0.125, 0.0005, "2026-11-22"),
)


def fees_of(venue: str, price_unit: str) -> FeeSchedule | None:
    """Return the venue's fees, or None where nobody has read its page."""
    found = (f for f in FEES if (f.venue, f.price_unit) == (venue, price_unit))
    return next(found, None)
