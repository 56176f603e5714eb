"""Is the chain fit to judge by, and has the smile itself changed its ways?

The market is judged first and gets a row of its own on the board. A chain that is not fit to judge
by makes every model's verdict inconclusive: a feed fault is never called misspecification.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.headlines import EXPIRY_GAP, LEVEL, SMILE_HEADLINES
from monitor.diagnostics.points import GAP
from monitor.market.snapshot import Snapshot
from monitor.numerics.charts import LEAST
from monitor.verdict import feed
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.feed import VENUE as VENUE
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules
from monitor.verdict.where import out_of_line, where_bent

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
        moved = numbers.get("smile_change_size", score.scope)
        if headline == LEVEL.name:
            # A state: every model follows the level, and the level is news of the market.
            now, usual = numbers.get(headline), numbers.usual(headline, drift)
            known = now is not None and usual is not None
            words = f"{headline} at 30 days {now:.4f}, usually {usual:.4f}" if known else headline
            severity, cause = Severity.INFO, Cause.MARKET
            moved = _beyond_usual(headline, numbers, drift)
        else:
            cause = Cause.MISSPECIFICATION
            if headline == EXPIRY_GAP:  # charted by its cube root, told in vol
                moved = _beyond_usual(GAP, numbers, drift)
            words = _words(headline, moved, numbers)
            lasting = numbers.streak(Kind.DRIFT, "smile_change_score", score.scope) + LEAST
            material = moved is not None and abs(moved) >= rules.material_iv
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
            f"{words}: {score.value:+.1f} limits",
            _worth(headline, moved, numbers),
        )


def _beyond_usual(metric: str, numbers: Numbers, drift: DriftRules) -> float | None:
    """Return how far a number of the chain lies from its usual value, in its own unit."""
    now, usual = numbers.get(metric), numbers.usual(metric, drift)
    return now - usual if now is not None and usual is not None else None


def _words(headline: str, moved: float | None, numbers: Numbers) -> str:
    """Return what has moved, by how much against its reference, and where most."""
    of = next((h for h in SMILE_HEADLINES if h.name == headline), None)
    said = of.words if of is not None else headline
    if moved is not None:
        said += f" {100 * moved:+.2f} vol points"
    return said + where_bent(headline, numbers)


# Which part of the reference book a number of the smile moves.
_MOVES = {LEVEL.name: (CHAIN,), "put_wing": ("wing:put",), "call_wing": ("wing:call",)}


def _worth(headline: str, moved: float | None, numbers: Numbers) -> float | None:
    """Return the size of the smile's change in dollars: change times the book's vega there."""
    scopes: tuple[str, ...] = _MOVES.get(headline, ())
    if headline == EXPIRY_GAP:
        scopes = tuple(f"expiry:{e}" for e in [out_of_line(numbers)] if e is not None)
    vegas = [numbers.get("book_vega_usd", scope) for scope in scopes]
    known = [v for v in vegas if v is not None]
    if moved is None or not known:
        return None
    return abs(moved * sum(known))
