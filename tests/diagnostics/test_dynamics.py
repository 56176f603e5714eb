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


def test_the_premium_is_what_is_paid_over_what_was_done():
    on = market(replace(CHAIN, context=context(np.random.default_rng(3))))
    done = values("realised_variance", on)["window:30d"]
    on = replace(on, tonight={(None, "iv30", "chain"): 0.7})
    assert value("variance_premium", on, "window:30d") == pytest.approx(0.49 - done)
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


def test_between_two_chains_there_is_one_squared_move():
    before = quotes_of(chain(n_strikes=9, as_of=AS_OF - timedelta(days=1)))
    on = market(CHAIN, History(last_chain=PastChain.of(before)))
    assert value("snapshot_variance", on) == 0.0  # the forwards of these chains stand still
    moved = replace(before, forward=before.forward * np.exp(-0.03))
    (found,) = outcomes("snapshot_variance", market(CHAIN, History(last_chain=PastChain.of(moved))))
    assert found.value == pytest.approx(0.03**2 * 365.0)
    assert found.stderr == pytest.approx(np.sqrt(2.0) * found.value)
    assert reasons("snapshot_variance", market(CHAIN)) == {"no_last_night"}


def test_a_model_without_a_spot_variance_is_read_off_its_nearest_expiry():
    on = saying(replace(CHAIN, context=context(np.random.default_rng(8))), 0.0)
    spot = float(np.exp(value("spot_variance_gap", on, "window:1d")))
    done = value("realised_variance", on, "window:1d")
    assert spot * done == pytest.approx(0.25, rel=0.05)  # fifty vol at the money
