"""What happens in a world is seen in the truth at the stated place, and nowhere else."""

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY, expiry_label
from monitor.sandbox.generate import DEFAULT_BREAK_NIGHT, DEFAULT_START
from monitor.sandbox.market import futures_of
from monitor.sandbox.recorded import HESTON, RICH
from monitor.sandbox.scene import expiry_meant
from monitor.sandbox.truth import DVOL_TAU, mean_variance, put_delta, true_variance
from monitor.sandbox.worlds import WORLDS, AtExpiry
from monitor.sandbox.worlds.jumps_on import JUMPS
from tests.sandbox.rooms import world

EVENING_MS = 81_000_000  # 22:30 UTC
TENORS = np.array([1.0, 2.0, 7.0, 14.0, 30.0, 45.0, 60.0, 90.0, 180.0, 330.0]) / 365.0
BOTH = pytest.mark.parametrize("rich", ["", "-rich"])
UNDERLYINGS = pytest.mark.parametrize("underlying", ["BTC", "ETH"])


def moment(night=DEFAULT_BREAK_NIGHT):
    return world().start_ms + night * MS_PER_DAY + EVENING_MS


def rise(name, underlying="BTC"):
    """Return put deltas and the rise of true vol over the quiet twin, tenors by strikes."""
    broken, quiet = world(name), world(WORLDS[name].quiet)
    x = np.linspace(-3.0, 3.0, 61)
    true = quiet.smile(underlying, moment())
    spread = np.sqrt(mean_variance(true, TENORS) * TENORS)
    k = (spread[:, None] * x).ravel()
    index = np.repeat(np.arange(len(TENORS)), len(x))
    w = true_variance(true, TENORS, index, k)
    up = true_variance(broken.smile(underlying, moment()), TENORS, index, k)
    shape = (len(TENORS), len(x))
    vol = np.sqrt(w / TENORS[index]), np.sqrt(up / TENORS[index])
    return put_delta(k, w).reshape(shape), (vol[1] - vol[0]).reshape(shape)


def chains(name, night=DEFAULT_BREAK_NIGHT, underlying="BTC"):
    """Return the chain of a world and of its quiet twin."""
    twin = world(WORLDS[name].quiet)
    return world(name).chain(underlying, moment(night)), twin.chain(underlying, moment(night))


def same(a, b, *columns):
    for column in columns:
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column), err_msg=column)


@BOTH
@UNDERLYINGS
@pytest.mark.parametrize(("name", "height"), [("put-wing-1", 0.01), ("put-wing-2", 0.02)])
def test_a_lifted_wing_is_so_many_vol_points_of_puts_and_nothing_else(
    name, height, underlying, rich
):
    delta, up = rise(name + rich, underlying)
    forward = 30  # the middle strike
    np.testing.assert_allclose(up[:, forward:], 0.0, atol=1e-12)
    np.testing.assert_allclose(up[delta < 0.06], height, rtol=1e-6)
    for d, u in zip(delta, up, strict=True):
        # A 25-delta put is two thirds of a deviation out, less where tenors are long.
        assert 0.2 * height < u[np.argmin(np.abs(d - 0.25))] < 0.9 * height


def test_the_wing_of_the_demonstration_is_the_wing_of_two_points():
    demo, two = world("left-wing-up"), world("put-wing-2")
    assert demo.chain("BTC", moment()).digest == two.chain("BTC", moment()).digest


@BOTH
@UNDERLYINGS
def test_jumps_keep_the_level_and_tilt_short_smiles(underlying, rich):
    delta, up = rise("jumps-on" + rich, underlying)
    for d, u in list(zip(delta, up, strict=True))[:2]:
        put, centre, call = (u[np.argmin(np.abs(d - at))] for at in (0.03, 0.5, 0.8))
        assert put > 0.03
        assert call < -0.015
        assert put > centre > call
    month, year = up[4], up[9]
    assert max(np.abs(month).max(), np.abs(year).max()) < 0.025
    before = mean_variance(world(WORLDS["jumps-on" + rich].quiet).smile("BTC", moment()), DVOL_TAU)
    after = mean_variance(world("jumps-on" + rich).smile("BTC", moment()), DVOL_TAU)
    # Variance is kept to second order in the jump size; the third moment is the skew's.
    assert after == pytest.approx(before, rel=0.03)


