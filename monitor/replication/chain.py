"""A chain as the next night remembers it: what could be traded, at which two prices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.arrays import FloatArray, IntArray, digest_of, frozen_floats, frozen_ints
from monitor.conventions import expiry_label, log_moneyness_from_strike, tenor
from monitor.errors import DomainError
from monitor.market.quotes import Quotes
from monitor.pricing.black import black_price


@dataclass(frozen=True, eq=False)
class PastChain:
    """The clean out-of-the-money quotes of one night, each by expiry, strike and side.

    Premiums are derived from the vols, so that a chain read back from a store of vols is the same
    to the last bit as the one that was stored.

    Attributes
    ----------
    as_of_ms : int
    expiry_ms : ndarray of shape (n,)
    forward, strike : ndarray of shape (n,)
        Dollars per coin; the forward of the quote's own expiry.
    sign : ndarray of shape (n,)
        +1 call, -1 put.
    iv_bid, iv_ask : ndarray of shape (n,)
    """

    as_of_ms: int
    expiry_ms: IntArray
    forward: FloatArray
    strike: FloatArray
    sign: FloatArray
    iv_bid: FloatArray
    iv_ask: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "expiry_ms", frozen_ints(self.expiry_ms))
        for name in ("forward", "strike", "sign", "iv_bid", "iv_ask"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))
            if len(getattr(self, name)) != self.n:
                raise DomainError(f"{name} must have one entry a quote")

    @classmethod
    def of(cls, quotes: Quotes) -> PastChain:
        """Return what is kept of tonight's quotes."""
        j = quotes.expiry_index
        return cls(
            as_of_ms=quotes.as_of_ms,
            expiry_ms=quotes.expiry_ms[j],
            forward=quotes.forward[j],
            strike=quotes.strike,
            sign=quotes.sign,
            iv_bid=quotes.iv_bid,
            iv_ask=quotes.iv_ask,
        )

    @property
    def n(self) -> int:
        """Number of quotes."""
        return len(self.expiry_ms)

    @cached_property
    def tau(self) -> FloatArray:
        """Tenor in years, shape (n,)."""
        return frozen_floats(tenor(self.as_of_ms, self.expiry_ms))

    @cached_property
    def k(self) -> FloatArray:
        """Log-moneyness, shape (n,)."""
        return frozen_floats(log_moneyness_from_strike(self.strike, self.forward))

    @cached_property
    def w(self) -> FloatArray:
        """Total variance at the middle of both vols, shape (n,)."""
        return frozen_floats((0.5 * (self.iv_bid + self.iv_ask)) ** 2 * self.tau)

    def premiums(self, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return premium over forward at bid and at ask of some quotes, each of shape (rows,)."""
        k, tau, sign = self.k[rows], self.tau[rows], self.sign[rows]
        iv = np.stack([self.iv_bid[rows], self.iv_ask[rows]])
        c_bid, c_ask = black_price(k, iv * iv * tau, sign)
        return c_bid, c_ask

    def label(self, i: int) -> str:
        """Return an option's name without its venue's spelling: ``2026-03-27 100000 C``."""
        side = "C" if self.sign[i] > 0 else "P"
        return f"{expiry_label(int(self.expiry_ms[i]))} {self.strike[i]:.10g} {side}"

    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return digest_of(
            [
                self.as_of_ms,
                self.expiry_ms,
                self.forward,
                self.strike,
                self.sign,
                self.iv_bid,
                self.iv_ask,
            ]
        )
