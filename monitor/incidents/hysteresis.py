"""Opening and closing levels: what was found is calm only well below where it was found.

A number that hovers about its limit would open and close an incident night after night. So a
finding stays a member of its incident until its number has lain below a closing level, a share of
the opening one, for as many runs in a row as resolve an incident (`IncidentRules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from monitor.diagnostics.base import MetricValue
from monitor.incidents.base import Member
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Finding, Kind, Status, Verdict
from monitor.verdict.market import MARKET

CHANGE_METRICS = ("change_score", "smile_change_score")


@dataclass(frozen=True)
class Tonight:
    """Tonight's numbers, by model, metric and scope, and the models that could be judged."""

    values: Mapping[tuple[str | None, str, str], MetricValue]
    judged: frozenset[str]
    known: frozenset[str]

    @classmethod
    def of(cls, metrics: Iterable[MetricValue], verdicts: Iterable[Verdict]) -> Tonight:
        """Return tonight's numbers as they are looked up here."""
        verdicts = tuple(verdicts)
        without = {v.model for v in verdicts if _is_blind(v)}
        names = frozenset(v.model for v in verdicts)
        return cls({(m.model, m.metric, m.scope): m for m in metrics}, names - without, names)

    def value_of(self, member: Member) -> MetricValue | None:
        """Return tonight's value of a member's number."""
        return self.values.get((member.model, member.metric, member.scope))


def member_of(finding: Finding) -> Member:
    """Return a finding as a member of its incident."""
    value, threshold = finding.value, finding.threshold
    is_floor = value is not None and threshold is not None and abs(value) < threshold
    return Member(finding.model, finding.metric, finding.scope, value, threshold, is_floor)


def distance(member: Member, value: float) -> float:
    """Return how far a value lies on the wrong side, as a multiple of the opening level.

    1 at the opening level, 0 at no trouble at all. The room below a floor, which is a share, is
    measured from 1: of a floor of 0.85, 0.90 leaves two thirds of the room.
    """
    threshold = member.threshold
    if threshold is None:
        return 0.0
    if member.is_floor:
        return (1.0 - value) / (1.0 - threshold) if threshold < 1.0 else threshold - value
    if threshold == 0.0:
        return inf if value != 0.0 else 0.0
    return abs(value) / abs(threshold)


def carried_over(
    members: Iterable[Member],
    found: Iterable[Member],
    tonight: Tonight,
    rules: IncidentRules,
    runs: int,
) -> tuple[Member, ...]:
    """Return those of `members` that were not found tonight and are not over yet.

    One that has been calm for `runs` runs in a row is over. One whose number was not measured
    though its model was judged, or whose model is judged no more, is over at once.
    """
    again = {(m.model, m.metric, m.scope) for m in found}
    kept = []
    for member in members:
        name, now = member.model or MARKET, tonight.value_of(member)
        if (member.model, member.metric, member.scope) in again:
            continue
        if now is not None:
            share = rules.close_change if member.metric in CHANGE_METRICS else rules.close_level
            is_calm = distance(member, now.value) < share
            calm = member.runs_calm + 1 if is_calm else 0
            if calm < runs:
                after = replace(member, value=now.value, is_found=False, runs_calm=calm)
                kept.append(after)
        elif name in tonight.known - tonight.judged:
            kept.append(replace(member, is_found=False))
    return tuple(kept)


def _is_blind(verdict: Verdict) -> bool:
    return verdict.status is Status.INCONCLUSIVE and any(
        f.kind in (Kind.DATA, Kind.NUMERICAL) for f in verdict.findings
    )
