"""What prove prints: five tables with intervals, or rows for machines."""

from __future__ import annotations

import re

import pytest

from monitor.assessment import Rules
from monitor.cli.prove import _rules, _tell
from monitor.config import Config
from monitor.errors import UnknownNameError
from tests.proving.lives import lived, night, told


def test_the_tables_say_what_was_found_missed_and_made_up(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    runs = [
        lived("calm", *(night(n, settled=n >= -4) for n in range(-64, 96))),
        lived("put-wing-1", night(0), night(1, told("red", message="put wing +1.0 vol points"))),
        lived("frozen-feed", night(0, told("amber", "data", "market"))),
    ]
    _tell(runs, Rules())
    out = capsys.readouterr().out
    for title in ("False pages", "Breaks", "What is no break", "Triage", "Shares over all worlds"):
        assert title in out
    row = next(line for line in out.splitlines() if "put-wing-1" in line)
    # Found once in one, within an exact interval of 1 in 40 to 1; on the second night, by Heston.
    assert re.search(r"1/1\s+3%-100%\s+5\s+1/1\s+2", row)
    assert "heston 1" in row
    assert re.search(r"triage: right cause.*\s2\s+2\s", out)


def test_models_that_are_proved_share_the_budget_by_themselves():
    many = Config(models=("black", "svi", "heston", "kou", "svcj"))
    assert _rules(many, None).models == ("black", "svi", "heston")
    # Of a slow model nothing is proved unless it is asked for, or alone.
    assert _rules(many, ["kou"]).models == ("kou",)
    assert _rules(Config(models=("kou",)), None).models == ("kou",)
    few = Config(models=("svi",))
    assert _rules(many, ["svi"]).drift == few.rules().drift != many.rules().drift
    with pytest.raises(UnknownNameError, match="hestn"):
        _rules(many, ["hestn"])
