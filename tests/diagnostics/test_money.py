"""Money moves for the right reason, stays for the wrong one, and adds up."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY, expiry_label
from monitor.diagnostics.base import METRICS, History
from monitor.diagnostics.places import wing_index
from monitor.replication.book import build_book
from monitor.replication.chain import PastChain
from tests.diagnostics.books import F0, evidence_on, history_of, measured, quotes_of, value
from tests.replication.chains import AS_OF_MS, chain, flat, skewed

NAMES = [
    "book_vega_usd",
    "book_misfit_usd",
    "book_misfit_gross_usd",
    "hedge_error_usd",
    "hedge_cost_fees_usd",
    "hedge_cost_spread_usd",
    "stress_pnl_usd",
]
MODEL_NAMES = NAMES[1:]


def parts_add_up(values):
    for family in ("wing:", "expiry:"):
        parts = [v for scope, v in values.items() if scope.startswith(family)]
        assert sum(v.value for v in parts) == pytest.approx(values["chain"].value, abs=1e-6)
        assert sum(v.n for v in parts) == values["chain"].n


@pytest.fixture(scope="module")
def tonight():
    return chain(F0 * 1.02, skewed, later_days=1.0)


@pytest.fixture(scope="module")
def two_nights(tonight):
    models = ("black", "svi", "heston", "adhoc")
    history = history_of(chain(F0, skewed), *models)
    return {m: evidence_on(tonight, m, history=history) for m in models}


def test_wings_and_expiries_add_up_to_the_chain(two_nights):
    for model, evidence in two_nights.items():
        names = ("book_misfit_usd", "book_misfit_gross_usd", "hedge_error_usd")
        for name in names:
            values, rejections = measured(name, evidence)
            assert not rejections, (model, name)
            assert {v.n for v in values.values() if v.scope == "chain"} == {15}
            parts_add_up(values)
    market = replace(evidence, model=None, fit=None)
    parts_add_up(measured("book_vega_usd", market)[0])


def test_the_books_vega_is_what_it_gains_when_every_vol_rises(tonight):
    market = replace(evidence_on(tonight), model=None, fit=None)
    values, _ = measured("book_vega_usd", market)
    assert values["chain"].model is None
    quotes = market.quotes
    up = evidence_on(tonight, iv=quotes.iv + 1e-5)
    for scope, v in values.items():
        assert value("book_misfit_usd", up, scope) == pytest.approx(1e-5 * v.value, rel=1e-3)
    assert values["chain"].value < 0 < -values["wing:centre"].value


def test_a_model_that_says_what_the_market_says_has_no_misfit(tonight):
    quotes = quotes_of(tonight)
    right = evidence_on(tonight, iv=np.array(quotes.iv))
    assert value("book_misfit_gross_usd", right) == 0.0


def test_spreads_do_not_move_the_misfit_but_its_standard_error():
    narrow, wide = (chain(F0, skewed, half_width=h) for h in (0.002, 0.006))
    found = [
        measured("book_misfit_usd", evidence_on(c, iv=quotes_of(c).iv + 0.01))[0]["chain"]
        for c in (narrow, wide)
    ]
    assert found[0].value == pytest.approx(found[1].value, rel=1e-9)
    assert found[1].stderr == pytest.approx(3.0 * found[0].stderr, rel=1e-9)


def test_an_error_in_the_put_wing_is_found_in_the_put_wing_and_nowhere_else(tonight):
    quotes = quotes_of(tonight)
    book = build_book(PastChain.of(quotes))
    puts = np.zeros(quotes.n)
    puts[book.row[[w == "put" for w in book.wing]]] = 0.02
    off = evidence_on(tonight, iv=quotes.iv + puts)
    assert value("book_misfit_gross_usd", off, "wing:centre") == 0.0
    assert value("book_misfit_gross_usd", off, "wing:call") == 0.0
    gross = value("book_misfit_gross_usd", off, "wing:put")
    assert gross == value("book_misfit_gross_usd", off) > 0
    # Short the 25-delta put, long the 10-delta one: dearer puts cost the book on balance.
    assert -gross < value("book_misfit_usd", off) < 0


def test_legs_lie_in_the_wings_that_residuals_call_by_the_same_names(tonight):
    quotes = quotes_of(tonight)
    book = build_book(PastChain.of(quotes))
    names = np.array(["put", "centre", "call"])[wing_index(quotes)][book.row]
    # An at-the-money put of 0.37 delta may lie across the border, the wings' options may not.
    wings = np.array(book.wing)
    assert np.all(names[wings != "centre"] == wings[wings != "centre"])


def test_the_right_models_hedge_leaves_less_than_the_smileless_one(two_nights):
    # Under a skew that moved with the forward, Black's delta is wrong to first order.
    legs = {m: measured("hedge_error_usd", evidence)[0] for m, evidence in two_nights.items()}
    right, black = legs["svi"], legs["black"]
    # Gamma and theta are alike for both: the wing's difference is the skew's alone.
    for wing in ("wing:put", "wing:call"):
        assert abs(black[wing].value - right[wing].value) > 20.0
    assert legs["heston"]["chain"].n == 15


@pytest.mark.moves("hedge_cost_spread_usd")
def test_a_quiet_night_earns_the_short_books_time_value():
    history = history_of(chain(F0, flat), "black")
    evidence = evidence_on(chain(F0, flat, later_days=1.0), "black", history=history)
    earned = value("hedge_error_usd", evidence)
    assert 0 < earned < 5_000
    # A wider market costs more to trade and earns the same.
    wide = evidence_on(chain(F0, flat, later_days=1.0, half_width=0.01), "black", history=history)
    assert value("hedge_error_usd", wide) == pytest.approx(earned, rel=2e-2)
    cost = "hedge_cost_spread_usd"
    assert value(cost, wide) == pytest.approx(1.5 * value(cost, evidence), rel=1e-2)
    assert value("hedge_cost_fees_usd", wide) == pytest.approx(
        value("hedge_cost_fees_usd", evidence), rel=1e-2
    )


def test_fees_are_about_two_option_fees_a_leg():
    history = history_of(chain(F0, flat), "black")
    evidence = evidence_on(chain(F0, flat, later_days=1.0), "black", history=history)
    fees = value("hedge_cost_fees_usd", evidence)
    options = 15 * 2 * 0.0003 * F0  # none of the book's premiums is below 0.0024
    assert options < fees < 1.25 * options


@pytest.mark.parametrize("model", ["black", "svi", "heston", "adhoc"])
def test_every_cell_of_the_stress_has_a_value_and_the_unmoved_one_is_nothing(two_nights, model):
    values, rejections = measured("stress_pnl_usd", two_nights[model])
    assert not rejections
    assert len(values) == 9
    assert values["stress:spot0/vol-same"].value == 0.0
    assert values["stress:spot0/vol-up"].value < 0 < values["stress:spot0/vol-down"].value
    for spot in ("-16", "+16"):
        assert (
            values[f"stress:spot{spot}/vol-up"].value < values[f"stress:spot{spot}/vol-down"].value
        )


@pytest.mark.moves("stress_pnl_usd")
def test_a_rise_by_half_of_a_higher_vol_costs_more_and_by_wider_quotes_nothing():
    def pnl(vol, half_width=0.005):
        there = chain(F0, lambda k, tau: vol + 0.0 * k, days=(30.0,), half_width=half_width)
        return value("stress_pnl_usd", evidence_on(there, "black"), "stress:spot0/vol-up")

    # Black's fit of one vol is the mid vol: at the money the premium is straight in it.
    assert pnl(0.6) / pnl(0.4) == pytest.approx(0.6 / 0.4, rel=0.15)
    assert pnl(0.4, half_width=0.02) == pytest.approx(pnl(0.4), rel=1e-6)


@pytest.mark.moves("book_vega_usd hedge_cost_fees_usd")
@pytest.mark.parametrize("name", ["book_vega_usd", "hedge_cost_fees_usd"])
def test_twice_as_dear_a_coin_has_twice_the_vega_and_fees_and_wider_quotes_have_as_much(name):
    def found(dearer=1.0, half_width=0.005):
        strikes = dearer * np.arange(30_000.0, 200_001.0, 1_000.0)
        how = {"strikes": strikes, "half_width": half_width}
        history = history_of(chain(dearer * F0, flat, **how), "black")
        tonight = chain(dearer * F0, flat, later_days=1.0, **how)
        evidence = evidence_on(tonight, "black", history=history)
        if METRICS[name].level == "market":
            evidence = replace(evidence, model=None, fit=None)
        return value(name, evidence)

    assert found(dearer=2.0) == pytest.approx(2.0 * found(), rel=1e-9)
    # Premiums of the mid vol, on which fees have a ceiling, are those of bid and ask.
    assert found(half_width=0.01) == pytest.approx(found(), rel=1e-3)


@pytest.mark.moves("book_misfit_usd book_misfit_gross_usd")
def test_twice_the_misfit_is_twice_the_money_and_the_other_way_the_same_gross(tonight):
    quotes = quotes_of(tonight)
    once, twice, back = (evidence_on(tonight, iv=quotes.iv + e) for e in (1e-4, 2e-4, -1e-4))
    for name in ("book_misfit_usd", "book_misfit_gross_usd"):
        assert value(name, twice) == pytest.approx(2.0 * value(name, once), rel=1e-3)
    net, gross = value("book_misfit_usd", once), value("book_misfit_gross_usd", once)
    assert value("book_misfit_usd", back) == pytest.approx(-net, rel=1e-3)
    assert value("book_misfit_gross_usd", back) == pytest.approx(gross, rel=1e-3)


@pytest.mark.moves("hedge_error_usd")
def test_a_coin_that_moves_costs_the_short_book_and_either_way_alike():
    def gain(move):
        tonight = chain(F0 * (1.0 + move), flat, later_days=1.0)
        history = history_of(chain(F0, flat), "black")
        return value("hedge_error_usd", evidence_on(tonight, "black", history=history))

    still, up, down = gain(0.0), gain(0.04), gain(-0.04)
    assert up < still - 100.0 and down < still - 100.0
    # Gamma is of either sign; what the delta took out was of one.
    assert (up - still) == pytest.approx(down - still, rel=0.5)


def test_settled_in_dollars_the_same_position_under_one_forward_is_the_same_money():
    one = chain(F0, flat, days=(30.0,))
    for cell in ("spot-16/vol-same", "spot+16/vol-up"):
        coin, dollar = (
            value("stress_pnl_usd", evidence_on(one, "black", price_unit=unit), f"stress:{cell}")
            for unit in ("coin", "usd")
        )
        assert coin < 0
        assert dollar == pytest.approx(coin, rel=1e-12)


# --- what is expected to go wrong ---------------------------------------------------------------


def only_rejections(name, evidence, reason):
    values, rejections = measured(name, evidence)
    assert not values
    assert [r.reason for r in rejections] == [reason]
    return rejections[0]


@pytest.mark.parametrize("name", NAMES[3:6])
def test_the_first_night_has_no_hedge_yet(name, tonight):
    only_rejections(name, evidence_on(tonight), "no_last_night")


def cut(c, n):
    columns = "expiry_ms forward strike sign iv_bid iv_ask".split()
    return PastChain(c.as_of_ms, *(getattr(c, name)[:n] for name in columns))


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_an_empty_chain_or_one_far_quote_is_a_rejection(name, n, tonight):
    far = cut(tonight, n)  # the lowest put of the nearest expiry: no part of the book
    history = history_of(chain(F0, skewed), "svi")
    evidence = evidence_on(far, "svi", history=history)
    if name == "book_vega_usd":
        evidence = replace(evidence, model=None, fit=None)
    reason = "not_quoted_tonight" if name.startswith("hedge") else "no_book"
    values, rejections = measured(name, evidence)
    assert not values
    assert reason in {r.reason for r in rejections}


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_without_a_vol_is_a_rejection(name, tonight):
    history = history_of(chain(F0, skewed), "svi")
    lost = replace(history.fits["svi"], params=np.full_like(history.fits["svi"].params, np.nan))
    evidence = evidence_on(tonight, "svi", history=replace(history, fits={"svi": lost}))
    assert evidence.fit is not None
    nothing = replace(
        evidence.fit,
        iv=np.full_like(evidence.fit.iv, np.nan),
        params=np.full_like(evidence.fit.params, np.nan),
    )
    values, _ = measured(name, replace(evidence, fit=nothing))
    assert not values


def test_a_leg_that_a_model_cannot_value_is_named_and_left_out(tonight):
    quotes = quotes_of(tonight)
    book = build_book(PastChain.of(quotes))
    iv = quotes.iv + 0.01
    iv[book.row[0]] = np.nan
    values, rejections = measured("book_misfit_usd", evidence_on(tonight, iv=iv))
    assert values["chain"].n == 14
    (rejection,) = rejections
    assert rejection.reason == "no_model_value"
    assert book.chain.label(int(book.row[0])) in rejection.detail
    assert "1 of 15" in rejection.detail


def test_a_leg_that_is_not_quoted_tonight_is_named_and_left_out():
    then = chain(F0, skewed)
    book = build_book(then)
    strikes = np.setdiff1d(np.arange(30_000.0, 200_001.0, 1_000.0), then.strike[book.row[:1]])
    evidence = evidence_on(
        chain(F0, skewed, later_days=1.0, strikes=strikes), history=history_of(then, "svi")
    )
    values, rejections = measured("hedge_error_usd", evidence)
    assert values["chain"].n < 15
    assert then.label(int(book.row[0])) in rejections[0].detail
    assert rejections[0].reason == "not_quoted_tonight"


def test_a_chain_of_the_night_before_last_gives_no_one_night_gain():
    history = history_of(chain(F0, skewed), "svi")
    late = evidence_on(chain(F0, skewed, later_days=2.0), history=history)
    assert "2.00 days" in only_rejections("hedge_error_usd", late, "gap").detail


def test_a_venue_whose_fees_nobody_has_read_has_no_hedge():
    history = history_of(chain(F0, skewed), "svi")
    evidence = evidence_on(chain(F0, skewed, later_days=1.0), history=history, venue="elsewhere")
    only_rejections("hedge_cost_fees_usd", evidence, "no_fees")


def test_a_part_that_no_option_can_play_is_said_once_a_night():
    strikes = np.arange(70_000.0, 200_001.0, 1_000.0)
    evidence = evidence_on(chain(F0, strikes=strikes), "black")
    _, rejections = measured("book_vega_usd", replace(evidence, model=None, fit=None))
    assert ("no_such_option", "book_vega_usd/30d/put10") in {
        (r.reason, r.subject) for r in rejections
    }
    assert not measured("book_misfit_usd", evidence)[1]


def test_the_last_chain_is_part_of_what_a_night_knew():
    then = chain(F0, skewed)
    known = {
        History().digest(),
        History(last_chain=then).digest(),
        History(last_chain=chain(F0 + 1, skewed)).digest(),
    }
    assert len(known) == 3


def test_scopes_name_expiries_as_everywhere_else(tonight):
    values, _ = measured("book_misfit_usd", evidence_on(tonight))
    labels = {f"expiry:{expiry_label(AS_OF_MS + d * MS_PER_DAY)}" for d in (7, 30, 90)}
    assert labels <= set(values)