@BOTH
def test_a_flipped_correlation_turns_every_skew_over(rich):
    delta, up = rise("correlation-flip" + rich)
    for d, u in zip(delta, up, strict=True):
        put, centre, call = (u[np.argmin(np.abs(d - at))] for at in (0.25, 0.5, 0.75))
        assert put < -0.01
        assert call > 0.015
        assert put < centre < call
    broken, quiet = world("correlation-flip" + rich), world(WORLDS["correlation-flip" + rich].quiet)
    true, before = broken.params("BTC", moment()), quiet.params("BTC", moment())
    np.testing.assert_array_equal(true, before * [1, 1, 1, 1, -1])


@BOTH
def test_a_doubled_vol_of_vol_lifts_wings_over_the_centre(rich):
    delta, up = rise("vol-of-vol-doubles" + rich)
    for d, u in list(zip(delta, up, strict=True))[2:]:
        put, centre, call = (u[np.argmin(np.abs(d - at))] for at in (0.1, 0.5, 0.9))
        assert 0.5 * (put + call) - centre > 0.005


@BOTH
@UNDERLYINGS
def test_a_shifted_expiry_is_one_expiry(underlying, rich):
    broken, quiet = chains("expiry-shifted" + rich, underlying=underlying)
    same(broken, quiet, "instrument", "forward")
    break_ms = world().break_ms
    (happens,) = WORLDS["expiry-shifted"].breaks
    shift = world("expiry-shifted").regime(moment()).shift
    assert shift.days == happens.expiry_days
    here = broken.expiry_ms == expiry_meant(shift, break_ms)
    assert here.sum() > 40
    # Marks have four decimals.
    np.testing.assert_allclose((broken.mark_iv - quiet.mark_iv)[here], 0.02, atol=1.01e-4)
    for column in ("mark_iv", "bid", "ask"):
        np.testing.assert_array_equal(getattr(broken, column)[~here], getattr(quiet, column)[~here])
    later, _ = chains("expiry-shifted" + rich, DEFAULT_BREAK_NIGHT + 9, underlying)
    assert set(broken.expiry_ms[here]) <= set(later.expiry_ms)


@UNDERLYINGS
def test_a_shifted_expiry_keeps_the_calendar(underlying):
    broken, _ = chains("expiry-shifted-rich", underlying=underlying)
    tau = (broken.expiry_ms - broken.as_of_ms) / (365 * MS_PER_DAY)
    near = np.abs(np.log(broken.strike / broken.forward)) < 0.1
    w = broken.mark_iv**2 * tau
    expiries = np.unique(broken.expiry_ms)
    at_the_money = [np.median(w[near & (broken.expiry_ms == e)]) for e in expiries]
    assert np.all(np.diff(at_the_money) > 0)


@BOTH
def test_a_bent_term_structure_has_a_hump_at_two_months(rich):
    _, up = rise("term-bent" + rich)
    assert np.ptp(up, axis=1).max() < 1e-9  # every strike alike
    days = dict(zip(np.round(TENORS * 365), up[:, 0], strict=True))
    assert days[60] == pytest.approx(0.025)
    assert min(days[30], days[90]) > 0.015
    assert max(days[1], days[2], days[7]) < 0.001
    assert days[330] < 0.003


@BOTH
def test_a_wrong_forward_is_one_expirys_and_the_book_knows_nothing_of_it(rich):
    broken, quiet = chains("forward-off-20bp" + rich)
    same(broken, quiet, "instrument", "bid", "ask", "mark_iv")
    (happens,) = WORLDS["forward-off-20bp"].breaks
    off = world("forward-off-20bp").regime(moment()).forward_off
    assert off.days == happens.expiry_days
    here = broken.expiry_ms == expiry_meant(off, world().break_ms)
    # Forwards have two decimals.
    np.testing.assert_allclose(
        (broken.forward / quiet.forward)[here], 1.002, atol=0.006 / quiet.forward.min()
    )
    np.testing.assert_array_equal(broken.forward[~here], quiet.forward[~here])
    np.testing.assert_array_equal(broken.mark[~here], quiet.mark[~here])
    assert np.all(broken.mark[here & broken.is_call] >= quiet.mark[here & broken.is_call])


