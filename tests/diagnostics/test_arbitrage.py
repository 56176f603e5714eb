"""Arbitrage counts against trades done by hand and surfaces known to be bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.conventions import to_ms
from monitor.diagnostics.arbitrage import durrleman
from monitor.models import MODELS
from tests.diagnostics.evidence import fit_saying, market, quotes_of, reasons, value, values
from tests.market.chains import EXPIRIES, chain

CHAIN = chain(n_strikes=13)
EVIDENCE = market(CHAIN)


def moved(row, factor):
    """Return the chain with one row's bid and ask moved."""
    here = np.where(np.arange(len(CHAIN)) == row, factor, 1.0)
    return market(replace(CHAIN, bid=CHAIN.bid * here, ask=CHAIN.ask * here))


def row_of(expiry, strike_rank):
    """Return the row of an expiry's out-of-the-money option at a strike."""
    here = CHAIN.expiry_ms == to_ms(EXPIRIES[expiry])
    strike = np.unique(CHAIN.strike[here])[strike_rank]
    call = strike > CHAIN.forward[here][0]
    return int(np.flatnonzero(here & (CHAIN.strike == strike) & (CHAIN.is_call == call))[0])


def test_an_orderly_chain_has_no_executable_arbitrage():
    assert value("butterfly_market", EVIDENCE) == 0
    assert value("calendar_market", EVIDENCE) == 0


def slow_butterflies(quotes):
    """Count the butterflies that pay for themselves, trade by trade, in puts or in calls."""
    count = 0
    for i in range(quotes.n - 2):
        if quotes.expiry_index[i] != quotes.expiry_index[i + 2]:
            continue
        K = quotes.strike[i : i + 3]
        F = quotes.forward[quotes.expiry_index[i]]
        # One body sold needs a share of the lower wing and the rest of the upper one.
        lower = (K[2] - K[1]) / (K[2] - K[0])
        cash = [0.0, 0.0, 0.0]
        for place, (size, price) in enumerate(
            [(lower, quotes.c_ask), (-1.0, quotes.c_bid), (1.0 - lower, quotes.c_ask)]
        ):
            premium = price[i + place]
            if quotes.sign[i + place] < 0:  # a put and a forward are a call
                premium += 1.0 - K[place] / F
            cash[place] = -size * premium
        count += sum(cash) > 0
    return count


@pytest.mark.moves("butterfly_market")
@pytest.mark.parametrize(("rank", "factor"), [(4, 1.3), (8, 1.3), (6, 1.2), (5, 0.7), (9, 0.4)])
def test_butterflies_that_pay_are_counted_as_trading_them_one_by_one_does(rank, factor):
    evidence = moved(row_of(1, rank), factor)
    expected = slow_butterflies(evidence.quotes)
    assert value("butterfly_market", evidence) == expected >= 1
    assert value("butterfly_market", EVIDENCE) == 0


def test_a_wide_market_in_a_dear_option_is_no_arbitrage():
    row = np.arange(len(CHAIN)) == row_of(1, 8)
    dear = market(replace(CHAIN, ask=np.where(row, CHAIN.ask * 1.3, CHAIN.ask)))
    assert value("butterfly_market", dear) == 0


@pytest.mark.moves("calendar_market")
def test_a_near_expiry_bid_above_the_next_ones_ask_in_variance_is_counted():
    evidence = moved(
        row_of(0, 6), 3.0
    )  # three times the premium of the nearest option at the money
    quotes = evidence.quotes
    expected = 0
    for i in np.flatnonzero(quotes.expiry_index == 0):
        later = quotes.expiry_index == 1
        ask = np.interp(quotes.k[i], quotes.k[later], quotes.iv_ask[later] ** 2) * quotes.tau[1]
        expected += quotes.iv_bid[i] ** 2 * quotes.tau[0] > ask
    assert value("calendar_market", evidence) == expected == 1
    assert value("calendar_market", EVIDENCE) == 0
    # One that asks as much and bids what it did has nothing to sell.
    row = np.arange(len(CHAIN)) == row_of(0, 6)
    wide = market(replace(CHAIN, ask=np.where(row, 3.0 * CHAIN.ask, CHAIN.ask)))
    assert value("calendar_market", wide) == 0


def test_one_strike_or_one_expiry_leaves_nothing_to_compare():
    few = market(chain(n_strikes=2, expiries=EXPIRIES[:1]))
    assert reasons("butterfly_market", few) == {"too_few_quotes"}
    assert reasons("calendar_market", few) == {"too_few_expiries"}


# Raw SVI a, b, rho, m, s of Axel Vogt, with negative density to the right of the money:
# Gatheral and Jacquier (2014), section 3.1, tenor one year.
VOGT = np.array([-0.0410, 0.1331, 0.3060, 0.3586, 0.4153])


def svi(k, p):
    a, b, rho, m, s = p
    root = np.sqrt((k - m) ** 2 + s * s)
    w = a + b * (rho * (k - m) + root)
    return w, b * (rho + (k - m) / root), b * s * s / root**3


