"""What the feed and the liquidity say for themselves, before any model is asked.

What blinds makes the whole chain unfit to judge by; a doubt is told and blinds nobody. A wrong
forward and wrong marks are red at once: dollars are reckoned by them tonight, and on 306 recorded
nights (December 2025 to May 2026) no forward lay further outside parity than 2.8 bp, no future
further from its options' forward than 6.7 bp, and no marks further from the book than 0.94
half-spreads. The rest is amber, and red only when it has blinded for too long.

Of all 1,208 recorded chains one lies beyond the 3 bp of parity (ETH, 13 January 15:35, 3.5 bp), 96
(BTC) and 99 (ETH) in a hundred lie within the bounds. A forward wrong by 20 bp is found by 3 bp at
.99 of BTC's expiries of one to two months and .96 of ETH's, at .53 and .26 of those beyond three
months, whose spreads are wider; a limit of 4 bp would spare that chain and miss as many again of
ETH's (.91), one of 6 bp would find .78.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.market.snapshot import Snapshot
from monitor.verdict.base import Cause, Finding, Kind, Severity
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules

VENUE = "venue"  # the scope of a finding that is about the whole venue
_OUTAGES = ("VenueUnavailable",)  # reasons for which every chain of the venue is missing
_BP = 1e4


def blinding(snapshot: Snapshot, numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what makes the chain unfit to judge by."""
    for missing in snapshot.context.missing:
        if missing.subject == CHAIN:  # the venue gave none: nothing else can be said of it
            scope = VENUE if missing.reason in _OUTAGES else CHAIN
            none = _data("n_quotes", 0.0, float(rules.min_quotes), f"no chain: {missing.detail}")
            yield replace(none, scope=scope)
            return
    if numbers.history.chain_digest == snapshot.chain_digest:
        # What else is odd about it, as marks of yesterday under today's time, follows from that.
        yield _data("chain_age", None, None, "stale: the chain is last night's, to the last digit")
        return
    age = numbers.get("chain_age")
    if age is not None and age > rules.max_age_s:
        limit = rules.max_age_s
        yield _data("chain_age", age, limit, f"stale: {age:.0f} s old by the venue's clock")
    wrong = tuple(_units(numbers, rules))
    if wrong:  # that hardly a quote is usable, or no forward holds, follows from that
        yield from wrong
        return
    yield from _missing(numbers, rules)
    yield from _forwards(numbers, rules)