def test_a_future_trades_and_is_not_as_wrong_as_what_options_are_priced_off():
    broken, quiet = (world(n).future_marks("BTC", moment()) for n in ("forward-off-20bp", "calm"))
    assert broken == quiet
    shown = futures_of(world("forward-off-20bp").chain("BTC", moment()))
    assert shown.keys() == broken.keys()
    gaps = {name: shown[name] / broken[name] - 1.0 for name in shown}
    assert sorted(round(1e4 * gap, 1) for gap in gaps.values())[-2:] == [0.0, 20.0]


@BOTH
def test_wrong_marks_leave_the_book_alone(rich):
    broken, quiet = chains("marks-wrong" + rich)
    same(broken, quiet, "instrument", "bid", "ask", "forward")
    np.testing.assert_allclose(broken.mark_iv - quiet.mark_iv, 0.03, atol=1e-9)
    assert np.all(broken.mark >= quiet.mark - 1e-6)


def test_vol_up_moves_the_state_and_no_structure():
    now_ms = moment()
    quiet, up = world().params("BTC", now_ms), world("vol-up-40").params("BTC", now_ms)
    np.testing.assert_allclose(up[0], 1.96 * quiet[0])
    np.testing.assert_array_equal(up[1:], quiet[1:])
    (happens,) = WORLDS["vol-up-40"].breaks
    assert (happens.cause, happens.pages) == ("market", False)


@BOTH
def test_tripled_spreads_are_wide_about_the_same_truth(rich):
    broken, quiet = chains("spreads-tripled" + rich)
    same(broken, quiet, "instrument", "forward", "mark", "mark_iv")
    ratio = (broken.ask - broken.bid) / (quiet.ask - quiet.bid)
    # Ticks are coarse where options are cheap.
    assert 2.3 < np.nanmedian(ratio) < 3.2


@BOTH
def test_half_of_the_options_lose_their_market_and_the_rest_keep_theirs(rich):
    broken, quiet = chains("quotes-halved" + rich)
    same(broken, quiet, "instrument", "forward", "mark", "mark_iv")
    gone = np.isnan(broken.bid) & np.isnan(broken.ask) & np.isfinite(quiet.ask)
    assert gone.mean() == pytest.approx(0.5, abs=0.01)
    kept = np.isfinite(broken.bid) | np.isfinite(broken.ask)
    np.testing.assert_array_equal(broken.bid[kept], quiet.bid[kept])
    np.testing.assert_array_equal(broken.ask[kept], quiet.ask[kept])
    tomorrow, _ = chains("quotes-halved" + rich, DEFAULT_BREAK_NIGHT + 1)
    still = dict(zip(tomorrow.instrument, np.isnan(tomorrow.ask), strict=True))
    lost = [still[i] for i, g in zip(broken.instrument, gone, strict=True) if g and i in still]
    assert np.mean(lost) > 0.9


@BOTH
def test_a_frozen_feed_repeats_the_evening_before_and_then_goes_on(rich):
    name, night = "frozen-feed" + rich, DEFAULT_BREAK_NIGHT
    before = world(name).chain("BTC", moment(night - 1))
    for n in (night, night + 1):
        frozen = world(name).chain("BTC", moment(n))
        assert frozen.chain_digest == before.chain_digest
        assert frozen.as_of_ms == moment(n)
    on, quiet = chains(name, night + 2)
    assert on.digest == quiet.digest