def exact_g(k, p):
    w, slope, curve = svi(k, p)
    return (1 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1 / w + 0.25) + 0.5 * curve


def test_durrlemans_function_by_differences_is_the_one_by_derivatives():
    k = np.linspace(-1.5, 1.5, 3_001)
    np.testing.assert_allclose(durrleman(k, svi(k, VOGT)[0]), exact_g(k, VOGT)[1:-1], atol=1e-5)
    assert exact_g(np.array([0.8]), VOGT) < 0 < exact_g(np.array([0.0]), VOGT)


def svi_evidence(snapshot, slices):
    """Return the evidence on an SVI surface with these parameters, whatever the market says."""
    quotes = quotes_of(snapshot)
    params = np.concatenate(slices)
    names = tuple(f"{p}@{j}" for j in range(quotes.m) for p in "a b rho m s".split())
    fit = fit_saying(quotes, quotes.iv, model="svi", params=params, names=names)
    return replace(market(snapshot), model=MODELS["svi"], fit=fit)


FLAT = np.array([0.04, 0.0, 0.0, 0.0, 0.1])


@pytest.mark.moves("butterfly_model")
def test_the_share_of_bad_density_is_that_of_the_exact_function():
    snapshot = chain(n_strikes=21, expiries=EXPIRIES[2:])
    evidence = svi_evidence(snapshot, [VOGT])
    k = np.linspace(*evidence.quotes.k[[0, -1]], 4_001)
    expected = np.mean(exact_g(k, VOGT) < 0)
    # 61 points: a share is good to one of them.
    assert value("butterfly_model", evidence) == pytest.approx(expected, abs=1.0 / 59.0)
    assert value("butterfly_model", svi_evidence(snapshot, [FLAT])) == 0.0
    # It is the fit's, however wide or high the market: only its range in k counts.
    other = chain(lambda k, tau: 0.8 + 0.0 * k, n_strikes=21, width_iv=0.05, expiries=EXPIRIES[2:])
    assert value("butterfly_model", svi_evidence(other, [VOGT])) == value(
        "butterfly_model", evidence
    )


@pytest.mark.moves("calendar_model")
def test_the_share_of_falling_variance_counts_where_the_later_slice_lies_below():
    snapshot = chain(n_strikes=21)
    rising = [FLAT * [tau, 1, 1, 1, 1] for tau in (0.1, 0.2, 0.3)]
    assert value("calendar_model", svi_evidence(snapshot, rising)) == 0.0
    falling = [rising[0], rising[2], rising[1]]
    evidence = svi_evidence(snapshot, falling)
    quotes = evidence.quotes
    grids = [np.linspace(*quotes.k[quotes.expiry_index == j][[0, -1]], 61) for j in range(3)]
    inside = [
        np.sum((grids[j] >= grids[j + 1][0]) & (grids[j] <= grids[j + 1][-1])) for j in (0, 1)
    ]
    assert value("calendar_model", evidence) == pytest.approx(inside[1] / sum(inside))
    other = chain(lambda k, tau: 0.8 + 0.0 * k, n_strikes=21, width_iv=0.05)
    for slices in (rising, falling):
        assert value("calendar_model", svi_evidence(other, slices)) == pytest.approx(
            value("calendar_model", svi_evidence(snapshot, slices))
        )


def test_a_slice_that_was_not_fitted_does_not_hide_the_others():
    snapshot = chain(n_strikes=21)
    absent = np.full(5, np.nan)
    evidence = svi_evidence(snapshot, [FLAT * 0.1, absent, VOGT])
    whole = svi_evidence(snapshot, [FLAT * 0.1, FLAT * 0.2, VOGT])
    assert value("butterfly_model", evidence) == pytest.approx(
        1.5 * value("butterfly_model", whole)
    )
    # Slices are compared with their neighbours, and the one between these two is not there.
    assert reasons("calendar_model", evidence) == {"no_surface"}
    nothing = svi_evidence(snapshot, [absent] * 3)
    assert reasons("butterfly_model", nothing) == {"no_surface"}
    assert not values("butterfly_model", nothing)


class LeftOut:
    """A surface whose first expiry has no variance left of the money, where its second has most."""

    name = "left_out"

    def variance(self, params, grid):
        later = np.where(grid.k < 0.0, 10.0, 0.1)
        first = np.where(grid.k < 0.0, np.nan, 0.1 + 0.002)
        return np.where(grid.expiry_index == 0, first, later)


def test_a_falling_variance_is_measured_against_the_slice_right_there():
    snapshot = chain(n_strikes=21, expiries=EXPIRIES[1:])
    quotes = quotes_of(snapshot)
    evidence = replace(
        market(snapshot), model=LeftOut(), fit=fit_saying(quotes, quotes.iv, model="left_out")
    )
    # It falls by 2 % of what it is wherever it is known: the 10 left of the money do not count.
    assert value("calendar_model", evidence) > 0.9
