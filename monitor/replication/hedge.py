r"""One night of a hedged book: sold at last night's mids, hedged by a model, bought back tonight.

Each leg is hedged with the dated future of its own expiry, held unchanged overnight. A coin-settled
future of notional h F0 dollars gains h (1 - F0/F1) coins, so a leg of one coin leaves

.. math:: (c_1 - c_0) - h\,(1 - F_0/F_1)\ \text{coins}, \qquad h = \Delta - c_0,

with Delta the model's dollar delta. The premium c_0 is a number of coins that has been received,
with a delta of its own; counting it with the option (Delta - c_0) or apart (Delta) gives the same
hedged gain, and quoted in dollars with a linear future it is the same formula once more, times the
forward. The gain holds what time took and what the forward's move cost beyond its first order: for
a model whose smile did move as it said, half of gamma times the squared move.

The hedge is at constant moneyness: Delta = N(d1) - n(d1) w'(k) / (2 sqrt(w)) on the model's own
smile of last night, which is what a model homogeneous in forward and strike says at constant
states. *Refused:* Black's delta at the market's vol, which is the same hedge for every model;
minimum-variance deltas, which need a model's dynamics and are not every model's to give.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray, frozen_floats
from monitor.models.base import Grid, Model
from monitor.pricing.greeks import smile_delta
from monitor.replication.book import Book, forward_of
from monitor.replication.chain import PastChain
from monitor.replication.fees import FeeSchedule

# Of a deviation: the slope's error is a millionth of the smile's third derivative, and a
# Fourier price's 1e-12 stays below a billionth.
_STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Reopened:
    """What a night-old book's legs trade at tonight.

    Attributes
    ----------
    c_bid, c_ask, forward : ndarray of shape (l,)
        NaN where the option has no clean two-sided quote tonight.
    """

    c_bid: FloatArray
    c_ask: FloatArray
    forward: FloatArray

    @property
    def known(self) -> BoolArray:
        """Whether the leg trades tonight, shape (l,)."""
        return np.isfinite(self.c_bid)


@dataclass(frozen=True, eq=False)
class HedgedNight:
    """What one model's hedge of the book left, leg by leg, in dollars of tonight.

    Attributes
    ----------
    known : ndarray of bool of shape (l,)
        Legs with a quote tonight and a delta of the model; the rest is zero in what follows.
    error : ndarray of shape (l,)
        Gain of leg and hedge at mids: positive is a gain.
    spread : ndarray of shape (l,)
        Half the bid–ask width, last night and tonight: a cost, positive. Of the options alone: the
        chain holds no book of the futures.
    option_fees : ndarray of shape (l,)
        For opening and for closing, positive.
    future_fees : float
        For opening and closing the hedge, netted by expiry, positive.
    """

    known: BoolArray
    error: FloatArray
    spread: FloatArray
    option_fees: FloatArray
    future_fees: float


@lru_cache(maxsize=4)
def reopen(book: Book, tonight: PastChain) -> Reopened:
    """Return what the book's options trade at on another night's chain.

    An option that went into the money overnight is not in that chain; its out-of-the-money twin
    of the same strike is, and has its price by parity: c - p = 1 - K/F.
    """
    chain, rows = book.chain, book.row
    at = {
        key: i
        for i, key in enumerate(
            zip(tonight.expiry_ms.tolist(), tonight.strike.tolist(), strict=True)
        )
    }
    keys = zip(chain.expiry_ms[rows].tolist(), chain.strike[rows].tolist(), strict=True)
    where = np.array([at.get(key, -1) for key in keys], dtype=np.int64)
    there = where >= 0
    shift = np.zeros(book.n)
    crossed = there & (tonight.sign[where] != chain.sign[rows]) if tonight.n else there
    shift[crossed] = -chain.sign[rows][crossed] * np.expm1(tonight.k[where[crossed]])
    c_bid, c_ask = np.full(book.n, np.nan), np.full(book.n, np.nan)
    bid, ask = tonight.premiums(where[there])
    c_bid[there], c_ask[there] = bid + shift[there], ask + shift[there]
    forward = forward_of(tonight, chain.expiry_ms[rows])
    return Reopened(*(frozen_floats(a) for a in (c_bid, c_ask, forward)))


def model_deltas(
    book: Book, model: Model, params: FloatArray, expiry_ms: IntArray, tau: FloatArray
) -> FloatArray:
    """Return a model's delta of each leg at constant moneyness, shape (l,).

    Parameters
    ----------
    book : Book
    model : Model
    params : ndarray of shape (P,)
        Fitted to the expiries `expiry_ms` at tenors `tau`, both of shape (m,). A fit of an earlier
        night than the book's is laid on the book's night as `Model.carry` says.

    Returns
    -------
    ndarray
        NaN where the model gives no vol.
    """
    if not book.n:
        return np.empty(0)
    grid, step = _stencil(book)
    carried = model.carry(params, expiry_ms, tau, grid)
    if len(carried) and not np.isfinite(carried).any():
        return np.full(book.n, np.nan)
    with np.errstate(all="ignore"):
        w = model.variance(carried, grid)
        w = np.where(w > 0.0, w, np.nan).reshape(-1, 3)
        slope = (w[:, 2] - w[:, 0]) / (2.0 * step)
        chain, rows = book.chain, book.row
        return smile_delta(chain.k[rows], w[:, 1], slope, chain.sign[rows])


@lru_cache(maxsize=4)
def _stencil(book: Book) -> tuple[Grid, FloatArray]:
    """Return the grid of every leg's k and a step either side, and the steps."""
    chain, rows = book.chain, book.row
    expiries, index = np.unique(chain.expiry_ms[rows], return_inverse=True)
    k, w = chain.k[rows], chain.w[rows]
    nearest = [
        int(np.flatnonzero(index == j)[np.argmin(np.abs(k[index == j]))])
        for j in range(len(expiries))
    ]
    step = _STEP * np.sqrt(w)
    points = k[:, None] + step[:, None] * np.array([-1.0, 0.0, 1.0])
    grid = Grid(expiries, chain.tau[rows][nearest], np.repeat(index, 3), points.ravel(), w[nearest])
    return grid, step


