"""Is the chain fit to judge by, and has the smile itself changed its ways?

The market is judged first and gets a row of its own on the board. A chain that is not fit to judge
by makes every model's verdict inconclusive: a feed fault is never called misspecification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.market.snapshot import Snapshot
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules

MARKET = "market"  # the name of the market's row on the board
VENUE = "venue"  # the scope of a finding that is about the whole venue
_OUTAGES = ("VenueUnavailable",)  # reasons for which every chain of the venue is missing


def judge_market(
    snapshot: Snapshot, numbers: Numbers, rules: JudgementRules, drift: DriftRules
) -> Verdict:
    """Return the verdict on the chain and on the model-free smile."""
    blinding = tuple(_blinding(snapshot, numbers, rules))
    doubts = tuple(_doubts(numbers, rules))
    if blinding:
        return Verdict(MARKET, Status.INCONCLUSIVE, blinding[0].message, blinding + doubts)
    moved = tuple(_smile(numbers, rules, drift))
    findings = doubts + moved
    paging = [f for f in findings if f.severity is not None and f.severity is not Severity.INFO]
    if paging:
        return Verdict(MARKET, Status.WATCH, paging[0].message, findings)
    learning = numbers.learning()
    if learning is not None:
        return Verdict(MARKET, Status.INCONCLUSIVE, f"learning: {learning}", findings)
    reason = moved[0].message if moved else "data fit to judge by; smile within its usual ways"
    return Verdict(MARKET, Status.ADEQUATE, reason, findings)


def _blinding(snapshot: Snapshot, numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what makes the chain unfit to judge by."""
    for missing in snapshot.context.missing:
        if missing.subject == CHAIN:  # the venue gave none: nothing else can be said of it
            scope = VENUE if missing.reason in _OUTAGES else CHAIN
            none = _data("n_quotes", 0.0, float(rules.min_quotes), f"no chain: {missing.detail}")
            yield replace(none, scope=scope)
            return
    if numbers.history.chain_digest == snapshot.chain_digest:
        yield _data("chain_age", None, None, "stale: the chain is last night's, to the last digit")
    age = numbers.get("chain_age")
    if age is not None and age > rules.max_age_s:
        limit = rules.max_age_s
        yield _data("chain_age", age, limit, f"stale: {age:.0f} s old by the venue's clock")
    crossed = numbers.get("rejected_share", "reason:crossed") or 0.0
    if crossed > rules.max_crossed_share:
        limit = rules.max_crossed_share
        message = f"{crossed:.1%} of quotes crossed, at most {limit:.1%} allowed"
        yield _data("rejected_share", crossed, limit, message)
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
    gap = numbers.get("parity_gap")
    if gap is not None and abs(gap) > rules.max_parity_gap:
        limit = rules.max_parity_gap
        message = (
            f"the venue's forward lies {1e4 * abs(gap):.1f} bp outside put-call parity, "
            f"at most {1e4 * limit:.1f} bp allowed"
        )
        yield _data("parity_gap", gap, limit, message)


def _doubts(numbers: Numbers, rules: JudgementRules) -> Iterator[Finding]:
    """Yield what is wrong with the data without making the book unusable."""
    marks = numbers.get("mark_rmse_z_spread")
    if marks is not None and marks > rules.max_mark_z_spread:
        limit = rules.max_mark_z_spread
        message = f"the venue's marks lie {marks:.1f} half-spreads from its book, rms"
        yield _data("mark_rmse_z_spread", marks, limit, message)


def _smile(numbers: Numbers, rules: JudgementRules, drift: DriftRules) -> Iterator[Finding]:
    for score in numbers.scopes("smile_change_score"):
        if abs(score.value) <= 1.0:
            continue
        headline = score.scope.removeprefix("headline:")
        now, usual = numbers.get(headline), numbers.usual(headline, drift)
        moved = f"{headline} at 30 days {now:.4f}, usually {usual:.4f}: {score.value:+.1f} limits"
        if headline == "atm_iv":
            # A state: every model follows the level, and the level is news of the market.
            severity, cause = Severity.INFO, Cause.MARKET
        else:
            cause = Cause.MISSPECIFICATION
            lasting = numbers.streak(Kind.DRIFT, "smile_change_score", score.scope) + 1
            material = abs((now or 0.0) - (usual or 0.0)) >= rules.material_iv
            settled = score.n >= drift.settled_nights
            red = settled and material and lasting >= rules.persistent_nights
            severity = Severity.RED if red else Severity.AMBER
        yield Finding(
            Kind.DRIFT,
            cause,
            severity,
            None,
            "smile_change_score",
            score.scope,
            score.value,
            1.0,
            moved,
            _worth(headline, now, usual, numbers),
        )


# Which part of the reference book a number of the smile moves: a risk reversal is put down to the
# put wing, where the skew of coins lives; a butterfly lifts both wings together.
_MOVES = {
    "atm_iv": (CHAIN,),
    "rr25": ("wing:put",),
    "bf25": ("wing:put", "wing:call"),
}


def _worth(headline: str, now: float | None, usual: float | None, numbers: Numbers) -> float | None:
    """Return the size of the smile's change in dollars: change times the book's vega there."""
    vegas = [numbers.get("book_vega_usd", scope) for scope in _MOVES.get(headline, ())]
    known = [v for v in vegas if v is not None]
    if now is None or usual is None or not known:
        return None
    return abs((now - usual) * sum(known))


def _data(
    metric: str,
    value: float | None,
    threshold: float | None,
    message: str,
    cause: Cause = Cause.DATA,
) -> Finding:
    return Finding(Kind.DATA, cause, Severity.AMBER, None, metric, CHAIN, value, threshold, message)
