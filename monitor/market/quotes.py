"""What can be judged: a clean, out-of-the-money, two-sided chain in dimensionless coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, IntArray, frozen_floats, frozen_ints
from monitor.errors import DomainError
from monitor.outcome import Rejection


@dataclass(frozen=True, eq=False)
class Quotes:
    """A chain as the models see it: m expiries, n quotes, sorted by (tau, k).

    Attributes
    ----------
    venue, underlying : str
    as_of_ms : int
    expiry_ms : ndarray of shape (m,)
    tau, forward, discount : ndarray of shape (m,)
        Tenor in years; forward in dollars per coin; discount factor (1 for coin-settled options).
    parity_low, parity_high : ndarray of shape (m,)
        Tightest executable bounds on the forward from put–call parity through the spread. NaN
        where no strike has both sides of both options.
    expiry_index : ndarray of shape (n,)
    instrument : tuple of str, length n
    strike, k, open_interest : ndarray of shape (n,)
        `open_interest` NaN = absent.
    sign : ndarray of shape (n,)
        +1 call, -1 put; the out-of-the-money one.
    c_bid, c_ask : ndarray of shape (n,)
        Undiscounted premium over forward.
    tick : ndarray of shape (n,)
        Step of the ask's price, over forward.
    iv_bid, iv_ask, iv : ndarray of shape (n,)
        Implied vols of bid and ask, and their midpoint. ``iv_bid < iv_ask``.
    vega : ndarray of shape (n,)
        d c / d iv at `iv`.
    noise : ndarray of shape (n,)
        Half the width in vol, floored at half a tick in vol: what could be known of `iv`.
    mark_iv : ndarray of shape (n,)
        The venue's own. NaN = absent.
    n_selected : int
        Out-of-the-money instruments of unexpired options offered to cleaning: the denominator of
        rejection rates.
    rejections : tuple of Rejection
        Each quote and expiry left out, with its reason.
    """

    venue: str
    underlying: str
    as_of_ms: int
    expiry_ms: IntArray
    tau: FloatArray
    forward: FloatArray
    discount: FloatArray
    parity_low: FloatArray
    parity_high: FloatArray
    expiry_index: IntArray
    instrument: tuple[str, ...]
    strike: FloatArray
    k: FloatArray
    sign: FloatArray
    c_bid: FloatArray
    c_ask: FloatArray
    tick: FloatArray
    iv_bid: FloatArray
    iv_ask: FloatArray
    iv: FloatArray
    vega: FloatArray
    noise: FloatArray
    mark_iv: FloatArray
    open_interest: FloatArray
    n_selected: int
    rejections: tuple[Rejection, ...]

    def __post_init__(self) -> None:
        for name in ("expiry_ms", "expiry_index"):
            object.__setattr__(self, name, frozen_ints(getattr(self, name)))
        for name in (
            "tau forward discount parity_low parity_high strike k sign c_bid c_ask iv_bid iv_ask "
            "tick iv vega noise mark_iv open_interest"
        ).split():
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))
        if self.n and not (
            np.all(np.isfinite(self.iv)) and np.all(self.noise > 0) and np.all(self.vega > 0)
        ):
            raise DomainError("quotes must have finite vols, positive vega and positive noise")
        if np.any(self.iv_bid >= self.iv_ask):
            raise DomainError("quotes must have iv_bid < iv_ask")

    @property
    def n(self) -> int:
        """Number of quotes."""
        return len(self.k)

    @property
    def m(self) -> int:
        """Number of expiries with at least one quote."""
        return len(self.tau)