def hedge_one_night(
    book: Book,
    deltas: FloatArray,
    tonight: Reopened,
    dollars: FloatArray,
    fees: FeeSchedule,
) -> HedgedNight:
    """Return what the hedged book gained from its own night to tonight, and what trading costs.

    Parameters
    ----------
    book : Book
        Last night's, at last night's mids.
    deltas : ndarray of shape (l,)
        Dollar deltas of one coin of each leg.
    tonight : Reopened
    dollars : ndarray of shape (l,)
        Tonight's dollars per coin of gain, see `dollars_per_coin`.
    fees : FeeSchedule
    """
    chain, rows = book.chain, book.row
    known = tonight.known & np.isfinite(deltas) & np.isfinite(dollars)
    held = np.where(known, book.quantity, 0.0)
    rate = np.where(known, dollars, 0.0)
    bid0, ask0 = book.premiums
    bid1, ask1, forward1 = (
        np.where(known, a, 0.0) for a in (tonight.c_bid, tonight.c_ask, tonight.forward)
    )
    c0, c1 = 0.5 * (bid0 + ask0), 0.5 * (bid1 + ask1)
    ratio = chain.forward[rows] / np.where(known, forward1, 1.0)
    slope = np.where(known, deltas, 0.0)
    error = held * (c1 - c0 - (slope - c0) * (1.0 - ratio)) * rate
    spread = 0.5 * np.abs(held) * (ask0 - bid0 + ask1 - bid1) * rate
    option_fees = np.abs(held) * (fees.option_fee(c0) + fees.option_fee(c1)) * rate
    # A coin account hedges the option net of its premium, a dollar account the option.
    hedged = held * (slope - c0 if fees.price_unit == "coin" else slope) * rate
    future_fees = 0.0
    for expiry in np.unique(book.expiry_ms):
        here = (book.expiry_ms == expiry) & known
        if here.any():
            turned = abs(float(np.sum(hedged[here]))) * (1.0 + float(ratio[here][0]))
            future_fees += fees.future * turned
    return HedgedNight(known, error, spread, option_fees, future_fees)
