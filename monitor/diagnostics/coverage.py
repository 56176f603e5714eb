"""How much of what is listed was measured: a verdict on a tenth of the book is a tenth of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.conventions import expiry_label, log_moneyness_from_strike, tenor
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.places import call_delta, wing_of_delta
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.outcome import Rejection
from monitor.pricing.black import black_vega


@metric(
    "coverage",
    unit="share",
    level="market",
    definition="Share of the listed vega that was measured: vega of the strikes with a usable "
    "quote over that of every live strike of the chain, at the venue's mark vols (where it gives "
    "none, the nearest usable vol of the expiry), times the share of the listing in the chain.",
    source="Own",
)
def coverage(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share of the listed vega that stands behind tonight's verdicts."""
    snapshot, quotes = evidence.snapshot, evidence.quotes
    strikes = listed_strikes(snapshot, quotes)
    listed = float(strikes.vega.sum())
    if not listed > 0:
        yield Rejection("metric", "no_vega", metric.name, "no strike of the chain has a vol")
        return
    share = float(strikes.vega[strikes.is_usable].sum()) / listed
    if snapshot.n_listed:
        share *= min(1.0, len(snapshot) / snapshot.n_listed)
    yield metric.value(evidence, share, n=len(strikes.vega))


@dataclass(frozen=True, eq=False)
class ListedStrikes:
    """Every live strike of a chain, its put and its call counted once: they have one vega.

    Attributes
    ----------
    expiry_ms : ndarray of shape (s,)
    delta : ndarray of shape (s,)
        Forward delta of the call; NaN where nobody gives a vol.
    vega : ndarray of shape (s,)
        Dollars a unit of vol, of one coin's option; 0 where nobody gives a vol.
    is_usable : ndarray of bool of shape (s,)
        Whether a quote of it was measured.
    """

    expiry_ms: IntArray
    delta: FloatArray
    vega: FloatArray
    is_usable: BoolArray

    def places(self) -> Iterator[tuple[str, int]]:
        """Yield each strike's expiry, as it is written, and its wing's place in `WINGS`."""
        label = {e: expiry_label(e) for e in np.unique(self.expiry_ms).tolist()}
        wings = wing_of_delta(self.delta).tolist()
        return ((label[e], w) for e, w in zip(self.expiry_ms.tolist(), wings, strict=True))


@lru_cache(maxsize=4)
def listed_strikes(snapshot: Snapshot, quotes: Quotes) -> ListedStrikes:
    """Return all live strikes, at the venue's mark vols or the nearest usable vol of the expiry."""
    usable = {
        (int(quotes.expiry_ms[j]), strike)
        for j, strike in zip(quotes.expiry_index.tolist(), quotes.strike.tolist(), strict=True)
    }
    expiries, deltas, vegas, marks = [], [], [], []
    for expiry in np.unique(snapshot.expiry_ms).tolist():
        rows = np.flatnonzero(snapshot.expiry_ms == expiry)
        strike, first = np.unique(snapshot.strike[rows], return_index=True)
        tau = float(tenor(snapshot.as_of_ms, np.array([expiry]))[0])
        if tau <= 0:
            continue
        forward = snapshot.forward[rows][first]
        k = log_moneyness_from_strike(strike, forward)
        iv = _vols(snapshot.mark_iv[rows][first], k, quotes, expiry)
        vega = forward * black_vega(k, iv**2 * tau) * np.sqrt(tau)
        expiries.append(np.full(len(strike), expiry, dtype=np.int64))
        deltas.append(call_delta(k, iv * np.sqrt(tau)))
        vegas.append(np.where(np.isfinite(vega), vega, 0.0))
        marks.append(np.array([(expiry, s) in usable for s in strike.tolist()], dtype=np.bool_))
    if not expiries:
        nothing = np.empty(0)
        return ListedStrikes(np.empty(0, np.int64), nothing, nothing, np.empty(0, np.bool_))
    return ListedStrikes(
        np.concatenate(expiries),
        np.concatenate(deltas),
        np.concatenate(vegas),
        np.concatenate(marks),
    )


def _vols(mark_iv: FloatArray, k: FloatArray, quotes: Quotes, expiry_ms: int) -> FloatArray:
    """Return a vol for each strike of an expiry; NaN where nobody gives one."""
    mine = quotes.expiry_ms[quotes.expiry_index] == expiry_ms
    known = np.isfinite(mark_iv) & (mark_iv > 0)
    if known.all():
        return mark_iv
    at, iv = (quotes.k[mine], quotes.iv[mine]) if mine.any() else (k[known], mark_iv[known])
    if not len(at):
        return np.full_like(k, np.nan)
    return np.where(known, mark_iv, np.interp(k, at, iv))