def _units(numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield which numbers of the feed contradict each other as wrong units do."""
    against = {
        "prices": "prices are {:.3g} times what the venue's own mark vols say",
        "forwards": "forwards are {:.3g} times the index",
    }
    for scope, words in against.items():
        factor, limit = numbers.get("unit_factor", scope), rules.max_unit_factor
        if factor is not None and not 1.0 / limit <= factor <= limit:
            message = f"wrong units: {words.format(factor)}"
            yield replace(_data("unit_factor", factor, limit, message), scope=scope)


def _missing(numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what is wrong with how many quotes there are."""
    crossed = numbers.get("rejected_share", "reason:crossed") or 0.0
    if crossed > rules.max_crossed_share:
        limit = rules.max_crossed_share
        message = f"{crossed:.1%} of quotes crossed, at most {limit:.1%} allowed"
        found = _data("rejected_share", crossed, limit, message)
        yield replace(found, scope="reason:crossed")  # by that number it is known to be over
    listed = numbers.get("listed_share")
    if listed is not None and listed < rules.min_listed_share:
        limit = rules.min_listed_share
        message = f"the chain holds {listed:.0%} of the listed options, at least {limit:.0%} wanted"
        yield _data("listed_share", listed, limit, message)
    n = numbers.get("n_quotes") or 0.0
    before = numbers.history.n_quotes
    rejected = numbers.get("rejected_share")
    # Quotes that are there but cannot be used are a thin market; quotes that are not there, a feed.
    cause = Cause.LIQUIDITY if rejected is not None and rejected > 0.3 else Cause.DATA
    if n < rules.min_quotes:
        message = f"{n:.0f} usable quotes, at least {rules.min_quotes} wanted"
        yield _data("n_quotes", n, float(rules.min_quotes), message, cause)
    elif before and n < rules.min_of_last_night * before:
        message = f"{n:.0f} usable quotes after {before} last night"
        yield _data("n_quotes", n, rules.min_of_last_night * before, message, cause)
    if rejected is not None and rejected > rules.max_rejected_share:
        limit = rules.max_rejected_share
        message = f"{rejected:.0%} of quotes rejected, at most {limit:.0%} allowed"
        yield _data("rejected_share", rejected, limit, message, Cause.LIQUIDITY)


def _forwards(numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what contradicts the forwards that options are priced off: parity, and futures."""
    against = (
        ("parity_gap", rules.max_parity_gap, "outside put-call parity"),
        ("future_gap", rules.max_future_gap, "from the future's mark"),
    )
    for metric, limit, words in against:
        gap = numbers.get(metric)
        if gap is None or abs(gap) <= limit:
            continue
        where = max(
            (v for v in numbers.scopes(metric) if v.scope != CHAIN),
            key=lambda v: abs(v.value),
            default=None,
        )
        expiry = "" if where is None else f" of {where.scope.removeprefix('expiry:')}"
        message = (
            f"the venue's forward{expiry} lies {_BP * abs(gap):.1f} bp {words}, "
            f"at most {_BP * limit:.1f} bp allowed"
        )
        yield replace(_data(metric, gap, limit, message), severity=Severity.RED)


def doubts(numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what is wrong with the data without making the book unusable."""
    marks = numbers.get("mark_rmse_z_spread")
    if marks is not None and marks > rules.max_mark_z_spread:
        limit = rules.max_mark_z_spread
        message = f"the venue's marks lie {marks:.1f} half-spreads from its book, rms"
        yield replace(_data("mark_rmse_z_spread", marks, limit, message), severity=Severity.RED)
    gap = numbers.get("iv30_dvol_gap")
    if gap is not None and abs(gap) > rules.max_dvol_gap:
        limit = rules.max_dvol_gap
        message = (
            f"the book's 30-day vol lies {100 * gap:+.1f} vol points from the venue's index, "
            f"at most {100 * limit:.1f} allowed"
        )
        yield _data("iv30_dvol_gap", gap, limit, message)
    free = numbers.found("butterfly_market")
    if free is not None and free.n and free.value > rules.max_butterfly_share * free.n:
        limit = rules.max_butterfly_share * free.n
        message = (
            f"{free.value:.0f} of {free.n} butterflies are given away, "
            f"at most {rules.max_butterfly_share:.0%} allowed: quotes of different moments"
        )
        yield _data("butterfly_market", free.value, limit, message)


def thin(numbers: Numbers, rules: JudgementRules, drift: DriftRules) -> Iterator[Finding]:
    """Yield by what the market is thinner than it used to be, once it is known how it used to be.

    It blinds nobody: what wider quotes explain of a model's error is told apart from what they do
    not, see `monitor.verdict.explained`.
    """
    width, usual = numbers.get("width_iv"), numbers.settled("width_iv", drift)
    if width is not None and usual is not None and width > rules.max_width_growth * usual:
        limit = rules.max_width_growth * usual
        message = (
            f"median width {100 * width:.2f} vol points, usually {100 * usual:.2f}: "
            f"{width / usual:.1f} times as wide"
        )
        yield _data("width_iv", width, limit, message, Cause.LIQUIDITY)
    share, before = numbers.get("rejected_share"), numbers.settled("rejected_share", drift)
    if share is not None and before is not None and share > before + rules.max_rejected_growth:
        limit = before + rules.max_rejected_growth
        message = f"{share:.0%} of quotes rejected, usually {before:.0%}"
        yield _data("rejected_share", share, limit, message, Cause.LIQUIDITY)


def _data(
    metric: str,
    value: float | None,
    threshold: float | None,
    message: str,
    cause: Cause = Cause.DATA,
) -> Finding:
    return Finding(Kind.DATA, cause, Severity.AMBER, None, metric, CHAIN, value, threshold, message)
