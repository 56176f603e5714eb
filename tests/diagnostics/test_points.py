"""The smile at fixed places: read off known smiles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import norm

from monitor.diagnostics.points import DELTAS, GAP, MEAN_DAYS, SMILE, TERM, TERM_DAYS
from tests.diagnostics.evidence import market, reasons, values
from tests.market.chains import AS_OF, EXPIRIES, chain, skewed

FINE = market(chain(n_strikes=161))
TAUS = FINE.quotes.tau


def vol_at_delta(delta, tau, smile=skewed):
    """Return the vol at a call delta by bisection on the true smile."""
    low, high = -3.0 * np.sqrt(tau), 3.0 * np.sqrt(tau)
    for _ in range(80):
        k = 0.5 * (low + high)
        deviation = smile(k, tau) * np.sqrt(tau)
        low, high = (k, high) if norm.cdf(-k / deviation + deviation / 2) > delta else (low, k)
    return smile(k, tau)


def test_the_mean_smile_is_the_mean_over_tenors_of_the_vols_at_its_deltas():
    found = values(SMILE, FINE)
    root = np.sqrt(np.array(MEAN_DAYS) / 365.0)
    for name, delta in DELTAS.items():
        known = [vol_at_delta(delta, tau) for tau in TAUS]
        expected = np.mean(np.interp(root, np.sqrt(TAUS), known))
        # The true smile is a parabola in k; its strikes are quoted in ticks.
        assert found[f"point:{name}"] == pytest.approx(expected, abs=1e-4)


def test_the_term_structure_is_straight_in_total_variance():
    def sloped(k, tau):
        return 0.4 + 0.2 * tau + 0.0 * k

    found = values(TERM, market(chain(sloped, n_strikes=41)))
    w = (0.4 + 0.2 * TAUS) ** 2 * TAUS
    for days in TERM_DAYS[:-1]:
        tau = days / 365.0
        assert found[f"tenor:{days:.0f}d"] == pytest.approx(np.sqrt(np.interp(tau, TAUS, w) / tau))
    # Flat in vol beyond the last expiry, 167 days away.
    assert found["tenor:180d"] == pytest.approx(0.4 + 0.2 * TAUS[-1])


@pytest.mark.moves("smile_point_iv")
def test_a_lifted_put_wing_lifts_the_puts_and_nothing_else():
    def lifted(k, tau):
        # From 1.2 deviations out: beyond the reach of a parabola about the money.
        return skewed(k, tau) + 0.02 * (k < -0.6 * np.sqrt(tau))

    before, after = values(SMILE, FINE), values(SMILE, market(chain(lifted, n_strikes=161)))
    # Ten deltas are 1.3 deviations out: a parabola about them rounds the cliff.
    assert 0.005 < after["point:10p"] - before["point:10p"] < 0.02
    for name in ("atm", "25c", "10c"):
        assert after[f"point:{name}"] == pytest.approx(before[f"point:{name}"], abs=1e-9)
    assert values(TERM, market(chain(lifted, n_strikes=161))) == pytest.approx(
        values(TERM, FINE), abs=1e-9
    )


@pytest.mark.moves("term_point_iv")
def test_a_lifted_expiry_lifts_the_tenors_about_it_and_no_width_does():
    days = (5, 20, 50, 100, 200)
    before = values(TERM, by_tenor(lambda days: 0.5 + 0.0 * days, days))
    after = values(TERM, by_tenor(lambda days: 0.5 + 0.02 * (days > 150.0), days))
    assert after["tenor:180d"] - before["tenor:180d"] == pytest.approx(0.02, abs=3e-3)
    for tenor in TERM_DAYS[:-1]:
        assert after[f"tenor:{tenor:.0f}d"] == pytest.approx(before[f"tenor:{tenor:.0f}d"])
    for name in (SMILE, TERM):
        wide = values(name, market(chain(n_strikes=161, width_iv=0.03)))
        assert wide == pytest.approx(values(name, FINE), abs=1e-6)


def test_where_the_quotes_do_not_reach_there_is_no_number():
    one = market(chain(expiries=EXPIRIES[:1], n_strikes=41))
    assert reasons(SMILE, one) == reasons(TERM, one) == {"too_few_expiries"}
    # Long tenors alone have neither a front nor a week.
    assert "too_few_expiries" in reasons(TERM, market(chain(expiries=EXPIRIES[1:], n_strikes=41)))
    narrow = market(chain(lambda k, tau: 3.0 + 0.0 * k))  # strikes span 1 deviation of 6
    assert reasons(SMILE, narrow) == {"too_few_expiries"}


# One expiry out of line -------------------------------------------------------------------------

DAYS = (7, 14, 28, 49, 84, 140, 300)


def by_tenor(vol, days=DAYS):
    """Return a chain whose vols are a function of the tenor in days alone."""
    expiries = tuple(AS_OF + timedelta(days=d, hours=8) for d in days)
    return market(
        chain(
            lambda k, tau: vol(365.0 * tau) + 0.0 * k,
            expiries=expiries,
            forwards=(90_000.0,) * len(days),
            n_strikes=41,
        )
    )


def test_a_curve_that_is_straight_in_log_tenor_has_no_expiry_out_of_line():
    found = values(GAP, by_tenor(lambda days: 0.6 - 0.03 * np.log(days)))
    # A natural spline through points of a straight line is that line; vols are read off midpoints.
    assert max(np.abs(list(found.values()))) < 1e-9


@pytest.mark.moves("term_gap_iv")
def test_an_expiry_out_of_line_is_out_by_what_it_was_lifted():
    def lifted(days):
        return 0.6 - 0.03 * np.log(days) + 0.02 * (40.0 < days < 60.0)

    found, straight = (
        values(GAP, by_tenor(vol)) for vol in (lifted, lambda days: 0.6 - 0.03 * np.log(days))
    )
    label = f"expiry:{AS_OF + timedelta(days=49):%Y-%m-%d}"
    assert found[label] == pytest.approx(0.02, abs=1e-9)
    assert found[label] - straight[label] == pytest.approx(0.02, abs=1e-9)
    assert found["chain"] == max(map(abs, found.values())) == found[label]
    # Its neighbours lie off a curve that bends through it, the other way and by less.
    assert all(-0.02 < v < 0.015 for scope, v in found.items() if scope not in ("chain", label))


def test_the_front_and_the_ends_of_the_curve_are_not_held_against_it():
    found = values(GAP, by_tenor(lambda days: 0.6 - 0.03 * np.log(days)))
    judged = {f"expiry:{AS_OF + timedelta(days=d):%Y-%m-%d}" for d in (14, 28, 49, 84, 140)}
    assert set(found) == judged | {"chain"}
    short = by_tenor(lambda days: 0.6 + 0.0 * days, (1, 2, 3, 7, 14, 28, 49))
    assert reasons(GAP, short) == {"too_few_expiries"}  # dailies draw no curve, three others none


def test_an_expiry_newly_listed_draws_no_curve():
    whole = by_tenor(lambda days: 0.6 - 0.03 * np.log(days), (5, *DAYS[1:]))
    quotes = whole.quotes
    # Of the expiry in 28 days 4 quotes are left, and those are wide.
    new = np.flatnonzero(quotes.expiry_index == 2)
    kept = np.union1d(np.flatnonzero(quotes.expiry_index != 2), new[len(new) // 2 - 2 :][:4])
    snapshot = whole.snapshot
    names = {quotes.instrument[i] for i in kept}
    gone = np.array([name not in names for name in snapshot.instrument])
    is_new = snapshot.expiry_ms == quotes.expiry_ms[2]
    bid = np.where(is_new, 0.8 * snapshot.bid, snapshot.bid)
    bid = np.where(gone & is_new, np.nan, bid)
    ask = np.where(is_new, 1.2 * snapshot.ask, snapshot.ask)
    thin = market(replace(snapshot, bid=bid, ask=ask))
    found = values(GAP, thin)
    assert f"expiry:{AS_OF + timedelta(days=28):%Y-%m-%d}" not in found
    assert found["chain"] < 1e-9
    # Nor is it a point of the term structure: 30 days lie between those in 14 and in 49.
    days = np.array([14.0, 49.0]) + 8.0 / 24.0
    w = (0.6 - 0.03 * np.log(days)) ** 2 * days
    expected = np.sqrt(np.interp(30.0, days, w) / 30.0)
    assert values(TERM, thin)["tenor:30d"] == pytest.approx(expected, abs=1e-6)
