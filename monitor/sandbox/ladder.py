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
        "day": ((500.0, 0.945, 1.065), (1000.0, 0.88, 1.15)),
        "week": ((1000.0, 0.91, 1.09), (2000.0, 0.87, 1.15), (5000.0, 0.80, 1.30)),
        "month": ((1000.0, 0.79, 1.20), (2000.0, 0.72, 1.36), (5000.0, 0.55, 1.50)),
        "quarter": (
            (2000.0, 0.78, 1.35),
            (5000.0, 0.42, 2.30),
            (10_000.0, 0.28, 3.50),
            (20_000.0, 0.28, 4.80),
        ),
    },
    "ETH": {
        "day": ((25.0, 0.89, 1.14), (100.0, 0.84, 1.25)),
        "week": ((50.0, 0.90, 1.12), (100.0, 0.80, 1.20), (200.0, 0.74, 1.32)),
        "month": ((50.0, 0.80, 1.24), (100.0, 0.60, 1.65), (200.0, 0.50, 1.95)),
        "quarter": (
            (100.0, 0.65, 1.70),
            (200.0, 0.45, 2.80),
            (500.0, 0.40, 4.20),
            (1000.0, 0.40, 7.00),
        ),
    },
}
# As an expiry comes near it takes on the finer ladders of the shorter series.
_JOINS_WEEK_DAYS, _JOINS_DAY_DAYS = 22.0, 4.0


def strikes(
    underlying: str, series: Series, days: float, lowest: float, highest: float
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
    """
    bands = dict.fromkeys(LADDERS[underlying][series])
    if days <= _JOINS_WEEK_DAYS and series != "day":
        bands |= dict.fromkeys(LADDERS[underlying]["week"])
    if days <= _JOINS_DAY_DAYS:
        bands |= dict.fromkeys(LADDERS[underlying]["day"])
    found = [
        step * np.arange(np.ceil(low * lowest / step), np.floor(high * highest / step) + 1)
        for step, low, high in bands
    ]
    # Multiples of whole steps are whole numbers: equal strikes are equal doubles.
    return np.unique(np.concatenate(found))
