"""The reference book: a few options that stand for what a desk carries, chosen by the chain alone.

At the expiries nearest 7, 30 and 90 days the book is short an at-the-money pair (one put, one
call), short a 25-delta strangle and long a 10-delta put, one coin of each. Short premium in the
middle is what a desk that serves buyers of options ends the day with; the bought put is the
protection it keeps against a crash. The book is thus short vol, short the middle of both wings and
long the far put wing, so that an error of level, of skew or of curvature costs it something, at the
tenors in which most of the open interest stands. Deltas are Black's at the market's mid vol: no
model has a say in which options are asked about.

**Money.** A position is an option together with the coins that were paid or received for it: its
gain is a number of coins, c then against c now, and is worth that number times tonight's dollars
per coin. What the desk's other coins gain or lose is not the options' doing. For options quoted in
dollars the same formulas hold with the expiry's own forward as dollars per coin.

Dollars per coin are the forward of the chain's nearest expiry. *Refused:* the polled index: it is
of another moment than the chain, by seconds live and unknown in archives, and recorded chains need
not hold it; the nearest forward differs from spot by a few days' carry, which scales a sum of money
by less than a part in five hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray, frozen_floats, frozen_ints
from monitor.errors import DomainError
from monitor.pricing.greeks import delta, vega
from monitor.replication.chain import PastChain

TENOR_DAYS = (7.0, 30.0, 90.0)


@dataclass(frozen=True, slots=True)
class Role:
    """One option's part in the book, the same at every tenor.

    Attributes
    ----------
    name, wing : str
        `wing` is one of ``put``, ``centre``, ``call``.
    sign : float
        +1 call, -1 put.
    delta, low, high : float
        Size of the delta looked for, and the range beyond which an option is another risk. The
        ranges of one side do not overlap, so that no option has two parts.
    quantity : float
        Coins; negative where the book is short.
    """

    name: str
    wing: str
    sign: float
    delta: float
    low: float
    high: float
    quantity: float


ROLES = (
    Role("put10", "put", -1.0, 0.10, 0.05, 0.15, +1.0),
    Role("put25", "put", -1.0, 0.25, 0.15, 0.35, -1.0),
    Role("put50", "centre", -1.0, 0.50, 0.35, 0.65, -1.0),
    Role("call50", "centre", +1.0, 0.50, 0.35, 0.65, -1.0),
    Role("call25", "call", +1.0, 0.25, 0.15, 0.35, -1.0),
)


@dataclass(frozen=True, eq=False)
class Book:
    """Positions in the options of one chain.

    Attributes
    ----------
    chain : PastChain
    row : ndarray of shape (l,)
        Which quote of the chain each leg is, rising: legs stand sorted by (tau, k).
    quantity : ndarray of shape (l,)
        Coins.
    wing : tuple of str, length l
    missing : tuple of str
        Parts that no option of the chain can play: ``30d/put10``.
    """

    chain: PastChain
    row: IntArray
    quantity: FloatArray
    wing: tuple[str, ...]
    missing: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "row", frozen_ints(self.row))
        object.__setattr__(self, "quantity", frozen_floats(self.quantity))

    @property
    def n(self) -> int:
        """Number of legs."""
        return len(self.row)

    @property
    def expiry_ms(self) -> IntArray:
        """Expiry of each leg, shape (l,)."""
        return self.chain.expiry_ms[self.row]

    @cached_property
    def premiums(self) -> tuple[FloatArray, FloatArray]:
        """Premium over forward of each leg at bid and at ask, each of shape (l,)."""
        return self.chain.premiums(self.row)

    def vega(self) -> FloatArray:
        """Return d c / d iv of one coin of each leg at mid vol, shape (l,)."""
        chain, row = self.chain, self.row
        return vega(chain.k[row], chain.w[row], chain.tau[row])


# A night asks for one book several times over, by each model: chains are compared by identity.
@lru_cache(maxsize=4)
def build_book(chain: PastChain) -> Book:
    """Return the reference book on a chain.

    Parameters
    ----------
    chain : PastChain
        Any, an empty one too.

    Returns
    -------
    Book
        Two tenors that share their nearest expiry (in log tenor) have it once.
    """
    found: list[tuple[int, float, str]] = []
    missing: list[str] = []
    size = np.abs(delta(chain.k, chain.w, chain.sign))
    taken: set[int] = set()
    for days in TENOR_DAYS:
        expiry = _nearest_expiry(chain, days)
        if expiry is None:
            missing += [f"{days:g}d/{role.name}" for role in ROLES]
            continue
        if expiry in taken:
            continue
        taken.add(expiry)
        for role in ROLES:
            fits = (chain.expiry_ms == expiry) & (chain.sign == role.sign)
            rows = np.flatnonzero(fits & (size >= role.low) & (size < role.high))
            if len(rows):
                row = rows[np.argmin(np.abs(size[rows] - role.delta))]
                found.append((int(row), role.quantity, role.wing))
            else:
                missing.append(f"{days:g}d/{role.name}")
    found.sort()
    return Book(
        chain=chain,
        row=np.array([row for row, _, _ in found], dtype=np.int64),
        quantity=np.array([quantity for _, quantity, _ in found]),
        wing=tuple(wing for _, _, wing in found),
        missing=tuple(missing),
    )


def _nearest_expiry(chain: PastChain, days: float) -> int | None:
    if not chain.n:
        return None
    return int(chain.expiry_ms[np.argmin(np.abs(np.log(chain.tau * (365.0 / days))))])


def dollars_per_coin(chain: PastChain, expiry_ms: IntArray, price_unit: str) -> FloatArray:
    """Return what a coin of gain counts for in options of the given expiries, same shape.

    Parameters
    ----------
    chain : PastChain
        Tonight's.
    expiry_ms : ndarray
    price_unit : {"coin", "usd"}
        As in the snapshot: how the venue quotes and settles.

    Returns
    -------
    ndarray
        ``coin``: the nearest expiry's forward. ``usd``: each expiry's own. NaN where the chain
        has no such expiry.

    Raises
    ------
    DomainError
        If `price_unit` is neither.
    """
    if price_unit == "coin":
        nearest = chain.forward[np.argmin(chain.expiry_ms)] if chain.n else np.nan
        return np.full(np.shape(expiry_ms), nearest)
    if price_unit == "usd":
        return forward_of(chain, expiry_ms)
    raise DomainError(f"price_unit must be 'coin' or 'usd', was {price_unit!r}")


def forward_of(chain: PastChain, expiry_ms: IntArray) -> FloatArray:
    """Return the chain's forward at each expiry, same shape; NaN where it has none."""
    known = dict(zip(chain.expiry_ms.tolist(), chain.forward.tolist(), strict=True))
    return np.array([known.get(int(e), np.nan) for e in expiry_ms], dtype=np.float64)
