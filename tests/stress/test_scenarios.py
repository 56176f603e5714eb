"""The venue's moves of spot and vol."""

import numpy as np
import pytest

from monitor.stress.scenarios import PORTFOLIO_MARGIN, SCENARIOS, UNMOVED, VolRule


def moved(iv, days, move):
    return float(PORTFOLIO_MARGIN.moved(np.array(iv), np.array(days / 365.0), move))


@pytest.mark.parametrize(
    ("iv", "days", "move", "want"),
    [
        (0.60, 30, "up", 0.90),  # 0.60 * 1.5
        (0.60, 30, "down", 0.45),  # 0.60 * 0.75
        (0.60, 30, "same", 0.60),
        (0.20, 30, "up", 0.50),  # 0.30 lies below the floor
        (0.60, 7, "up", 1.06427),  # 0.60 (1 + 0.5 (30/7)^0.30), (30/7)^0.30 = 1.54756
        (0.60, 7, "down", 0.36787),
        (0.60, 90, "up", 0.86007),  # 0.60 (1 + 0.5 (30/90)^0.13), (1/3)^0.13 = 0.86690
        (0.60, 0.1, "down", 0.0),  # (300)^0.30 = 5.5: more than all of it
    ],
)
def test_vol_moves_by_the_published_rule(iv, days, move, want):
    assert moved(iv, days, move) == pytest.approx(want, abs=1e-4)


def test_the_rule_is_continuous_at_thirty_days():
    assert moved(0.6, 30 - 1e-9, "up") == pytest.approx(moved(0.6, 30, "up"), abs=1e-9)


def test_the_nine_cells_have_names_of_their_own():
    names = [s.name for s in SCENARIOS]
    assert len(set(names)) == 9
    assert {"spot-16/vol-up", "spot0/vol-same", "spot+16/vol-down"} <= set(names)
    assert UNMOVED in SCENARIOS


def test_another_rule_is_a_value():
    gentle = VolRule(up=0.1, floor_up=0.0)
    assert float(gentle.moved(np.array(0.5), np.array(30 / 365), "up")) == pytest.approx(0.55)
