"""Where on the surface: the chain, an expiry, a wing.

Wings follow Black's forward delta at the market's own vol, so that a place means the same risk at
every tenor: a quote belongs to the wing whose 25-delta point is nearer than the 50-delta one. Every
quote lies in one expiry and in one wing, so that parts can be added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from monitor.arrays import BoolArray, FloatArray, IntArray, frozen_bools, frozen_ints
from monitor.conventions import expiry_label
from monitor.diagnostics.base import CHAIN
from monitor.market.quotes import Quotes

WINGS = ("put", "centre", "call")
_WING_DELTA = 0.375  # half-way between 25 and 50 delta


def call_delta(k: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return N(d1), the forward delta of a call, from log-moneyness and total deviation."""
    return np.asarray(ndtr(-k / deviation + 0.5 * deviation))


# Every metric of every model asks where tonight's quotes lie: chains are compared by identity.
@lru_cache(maxsize=4)
def wing_index(quotes: Quotes) -> IntArray:
    """Return 0, 1 or 2 for each quote: its place in `WINGS`. Read-only."""
    deviation = quotes.iv * np.sqrt(quotes.tau[quotes.expiry_index])
    return frozen_ints(wing_of_delta(call_delta(quotes.k, deviation)))


def wing_of_delta(delta: FloatArray) -> IntArray:
    """Return the place in `WINGS` of a call's forward delta; the centre where it is NaN."""
    return np.where(delta < _WING_DELTA, 2, np.where(delta > 1 - _WING_DELTA, 0, 1))


@lru_cache(maxsize=4)
def places(quotes: Quotes, *, expiries: bool = True) -> tuple[tuple[str, BoolArray], ...]:
    """Return each scope with the quotes in it: the chain, the wings, then the expiries. Read-only.

    Wings without quotes are passed over.
    """
    return tuple((scope, frozen_bools(here)) for scope, here in _places(quotes, expiries))


def _places(quotes: Quotes, expiries: bool) -> Iterator[tuple[str, BoolArray]]:
    yield CHAIN, np.ones(quotes.n, dtype=bool)
    wings = wing_index(quotes)
    for i, wing in enumerate(WINGS):
        if (wings == i).any():
            yield f"wing:{wing}", wings == i
    if expiries:
        for j, expiry_ms in enumerate(quotes.expiry_ms):
            yield f"expiry:{expiry_label(int(expiry_ms))}", quotes.expiry_index == j
