"""Worlds are what they say: deterministic, free of arbitrage, broken where and when stated."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY, MS_PER_YEAR
from monitor.errors import DomainError, UnknownNameError
from monitor.models import MODELS
from monitor.models.base import Grid
from monitor.pricing.black import black_price
from monitor.sandbox.generate import DEFAULT_BREAK_NIGHT, open_world
from monitor.sandbox.rows import TICK, TICK_ABOVE, TICK_LIMIT
from monitor.sandbox.truth import DVOL_TAU, mean_variance, true_variance
from monitor.sandbox.worlds import WORLDS
from monitor.sandbox.worlds.base import QUIET
from tests.sandbox.rooms import world

EVENING_MS = 81_000_000  # 22:30 UTC
BEFORE = DEFAULT_BREAK_NIGHT - 1
AFTER = DEFAULT_BREAK_NIGHT


def moment(night, market=None):
    return (market or world()).start_ms + night * MS_PER_DAY + EVENING_MS


def smile(market, underlying, now_ms, tau):
    """Return log-moneyness and true total variance on a dense grid of one tenor."""
    true = market.smile(underlying, now_ms)
    spread = np.sqrt(mean_variance(true, tau) * tau)
    k = np.linspace(-3.0, 3.0, 121) * spread
    w = true_variance(true, np.array([tau]), np.zeros(len(k), np.int64), k)
    return k, w


def test_every_world_says_what_it_is():
    for name, w in WORLDS.items():
        assert w.name == name
        assert w.summary
        assert WORLDS[w.quiet].breaks == ()
        assert not w.same_as or w.same_as in WORLDS


def test_half_of_the_worlds_have_a_truth_that_no_rival_contains():
    named = [w for w in WORLDS if not WORLDS[w].same_as]
    assert sum(WORLDS[w].rival is None for w in named) >= len(named) // 2
    assert all(w.rival in MODELS for _, w in WORLDS.items() if w.rival is not None)


def test_a_world_is_the_same_whatever_was_asked_before():
    fresh = open_world("calm", seed=0)
    backwards = [fresh.snapshot("BTC", moment(n)).digest for n in (40, 3, 12)]
    again = open_world("calm", seed=0)
    again.candles("BTC", moment(2), moment(5), 60_000, moment(6))
    assert [again.snapshot("BTC", moment(n)).digest for n in (3, 12, 40)] == [
        backwards[1],
        backwards[2],
        backwards[0],
    ]


def test_another_seed_is_another_market():
    one, two = open_world("calm", seed=1), open_world("calm", seed=2)
    assert one.chain("BTC", moment(5)).chain_digest != two.chain("BTC", moment(5)).chain_digest
    assert one.index_price("BTC", moment(5)) != two.index_price("BTC", moment(5))


def in_the_market(w):
    """Return whether something happens that a chain can show."""
    return w.breaks and w.regime(0.0) != replace(QUIET, evaluations=w.regime(0.0).evaluations)


@pytest.mark.parametrize("name", [n for n, w in WORLDS.items() if in_the_market(w)])
def test_worlds_of_one_seed_differ_by_what_happens_alone(name):
    quiet, broken = world(WORLDS[name].quiet), world(name)
    for underlying in quiet.underlyings:
        before = [m.snapshot(underlying, moment(BEFORE), brief=True) for m in (quiet, broken)]
        assert before[0].digest == before[1].digest
        after = [m.chain(underlying, moment(AFTER)).chain_digest for m in (quiet, broken)]
        assert after[0] != after[1]


@pytest.mark.parametrize("name", ["solver-starved", "solver-starved-rich"])
def test_what_happens_on_the_desk_is_seen_on_no_chain(name):
    quiet, starved = world(WORLDS[name].quiet), world(name)
    digests = {m.snapshot("BTC", moment(AFTER), brief=True).digest for m in (quiet, starved)}
    assert len(digests) == 1
    assert starved.regime(moment(AFTER)).evaluations == 3


def test_before_the_break_the_whole_snapshot_is_the_quiet_one():
    calm, broken = world(), world("jumps-on")
    snapshots = [m.snapshot("BTC", moment(BEFORE)).digest for m in (calm, broken)]
    assert snapshots[0] == snapshots[1]


def test_the_break_is_at_midnight_of_the_night_that_was_told():
    market = open_world("left-wing-up", seed=0, break_night=10)
    assert market.regime(market.start_ms + 10 * MS_PER_DAY - 1).put_wing == 0.0
    assert market.regime(market.start_ms + 10 * MS_PER_DAY).put_wing == 0.02
    assert market.night(moment(10)) == 10


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_marks_of_the_calm_world_are_hestons_own(underlying):
    market, now_ms = world(), moment(20)
    chain = market.chain(underlying, now_ms)
    calls = chain.is_call
    expiry, index = np.unique(chain.expiry_ms[calls], return_inverse=True)
    tau = (expiry - now_ms) / MS_PER_YEAR
    k = np.log(chain.strike[calls] / chain.forward[calls])
    params = market.params(underlying, now_ms)
    # The reference variance steers the quadrature alone.
    grid = Grid(expiry, tau, index, k, mean_variance(market.smile(underlying, now_ms), tau) * tau)
    w, _ = MODELS["heston"].total_variance(params, grid)
    near = np.isfinite(w) & (np.abs(k) < 3 * np.sqrt(w))
    iv = np.sqrt(w / tau[index])
    # Printed with four decimals.
    np.testing.assert_allclose(chain.mark_iv[calls][near], iv[near], atol=0.51e-4)


@pytest.mark.parametrize("name", list(WORLDS))
@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_the_true_smile_has_no_static_arbitrage(name, underlying):
    market, now_ms = world(name), moment(AFTER)
    tenors = np.array([0.5, 1.5, 4.0, 10.0, 30.0, 90.0, 330.0]) / 365.0
    for tau in tenors:
        k, w = smile(market, underlying, now_ms, tau)
        strike, call = np.exp(k), black_price(k, w, np.ones(len(k)))
        slope = np.diff(call) / np.diff(strike)
        # Rounding of the premium over a strike step of 1e-3 is 1e-13.
        assert np.all(np.diff(slope) > -1e-10), f"butterfly at {tau * 365:.1f} days"
        assert np.all((slope <= 1e-12) & (slope >= -1.0 - 1e-12))
    k = np.linspace(-0.05, 0.05, 11)
    index, points = np.repeat(np.arange(len(tenors)), len(k)), np.tile(k, len(tenors))
    w = true_variance(market.smile(underlying, now_ms), tenors, index, points)
    assert np.all(np.diff(w.reshape(len(tenors), len(k)), axis=0) > 0), "calendar"


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_volatility_index_is_the_price_of_the_strip(name):
    market = world(name)
    now_ms = market.start_ms + AFTER * MS_PER_DAY  # midnight, where the wing's part is computed
    k, w = smile_wide(market, now_ms)
    otm = black_price(k, w, np.where(k >= 0, 1.0, -1.0))
    strip = 2.0 * np.trapezoid(otm * np.exp(-k), k) / DVOL_TAU
    dvol = market.dvol("BTC", now_ms, now_ms, 3_600_000, now_ms)
    # Printed with four decimals; the strip is cut at seven deviations.
    assert dvol.values[0, 0] == pytest.approx(np.sqrt(strip), abs=5e-4)


def smile_wide(market, now_ms):
    true = market.smile("BTC", now_ms)
    k = np.linspace(-8.0, 7.0, 601) * np.sqrt(mean_variance(true, DVOL_TAU) * DVOL_TAU)
    index = np.zeros(len(k), np.int64)
    return k, true_variance(true, np.array([DVOL_TAU]), index, k)


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_quotes_stand_on_ticks_and_are_never_crossed(underlying):
    for night in (2, 31, 60):
        chain = world().chain(underlying, moment(night))
        for side in (chain.bid, chain.ask):
            price = side[np.isfinite(side)]
            tick = np.where(price > TICK_LIMIT + 1e-9, TICK_ABOVE, TICK)
            np.testing.assert_allclose(price / tick, np.round(price / tick), atol=1e-6)
            assert np.all(price > 0)
        both = np.isfinite(chain.bid) & np.isfinite(chain.ask)
        assert np.all(chain.ask[both] - chain.bid[both] > 0.9 * TICK)
        assert np.all(chain.expiry_ms > chain.as_of_ms)


def test_strikes_come_and_stay_as_the_price_moves():
    market = world()
    expiry = max(market.chain("BTC", moment(30)).expiry_ms)

    def listed(now_ms):
        chain = market.chain("BTC", now_ms)
        return set(chain.strike[chain.expiry_ms == expiry])

    evening = listed(moment(30))
    assert listed(moment(30) - 3_600_000) <= evening | listed(moment(30) - 3_600_000)
    assert len(evening) > 35


def test_every_strike_has_a_put_and_a_call_at_parity():
    chain = world().chain("BTC", moment(30))
    put, call = ~chain.is_call, chain.is_call
    np.testing.assert_array_equal(chain.strike[put], chain.strike[call])
    gap = chain.mark[call] - chain.mark[put] - (1 - chain.strike[put] / chain.forward[put])
    assert np.max(np.abs(gap)) < 1.1e-6  # marks have six decimals


def test_what_a_world_cannot_answer_is_said():
    with pytest.raises(UnknownNameError, match=r"no world is named 'stormy'.*calm"):
        open_world("stormy")
    with pytest.raises(DomainError, match="starts at midnight UTC"):
        open_world("calm", start=datetime(2026, 1, 5, 12, tzinfo=UTC))
    with pytest.raises(DomainError, match="lives from 400 days before"):
        world().chain("BTC", moment(-500))
    with pytest.raises(DomainError, match="has BTC, ETH, not SOL"):
        world().snapshot("SOL", moment(3))
    assert world().chain("SOL", moment(3)) is None
