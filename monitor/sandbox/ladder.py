"""Which strikes are listed: bands of multiples around the forward, as seen on recorded chains.

A ladder is laid when an expiry is listed and grows with the forward, never shrinks. The bands are
read off the chains of 20 March 2026 (BTC at 70,900, ETH at 2,150) and their counts checked against
the 306 nightly chains of January to May 2026: 26 strikes a day, 20 a week, 46 a month, 55 a quarter
for BTC.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.arrays import FloatArray
from monitor.sandbox.calendar import Series

# (step in dollars, lowest and highest strike over forward)
Band = tuple[float, float, float]

LADDERS: Mapping[str, Mapping[Series, tuple[Band, ...]]] = {
    "BTC": {
        "day": ((500.0, 0.955, 1.05), (1000.0, 0.91, 1.09)),
        "week": ((1000.0, 0.93, 1.08), (2000.0, 0.88, 1.12), (5000.0, 0.82, 1.26)),
        "month": ((1000.0, 0.80, 1.20), (2000.0, 0.71, 1.42), (5000.0, 0.60, 1.50)),
        "quarter": (
            (2000.0, 0.76, 1.40),
            (5000.0, 0.44, 2.20),
            (10_000.0, 0.36, 2.80),
            (20_000.0, 0.36, 3.40),
        ),
    },
    "ETH": {
        "day": ((25.0, 0.92, 1.10), (100.0, 0.88, 1.16)),
        "week": ((50.0, 0.91, 1.11), (100.0, 0.82, 1.19), (200.0, 0.74, 1.32)),
        "month": ((50.0, 0.82, 1.22), (100.0, 0.62, 1.65), (200.0, 0.52, 1.90)),
        "quarter": (
            (100.0, 0.64, 1.75),
            (200.0, 0.48, 2.60),
            (500.0, 0.46, 3.50),
            (1000.0, 0.46, 5.00),
        ),
    },
}
# Prices at which the steps above were listed; a coin at twice the price has steps twice as wide.
_REFERENCE = {"BTC": 70_900.0, "ETH": 2_150.0}
# As an expiry comes near it takes on the finer ladders of the shorter series.
_JOINS_WEEK_DAYS, _JOINS_DAY_DAYS = 22.0, 4.0


def strikes(
    underlying: str, series: Series, days: float, lowest: float, highest: float, at_listing: float
) -> FloatArray:
    """Return the listed strikes of one expiry, rising.

    Parameters
    ----------
    underlying : str
    series : {"day", "week", "month", "quarter"}
    days : float
        To expiry.
    lowest, highest : float
        Range of the forward since the listing, dollars per coin.
    at_listing : float
        Price when the expiry was listed: its steps stay, whatever the price does.
    """
    scale = 2.0 ** round(np.log2(at_listing / _REFERENCE[underlying]))
    bands = dict.fromkeys(LADDERS[underlying][series])
    if days <= _JOINS_WEEK_DAYS and series != "day":
        bands |= dict.fromkeys(LADDERS[underlying]["week"])
    if days <= _JOINS_DAY_DAYS:
        bands |= dict.fromkeys(LADDERS[underlying]["day"])
    found = []
    for dollars, low, high in bands:
        step = scale * dollars
        found.append(
            step * np.arange(np.ceil(low * lowest / step), np.floor(high * highest / step) + 1)
        )
    # Multiples of steps that are halves or more are exact: equal strikes are equal doubles.
    return np.unique(np.concatenate(found))
