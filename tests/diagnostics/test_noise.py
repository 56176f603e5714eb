"""Noise is learnt from what neighbours say against each other, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import METRICS, NO_HISTORY, MetricValue, Series
from monitor.diagnostics.noise_model import CELLS, UNLEARNT, cell_index, guess, learnt_noise
from monitor.replication.chain import PastChain
from tests.diagnostics.evidence import outcomes, reasons, value, values
from tests.diagnostics.noisy import (
    TENOR_DAYS,
    evidence_of,
    grid_of,
    history_of,
    quoted,
    smile,
)

GRID = grid_of()
TRUE = smile(GRID)


def nights(n, seed=1, **how):
    rng = np.random.default_rng(seed)
    return [quoted(GRID, TRUE, rng, **how) for _ in range(n)]


@pytest.fixture(scope="module")
def thirty():
    return nights(30)


def spreads_off(quotes, noise):
    """Return the root mean square of true errors over the deviation the model gives them."""
    spare = smile(replace_grid(quotes)) - quotes.iv
    return float(np.sqrt(np.mean((spare / noise.deviation(quotes)) ** 2)))


def replace_grid(quotes):
    return replace(
        GRID, expiry_index=quotes.expiry_index, k=quotes.k, expiry_ms=quotes.expiry_ms, cache={}
    )


def test_every_quote_lies_in_one_cell_by_ticks_wing_and_tenor(thirty):
    quotes = thirty[0]
    cells = [CELLS[i] for i in cell_index(quotes)]
    for i in range(0, quotes.n, 7):
        ticks, wing, tenor = cells[i].removeprefix("cell:").split("/")
        wide = round((quotes.c_ask[i] - quotes.c_bid[i]) / quotes.tick[i])
        assert ticks == ("1" if wide == 1 else "2" if wide == 2 else "3-4" if wide < 5 else "5+")
        days = TENOR_DAYS[quotes.expiry_index[i]]
        assert tenor == ("week" if days < 8 else "month" if days < 35 else "far")
        assert wing in ("put", "centre", "call")


def test_without_a_past_a_value_is_uniform_between_bid_and_ask(thirty):
    quotes = thirty[0]
    assert learnt_noise(NO_HISTORY) is UNLEARNT
    width = quotes.iv_ask - quotes.iv_bid
    wider_than_a_tick = quotes.noise > 0.5 * width * (1 + 1e-9)
    by_hand = np.where(wider_than_a_tick, quotes.noise / 3**0.5, width / 12**0.5)
    np.testing.assert_allclose(UNLEARNT.deviation(quotes), by_hand, rtol=1e-12)


@pytest.mark.parametrize("off", [0.1, 0.4, 1.2])
def test_learnt_deviations_are_the_true_ones_whatever_makers_do(off):
    past, tonight = nights(30, off=off), nights(20, seed=2, off=off)
    noise = learnt_noise(history_of(past))
    ratio = np.mean([spreads_off(q, noise) for q in tonight])
    assert ratio == pytest.approx(1.0, abs=0.08)
    # The guess is not: the test could fail.
    assert abs(np.mean([spreads_off(q, UNLEARNT) for q in tonight]) - 1.0) > 0.12


def test_a_market_one_tick_wide_is_off_by_rounding_and_a_wide_one_by_its_makers():
    rng = np.random.default_rng(8)
    # Makers who know the price and nothing else: the truth is anywhere in the tick.
    levels = TRUE * rng.uniform(0.9, 1.1, 30)[:, None]
    narrow = [quoted(GRID, iv, rng, half_width=1e-6, off=0.0) for iv in levels]
    sure = learnt_noise(history_of(narrow)).deviation(narrow[0])
    half = 0.5 * (narrow[0].iv_ask - narrow[0].iv_bid)
    assert np.median(sure / half) == pytest.approx(3**-0.5, rel=0.1)
    # Makers of markets many ticks wide are off by what they are off.
    wide = nights(30, half_width=0.05, off=0.2)
    spare = learnt_noise(history_of(wide)).deviation(wide[0])
    many = (wide[0].c_ask - wide[0].c_bid) > 10.5 * wide[0].tick
    assert many.sum() > 20
    half = 0.5 * (wide[0].iv_ask - wide[0].iv_bid)
    assert np.median((spare / half)[many]) == pytest.approx(0.2, rel=0.15)


def test_a_wrong_smile_is_not_noise(thirty):
    rng = np.random.default_rng(3)
    bent = TRUE + 0.03 * np.tanh(GRID.k / np.sqrt(GRID.tau_of_point))
    there = history_of([quoted(GRID, bent, rng) for _ in range(30)])
    quotes = thirty[0]
    before, after = (learnt_noise(h).deviation(quotes) for h in (history_of(thirty), there))
    assert np.median(after / before) == pytest.approx(1.0, abs=0.08)


@pytest.mark.moves("noise_power")
def test_noise_knows_wider_from_noisier(thirty):
    """Twice the width with the same habits is no noisier in its units; a shaken maker is."""
    quiet = value("noise_power", evidence_of(thirty[0]))
    shaken = np.mean([value("noise_power", evidence_of(q)) for q in nights(5, off=0.8)])
    calm = np.mean([value("noise_power", evidence_of(q)) for q in thirty[:5]])
    assert shaken > 2.0 * calm
    assert quiet == pytest.approx(calm, rel=0.5)


@pytest.mark.moves("noise_neighbour")
def test_neighbours_that_stray_together_are_found_to():
    rng = np.random.default_rng(4)

    def strays(rho):
        e = rng.standard_normal((len(TENOR_DAYS), GRID.n // len(TENOR_DAYS)))
        for i in range(1, e.shape[1]):
            e[:, i] = rho * e[:, i - 1] + np.sqrt(1.0 - rho**2) * e[:, i]
        return e.ravel()

    found = {
        rho: learnt_noise(
            history_of(
                [quoted(GRID, TRUE, rng, half_width=0.02, stray=strays(rho)) for _ in range(40)]
            )
        ).rho
        for rho in (0.0, 0.5)
    }
    assert found[0.0] < 0.12
    # Rounding is each strike's own: of 0.5 a little less is left.
    assert 0.3 < found[0.5] < 0.6


def test_a_cell_hardly_seen_is_drawn_to_the_chain_and_none_is_ever_zero(thirty):
    history = history_of(thirty)
    noise = learnt_noise(history)
    unseen = noise.weight == 0.0
    assert unseen.any() and (~unseen).any()
    assert len(set(noise.power[unseen])) == 1
    assert noise.power[~unseen].min() <= noise.power[unseen][0] <= noise.power[~unseen].max()
    silent = {
        key: replace(s, value=np.zeros(len(s))) if key[1] == "noise_power" else s
        for key, s in history.series.items()
    }
    dead = learnt_noise(replace(history, series=silent))
    assert np.all(dead.power > 0.0)


def test_a_broken_night_teaches_nothing(thirty):
    history = history_of(thirty)
    (broken,) = nights(1, seed=5, off=5.0)
    with_it = history_of([*thirty, broken])
    assert learnt_noise(with_it).nights == learnt_noise(history).nights
    np.testing.assert_array_equal(learnt_noise(with_it).power, learnt_noise(history).power)


@pytest.mark.moves("noise_lasting")
def test_the_part_that_stays_over_night_is_told_from_the_part_that_does_not():
    rng = np.random.default_rng(6)
    stays = rng.standard_normal(GRID.n)

    def lasting(share):
        def night():
            fresh = rng.standard_normal(GRID.n)
            stray = np.sqrt(share) * stays + np.sqrt(1.0 - share) * fresh
            return quoted(GRID, TRUE, rng, half_width=0.02, stray=stray)

        history = replace(NO_HISTORY, last_chain=PastChain.of(night()))
        return value("noise_lasting", evidence_of(night(), history))

    assert abs(np.mean([lasting(0.0) for _ in range(10)])) < 0.1
    assert np.mean([lasting(0.8) for _ in range(10)]) > 0.4


def bent(quotes, by):
    """Return the quotes with vols that differ by `by`, spreads as they are."""
    vols = {name: getattr(quotes, name) + by for name in ("iv", "iv_bid", "iv_ask")}
    return replace(quotes, **vols)


@pytest.mark.moves("noise_weight")
def test_weight_is_a_matter_of_strikes_and_not_of_noise(thirty):
    quotes = thirty[0]
    weight = values("noise_weight", evidence_of(quotes))
    half = quoted(grid_of(13), smile(grid_of(13)), np.random.default_rng(9))
    fewer = values("noise_weight", evidence_of(half))
    assert sum(fewer.values()) < 0.7 * sum(weight.values())
    # Far too little to move a quote to another wing.
    loud = bent(quotes, 1e-4 * np.random.default_rng(9).standard_normal(quotes.n))
    assert values("noise_weight", evidence_of(loud)) == pytest.approx(weight, rel=1e-9)


def test_how_neighbours_go_together_does_not_depend_on_how_loud_they_are(thirty):
    quotes = thirty[0]
    stray = quotes.iv - smile(replace_grid(quotes))
    louder = bent(quotes, stray)  # twice as far from a smile that contrasts do not see
    rho = value("noise_neighbour", evidence_of(quotes))
    assert value("noise_neighbour", evidence_of(louder)) == pytest.approx(rho, abs=0.02)
    assert value("noise_power", evidence_of(louder)) == pytest.approx(
        4.0 * value("noise_power", evidence_of(quotes)), rel=0.2
    )


def test_a_level_that_moves_over_night_is_no_noise_that_stays(thirty):
    first, second = thirty[:2]
    found = [
        value("noise_lasting", evidence_of(bent(second, by), replace(NO_HISTORY, last_chain=last)))
        for by in (0.0, 0.1)
        for last in (PastChain.of(first), PastChain.of(bent(first, 0.2)))
    ]
    assert max(found) - min(found) < 0.05


@pytest.mark.moves("noise_deviation")
def test_what_is_expected_of_noise_is_what_was_learnt_and_not_tonights_own(thirty):
    history = history_of(thirty)
    louder = {
        key: replace(s, value=4.0 * s.value) if key[1] == "noise_power" else s
        for key, s in history.series.items()
    }
    quotes = thirty[0]
    calm = value("noise_deviation", evidence_of(quotes, history))
    loud = value("noise_deviation", evidence_of(quotes, replace(history, series=louder)))
    assert loud == pytest.approx(2.0 * calm, rel=0.05)  # a little of the belief in the guess
    off = bent(quotes, 1e-4 * np.random.default_rng(9).standard_normal(quotes.n))
    assert value("noise_deviation", evidence_of(off, history)) == pytest.approx(calm, rel=1e-9)


def test_a_chain_too_thin_to_tell_noise_from_a_curve_says_so():
    thin = quoted(grid_of(5), smile(grid_of(5)), np.random.default_rng(7))
    for name in ("noise_power", "noise_weight", "noise_neighbour"):
        assert not values(name, evidence_of(thin))
        assert reasons(name, evidence_of(thin)) == {"not_enough_data"}
    history = replace(NO_HISTORY, last_chain=PastChain.of(thin))
    assert reasons("noise_lasting", evidence_of(thin, history)) == {"not_enough_data"}
    assert reasons("noise_lasting", evidence_of(thin)) == {"no_last_night"}


def test_what_a_night_teaches_stands_in_its_numbers_and_in_no_other(thirty):
    """Order of nights, and any number but three, change nothing of what is learnt."""
    history = history_of(thirty[:5])
    other = {(None, "n_quotes", "chain"): Series(np.arange(3), np.ones(3))}
    same = learnt_noise(replace(history, series={**history.series, **other}))
    np.testing.assert_array_equal(same.power, learnt_noise(history).power)
    back = learnt_noise(history_of(thirty[:5][::-1]))
    np.testing.assert_allclose(back.power, same.power, rtol=1e-12)


def test_the_deviation_is_that_of_the_quotes_in_half_spreads(thirty):
    history = history_of(thirty)
    quotes = thirty[0]
    noise = learnt_noise(history)
    half = 0.5 * (quotes.iv_ask - quotes.iv_bid)
    expected = np.sqrt(np.mean((noise.deviation(quotes) / half) ** 2))
    assert value("noise_deviation", evidence_of(quotes, history)) == pytest.approx(expected)
    assert np.all(guess(quotes) >= half / 3**0.5 * (1 - 1e-12))
    assert isinstance(outcomes("noise_deviation", evidence_of(quotes))[0], MetricValue)
    assert METRICS["noise_deviation"].needs != "none"
