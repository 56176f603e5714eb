r"""The forward of each expiry, and what put–call parity allows it to be.

The venue prices each expiry off a forward of its own, a future's or a synthetic one; that is the
F of every k and c here. Parity says, without a model, where F can be: whoever buys the call at its
ask and sells the put at its bid is long the forward, and the other way round is short of it.

.. math::

    \frac{K}{1 - (c_{bid} - p_{ask})} \le F \le \frac{K}{1 - (c_{ask} - p_{bid})}
    \qquad\text{(coin-settled; in dollars } K + C - P \text{)}

Fees are left out: the bounds are those of the book, not of a trader.
"""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.market.snapshot import Snapshot


def venue_forward(snapshot: Snapshot, expiry_ms: int) -> float:
    """Return the venue's forward for an expiry, in dollars per coin: the median over its rows.

    Rows of one expiry can differ by a tick of the future, for they are stamped one by one.
    """
    return float(np.median(snapshot.forward[snapshot.expiry_ms == expiry_ms]))


def parity_bounds(snapshot: Snapshot, expiry_ms: int) -> tuple[float, float]:
    """Return the tightest executable bounds on an expiry's forward, in dollars per coin.

    Returns
    -------
    low, high : float
        NaN where no strike has the four prices. ``low > high`` is an executable arbitrage.
    """
    here = snapshot.expiry_ms == expiry_ms
    call, put = here & snapshot.is_call, here & ~snapshot.is_call
    strike, i, j = np.intersect1d(
        snapshot.strike[call], snapshot.strike[put], assume_unique=True, return_indices=True
    )
    # A crossed quote trades at neither of its prices: it is counted elsewhere, and bounds nothing.
    crossed = snapshot.bid > snapshot.ask
    bid, ask = (np.where(crossed, np.nan, side) for side in (snapshot.bid, snapshot.ask))
    rich = bid[call][i] - ask[put][j]
    dear = ask[call][i] - bid[put][j]
    if snapshot.price_unit == "coin":
        low, high = _coin_forward(strike, rich), _coin_forward(strike, dear)
    else:
        low, high = strike + rich, strike + dear
    return _best(low, np.max), _best(high, np.min)


def _coin_forward(strike: FloatArray, difference: FloatArray) -> FloatArray:
    # c - p = 1 - K/F < 1 for any forward; a difference of one or more names none.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference < 1.0, strike / (1.0 - difference), np.nan)


def _best(bounds: FloatArray, pick: np.ufunc) -> float:  # type: ignore[type-arg]
    known = bounds[np.isfinite(bounds)]
    return float(pick(known)) if len(known) else float("nan")
