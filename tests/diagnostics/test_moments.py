"""Moments of the market's law move with what they are moments of, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import MetricValue
from monitor.diagnostics.moments import market_moments
from tests.diagnostics.evidence import market, outcomes, reasons, saying, value, values
from tests.market.chains import EXPIRIES, chain, skewed

LABELS = [f"expiry:{expiry:%Y-%m-%d}" for expiry in EXPIRIES]
FINE = chain(n_strikes=81)


def without_bids(where):
    return replace(FINE, bid=np.where(where, 0.0, FINE.bid))


def tilted(slope, bend):
    def smile(k, tau):
        x = k / np.sqrt(tau)
        return 0.5 + slope * x + bend * x * x

    return market(chain(smile, n_strikes=41))


def test_a_flat_market_has_a_normal_law():
    flat = market(chain(lambda k, tau: np.full_like(k, 0.5), n_strikes=41))
    for scope in (*LABELS, "chain"):
        assert value("mf_skew", flat, scope) == pytest.approx(0.0, abs=1e-3)
        assert value("mf_kurtosis", flat, scope) == pytest.approx(3.0, abs=1e-3)


@pytest.mark.moves("mf_skew mf_kurtosis")
@pytest.mark.parametrize("scope", [*LABELS, "chain"])
def test_skewness_follows_the_tilt_and_kurtosis_the_bend(scope):
    left, even, right = (tilted(slope, 0.04) for slope in (-0.05, 0.0, 0.05))
    skews = [value("mf_skew", e, scope) for e in (left, even, right)]
    assert skews[0] < skews[1] - 0.1 < skews[2] - 0.2
    bent = tilted(0.0, 0.08)
    assert value("mf_kurtosis", bent, scope) > value("mf_kurtosis", even, scope) + 0.2


@pytest.mark.parametrize("name", ["mf_skew", "mf_kurtosis"])
def test_moments_do_not_know_the_width_of_quotes_nor_the_level_of_a_flat_market(name):
    fine, wide = (values(name, market(chain(n_strikes=41, width_iv=w))) for w in (0.005, 0.02))
    assert wide == pytest.approx(fine, abs=1e-6)
    low, high = (
        values(name, market(chain(lambda k, tau, vol=vol: vol + 0.0 * k, n_strikes=41)))
        for vol in (0.4, 0.9)
    )
    assert high == pytest.approx(low, abs=2e-3)


def test_a_swap_is_as_wrong_whatever_the_width_and_the_level_of_the_market():
    at = value("swap_gap", saying(chain(n_strikes=41), 0.01))
    wide = saying(chain(n_strikes=41, width_iv=0.03), 0.01)
    high = saying(chain(lambda k, tau: skewed(k, tau) + 0.2, n_strikes=41), 0.01)
    assert value("swap_gap", wide) == pytest.approx(at, abs=1e-6)
    assert value("swap_gap", high) == pytest.approx(at, abs=1e-3)


def test_what_is_not_quoted_is_the_standard_error():
    whole = market(FINE)
    half = market(without_bids(np.abs(np.log(FINE.strike / FINE.forward)) > 0.1))
    found = {
        name: {o.scope: o for o in outcomes(name, e) if isinstance(o, MetricValue)}
        for name, e in (("mf_skew", half), ("mf_kurtosis", half))
    }
    for name, by_scope in found.items():
        for label in LABELS:
            narrow = by_scope[label]
            assert narrow.stderr > abs(narrow.value - value(name, whole, label)) * 0.5
    wide = [m.truncation.kurtosis for m in market_moments(whole.quotes)]
    narrow = [m.truncation.kurtosis for m in market_moments(half.quotes)]
    assert np.all(np.array(narrow) > np.array(wide))


@pytest.mark.moves("swap_gap")
def test_a_model_one_point_high_is_wrong_by_one_point():
    assert value("swap_gap", saying(FINE, 0.01)) == pytest.approx(0.01, abs=5e-4)
    assert value("swap_gap", saying(FINE, 0.0)) == 0.0
    for label in LABELS:
        assert values("swap_gap", saying(FINE, -0.01))[label] == pytest.approx(-0.01, abs=5e-4)


def test_an_error_in_one_wing_counts_by_what_the_wing_is_worth():
    quotes = saying(FINE, 0.0).quotes
    put_wing = np.where(quotes.k < -0.1, 0.02, 0.0)
    assert 0.001 < value("swap_gap", saying(FINE, put_wing)) < 0.015
    # A tilt takes from one side what it gives the other.
    tilt = 0.02 * np.sign(quotes.k)
    assert abs(value("swap_gap", saying(FINE, tilt))) < 0.004


def test_quotes_on_one_side_have_no_moments_and_say_so():
    calls = without_bids(FINE.strike < 1.02 * FINE.forward)
    e = market(calls)
    for name in ("mf_skew", "mf_kurtosis"):
        assert reasons(name, e) == {"too_few_quotes", "no_30_days"}
    assert reasons("swap_gap", saying(calls, 0.0)) == {"too_few_quotes", "no_30_days"}


def test_quotes_without_a_model_vol_are_left_out_on_both_sides():
    quotes = saying(FINE, 0.0).quotes
    gaps = np.where(np.arange(quotes.n) % 3 == 0, np.nan, 0.0)
    assert value("swap_gap", saying(FINE, gaps)) == 0.0