@BOTH
def test_new_expiries_stand_on_the_same_surface(rich):
    broken, quiet = chains("listing-day" + rich)
    new = set(broken.expiry_ms) - set(quiet.expiry_ms)
    assert [round((e - moment()) / MS_PER_DAY) for e in sorted(new)] == [26, 30, 35, 65]
    there = dict(zip(quiet.instrument, quiet.mark_iv, strict=True))
    marks = dict(zip(broken.instrument, broken.mark_iv, strict=True))
    assert there.items() <= marks.items()
    for expiry_ms in new:
        here = broken.expiry_ms == expiry_ms
        assert 4 <= here.sum() / 2 <= 12, expiry_label(expiry_ms)
    assert not new & set(chains("listing-day" + rich, DEFAULT_BREAK_NIGHT - 1)[0].expiry_ms)


@BOTH
def test_a_holiday_ends(rich):
    name = "thin-holiday" + rich
    thin, quiet = chains(name)
    assert np.isnan(thin.ask).mean() - np.isnan(quiet.ask).mean() == pytest.approx(0.33, abs=0.01)
    same(thin, quiet, "instrument", "mark_iv")
    after, calm = chains(name, DEFAULT_BREAK_NIGHT + 4)
    assert after.digest == calm.digest


@BOTH
def test_one_expirys_quotes_stand_still_while_its_forward_moves(rich):
    stale, quiet = chains("expiry-stale" + rich)
    same(stale, quiet, "instrument", "forward", "mark", "mark_iv")
    (happens,) = WORLDS["expiry-stale"].breaks
    here = stale.expiry_ms == expiry_meant(AtExpiry(happens.expiry_days, 0.0), world().break_ms)
    np.testing.assert_array_equal(stale.bid[~here], quiet.bid[~here])
    before = chains("expiry-stale" + rich, DEFAULT_BREAK_NIGHT - 1)[0]
    then = dict(zip(before.instrument, before.ask, strict=True))
    was = [then.get(name, np.nan) for name in np.array(stale.instrument)[here]]
    known = np.isfinite(was)
    assert known.mean() > 0.8
    np.testing.assert_array_equal(stale.ask[here][known], np.array(was)[known])
    assert np.mean(stale.ask[here] != quiet.ask[here]) > 0.5
    on, calm = chains("expiry-stale" + rich, DEFAULT_BREAK_NIGHT + 2)
    assert on.digest == calm.digest


@BOTH
def test_a_broken_feed_loses_rows_or_crosses_them_and_mends(rich):
    half, quiet = chains("half-chain" + rich)
    assert len(half) == pytest.approx(0.4 * len(quiet), abs=1)
    assert set(half.instrument) < set(quiet.instrument)
    crossed, _ = chains("quotes-crossed" + rich)
    same(crossed, quiet, "instrument", "mark", "forward")
    both = np.isfinite(quiet.bid) & np.isfinite(quiet.ask)
    assert (crossed.bid > crossed.ask)[both].mean() == pytest.approx(0.05, abs=0.005)
    for name in ("half-chain", "quotes-crossed"):
        on, calm = chains(name + rich, DEFAULT_BREAK_NIGHT + 2)
        assert on.digest == calm.digest


def test_a_wilder_coin_jumps_further_and_its_jumps_have_the_same_share():
    shares = []
    for truths in (HESTON, RICH):
        for truth in truths.values():
            jumps = world("jumps-on").regime(moment()).jumps_of(truth)
            shares.append(jumps.variance / truth.theta_v)
    np.testing.assert_allclose(shares, JUMPS.variance / 0.25)


def test_structure_wanders_where_a_world_says_so_and_only_there():
    nights = [world().start_ms + n * MS_PER_DAY for n in range(0, 120, 5)]
    for name, moves in (("calm", False), ("wandering", True), ("calm-rich", True)):
        structure = np.array([world(name).params("BTC", t)[1:] for t in nights])
        assert (np.ptp(structure, axis=0) > 0).all() == moves
    wandering = np.array([world("wandering").params("BTC", t) for t in nights])
    assert np.all(np.abs(wandering[:, 4]) < 0.9)
    assert world("wandering").index_price("BTC", nights[3]) == world().index_price("BTC", nights[3])


def test_worlds_start_when_the_sandbox_does():
    assert world().start_ms == int(DEFAULT_START.timestamp() * 1000)
