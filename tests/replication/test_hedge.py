"""What a hedge leaves is second order for a right model and first order for a wrong one."""

import numpy as np
import pytest

from monitor.models import MODELS
from monitor.models.base import Grid, Model
from monitor.pricing.black import black_price
from monitor.pricing.greeks import delta, gamma, vega
from monitor.replication.book import build_book, dollars_per_coin
from monitor.replication.chain import PastChain
from monitor.replication.fees import FeeSchedule, fees_of
from monitor.replication.hedge import hedge_one_night, model_deltas, reopen
from tests.replication.chains import chain, flat, skewed

F0 = 80_000.0
FREE = FeeSchedule("test", "coin", 0.0, 0.125, 0.0, "2026-01-01")


class SmileModel(Model):
    """A model without parameters, whose smile is a function of (k, tau)."""

    name, summary, source, parameters, per_expiry = "known", "", "", (), False

    def __init__(self, smile):
        self.smile = smile

    def starts(self, grid, iv, noise):
        return np.empty((1, 0))

    def total_variance(self, params, grid):
        tau = grid.tau_of_point
        return self.smile(grid.k, tau) ** 2 * tau, np.empty((grid.n, 0))


def deltas_by(model, book, params=()):
    expiries = np.unique(book.expiry_ms)
    tau = (expiries - book.chain.as_of_ms) / (365 * 86_400_000)
    return model_deltas(book, model, np.asarray(params, dtype=np.float64), expiries, tau)


def night(smile, move, hedger=None, *, fees=FREE, unit="coin", **kw):
    """Return book, hedged night and premiums of an instant move under sticky moneyness."""
    book = build_book(chain(F0, smile, **kw))
    tonight = chain(F0 * np.exp(move), smile, **kw)
    deltas = deltas_by(SmileModel(hedger or smile), book)
    dollars = dollars_per_coin(tonight, book.expiry_ms, unit)
    reopened = reopen(book, tonight)
    return book, deltas, reopened, hedge_one_night(book, deltas, reopened, dollars, fees)


@pytest.mark.parametrize("move", [-0.01, 0.002, 0.01])
def test_a_right_model_loses_half_of_gamma_times_the_squared_move(move):
    book, _, _, found = night(flat, move)
    rows, c = book.row, book.chain
    F1 = F0 * np.exp(move)
    # In coins half gamma y^2, up to its own third order: at most a third of it per deviation.
    want = book.quantity * 0.5 * gamma(c.k[rows], c.w[rows]) * move**2 * F1
    slack = 4.0 * np.abs(move) / np.sqrt(c.w[rows])
    assert np.all(np.abs(found.error / want - 1.0) < slack)
    assert np.sum(found.error) < 0  # the book is short gamma


def test_the_error_of_a_right_model_is_of_second_order_under_a_skew_too():
    errors = [night(skewed, y)[3].error for y in (0.002, 0.001)]
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.05)
    # A mid premium lies above the premium at mid vol by the width's square: keep it narrow.
    both = [night(skewed, y, half_width=1e-5)[3].error for y in (1e-4, -1e-4)]
    # Nothing odd is left: up and down cost the same.
    np.testing.assert_allclose(both[0], both[1], rtol=0.02)


@pytest.mark.parametrize("wrong", [-0.05, +0.05])
@pytest.mark.parametrize("move", [-0.001, +0.001])
def test_a_rival_with_the_wrong_skew_errs_to_first_order_with_the_sign_of_both(wrong, move):
    def rival(k, tau):
        return skewed(k, tau) + wrong * (k - book.chain.k[book.row].repeat(3)) / np.sqrt(tau)

    book = build_book(chain(F0, skewed))
    tonight = chain(F0 * np.exp(move), skewed)
    dollars = dollars_per_coin(tonight, book.expiry_ms, "coin")
    right, off = (
        hedge_one_night(
            book, deltas_by(SmileModel(smile), book), reopen(book, tonight), dollars, FREE
        )
        for smile in (skewed, rival)
    )
    rows, c = book.row, book.chain
    v = vega(c.k[rows], c.w[rows], c.tau[rows])
    # The rival's delta is too small by vega times the error of its slope.
    want = book.quantity * v * wrong / np.sqrt(c.tau[rows]) * -np.expm1(-move) * dollars
    np.testing.assert_allclose(off.error - right.error, want, rtol=1e-6)
    assert np.all(np.sign(want) == np.sign(book.quantity * wrong * move))


def test_an_unmoved_market_leaves_nothing():
    *_, found = night(skewed, 0.0)
    np.testing.assert_allclose(found.error, 0.0, atol=1e-8)


def test_time_alone_is_earned_by_the_short_book():
    book = build_book(chain(F0, flat))
    tonight = chain(F0, flat, later_days=1.0)
    deltas = deltas_by(SmileModel(flat), book)
    found = hedge_one_night(book, deltas, reopen(book, tonight), np.full(book.n, F0), FREE)
    assert np.all(found.error * book.quantity < 0)


def test_counting_the_premium_with_the_option_or_apart_gives_the_same_dollars():
    # A linear future against the dollar premium: q [c1 F1 - c0 F0 - delta (F1 - F0)].
    book, deltas, reopened, found = night(skewed, 0.03, unit="usd")
    bid, ask = book.premiums
    c0, c1 = 0.5 * (bid + ask), 0.5 * (reopened.c_bid + reopened.c_ask)
    F1 = reopened.forward
    linear = book.quantity * (c1 * F1 - c0 * F0 - deltas * (F1 - F0))
    np.testing.assert_allclose(found.error, linear, rtol=1e-9, atol=1e-9)


