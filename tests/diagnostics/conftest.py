"""Marks are kept honest: a test that is said to move a metric has seen it at two values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.diagnostics.base import METRICS, MetricValue

# Its scope says what its value says: one is not seen at two values of the other.
TOLD_BY_SCOPE = {"jump_agreement"}


@pytest.fixture(autouse=True)
def _marked_metrics_move(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    marked = {name for m in request.node.iter_markers("moves") for name in m.args[0].split()}
    if not marked:
        yield
        return
    seen: dict[tuple[str, str], set[float]] = defaultdict(set)
    make = MetricValue.__new__

    def noted(cls: type[MetricValue], *args: Any, **named: Any) -> MetricValue:
        value = make(cls, *args, **named)
        scope = "" if value.metric in TOLD_BY_SCOPE else value.scope
        seen[value.metric, scope].add(value.value)
        return value

    monkeypatch.setattr(MetricValue, "__new__", noted)
    yield
    # A case of a law for many metrics answers for the one that it is about.
    case = getattr(request.node, "callspec", None)
    about = {p for p in case.params.values() if isinstance(p, str) and p in METRICS} if case else ()
    stood = {
        name
        for name in (marked.intersection(about) if about else marked)
        if not any(len(values) > 1 for (metric, _), values in seen.items() if metric == name)
    }
    assert not stood, f"marked as moved, and seen at one value: {sorted(stood)}"
