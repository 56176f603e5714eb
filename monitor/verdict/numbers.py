"""Tonight's numbers and last nights' judgements, as the rules look them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from monitor.diagnostics.base import CHAIN, History, MetricValue
from monitor.diagnostics.drift import reference_of
from monitor.diagnostics.drift_rules import DriftRules
from monitor.outcome import Rejection
from monitor.verdict.base import Kind, PastVerdict

ByMetric = Mapping[str, Mapping[str, MetricValue]]  # by metric, by scope


@dataclass(frozen=True)
class Numbers:
    """One subject's numbers of one night: a model's, or the market's (`model` None).

    `market` holds the chain's own numbers, whatever the subject.
    """

    model: str | None
    values: ByMetric
    rejections: tuple[Rejection, ...]
    history: History
    past: tuple[PastVerdict, ...]
    market: ByMetric = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: str | None,
        metrics: Iterable[MetricValue],
        rejections: Iterable[Rejection],
        history: History,
        past: tuple[PastVerdict, ...],
        market: ByMetric | None = None,
    ) -> Numbers:
        """Return the subject's numbers out of the night's.

        The chain's own are looked for among them as well, unless they are given.
        """
        of_subject: dict[str | None, dict[str, dict[str, MetricValue]]] = {None: {}, model: {}}
        for m in metrics:
            if m.model in of_subject:
                of_subject[m.model].setdefault(m.metric, {})[m.scope] = m
        market = of_subject[None] if market is None else market
        return cls(model, of_subject[model], tuple(rejections), history, past, market)

    def get(self, metric: str, scope: str = CHAIN) -> float | None:
        """Return a number of tonight, or None where it has none."""
        found = self.found(metric, scope)
        return None if found is None else found.value

    def found(self, metric: str, scope: str = CHAIN) -> MetricValue | None:
        """Return a number of tonight with its count and its error, or None where it has none."""
        return self.values.get(metric, {}).get(scope)

    def scopes(self, metric: str) -> list[MetricValue]:
        """Return all values of a metric, at every scope."""
        return list(self.values.get(metric, {}).values())

    def usual(self, metric: str, drift: DriftRules) -> float | None:
        """Return the median of a chain-wide metric over its reference, or None without a past.

        It is the reference that change is charted against: what was usual years ago is not.
        """
        series = self.history.series.get((self.model, metric, CHAIN))
        if series is None or not len(series):
            return None
        return float(np.median(reference_of(series.value, drift)))

    def settled(self, metric: str, drift: DriftRules) -> float | None:
        """Return `usual` where there are nights enough to learn it from, else None."""
        series = self.history.series.get((self.model, metric, CHAIN))
        if series is None or len(series) < drift.learning_nights:
            return None
        return self.usual(metric, drift)

    def learning(self) -> str | None:
        """Return how far the reference is ("7 of 20 nights") while change cannot be judged."""
        mine = f"/{self.model or 'market'}/"
        return next(
            (r.detail for r in self.rejections if r.reason == "learning" and mine in r.subject),
            None,
        )

    def streak(self, kind: Kind, metric: str, scope: str = "") -> int:
        """Return for how many nights in a row, ending last night, a finding has stood."""
        key = f"{kind}/{metric}/{scope}"
        count = 0
        for night in reversed(self.past):
            if not any(b == key or (not scope and b.startswith(key)) for b in night.beyond):
                break
            count += 1
        return count

    def standing(self, kind: Kind, metric: str, share: float) -> bool:
        """Return whether a finding was usual before the present streak of it.

        True also where there is no earlier night to compare with: what a model brings with it on
        its first night is how it is, not what happened.
        """
        key = f"{kind}/{metric}/"
        before = self.past[: len(self.past) - self.streak(kind, metric)]
        if not before:
            return True
        hits = sum(any(b.startswith(key) for b in night.beyond) for night in before)
        return hits >= share * len(before)
