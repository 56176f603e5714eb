"""A right model is called wrong, and an error of the stated size found, as often as was said.

Of ``python -m tests.diagnostics.simulated --nights 2000``, Heston true, noise learnt over 40 nights
of all four spreads; share of |z| below 1.96 at half-widths in vol, and of errors found, each with
its error::

    half-width          fitted        held out      next night          bucket
        0.0025  0.9582 ± 0.0004  0.9583 ± 0.0011  0.9598 ± 0.0004  0.9616 ± 0.0012
        0.0050  0.9552 ± 0.0005  0.9538 ± 0.0012  0.9555 ± 0.0005  0.9531 ± 0.0013
        0.0150  0.9520 ± 0.0005  0.9521 ± 0.0012  0.9520 ± 0.0005  0.9569 ± 0.0012
        0.0500  0.9510 ± 0.0006  0.9513 ± 0.0013  0.9512 ± 0.0005  0.9583 ± 0.0013
    found at the detectable size, usual 0.0: 0.7925 ± 0.0091
    found at the detectable size, usual 0.002: 0.7690 ± 0.0094
"""

from __future__ import annotations

import pytest

from tests.diagnostics.simulated import SPREADS, power, run

KINDS = ("fitted", "held out", "next night", "bucket")
SHARE, WITHIN = 0.95, 0.02


def keeps_its_size(half_width, nights, seed, errors):
    counts = run(half_width, nights, seed)
    for kind in KINDS:
        share, error = counts.share(kind)
        assert error < 0.02
        assert abs(share - SHARE) < WITHIN + errors * error, (kind, share, error)


@pytest.mark.parametrize("half_width", [min(SPREADS), max(SPREADS)])
def test_z_is_below_its_95_percent_point_for_95_of_100_quotes_at_any_spread(half_width):
    keeps_its_size(half_width, 30, seed=5, errors=3.0)


@pytest.mark.slow
@pytest.mark.parametrize("half_width", SPREADS)
def test_and_within_two_points_of_it_over_2000_nights(half_width):
    keeps_its_size(half_width, 2000, seed=6, errors=0.0)


@pytest.mark.parametrize("usual", [0.0, 0.002])
def test_an_error_of_the_detectable_size_is_found_on_four_nights_of_five(usual):
    share, error = power(120, seed=7, usual=usual)
    assert abs(share - 0.80) < 0.05 + 3.0 * error
    assert error < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("usual", [0.0, 0.002])
def test_and_within_five_points_of_it_over_2000_nights(usual):
    assert abs(power(2000, seed=8, usual=usual)[0] - 0.80) < 0.05
