"""How much of what is listed was measured: a verdict on a tenth of the book is a tenth of one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import log_moneyness_from_strike, tenor
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
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
    listed, measured, n = _vegas(snapshot, quotes)
    if not listed > 0:
        yield Rejection("metric", "no_vega", metric.name, "no strike of the chain has a vol")
        return
    share = measured / listed
    if snapshot.n_listed:
        share *= min(1.0, len(snapshot) / snapshot.n_listed)
    yield metric.value(evidence, share, n=n)


def _vegas(snapshot: Snapshot, quotes: Quotes) -> tuple[float, float, int]:
    """Return the vega of all live strikes, of those with a usable quote, and how many strikes."""
    usable = {
        (int(quotes.expiry_ms[j]), strike)
        for j, strike in zip(quotes.expiry_index.tolist(), quotes.strike.tolist(), strict=True)
    }
    listed = measured = 0.0
    n = 0
    for expiry in np.unique(snapshot.expiry_ms).tolist():
        rows = np.flatnonzero(snapshot.expiry_ms == expiry)
        # A put and a call of one strike have one vega: each strike is counted once.
        strike, first = np.unique(snapshot.strike[rows], return_index=True)
        tau = float(tenor(snapshot.as_of_ms, np.array([expiry]))[0])
        if tau <= 0:
            continue
        k = log_moneyness_from_strike(strike, snapshot.forward[rows][first])
        iv = _vols(snapshot.mark_iv[rows][first], k, quotes, expiry)
        vega = snapshot.forward[rows][first] * black_vega(k, iv**2 * tau) * np.sqrt(tau)
        vega = np.where(np.isfinite(vega), vega, 0.0)
        is_usable = np.array([(expiry, s) in usable for s in strike.tolist()])
        listed += float(vega.sum())
        measured += float(vega[is_usable].sum())
        n += len(strike)
    return listed, measured, n


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
