"""The price path is one path, at every resolution and in any order."""

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY
from monitor.sandbox.generate import open_world
from monitor.sandbox.path import BASIS_MEAN, Path
from tests.sandbox.rooms import MOMENT_MS, world

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
START_MS = world().start_ms


@pytest.fixture(scope="module")
def path():
    return Path(5, "BTC", START_MS, 70_000.0, 0.20)


def test_the_price_at_the_start_is_the_one_that_was_told(path):
    assert np.exp(path.log_price(START_MS)) == pytest.approx(70_000.0)


def test_minutes_and_moments_are_the_same_path(path):
    time_ms, log_price = path.log_minutes(START_MS, START_MS + 3 * MS_PER_DAY - 1)
    assert len(time_ms) == 3 * 1440
    for i in (0, 1, 777, 1439, 1440, 4000):
        assert path.log_price(int(time_ms[i])) == pytest.approx(log_price[i], abs=1e-12)
    between = path.log_price(int(time_ms[9]) + 30_000)
    assert between == pytest.approx((log_price[9] + log_price[10]) / 2, abs=1e-12)


def test_days_join_without_a_gap(path):
    _, log_price = path.log_minutes(START_MS, START_MS + 40 * MS_PER_DAY)
    steps = np.abs(np.diff(log_price))
    # 57,600 normal steps of one minute: the largest is below 7 deviations at twice the variance.
    assert steps.max() < 7 * np.sqrt(2 * 0.20 / 365 / 1440)


def test_the_path_has_the_variance_of_its_state(path):
    days = 300
    time_ms, log_price = path.log_minutes(START_MS, START_MS + days * MS_PER_DAY - 1)
    told = np.mean(path.variances(time_ms[::60]))
    for step in (1, 60, 1440):
        returns = np.diff(log_price[::step])
        realised = np.mean(returns**2) * 365 * 1440 / step
        # Relative error of a variance from n draws is sqrt(2/n): four of them.
        assert realised == pytest.approx(told, rel=4 * np.sqrt(2 / len(returns)) + 0.02)


def test_state_and_basis_wander_as_recorded(path):
    nights = START_MS + MS_PER_DAY * np.arange(2000)
    state = np.log(path.variances(nights) / 0.20)
    assert np.corrcoef(state[1:], state[:-1])[0, 1] == pytest.approx(0.95, abs=0.025)
    assert abs(np.mean(state)) < 0.2
    basis = np.array([path.basis(int(t)) for t in nights[:500]])
    assert np.mean(basis) == pytest.approx(BASIS_MEAN, abs=0.002)
    assert 0.002 < np.std(basis) < 0.005


def test_candles_of_every_step_tell_one_story():
    start = MOMENT_MS - 6 * HOUR_MS - MOMENT_MS % HOUR_MS
    minutes = world().candles("BTC", start, MOMENT_MS, MINUTE_MS, MOMENT_MS)
    hours = world().candles("BTC", start, MOMENT_MS, HOUR_MS, MOMENT_MS)
    for i, t in enumerate(hours.time_ms):
        inside = (minutes.time_ms >= t) & (minutes.time_ms < t + HOUR_MS)
        rows = minutes.values[inside]
        opened, high, low, close, _ = hours.values[i]
        assert (opened, close) == (rows[0, 0], rows[-1, 3])
        assert (high, low) == (rows[:, 1].max(), rows[:, 2].min())
    assert hours.values[-1, 3] == world().index_price("BTC", MOMENT_MS)


def test_nothing_is_told_of_the_future():
    later = world().candles("BTC", MOMENT_MS, MOMENT_MS + MS_PER_DAY, MINUTE_MS, MOMENT_MS)
    assert len(later) <= 1
    dvol = world().dvol("BTC", MOMENT_MS - MS_PER_DAY, MOMENT_MS + MS_PER_DAY, HOUR_MS, MOMENT_MS)
    assert dvol.time_ms[-1] <= MOMENT_MS


def test_a_closed_candle_never_changes():
    start = MOMENT_MS - 4 * HOUR_MS
    then = world().candles("BTC", start, MOMENT_MS, HOUR_MS, MOMENT_MS)
    now = world().candles("BTC", start, MOMENT_MS, HOUR_MS, MOMENT_MS + HOUR_MS)
    np.testing.assert_array_equal(then.values[:-1], now.values[: len(then) - 1])


def test_the_path_jumps_only_where_jumps_are_priced():
    calm, jumpy = world(), open_world("jumps-on", seed=0)
    span = (calm.break_ms, calm.break_ms + 150 * MS_PER_DAY)
    prices = {}
    for name, market in (("calm", calm), ("jumpy", jumpy)):
        candles = market.candles("BTC", *span, HOUR_MS, span[1])
        prices[name] = np.log(candles.column("close"))
    difference = np.diff(prices["jumpy"] - prices["calm"])
    jumps = np.abs(difference) > 0.003
    # Twelve a year: 4.9 expected in 150 days.
    assert 1 <= jumps.sum() <= 14
    before = MOMENT_MS
    assert calm.index_price("BTC", before) == jumpy.index_price("BTC", before)
