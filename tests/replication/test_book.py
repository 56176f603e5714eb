"""The reference book is chosen by the chain alone, and says what it could not choose."""

import numpy as np
import pytest

from monitor.conventions import MS_PER_DAY
from monitor.errors import DomainError
from monitor.pricing.greeks import delta
from monitor.replication.book import ROLES, build_book, dollars_per_coin, forward_of
from monitor.replication.chain import PastChain
from tests.calibration.chains import grid_of_tenors, quotes_from
from tests.replication.chains import AS_OF_MS, chain, skewed


def deltas_of(book):
    rows, c = book.row, book.chain
    return np.abs(delta(c.k[rows], c.w[rows], c.sign[rows]))


def test_the_book_stands_at_the_expiries_nearest_7_30_and_90_days():
    book = build_book(chain(days=(1.0, 6.0, 11.0, 27.0, 62.0, 125.0)))
    days = (np.unique(book.expiry_ms) - AS_OF_MS) / MS_PER_DAY
    # In log tenor: 6 beats 11, 27 beats 62, and 125 (ratio 1.39) beats 62 (ratio 1.45).
    assert days.tolist() == [6.0, 27.0, 125.0]


def test_each_tenor_has_a_pair_a_strangle_and_a_bought_put_of_one_coin_each():
    book = build_book(chain(smile=skewed))
    assert book.n == 15
    assert not book.missing
    for expiry in np.unique(book.expiry_ms):
        here = book.expiry_ms == expiry
        assert book.quantity[here].tolist() == [1.0, -1.0, -1.0, -1.0, -1.0]
        assert book.chain.sign[book.row][here].tolist() == [-1.0, -1.0, -1.0, 1.0, 1.0]
        wings = [w for w, h in zip(book.wing, here, strict=True) if h]
        assert wings == ["put", "put", "centre", "centre", "call"]
        np.testing.assert_allclose(deltas_of(book)[here], [0.10, 0.25, 0.5, 0.5, 0.25], atol=0.06)


def test_of_the_options_in_range_the_one_nearest_the_delta_is_taken():
    book = build_book(chain(smile=skewed))
    c = book.chain
    size = np.abs(delta(c.k, c.w, c.sign))
    for row in book.row:
        rivals = (c.expiry_ms == c.expiry_ms[row]) & (c.sign == c.sign[row])
        role = next(r for r in ROLES if r.sign == c.sign[row] and r.low <= size[row] < r.high)
        best = np.min(np.abs(size[rivals] - role.delta))
        assert abs(size[row] - role.delta) == best


def test_legs_stand_sorted_and_no_option_has_two_parts():
    rng = np.random.default_rng(7)
    for _ in range(50):
        strikes = np.sort(rng.choice(np.arange(30_000.0, 200_001.0, 1_000.0), 40, replace=False))
        book = build_book(chain(smile=skewed, strikes=strikes, forward=rng.uniform(7e4, 9e4)))
        assert np.all(np.diff(book.row) > 0)
        assert book.n + len(book.missing) == 15


def test_a_part_that_no_option_can_play_is_named():
    strikes = np.arange(70_000.0, 200_001.0, 1_000.0)  # no put below 70,000
    book = build_book(chain(strikes=strikes))
    assert "30d/put10" in book.missing
    assert "7d/put10" not in book.missing


def test_tenors_that_share_an_expiry_have_it_once():
    book = build_book(chain(days=(30.0,)))
    assert book.n == 5
    assert not book.missing


@pytest.mark.parametrize("n", [0, 1])
def test_an_empty_chain_and_one_quote_give_a_book_too(n):
    full = chain(days=(30.0,))
    few = PastChain(
        full.as_of_ms,
        *(
            getattr(full, name)[:n]
            for name in "expiry_ms forward strike sign iv_bid iv_ask".split()
        ),
    )
    book = build_book(few)
    assert book.n + len(book.missing) in (5, 15)
    assert book.vega().shape == (book.n,)


def test_the_book_does_not_depend_on_any_width():
    narrow, wide = (build_book(chain(smile=skewed, half_width=h)) for h in (0.001, 0.02))
    assert narrow.row.tolist() == wide.row.tolist()
    np.testing.assert_allclose(narrow.vega(), wide.vega(), rtol=1e-12)


def test_tonights_quotes_are_remembered_as_they_stand():
    grid = grid_of_tenors()
    quotes = quotes_from(grid, 0.6 + 0.1 * grid.k**2)
    kept = PastChain.of(quotes)
    np.testing.assert_allclose(kept.k, quotes.k, atol=1e-14)
    np.testing.assert_allclose(kept.tau, grid.tau_of_point, rtol=1e-8)  # whole milliseconds
    np.testing.assert_allclose(kept.w, quotes.iv**2 * kept.tau, rtol=1e-14)
    assert kept.digest() == PastChain.of(quotes).digest()
    assert kept.label(0) == f"2026-01-02 {quotes.strike[0]:.10g} P"


def test_coin_settled_gains_count_at_the_nearest_forward_and_dollar_settled_at_their_own():
    near, far = chain(80_000.0, days=(2.0,)), chain(81_000.0, days=(90.0,))
    both = PastChain(
        near.as_of_ms,
        *(
            np.concatenate([getattr(near, name), getattr(far, name)])
            for name in "expiry_ms forward strike sign iv_bid iv_ask".split()
        ),
    )
    asked = np.array([far.expiry_ms[0], near.expiry_ms[0], 0])
    assert dollars_per_coin(both, asked, "coin").tolist() == [80_000.0] * 3
    np.testing.assert_array_equal(
        dollars_per_coin(both, asked, "usd"), [81_000.0, 80_000.0, np.nan]
    )
    np.testing.assert_array_equal(forward_of(both, asked), [81_000.0, 80_000.0, np.nan])
    with pytest.raises(DomainError, match="'eur'"):
        dollars_per_coin(both, asked, "eur")


def test_columns_of_unequal_length_are_refused():
    full = chain(days=(30.0,))
    with pytest.raises(DomainError, match="strike"):
        PastChain(
            0, full.expiry_ms, full.forward, full.strike[:-1], full.sign, full.iv_bid, full.iv_ask
        )
