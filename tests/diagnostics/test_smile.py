"""The model-free smile against root finding and quadrature on the true smile."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr

from monitor.conventions import tenor, to_ms
from monitor.diagnostics.smile import TAU_30D, at_30_days, variance_swap
from monitor.market.snapshot import MarketContext, TimeSeries
from monitor.pricing.black import black_price
from tests.diagnostics.evidence import market, outcomes, reasons, value, values
from tests.market.chains import AS_OF, EXPIRIES, chain, skewed

TAU = {
    f"expiry:{expiry:%Y-%m-%d}": float(tenor(to_ms(AS_OF), np.array(to_ms(expiry))))
    for expiry in EXPIRIES
}
# Fine strikes: what is left between a parabola and the true smile is how it is quoted.
FINE = chain(n_strikes=121)
EVIDENCE = market(FINE)


def true_vol(k, tau):
    return float(skewed(np.array(k), tau))


def true_vol_at_delta(delta, tau):
    def miss(k):
        deviation = true_vol(k, tau) * math.sqrt(tau)
        return ndtr(-k / deviation + 0.5 * deviation) - delta

    return true_vol(brentq(miss, -2.0 * math.sqrt(tau), 2.0 * math.sqrt(tau)), tau)


@pytest.mark.parametrize("scope", sorted(TAU))
def test_smile_numbers_are_those_of_the_true_smile(scope):
    tau = TAU[scope]
    atm = true_vol(0.0, tau)
    assert value("atm_iv", EVIDENCE, scope) == pytest.approx(atm, abs=1e-4)
    for name, delta in (("25", 0.25), ("10", 0.10)):
        call, put = true_vol_at_delta(delta, tau), true_vol_at_delta(1.0 - delta, tau)
        assert value(f"rr{name}", EVIDENCE, scope) == pytest.approx(call - put, abs=1e-4)
        butterfly = 0.5 * (call + put) - atm
        assert value(f"bf{name}", EVIDENCE, scope) == pytest.approx(butterfly, abs=1e-4)


def test_a_flat_smile_has_no_skew_no_curvature_and_its_own_level():
    evidence = market(chain(lambda k, tau: 0.6 + 0.0 * k))
    for name in ("rr25", "bf25", "rr10", "bf10"):
        assert max(map(abs, values(name, evidence).values())) < 1e-9
    assert value("atm_iv", evidence) == pytest.approx(0.6, abs=1e-9)
    # Mid vol of bid and ask vols; the mean of squares would exceed it by (0.01/2)^2.
    assert value("iv30", evidence) == pytest.approx(0.6, abs=1e-5)


@pytest.mark.moves("rr25 bf25 rr10 bf10")
def test_a_raised_put_wing_moves_the_skew_down_and_the_curvature_up_and_not_the_level():
    def bent(k, tau):
        return skewed(k, tau) + 0.05 * np.maximum(-k / np.sqrt(tau) - 0.1, 0.0)

    raised = market(chain(bent, n_strikes=121))
    for scope in (*TAU, "chain"):
        assert value("rr25", raised, scope) < value("rr25", EVIDENCE, scope) - 0.005
        assert value("bf25", raised, scope) > value("bf25", EVIDENCE, scope) + 0.002
        # Ten deltas lie 0.6 in these units out, where the wing is raised by 0.025.
        assert value("rr10", raised, scope) < value("rr10", EVIDENCE, scope) - 0.015
        assert value("bf10", raised, scope) > value("bf10", EVIDENCE, scope) + 0.007
        # The wing's kink lies within the reach of the parabola about the money.
        assert value("atm_iv", raised, scope) == pytest.approx(
            value("atm_iv", EVIDENCE, scope), abs=1e-4
        )


@pytest.mark.moves("atm_iv")
def test_a_parallel_move_changes_the_level_alone():
    moved = market(chain(lambda k, tau: skewed(k, tau) + 0.05, n_strikes=121))
    assert value("atm_iv", moved) - value("atm_iv", EVIDENCE) == pytest.approx(0.05, abs=1e-3)
    for name, least in (("rr25", 3e-3), ("bf25", 3e-3), ("rr10", 7e-3), ("bf10", 7e-3)):
        # Deltas shift with the level, and the smile is read at other strikes: second order.
        assert value(name, moved) == pytest.approx(value(name, EVIDENCE), abs=least)


def test_wider_quotes_leave_the_smile_where_it_is_and_raise_its_error():
    wide = market(chain(n_strikes=121, width_iv=0.04))
    for name in ("atm_iv", "rr25", "bf25", "rr10", "bf10"):
        assert value(name, wide) == pytest.approx(value(name, EVIDENCE), abs=1e-6)
        near = next(m for m in outcomes(name, EVIDENCE) if m.scope == min(TAU))
        far = next(m for m in outcomes(name, wide) if m.scope == min(TAU))
        # Narrow books are good to half a tick of price at best, and that is no narrower.
        assert far.stderr > near.stderr
    # Less than that of one quote's half width on either side, and in proportion to it.
    one = next(m for m in outcomes("rr25", wide) if m.scope == min(TAU))
    twice = next(
        m
        for m in outcomes("rr25", market(chain(n_strikes=121, width_iv=0.08)))
        if m.scope == min(TAU)
    )
    assert one.stderr < 0.5 * math.hypot(0.02, 0.02)
    assert twice.stderr == pytest.approx(2.0 * one.stderr, rel=1e-6)


@pytest.mark.moves("iv30")
def test_the_model_free_vol_follows_the_level_and_not_the_width_nor_other_expiries():
    at = value("iv30", EVIDENCE)
    higher = market(chain(lambda k, tau: skewed(k, tau) + 0.05, n_strikes=121))
    assert value("iv30", higher) - at == pytest.approx(0.05, abs=2e-3)
    assert value("iv30", market(chain(n_strikes=121, width_iv=0.03))) == pytest.approx(at, abs=1e-6)
    # Of the third expiry, five months away, thirty days know nothing.
    beyond = market(chain(lambda k, tau: skewed(k, tau) + 0.1 * (tau > 0.3), n_strikes=121))
    assert value("iv30", beyond) == pytest.approx(at, abs=1e-12)


def test_thirty_days_lie_between_the_two_expiries_around_them():
    tau = np.array([0.02, 0.15])
    near, far = 0.50**2 * 0.02, 0.60**2 * 0.15
    share = (TAU_30D - 0.02) / 0.13
    expected = math.sqrt((near + share * (far - near)) / TAU_30D)
    assert at_30_days(tau, np.array([0.5, 0.6]), "atm") == pytest.approx(expected)
    share = (math.sqrt(TAU_30D) - math.sqrt(0.02)) / (math.sqrt(0.15) - math.sqrt(0.02))
    expected = -0.02 + share * (-0.06 + 0.02)
    assert at_30_days(tau, np.array([-0.02, -0.06]), "rr25") == pytest.approx(expected)


def test_thirty_days_outside_the_quoted_expiries_have_no_number():
    short = market(chain(expiries=EXPIRIES[:1]))
    for name in ("atm_iv", "rr25", "iv30"):
        assert "no_30_days" in reasons(name, short)
        assert "chain" not in values(name, short)


def test_deltas_beyond_the_outermost_strike_have_no_number():
    narrow = market(chain(lambda k, tau: 3.0 + 0.0 * k))  # strikes span 1 deviation of 6
    assert not values("rr10", narrow)
    assert "outside_quoted_range" in reasons("rr10", narrow)


@pytest.mark.parametrize("j", range(3))
def test_the_variance_swap_is_the_integral_over_the_smile_that_was_quoted(j):
    quotes = EVIDENCE.quotes
    here, tau = quotes.expiry_index == j, quotes.tau[j]
    low, high = quotes.k[here][[0, -1]]

    def integrand(k):
        vol = true_vol(min(max(k, low), high), tau)  # flat beyond the quotes
        sign = 1.0 if k > 0 else -1.0
        return 2.0 * float(black_price(np.array(k), np.array(vol**2 * tau), np.array(sign)))

    reach = 8.0 * math.sqrt(tau)
    parts = [
        quad(lambda k: integrand(k) * math.exp(-k), a, b, limit=200)[0]
        for a, b in ((-reach, low), (low, 0.0), (0.0, high), (high, reach))
    ]
    total, beyond = variance_swap(quotes, j)
    # A trapezoid of 2,000 steps over a smooth bump, and lines between strikes: 1e-4 of the whole.
    assert total == pytest.approx(sum(parts), rel=2e-4)
    assert beyond == pytest.approx(parts[0] + parts[3], rel=0.02)


def with_index(*hours_and_values):
    times = [to_ms(AS_OF) + round(3_600_000 * hours) for hours, _ in hours_and_values]
    series = TimeSeries(np.array(times), ("value",), np.array([v for _, v in hours_and_values]))
    return market(replace(FINE, context=MarketContext(dvol=series)))


@pytest.mark.moves("iv30_dvol_gap")
def test_the_gap_to_the_venues_index_is_ours_less_theirs():
    evidence = with_index((-3.0, 0.9), (-1.0, 0.5), (0.0, 0.48))
    expected = value("iv30", EVIDENCE) - 0.48
    assert value("iv30_dvol_gap", evidence) == pytest.approx(expected, abs=1e-12)
    higher = with_index((-3.0, 0.2), (-1.0, 0.3), (0.0, 0.58))  # what was before does not count
    assert value("iv30_dvol_gap", higher) == pytest.approx(expected - 0.10, abs=1e-12)


def test_an_absent_last_value_of_the_index_gives_way_to_the_one_before():
    evidence = with_index((-1.0, 0.5), (0.0, math.nan))
    assert value("iv30_dvol_gap", evidence) == pytest.approx(value("iv30", EVIDENCE) - 0.5)


@pytest.mark.parametrize("points", [(), ((-30.0, 0.5),), ((0.0, math.nan),)])
def test_an_index_that_is_absent_or_of_another_day_gives_no_gap(points):
    evidence = with_index(*points) if points else EVIDENCE
    assert not values("iv30_dvol_gap", evidence)
    assert reasons("iv30_dvol_gap", evidence) == {"no_dvol"}
