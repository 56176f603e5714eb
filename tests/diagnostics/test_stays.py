"""What must not move a metric: laws that every metric keeps, each on a night when all speak."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from monitor.calibration.solve import evaluate
from monitor.diagnostics.base import METRICS, NO_HISTORY, Evidence, Series
from monitor.market.snapshot import CHAIN_FLOATS, MarketContext, Snapshot, TimeSeries
from monitor.models import MODELS
from tests.diagnostics.evidence import quotes_of
from tests.diagnostics.whole import MARKET, NAMES, quiet_past, said, whole_night

WHO = (MARKET, *NAMES)
USD = {name for name, m in METRICS.items() if m.unit.startswith("usd")}


@cache
def plainly(who):
    """Return all that is said of one's own night, unchanged."""
    return said(whole_night()[who])


def on(evidence: Evidence, snapshot: Snapshot) -> Evidence:
    """Return the evidence with another chain; fits know it by k alone and stay."""
    return replace(evidence, snapshot=snapshot, quotes=quotes_of(snapshot))


def moved(before, after, but=()):
    """Return which metrics say something else, or speak of another place."""
    # A nano of themselves: logarithms of prices are taken before their differences.
    same = {
        key
        for key in before.keys() & after.keys()
        if after[key] == pytest.approx(before[key], rel=1e-9, abs=1e-12)
    }
    return {metric for metric, _ in (before.keys() | after.keys()) - same} - set(but)


def test_every_metric_has_a_value_so_that_no_law_here_is_empty():
    spoken = {metric for who in WHO for metric, _ in plainly(who)}
    assert spoken == set(dict(METRICS.items()))


# A coin worth a sixteenth ----------------------------------------------------------------------

SHARE = 1.0 / 16.0  # a power of two: numbers that scale do so to the last bit


def dearer(series: TimeSeries) -> TimeSeries:
    if series.columns == ("value",):  # vols
        return series
    return replace(series, values=series.values * SHARE)


def at_another_price(evidence: Evidence) -> Evidence:
    """Return the same night of a coin worth a sixteenth: smiles, spreads in coin and returns."""
    snapshot, last = evidence.snapshot, evidence.history.last_chain
    around = snapshot.context
    context = replace(
        around,
        future_mark=SHARE * around.future_mark,
        candles_1h=dearer(around.candles_1h),
        candles_1m=dearer(around.candles_1m),
    )
    cheap = replace(
        snapshot,
        strike=SHARE * snapshot.strike,
        forward=SHARE * snapshot.forward,
        index_price=SHARE * snapshot.index_price,
        context=context,
    )
    past = replace(last, forward=SHARE * last.forward, strike=SHARE * last.strike)
    return replace(on(evidence, cheap), history=replace(evidence.history, last_chain=past))


@pytest.mark.parametrize("who", WHO)
def test_what_a_coin_is_worth_moves_dollars_in_proportion_and_no_other_number(who):
    cheap = said(at_another_price(whole_night()[who]))
    assert not moved(plainly(who), cheap, but=USD)
    dollars = {key for key in plainly(who) if key[0] in USD}
    assert {key: cheap[key] for key in dollars} == {
        key: SHARE * plainly(who)[key] for key in dollars
    }
    assert len(dollars) > 5


# What nobody should read -----------------------------------------------------------------------


def traded_otherwise(snapshot: Snapshot) -> Snapshot:
    """Return the chain with other volumes and mark prices, and dearer options in the money."""
    rng = np.random.default_rng(2)
    inside = (snapshot.strike > snapshot.forward) != snapshot.is_call
    other = replace(
        snapshot,
        volume=rng.lognormal(0.0, 2.0, len(snapshot)),
        mark=snapshot.mark * rng.uniform(0.5, 2.0, len(snapshot)),
        bid=snapshot.bid + 0.02 * inside,
        ask=snapshot.ask + 0.02 * inside,
    )
    return listed_in_another_order(other, rng)


