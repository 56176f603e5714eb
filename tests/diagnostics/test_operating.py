"""Tests of what a fit left over reject a right model as often as said, and name what is wrong.

Of ``python -m tests.diagnostics.operating --nights 2000 --spread 0.005 --seeds 20``, 22 November
2026: share of 2,000 nights (of scopes of nights) on which a test of 5 % rejects Heston where it is
true and noise is learnt, with its error, and what is named on the first night of a break, of twenty
seeds of both coins::

    half-width in vol                  0.0050
    mode_z                     0.0459 ±0.0024
    region_z                   0.0394 ±0.0015
    sign_runs                  0.0535 ±0.0050
    spatial_autocorrelation    0.0500 ±0.0049
    assumption_z               0.0469 ±0.0027
    constancy_z                0.0496 ±0.0029
    structure_stability        0.0520 ±0.0050
    failed_assumption          0.0340 ±0.0041
    failed_constant            0.0425 ±0.0045
    jumps-on             jumps  98% of 40  {'jumps': 39, 'vol_of_vol_term': 1}
    correlation-flip     rho    100% of 40  {'rho': 40}
    vol-of-vol-doubles   xi     100% of 40  {'xi': 40}

The noise of a region is learnt at four spreads at once and is a little large at this one; the two
named of many are kept below 5 % by Bonferroni's bound, as their scores go together.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.diagnostics.operating import NAMED, TESTS, WORLDS, named_after_break, sizes

LEAST_NAMED = 0.80


def keeps_its_size(found, within, errors):
    for name in (*TESTS, *NAMED):
        share, error = found[name]
        assert abs(share - 0.05) < within + errors * max(error, 0.005), (name, share, error)


def test_a_right_model_is_rejected_by_each_test_as_often_as_said():
    keeps_its_size(sizes(0.005, 30, seed=3), within=0.02, errors=3.0)


@pytest.mark.slow
def test_and_within_two_points_over_2000_nights():
    keeps_its_size(sizes(0.005, 2000, seed=5), within=0.02, errors=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("world", sorted(WORLDS))
def test_what_breaks_is_named_on_its_first_night_in_four_of_five(world):
    names = Counter(named_after_break(world, range(20)))
    assert names[WORLDS[world][1]] >= LEAST_NAMED * names.total(), names
