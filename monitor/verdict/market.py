"""Is the chain fit to judge by, and has the smile itself changed its ways?

The market is judged first and gets a row of its own on the board. A chain that is not fit to judge
by makes every model's verdict inconclusive: a feed fault is never called misspecification.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.market.snapshot import Snapshot
from monitor.verdict import feed
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.feed import VENUE as VENUE
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules

MARKET = "market"  # the name of the market's row on the board


def judge_market(
    snapshot: Snapshot, numbers: Numbers, rules: JudgementRules, drift: DriftRules
) -> Verdict:
    """Return the verdict on the chain and on the model-free smile."""
    blinding = tuple(feed.blinding(snapshot, numbers, rules))
    if blinding:
        return Verdict(MARKET, Status.INCONCLUSIVE, blinding[0].message, blinding)
    doubts = (*feed.doubts(numbers, rules), *feed.thin(numbers, rules, drift))
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
