"""What it is worth: a small reference book marked, hedged and stressed by each model.

The book is chosen by the chain alone and is the same for every model of a night (see
`monitor.replication.book`, also for what a dollar is here). Each number is a sum over its legs, so
wings and expiries add up to the chain. A leg that a model cannot value is named in a rejection and
left out; `n` counts the legs that are in.

The distance between models in a scenario is a matter of several fits, which no metric sees: it is
read from the stored rows of one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.conventions import MS_PER_DAY, expiry_label
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.places import WINGS
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection
from monitor.pricing.black import black_price
from monitor.replication.book import Book, build_book, dollars_per_coin
from monitor.replication.chain import PastChain
from monitor.replication.fees import fees_of
from monitor.replication.hedge import (
    HedgedNight,
    Reopened,
    hedge_one_night,
    model_deltas,
    reopen,
)
from monitor.stress.revalue import Options, revalue
from monitor.stress.scenarios import PORTFOLIO_MARGIN, Scenario

# Beyond it the last chain is of another night than the last one, and a gain over two days is not
# one over one.
MAX_GAP_DAYS = 1.5


@lru_cache(maxsize=4)
def _book(quotes: Quotes) -> Book:
    return build_book(PastChain.of(quotes))


@lru_cache(maxsize=4)
def _options(quotes: Quotes) -> Options:
    book = _book(quotes)
    chain, rows = book.chain, book.row
    return Options(book.expiry_ms, chain.tau[rows], chain.k[rows], chain.sign[rows], chain.w[rows])


def _dollars(evidence: Evidence, book: Book) -> FloatArray:
    """Return tonight's dollars per coin of gain in each leg, shape (l,)."""
    tonight = _book(evidence.quotes).chain
    return dollars_per_coin(tonight, book.expiry_ms, evidence.snapshot.price_unit)


@lru_cache(maxsize=4)
def _places(book: Book) -> tuple[tuple[str, ...], BoolArray]:
    """Return the scopes a book has legs in, s of them, and their legs, shape (s, l)."""
    wing = np.array(book.wing)
    places = {CHAIN: np.ones(book.n, np.bool_)}
    places |= {f"wing:{name}": wing == name for name in WINGS if name in book.wing}
    for expiry in np.unique(book.expiry_ms):
        places[f"expiry:{expiry_label(int(expiry))}"] = book.expiry_ms == expiry
    return tuple(places), np.stack(list(places.values()))


def _sums(
    metric: Metric,
    evidence: Evidence,
    book: Book,
    value: FloatArray,
    known: BoolArray,
    error: FloatArray | None = None,
) -> Iterator[Outcome]:
    """Yield the sum over the known legs at every place that has any."""
    scopes, here = _places(book)
    in_it = here & known
    counts = in_it.sum(axis=1).tolist()
    sums = np.where(in_it, value, 0.0).sum(axis=1).tolist()
    squares = None if error is None else np.where(in_it, error, 0.0) ** 2
    errors = [None] * len(scopes) if squares is None else np.sqrt(squares.sum(axis=1)).tolist()
    for scope, n, total, stderr in zip(scopes, counts, sums, errors, strict=True):
        if n:
            yield metric.value(evidence, total, scope=scope, n=n, stderr=stderr)


def _subject(metric: Metric, evidence: Evidence) -> str:
    name = "market" if evidence.model is None else evidence.model.name
    return f"{metric.name}/{name}"


def _left_out(
    metric: Metric, evidence: Evidence, book: Book, known: BoolArray, reason: str
) -> Iterator[Rejection]:
    """Yield one rejection that names the legs that are not known, if there are any."""
    if not known.all():
        out = [book.chain.label(int(row)) for row in book.row[~known]]
        detail = f"{len(out)} of {book.n} legs: {', '.join(out)}"
        yield Rejection("metric", reason, _subject(metric, evidence), detail)


def _no_book(metric: Metric, evidence: Evidence) -> Rejection:
    detail = "no quote of the chain can play any part of the reference book"
    return Rejection("metric", "no_book", _subject(metric, evidence), detail)


