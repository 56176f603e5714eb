"""The life of a reference: when it begins, when it is renewed, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.reference import (
    current_reference,
    date_number,
    reference_of,
    version_of,
)

RULES = DriftRules()


def end_of(beyond, rules=RULES):
    found = current_reference(np.asarray(beyond, dtype=bool), rules)
    return None if found is None else (found.end, len(found))


@pytest.mark.parametrize(
    ("n", "end"),
    [
        *[(0, None), (19, None), (20, 20), (39, 20), (40, 40), (59, 40), (60, 60), (61, 60)],
        *[(150, 60), (151, 151), (241, 151), (242, 242), (60 + 91 * 7, 60 + 91 * 7)],
    ],
)
def test_a_reference_is_renewed_at_twenty_forty_sixty_and_every_91_adequate_nights(n, end):
    expected = None if end is None else (end, min(end, RULES.reference_nights))
    assert end_of(np.zeros(n)) == expected


def test_nights_beyond_the_limits_neither_renew_a_settled_reference_nor_enter_the_next():
    beyond = np.zeros(200, dtype=bool)
    beyond[80:110] = True
    assert end_of(beyond[:151]) == (60, 60)  # 121 adequate nights
    assert end_of(beyond[:180]) == (60, 60)
    found = current_reference(beyond[:181], RULES)
    assert (found.end, len(found)) == (181, 120)
    assert not set(found.nights) & set(range(80, 110))


def test_alarms_while_it_is_being_learnt_do_not_keep_a_reference_from_settling():
    assert end_of(np.ones(60)) == (60, 60)


def test_a_shift_that_lasts_never_becomes_a_reference_by_itself():
    beyond = np.zeros(500, dtype=bool)
    beyond[70:] = True
    assert end_of(beyond) == (60, 60)


def test_what_is_usual_is_looked_up_in_the_reference_and_in_all_there_is_while_learning():
    past = np.arange(200.0)
    np.testing.assert_array_equal(reference_of(past[:7], RULES), past[:7])
    np.testing.assert_array_equal(reference_of(past, RULES), past[31:151])
    beyond = np.zeros(200, dtype=bool)
    beyond[100] = True
    assert 100.0 not in reference_of(past, RULES, beyond)


def test_a_version_is_a_whole_number_of_nights_and_values():
    nights, values = np.arange(60) * 86_400_000, np.linspace(0.0, 1.0, 60)
    version = version_of(nights, values)
    assert version == version_of(nights.copy(), values.copy())
    assert float(version) == version < 2**48
    assert version != version_of(nights + 86_400_000, values)
    assert version != version_of(nights, values * (1.0 + 1e-8))
    assert version == version_of(nights, values * (1.0 + 1e-14))
    assert date_number(1_772_236_800_000) == 20260228  # 28 February 2026, midnight UTC
