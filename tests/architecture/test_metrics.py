"""Every metric has a test that makes it move; what must not move it is a law for all of them.

A test says ``@pytest.mark.moves("rmse_iv bias_iv")`` of the metrics in which it injects what they
are meant to see; `tests/diagnostics/conftest.py` fails it if it saw one of them at one value only.
`tests/diagnostics/test_stays.py` holds every metric to what must not move it.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from monitor.diagnostics import METRICS

FOLDER = Path(__file__).parents[1] / "diagnostics"


@cache
def marked() -> frozenset[str]:
    """Return the metrics that tests are marked to move."""
    calls = (
        node
        for path in sorted(FOLDER.glob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "moves"
    )
    return frozenset(name for call in calls for name in ast.literal_eval(call.args[0]).split())


def test_every_metric_has_a_test_in_which_it_moves() -> None:
    assert not set(METRICS) - marked()


def test_marks_name_metrics_that_there_are() -> None:
    assert not marked() - set(METRICS)