def listed_in_another_order(snapshot: Snapshot, rng: np.random.Generator) -> Snapshot:
    order = rng.permutation(len(snapshot))
    columns = {
        name: getattr(snapshot, name)[order] for name in (*CHAIN_FLOATS, "expiry_ms", "is_call")
    }
    names = {
        name: tuple(np.array(getattr(snapshot, name))[order].tolist())
        for name in ("instrument", "underlying_index")
    }
    return replace(snapshot, **columns, **names)


@pytest.mark.parametrize("who", WHO)
def test_order_volumes_mark_prices_and_options_in_the_money_move_parity_alone(who):
    after = said(on(whole_night()[who], traded_otherwise(whole_night()[who].snapshot)))
    found = moved(plainly(who), after)
    assert found == ({"parity_gap"} if who == MARKET else set())


@pytest.mark.parametrize("who", WHO)
def test_open_interest_moves_what_is_said_of_it_alone(who):
    snapshot = whole_night()[who].snapshot
    held = np.random.default_rng(3).lognormal(0.0, 2.0, len(snapshot))
    after = said(on(whole_night()[who], replace(snapshot, open_interest=held)))
    assert moved(plainly(who), after) == (set() if who == MARKET else {"quoting_correlation"})
    other = {k for k in after if k[1].startswith("trait:") and k[1] != "trait:open_interest"}
    assert {k: after[k] for k in other} == {k: plainly(who)[k] for k in other}


# Others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", WHO)
def test_another_models_past_and_parameters_move_nothing(who):
    evidence = whole_night()[who]
    mine = {who, None}
    # All that is not its own is forgotten, and another model's is put beside it.
    series = {key: s for key, s in evidence.history.series.items() if key[0] in mine}
    series |= {
        key: Series(s.as_of_ms, 7.0 * s.value[::-1]) for key, s in quiet_past(("sabr",)).items()
        if key[0] == "sabr"
    }  # fmt: skip
    fits = {name: fit for name, fit in evidence.history.fits.items() if name == who}
    fits["sabr"] = replace(whole_night()["svi"].history.fits["svi"], model="sabr")
    history = replace(evidence.history, fits=fits, series=series)
    # A rival that describes tonight worse than those that are there.
    poor = evaluate(MODELS["black"], evidence.quotes, np.full(evidence.quotes.m, 1.5))
    assert not moved(
        plainly(who), said(replace(evidence, history=history, rivals=(*evidence.rivals, poor)))
    )


# The past --------------------------------------------------------------------------------------


def on_a_first_night(evidence: Evidence) -> Evidence:
    nothing = {"frozen_iv": None, "refreshed": None, "pulled": None, "rivals": ()}
    return replace(evidence, history=NO_HISTORY, **nothing)


@pytest.mark.parametrize("who", WHO)
def test_a_metric_that_stands_alone_says_the_same_on_a_first_night(who):
    changed = moved(plainly(who), said(on_a_first_night(whole_night()[who])))
    assert not {name for name in changed if METRICS[name].stands_alone}


def after_loud_nights(evidence: Evidence) -> Evidence:
    """Return the night after nights on which makers knew no price at all."""
    past = evidence.history.series
    loud = {
        key: replace(s, value=1e4 * s.value) if key[1] == "noise_power" else s
        for key, s in past.items()
    }
    return replace(evidence, history=replace(evidence.history, series=loud))


def test_a_metric_that_says_it_needs_a_past_answers_to_it_and_no_other_does():
    answers = {
        metric
        for who in WHO
        for other in (on_a_first_night, after_loud_nights)
        for metric in moved(plainly(who), said(other(whole_night()[who])))
    }
    assert answers == {name for name, m in METRICS.items() if m.needs != "none"}


def test_what_the_venue_says_beside_the_chain_moves_the_numbers_of_the_coins_path_alone():
    evidence = whole_night()["bates"]
    bare = {"context": MarketContext(), "index_price": None, "venue_now_ms": None}
    after = said(on(evidence, replace(evidence.snapshot, **bare)))
    assert moved(plainly("bates"), after) == {
        *("spot_variance_gap", "jump_share_gap", "jump_agreement"),
        *("correlation_gap", "vol_of_vol_gap"),
    }