@metric(
    "book_vega_usd",
    unit="usd/vol",
    level="market",
    definition="Dollars that the reference book gains per 1.00 of vol: quantity times Black's vega "
    "at mid vol times dollars per coin; for the chain, each wing and each expiry. Negative where "
    "the book is short. Parts of the book that no option can play are rejections.",
    source="Own; the book is described in monitor.replication.book",
)
def book_vega_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the book's vega."""
    book = _book(evidence.quotes)
    for part in book.missing if book.n else ():
        yield Rejection("metric", "no_such_option", f"{metric.name}/{part}", "no quote in range")
    if not book.n:
        yield _no_book(metric, evidence)
        return
    value = book.quantity * book.vega() * _dollars(evidence, book)
    yield from _sums(metric, evidence, book, value, np.isfinite(value))


@lru_cache(maxsize=2)
def _misfit(evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """Return model less market value of each position in dollars, and its quote's noise."""
    quotes, fit = evidence.quotes, evidence.fit
    assert fit is not None
    book, options = _book(quotes), _options(quotes)
    w = fit.iv[book.row] ** 2 * options.tau
    size = book.quantity * _dollars(evidence, book)
    value, noise = _at_market(quotes)
    gap = black_price(options.k, w, options.sign) - value
    return size * gap, np.abs(size) * noise


@lru_cache(maxsize=4)
def _at_market(quotes: Quotes) -> tuple[FloatArray, FloatArray]:
    """Return the legs' premiums at the market's mid vols, and by how much noise moves them."""
    book, options = _book(quotes), _options(quotes)
    value = black_price(options.k, options.w, options.sign)
    return value, book.vega() * quotes.noise[book.row]


@metric(
    "book_misfit_usd",
    unit="usd",
    level="model",
    definition="Reference book at the model's vols less at the market's mid vols: leg by leg vega "
    "times misfit in vol, to first order; positive where the model values the book higher. For the "
    "chain, each wing and each expiry. Standard error: half the width of each leg in dollars, as "
    "if independent.",
    source="Own; mark-to-model difference as in prudent valuation, Delegated Regulation (EU) "
    "2016/101, article 11",
)
def book_misfit_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the net misfit in dollars."""
    book = _book(evidence.quotes)
    if not book.n:
        yield _no_book(metric, evidence)
        return
    value, noise = _misfit(evidence)
    known = np.isfinite(value)
    yield from _left_out(metric, evidence, book, known, "no_model_value")
    yield from _sums(metric, evidence, book, value, known, noise)


@metric(
    "book_misfit_gross_usd",
    unit="usd",
    level="model",
    definition="Misfit of the reference book as in book_misfit_usd, without netting: sum over legs "
    "of its size in dollars.",
    source="Own",
)
def book_misfit_gross_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gross misfit in dollars."""
    book = _book(evidence.quotes)
    if not book.n:
        yield _no_book(metric, evidence)
        return
    value, _ = _misfit(evidence)
    known = np.isfinite(value)
    yield from _left_out(metric, evidence, book, known, "no_model_value")
    yield from _sums(metric, evidence, book, np.abs(value), known)


@dataclass(frozen=True, eq=False)
class _Hedge:
    """Last night's book, its legs tonight, and what one model's hedge of it left."""

    book: Book
    tonight: Reopened
    night: HedgedNight


@lru_cache(maxsize=2)
def _hedge(evidence: Evidence) -> _Hedge | Rejection:
    """Return the model's hedged night, or why there is none; the subject is the caller's."""
    model, history = evidence.model, evidence.history
    assert model is not None
    chain, fit = history.last_chain, history.fits.get(model.name)
    if chain is None or fit is None:
        what = "chain" if chain is None else "fit"
        return Rejection("metric", "no_last_night", model.name, f"no earlier {what}")
    days = (evidence.snapshot.as_of_ms - chain.as_of_ms) / MS_PER_DAY
    if not 0.0 < days <= MAX_GAP_DAYS:
        detail = f"last chain {days:.2f} days old, at most {MAX_GAP_DAYS:g} make one night"
        return Rejection("metric", "gap", model.name, detail)
    fees = fees_of(evidence.quotes.venue, evidence.snapshot.price_unit)
    if fees is None:
        return Rejection("metric", "no_fees", model.name, "nobody has read this venue's fees")
    book = build_book(chain)
    if not book.n:
        return Rejection("metric", "no_book", model.name, "last night's chain gave no book")
    tonight = reopen(book, _book(evidence.quotes).chain)
    deltas = model_deltas(book, model, fit.params, fit.expiry_ms, fit.tau)
    night = hedge_one_night(book, deltas, tonight, _dollars(evidence, book), fees)
    if not night.known.any():
        return Rejection("metric", "not_quoted_tonight", model.name, "no leg has both nights")
    return _Hedge(book, tonight, night)


def _hedged(metric: Metric, evidence: Evidence) -> _Hedge | Rejection:
    found = _hedge(evidence)
    if isinstance(found, Rejection):
        return Rejection(found.stage, found.reason, _subject(metric, evidence), found.detail)
    return found


@metric(
    "hedge_error_usd",
    unit="usd",
    level="model",
    definition="Gain from last night to tonight, mid to mid, of last night's reference book hedged "
    "with last night's model delta (at constant moneyness) on each expiry's future, before costs; "
    "for the chain, each wing and each expiry. It holds the night's theta and gamma, alike for all "
    "models; models differ by their deltas. Legs without a quote tonight are left out.",
    source="Bakshi, Cao and Chen (1997), section V; coin settlement as in Alexander, Chen and "
    "Imeraj (2023)",
    needs="one night",
)
def hedge_error_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the hedged book's gain over one night."""
    found = _hedged(metric, evidence)
    if isinstance(found, Rejection):
        yield found
        return
    known, quoted = found.night.known, found.tonight.known
    yield from _left_out(metric, evidence, found.book, quoted, "not_quoted_tonight")
    yield from _left_out(metric, evidence, found.book, known | ~quoted, "no_model_value")
    yield from _sums(metric, evidence, found.book, found.night.error, known)


@metric(
    "hedge_cost_fees_usd",
    unit="usd",
    level="model",
    definition="The venue's taker fees for that night as a round trip: options opened and closed, "
    "futures opened and closed, netted by expiry. Positive is a cost.",
    source="Venue's published fees, see monitor.replication.fees",
    needs="one night",
)
def hedge_cost_fees_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the fees of the hedged night."""
    found = _hedged(metric, evidence)
    if isinstance(found, Rejection):
        yield found
        return
    night = found.night
    fees = float(night.option_fees.sum()) + night.future_fees
    yield metric.value(evidence, fees, n=int(night.known.sum()))


@metric(
    "hedge_cost_spread_usd",
    unit="usd",
    level="model",
    definition="Half the bid-ask width of the legs, last night and tonight: what trading them at "
    "the book instead of at mid costs. Futures are taken at mid: the chain holds no book of them. "
    "Positive is a cost.",
    source="Own",
    needs="one night",
)
def hedge_cost_spread_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the half-spreads of the hedged night."""
    found = _hedged(metric, evidence)
    if isinstance(found, Rejection):
        yield found
        return
    night = found.night
    yield metric.value(evidence, float(night.spread.sum()), n=int(night.known.sum()))


@metric(
    "stress_pnl_usd",
    unit="usd",
    level="model",
    definition="Gain of the unhedged reference book, revalued by the model after a move of spot "
    "and of vol less by the model now: coins gained times the moved dollars per coin. Scope: the "
    "cell. Spot -16 %, 0, +16 % by vol down, same, up, as the venue's portfolio margin has them; a "
    "model per expiry keeps its smile in k and moves each expiry's vols by the rule, a model of "
    "the surface scales its states until its 30-day vol has moved by it.",
    source="Deribit portfolio margin, see monitor.stress.scenarios",
)
def stress_pnl_usd(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the stressed gains; a cell in which a leg has no value has none itself."""
    model, fit, quotes = evidence.model, evidence.fit, evidence.quotes
    assert model is not None and fit is not None
    book = _book(quotes)
    if not book.n:
        yield _no_book(metric, evidence)
        return
    now, after = revalue(
        model, fit.params, quotes.expiry_ms, quotes.tau, _options(quotes), PORTFOLIO_MARGIN
    )
    size = book.quantity * _dollars(evidence, book)
    untold: list[Scenario] = []
    for scenario, c in after.items():
        gain = float(size @ (c - now)) * (1.0 + scenario.spot)
        # A sum without its worst leg would look better than the whole.
        if np.isfinite(gain):
            yield metric.value(evidence, gain, scope=f"stress:{scenario.name}", n=book.n)
        else:
            untold.append(scenario)
    if untold:
        # Either a leg has no value even now, or no value of the states gives the level asked for.
        reason = "out_of_reach" if np.isfinite(now).all() else "no_model_value"
        detail = ", ".join(scenario.name for scenario in untold)
        yield Rejection("metric", reason, _subject(metric, evidence), detail)
