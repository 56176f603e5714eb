"""P against Q: coins and prices that agree, and each kind of disagreement told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor.calibration.solve import calibrate, grid_of
from monitor.conventions import to_ms
from monitor.diagnostics.base import NO_HISTORY, Evidence, History
from monitor.diagnostics.dynamics import jumps_under
from monitor.market.snapshot import CANDLE_COLUMNS, MarketContext, TimeSeries
from monitor.models import MODELS
from monitor.replication.chain import PastChain
from tests.calibration.chains import quotes_from
from tests.diagnostics.evidence import market, outcomes, quotes_of, reasons, saying, value, values
from tests.market.chains import AS_OF, chain

HOUR, MINUTE = 3_600_000, 60_000
NOW = to_ms(AS_OF)
CHAIN = chain(n_strikes=13)
HESTON, BATES = MODELS["heston"], MODELS["bates"]
TRUE = np.array([0.36, 3.0, 0.36, 1.5, -0.35])
JUMPING = np.array([0.25, 3.0, 0.25, 1.2, -0.3, 20.0, -0.05, 0.05])


def candles(rng, step, count, sd, jumps=()):
    returns = sd * rng.standard_normal(count)
    for at, size in jumps:
        returns[at] += size
    close = 90_000.0 * np.exp(np.cumsum(returns))
    time_ms = NOW - step * np.arange(count, 0, -1)
    values = np.stack([close, close, close, close, np.ones(count)], axis=1)
    return TimeSeries(time_ms, CANDLE_COLUMNS, values), returns


def context(rng, *, jumps=(), rho=-0.35, xi=1.5, simulated=False):
    """Return a coin of variance 0.36 a year whose index moves by `xi` and with `rho`."""
    hourly = np.sqrt(0.36 / (365 * 24))
    hours, returns = candles(rng, HOUR, 60 * 24, hourly, jumps)
    minutes, _ = candles(rng, MINUTE, 24 * 60 + 1, hourly / np.sqrt(60))
    both = rho * returns / hourly + np.sqrt(1 - rho**2) * rng.standard_normal(len(returns))
    T, kappa = 30 / 365, 3.0
    B = (1 - np.exp(-kappa * T)) / (kappa * T)
    # d(index) = B xi sqrt(v) dW / (2 index), v = index^2; held near its level.
    index = 0.6 + np.cumsum(0.5 * B * xi * both * np.sqrt(1 / (365 * 24)))
    # The index of an hour is what it was at its end: its moves go with that hour's returns.
    dvol = TimeSeries(hours.time_ms[-720:], ("value",), np.abs(index[-720:, None]))
    return MarketContext(candles_1h=hours, candles_1m=minutes, dvol=dvol, simulated=simulated)


def evidence(model, params, around):
    on = quotes_of(CHAIN)
    grid = grid_of(on)
    iv = np.sqrt(model.total_variance(params, grid)[0] / grid.tau_of_point)
    quotes = quotes_from(grid, iv, 0.003)
    fit = calibrate(model, quotes, start=params)
    return Evidence(replace(CHAIN, context=around), quotes, NO_HISTORY, model=model, fit=fit)


@pytest.mark.parametrize("name", ["realised_variance", "bipower_variance"])
def test_realised_measures_are_the_variance_of_the_coin(name):
    on = market(replace(CHAIN, context=context(np.random.default_rng(1))))
    found = {o.scope: o for o in outcomes(name, on)}
    assert set(found) == {"window:1d", "window:7d", "window:30d"}
    for o in found.values():
        assert abs(o.value - 0.36) < 4.0 * o.stderr
        assert o.stderr < 0.06
    assert value("realised_jumps", on, "window:7d") == 0.0
    assert abs(value("realised_jump_z", on, "window:30d")) < 3.09


def test_one_jump_is_seen_in_its_week_and_not_in_the_bipower():
    jump = [(60 * 24 - 30, 0.13)]
    on = market(replace(CHAIN, context=context(np.random.default_rng(2), jumps=jump)))
    assert value("realised_jumps", on, "window:7d") == 1.0
    assert value("realised_jump_z", on, "window:7d") > 3.09
    done = values("realised_variance", on)["window:7d"]
    assert done > 1.0
    assert values("bipower_variance", on)["window:7d"] < 0.65 * done
    share = values("realised_jump_share", on)
    assert share["window:7d"] > share["window:30d"] > 0.05


OF_WINDOWS = ("realised_variance", "bipower_variance", "realised_jump_share", "realised_jump_z")


@pytest.mark.moves("realised_variance bipower_variance")
@pytest.mark.parametrize("name", [*OF_WINDOWS, "realised_jumps"])
def test_twice_the_returns_are_four_times_the_variance_and_no_more_jumps(name):
    def faster(series):
        return replace(series, values=series.values**2 / 90_000.0)  # twice the log returns

    slow = context(np.random.default_rng(2), jumps=[(60 * 24 - 30, 0.05)])
    fast = replace(slow, candles_1h=faster(slow.candles_1h), candles_1m=faster(slow.candles_1m))
    before, after = (values(name, market(replace(CHAIN, context=c))) for c in (slow, fast))
    factor = 4.0 if name.endswith("_variance") else 1.0
    assert after == pytest.approx({w: factor * v for w, v in before.items()}, rel=1e-6)


@pytest.mark.moves("realised_jump_share realised_jump_z realised_jumps")
@pytest.mark.parametrize("name", [*OF_WINDOWS, "realised_jumps"])
def test_a_jump_moves_the_windows_that_hold_it_and_an_old_one_none(name):
    plain, recent, old = (
        values(name, market(replace(CHAIN, context=context(np.random.default_rng(2), jumps=at))))
        for at in ([], [(60 * 24 - 30, 0.13)], [(24, 0.13)])  # 30 hours ago, 59 days ago
    )
    assert old == pytest.approx(plain, rel=1e-9)
    assert recent["window:7d"] > plain["window:7d"]
    if name != "realised_jumps":
        assert recent["window:30d"] > plain["window:30d"]
        assert recent["window:1d"] == pytest.approx(plain["window:1d"], rel=1e-9)


def test_candles_of_a_test_venue_are_marked_and_never_those_of_a_window():
    on = market(replace(CHAIN, context=context(np.random.default_rng(1), simulated=True)))
    for name in ("realised_variance", "realised_jumps"):
        assert all(scope.startswith("simulated:") for scope in values(name, on))
    held = evidence(BATES, JUMPING, context(np.random.default_rng(1), simulated=True))
    for name in ("spot_variance_gap", "jump_share_gap", "jump_agreement", "correlation_gap"):
        assert all(scope.startswith("simulated:") for scope in values(name, held)), name


@pytest.mark.parametrize(
    "name",
    "realised_variance bipower_variance realised_jump_share realised_jump_z realised_jumps "
    "variance_premium spot_variance_gap correlation_gap vol_of_vol_gap".split(),
)
def test_an_archive_without_candles_gives_one_recorded_rejection(name):
    bare = evidence(HESTON, TRUE, MarketContext())
    found = outcomes(name, bare)
    assert [o.reason for o in found] == ["no_candles"]


@pytest.mark.moves("variance_premium")
def test_the_premium_is_what_is_paid_over_what_was_done():
    on = market(replace(CHAIN, context=context(np.random.default_rng(3))))
    done = values("realised_variance", on)["window:30d"]
    on = replace(on, tonight={(None, "iv30", "chain"): 0.7})
    assert value("variance_premium", on, "window:30d") == pytest.approx(0.49 - done)
    dearer = replace(on, tonight={(None, "iv30", "chain"): 0.8})
    assert value("variance_premium", dearer, "window:30d") == pytest.approx(0.64 - done)
    # What is not the model-free vol of thirty days does not pay for them.
    others = {(None, "atm_iv", "chain"): 0.9, ("svi", "iv30", "chain"): 0.9}
    same = replace(on, tonight=on.tonight | others)
    assert values("variance_premium", same) == values("variance_premium", on)
    assert reasons("variance_premium", replace(on, tonight={})) == {"no_30_days"}


def test_prices_and_coin_that_agree_have_no_gap():
    gaps = {name: [] for name in ("spot_variance_gap", "correlation_gap", "vol_of_vol_gap")}
    for seed in range(6):
        on = evidence(HESTON, TRUE, context(np.random.default_rng(10 + seed)))
        for name, seen in gaps.items():
            (found,) = outcomes(name, on)
            seen.append(found.value / found.stderr)
    for name, seen in gaps.items():
        assert np.max(np.abs(seen)) < 4.0, (name, seen)


def test_a_correlation_or_a_vol_of_vol_that_the_coin_contradicts_shows_as_a_gap():
    rng = np.random.default_rng(5)
    (turned,) = outcomes("correlation_gap", evidence(HESTON, TRUE, context(rng, rho=0.4)))
    assert turned.value < -8.0 * turned.stderr
    (calm,) = outcomes("vol_of_vol_gap", evidence(HESTON, TRUE, context(rng, xi=0.5)))
    assert calm.value == pytest.approx(np.log(3.0), abs=0.15)
    (spot,) = outcomes("spot_variance_gap", evidence(HESTON, TRUE * [3, 1, 3, 1, 1], context(rng)))
    assert spot.scope == "window:1d" and spot.value == pytest.approx(np.log(3.0), abs=0.2)


@pytest.mark.moves("spot_variance_gap correlation_gap vol_of_vol_gap")
def test_each_gap_answers_to_its_own_parameter_and_not_to_the_others():
    names = ("spot_variance_gap", "correlation_gap", "vol_of_vol_gap")

    def gaps(*factors):
        on = evidence(HESTON, TRUE * [*factors], context(np.random.default_rng(5)))
        return np.array([outcomes(name, on)[0].value for name in names])

    plain = gaps(1, 1, 1, 1, 1)
    turned = float(np.arctanh(0.35) - np.arctanh(-0.35))
    for factors, moved in (
        ((2, 1, 1, 1, 1), [np.log(2.0), 0.0, 0.0]),
        ((1, 1, 1, 1, -1), [0.0, turned, 0.0]),
        ((1, 1, 1, 2, 1), [0.0, 0.0, np.log(2.0)]),
        ((1, 1, 1.5, 1, 1), [0.0, 0.0, 0.0]),  # the long variance is nobody's spot
    ):
        np.testing.assert_allclose(gaps(*factors) - plain, moved, atol=1e-6)


@pytest.mark.moves("jump_share_gap jump_agreement")
def test_what_jumps_are_a_share_of_does_not_count():
    def on(params):
        return evidence(BATES, np.asarray(params), context(np.random.default_rng(7)))

    # Jumps as often, in a coin twice as variable in all: sizes by root two.
    up, root = 2.0, 2.0**0.5
    v0, kappa, theta_v, xi, rho, lam, mu_j, sigma_j = JUMPING
    twice = on([up * v0, kappa, up * theta_v, xi, rho, lam, root * mu_j, root * sigma_j])
    rarer = on([*JUMPING[:5], 0.05 * lam, mu_j, sigma_j])
    many = on(JUMPING)
    gap = value("jump_share_gap", many, "window:30d")
    assert value("jump_share_gap", twice, "window:30d") == pytest.approx(gap, abs=1e-4)
    lost = 0.1 / 0.35 - 0.005 / 0.255
    assert gap - value("jump_share_gap", rarer, "window:30d") == pytest.approx(lost, abs=1e-3)
    assert values("jump_agreement", many) == values("jump_agreement", twice) == {"jumps:Q": 1.0}
    assert values("jump_agreement", rarer) == {"jumps:neither": 0.0}


def test_jumps_under_p_only_and_under_q_only_are_told_apart():
    many = [(60 * 24 - 700 + 70 * i, 0.07 * (-1) ** i) for i in range(10)]
    without = np.array([*TRUE, 0.0, -0.05, 0.05])
    seen = {
        (p, q): jumps_under(evidence(BATES, params, context(np.random.default_rng(7), jumps=path)))
        for p, path in (("P", many), ("", []))
        for q, params in (("Q", JUMPING), ("", without))
    }
    assert seen == {("P", "Q"): "both", ("P", ""): "P", ("", "Q"): "Q", ("", ""): "neither"}
    only_q = evidence(BATES, JUMPING, context(np.random.default_rng(7)))
    assert values("jump_agreement", only_q) == {"jumps:Q": 1.0}
    (gap,) = outcomes("jump_share_gap", only_q)
    assert gap.value == pytest.approx(0.1 / 0.35, abs=0.12)
    assert reasons("jump_agreement", evidence(HESTON, TRUE, context(np.random.default_rng(7)))) == {
        "no_jumps_or_candles"
    }


@pytest.mark.moves("snapshot_variance")
def test_between_two_chains_there_is_one_squared_move():
    before = quotes_of(chain(n_strikes=9, as_of=AS_OF - timedelta(days=1)))
    on = market(CHAIN, History(last_chain=PastChain.of(before)))
    assert value("snapshot_variance", on) == 0.0  # the forwards of these chains stand still
    moved = replace(before, forward=before.forward * np.exp(-0.03))
    (found,) = outcomes("snapshot_variance", market(CHAIN, History(last_chain=PastChain.of(moved))))
    assert found.value == pytest.approx(0.03**2 * 365.0)
    # Vols that fell and spreads that widened are no move of the coin.
    other = replace(moved, iv_bid=moved.iv_bid - 0.2, iv_ask=moved.iv_ask - 0.1)
    after = market(CHAIN, History(last_chain=PastChain.of(other)))
    assert value("snapshot_variance", after) == found.value
    assert found.stderr == pytest.approx(np.sqrt(2.0) * found.value)
    assert reasons("snapshot_variance", market(CHAIN)) == {"no_last_night"}


def test_a_model_without_a_spot_variance_is_read_off_its_nearest_expiry():
    on = saying(replace(CHAIN, context=context(np.random.default_rng(8))), 0.0)
    spot = float(np.exp(value("spot_variance_gap", on, "window:1d")))
    done = value("realised_variance", on, "window:1d")
    assert spot * done == pytest.approx(0.25, rel=0.05)  # fifty vol at the money
