from __future__ import annotations

import mpmath
import numpy as np

from monitor.pricing.mills import Z_MAX, scaled_tail


def test_scaled_tail_agrees_with_forty_digits_to_a_unit_in_the_last_place():
    z = np.concatenate([[0.0, 1 / 128, Z_MAX], np.random.default_rng(3).uniform(0, Z_MAX, 500)])
    with mpmath.workdps(40):
        exact = [
            mpmath.exp(mpmath.mpf(a) ** 2 / 2) * mpmath.erfc(mpmath.mpf(a) / mpmath.sqrt(2))
            for a in z
        ]
        worst = max(
            abs(float(mpmath.mpf(float(b)) / e - 1))
            for b, e in zip(scaled_tail(z), exact, strict=True)
        )
    assert worst < 2.3e-16  # one unit in the last place is at most 2.2e-16


def test_arguments_beyond_the_table_count_as_its_end_and_nan_stays():
    out = scaled_tail(np.array([Z_MAX, 1e9, np.inf, np.nan]))
    assert out[0] == out[1] == out[2]
    assert np.isnan(out[3])
