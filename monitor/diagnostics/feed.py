"""Is the data fit to judge by? Age, coverage, rejections, widths, forwards, the venue's marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from monitor.conventions import (
    expiry_label,
    log_moneyness_from_strike,
    premium_from_quote,
    tenor,
)
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.outcome import Rejection
from monitor.pricing.black import black_price

SOURCE = "Own; the venue's published conventions"


@metric(
    "n_quotes",
    unit="count",
    level="market",
    definition="Quotes that passed cleaning; for the chain and each expiry.",
    source=SOURCE,
)
def n_quotes(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield counts of usable quotes."""
    quotes = evidence.quotes
    yield metric.value(evidence, quotes.n, n=quotes.n)
    counts = np.bincount(quotes.expiry_index, minlength=quotes.m)
    for expiry_ms, count in zip(quotes.expiry_ms, counts, strict=True):
        scope = f"expiry:{expiry_label(int(expiry_ms))}"
        yield metric.value(evidence, int(count), scope=scope, n=int(count))


@metric(
    "rejected_share",
    unit="share",
    level="market",
    definition="Share of the selected out-of-the-money quotes that cleaning rejected; for the "
    "chain and each reason.",
    source=SOURCE,
)
def rejected_share(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield rejection rates."""
    quotes = evidence.quotes
    if not quotes.n_selected:
        yield Rejection("metric", "no_quotes", metric.name, "no out-of-the-money quote was offered")
        return
    reasons = Counter(r.reason for r in quotes.rejections if r.stage == "quote")
    n = quotes.n_selected
    yield metric.value(evidence, sum(reasons.values()) / n, n=n)
    for reason, count in sorted(reasons.items()):
        yield metric.value(evidence, count / n, scope=f"reason:{reason}", n=n)


@metric(
    "listed_share",
    unit="share",
    level="market",
    definition="Rows of the chain over the live option instruments that the venue lists.",
    source=SOURCE,
)
def listed_share(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the coverage of the listing; recorded chains do not know it."""
    listed = evidence.snapshot.n_listed
    if not listed:
        yield Rejection("metric", "not_asked", metric.name, "the snapshot holds no listing")
    else:
        yield metric.value(evidence, len(evidence.snapshot) / listed, n=listed)


@metric(
    "chain_age",
    unit="s",
    level="market",
    definition="The venue's clock when the chain arrived minus the chain's own time.",
    source=SOURCE,
)
def chain_age(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the age of the chain by the venue's clock; recorded chains do not know it."""
    now = evidence.snapshot.venue_now_ms
    if now is None:
        yield Rejection("metric", "not_asked", metric.name, "the snapshot holds no venue clock")
    else:
        yield metric.value(evidence, (now - evidence.snapshot.as_of_ms) / 1000.0, n=1)


@metric(
    "width_iv",
    unit="vol",
    level="market",
    definition="Median bid–ask width in vol over the usable quotes.",
    source=SOURCE,
)
def width_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the median width."""
    quotes = evidence.quotes
    if quotes.n:
        width = float(np.median(quotes.iv_ask - quotes.iv_bid))
        yield metric.value(evidence, width, n=quotes.n)
    else:
        yield Rejection("metric", "no_quotes", metric.name, "")


@metric(
    "half_width_rms_iv",
    unit="vol",
    level="market",
    definition="Root mean square of half the bid–ask width in vol over the usable quotes: what "
    "errors of a right model grow with.",
    source=SOURCE,
)
def half_width_rms_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the size of half-widths, in which the far options count most."""
    quotes = evidence.quotes
    if quotes.n:
        half = 0.5 * (quotes.iv_ask - quotes.iv_bid)
        yield metric.value(evidence, float(np.sqrt(np.mean(half**2))), n=quotes.n)
    else:
        yield Rejection("metric", "no_quotes", metric.name, "")


@metric(
    "unit_factor",
    unit="1",
    level="market",
    definition="By what factor numbers of the feed contradict each other: median over two-sided "
    "out-of-the-money options of the mid price over Black's at the venue's own mark vol (prices), "
    "and median of forwards over the index (forwards); for the chain the one further from 1. One "
    "where prices, vols, forwards and index are in the units they should be.",
    source=SOURCE,
)
def unit_factor(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the factors; they are asked of the chain as it came, whatever cleaning leaves of it."""
    chain = evidence.snapshot
    factors = {}
    if chain.index_price is not None and chain.index_price > 0.0 and len(chain):
        factors["forwards"] = chain.forward / chain.index_price
    k = log_moneyness_from_strike(chain.strike, chain.forward)
    mid = premium_from_quote(0.5 * (chain.bid + chain.ask), chain.forward, chain.price_unit)
    w = chain.mark_iv**2 * tenor(chain.as_of_ms, chain.expiry_ms)
    asked = (chain.bid > 0.0) & (chain.ask > 0.0) & (w > 0.0) & ((k > 0.0) == chain.is_call)
    if asked.any():
        sign = np.where(chain.is_call[asked], 1.0, -1.0)
        fair = black_price(k[asked], w[asked], sign)
        factors["prices"] = mid[asked] / np.maximum(fair, np.finfo(float).tiny)
    if not factors:
        yield Rejection("metric", "no_marks", metric.name, "neither an index nor marks to compare")
        return
    medians = {what: float(np.median(factor)) for what, factor in factors.items()}
    worst = max(medians.values(), key=lambda factor: abs(np.log(factor)))
    yield metric.value(evidence, worst, n=len(chain))
    for what, factor in medians.items():
        yield metric.value(evidence, factor, scope=what, n=len(factors[what]))


@metric(
    "parity_gap",
    unit="share",
    level="market",
    definition="How far the venue's forward lies outside the bounds that put–call parity sets "
    "through the spread, over the forward, signed; zero inside. Where the bounds cross it lies "
    "outside both, and the larger counts. Each expiry, and the largest.",
    source="Put–call parity; Deribit settles in coin: c - p = 1 - K/F",
)
def parity_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield parity gaps."""
    quotes = evidence.quotes
    above = np.fmax(quotes.forward - quotes.parity_high, 0.0)
    below = np.fmax(quotes.parity_low - quotes.forward, 0.0)
    gaps = np.where(above >= below, above, -below) / quotes.forward
    known = np.isfinite(quotes.parity_low) & np.isfinite(quotes.parity_high)
    if not known.any():
        yield Rejection("metric", "no_pairs", metric.name, "no strike with both sides of both")
        return
    worst = float(gaps[known][np.argmax(np.abs(gaps[known]))])
    yield metric.value(evidence, worst, n=int(known.sum()))
    for j in np.flatnonzero(known):
        scope = f"expiry:{expiry_label(int(quotes.expiry_ms[j]))}"
        yield metric.value(evidence, float(gaps[j]), scope=scope, n=1)


@metric(
    "future_gap",
    unit="share",
    level="market",
    definition="Venue's option forward minus the mark of the dated future of the same expiry, over "
    "the mark; each expiry with a future, and the largest.",
    source=SOURCE,
)
def future_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield gaps between the forwards options are priced off and the futures."""
    quotes, context = evidence.quotes, evidence.snapshot.context
    marks = dict(zip(context.future_expiry_ms.tolist(), context.future_mark, strict=True))
    gaps = {
        int(expiry): float(forward / marks[int(expiry)] - 1.0)
        for expiry, forward in zip(quotes.expiry_ms, quotes.forward, strict=True)
        if marks.get(int(expiry), 0.0) > 0
    }
    if not gaps:
        yield Rejection("metric", "no_futures", metric.name, "the snapshot holds no futures marks")
        return
    yield metric.value(evidence, max(gaps.values(), key=abs), n=len(gaps))
    for expiry, gap in gaps.items():
        yield metric.value(evidence, gap, scope=f"expiry:{expiry_label(expiry)}", n=1)


@metric(
    "mark_rmse_z_spread",
    unit="half-spreads",
    level="market",
    definition="Root mean square of the venue's mark vol minus mid vol, in half-spreads: a second "
    "opinion, the venue's mark being a model itself.",
    source=SOURCE,
)
def mark_rmse_z_spread(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the distance of the venue's marks from the middle of its book."""
    quotes = evidence.quotes
    z = (quotes.mark_iv - quotes.iv) / (0.5 * (quotes.iv_ask - quotes.iv_bid))
    z = z[np.isfinite(z)]
    if len(z):
        yield metric.value(evidence, float(np.sqrt(np.mean(z**2))), n=len(z))
    else:
        yield Rejection("metric", "no_marks", metric.name, "no quote has a mark vol")