def test_an_option_that_went_into_the_money_is_priced_by_its_twin():
    book, _, reopened, found = night(skewed, 0.08)
    rows, c = book.row, book.chain
    k1 = c.k[rows] - 0.08
    into = (c.sign[rows] > 0) & (k1 < 0)
    assert into.any()
    assert found.known.all()
    iv = skewed(k1, c.tau[rows])
    low, high = (black_price(k1, (iv + h) ** 2 * c.tau[rows], c.sign[rows]) for h in (-5e-3, 5e-3))
    np.testing.assert_allclose(reopened.c_bid, low, atol=1e-14)
    np.testing.assert_allclose(reopened.c_ask, high, atol=1e-14)


def test_a_leg_without_a_quote_tonight_is_left_out_whole():
    book = build_book(chain(F0, skewed))
    full = chain(F0 * 1.01, skewed)
    gone = full.strike == book.chain.strike[book.row[0]]
    tonight = PastChain(
        full.as_of_ms,
        *(
            getattr(full, name)[~gone]
            for name in "expiry_ms forward strike sign iv_bid iv_ask".split()
        ),
    )
    found = hedge_one_night(
        book,
        deltas_by(SmileModel(skewed), book),
        reopen(book, tonight),
        np.full(book.n, F0),
        FREE,
    )
    assert not found.known[0]
    assert found.known.sum() < book.n
    for part in (found.error, found.spread, found.option_fees):
        assert part[0] == 0.0
        assert np.isfinite(part).all()


def test_an_empty_chain_tonight_leaves_no_leg():
    book = build_book(chain(F0, flat))
    nothing = PastChain(0, *(np.empty(0) for _ in range(6)))
    found = hedge_one_night(
        book, np.zeros(book.n), reopen(book, nothing), np.full(book.n, F0), FREE
    )
    assert not found.known.any()
    assert found.error.sum() == 0.0


def test_fees_and_half_spreads_are_those_of_a_round_trip():
    fees = FeeSchedule("test", "coin", 0.0003, 0.125, 0.0005, "2026-01-01")
    book, deltas, reopened, found = night(flat, 0.02, fees=fees)
    F1 = F0 * np.exp(0.02)
    bid, ask = book.premiums
    c0, c1 = 0.5 * (bid + ask), 0.5 * (reopened.c_bid + reopened.c_ask)
    np.testing.assert_allclose(
        found.option_fees, F1 * (np.minimum(3e-4, c0 / 8) + np.minimum(3e-4, c1 / 8))
    )
    width = ask - bid + reopened.c_ask - reopened.c_bid
    np.testing.assert_allclose(found.spread, 0.5 * F1 * width)
    net = [
        np.sum((book.quantity * (deltas - c0))[book.expiry_ms == e])
        for e in np.unique(book.expiry_ms)
    ]
    # Sold and bought back: a notional of |net| F0 dollars is |net| coins then, |net| F0/F1 now.
    want = 5e-4 * F1 * np.abs(net).sum() * (1.0 + F0 / F1)
    assert found.future_fees == pytest.approx(want)


def test_a_cheap_options_fee_is_capped_at_an_eighth_of_its_premium():
    deribit = fees_of("deribit", "coin")
    assert deribit is not None
    np.testing.assert_allclose(deribit.option_fee(np.array([0.0008, 0.05])), [0.0001, 0.0003])
    assert fees_of("nowhere", "coin") is None


def test_svis_delta_is_the_one_of_its_own_slope():
    svi = MODELS["svi"]
    book = build_book(chain(F0, skewed))
    expiries = np.unique(book.expiry_ms)
    tau = (expiries - book.chain.as_of_ms) / (365 * 86_400_000)
    one = np.array([0.02, 0.10, -0.3, 0.01, 0.15])
    params = np.concatenate([one * [t / 0.08, t / 0.08, 1, 1, 1] for t in tau])
    got = model_deltas(book, svi, params, expiries, tau)
    rows, c = book.row, book.chain
    a, b, rho, m, s = (params.reshape(-1, 5)[np.searchsorted(expiries, book.expiry_ms)]).T
    root = np.hypot(c.k[rows] - m, s)
    w = a + b * (rho * (c.k[rows] - m) + root)
    slope = b * (rho + (c.k[rows] - m) / root)
    d1 = -c.k[rows] / np.sqrt(w) + 0.5 * np.sqrt(w)
    density = np.exp(-0.5 * d1**2) / np.sqrt(2 * np.pi)
    want = delta(c.k[rows], w, c.sign[rows]) - density * slope / (2 * np.sqrt(w))
    np.testing.assert_allclose(got, want, atol=1e-7)


def test_hestons_delta_is_the_derivative_of_its_price_at_constant_variance():
    heston = MODELS["heston"]
    params = np.array([0.25, 3.0, 0.3, 1.5, -0.4])
    book = build_book(chain(F0, flat))
    got = deltas_by(heston, book, params)
    rows, c = book.row, book.chain
    expiries, first, index = np.unique(book.expiry_ms, return_index=True, return_inverse=True)
    tau = c.tau[rows][first]

    def dollars(y):  # C(F0 e^y) / F0 at fixed strikes
        k = c.k[rows] - y
        grid = Grid(expiries, tau, index, k, 0.3 * tau)
        return np.exp(y) * black_price(k, heston.total_variance(params, grid)[0], c.sign[rows])

    h = 1e-3
    want = (8 * (dollars(h) - dollars(-h)) - (dollars(2 * h) - dollars(-2 * h))) / (12 * h)
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_a_model_without_a_vol_has_no_delta_and_its_leg_is_left_out():
    def holed(k, tau):
        return np.where(k < -0.05, np.nan, 0.5)

    _, deltas, _, found = night(flat, 0.01, holed)
    assert np.isnan(deltas).any()
    np.testing.assert_array_equal(found.known, np.isfinite(deltas))
    assert np.isfinite(found.error).all()
