"""The venue's price convention, to every digit of one published ticker.

Deribit, BTC-27SEP24-40000-C, 2023-11-10 05:18:31 UTC, as quoted in ccxt pull request 19908: the
coin price is undiscounted Black-76 on the expiry's own forward (`underlying_price`) over that
forward, actual/365 to 08:00 UTC.
"""

from datetime import UTC, datetime

import numpy as np
import pytest

from monitor.conventions import tenor, to_ms
from monitor.pricing.black import black_price, black_vega
from monitor.pricing.implied import InversionStatus, implied_deviation

FORWARD = 39165.86  # underlying_price
INDEX = 36707.05  # index_price
STRIKE = 40000.0
AS_OF = datetime(2023, 11, 10, 5, 18, 31, tzinfo=UTC)
EXPIRY = datetime(2024, 9, 27, 8, 0, tzinfo=UTC)
CALL = np.array(1.0)


@pytest.fixture
def tau():
    return float(tenor(to_ms(AS_OF), np.array([to_ms(EXPIRY)]))[0])


@pytest.fixture
def k():
    return np.log(STRIKE / FORWARD)


def test_mark_price_is_black_76_over_the_forward(k, tau):
    c = float(black_price(k, np.array(0.6086**2 * tau), CALL))  # mark_iv 60.86
    assert round(c, 4) == 0.2169  # mark_price
    assert round(c, 6) == 0.216915


def test_dividing_by_the_index_is_wrong_by_more_than_six_percent(k, tau):
    c = float(black_price(k, np.array(0.6086**2 * tau), CALL))
    assert round(c * FORWARD / INDEX, 4) == 0.2314


def test_delta_is_the_normal_integral_of_d1_on_the_forward(k, tau):
    # d(c F)/dF = c - dc/dk, by a central difference: 0.59833 printed (from unrounded inputs).
    w, step = np.array(0.6086**2 * tau), 1e-5
    up, down = (float(black_price(k + s, w, CALL)) for s in (step, -step))
    delta = float(black_price(k, w, CALL)) - (up - down) / (2 * step)
    assert delta == pytest.approx(0.59833, abs=1.5e-5)


def test_vega_in_dollars_per_vol_point(k, tau):
    vega = FORWARD * float(black_vega(k, np.array(0.6086**2 * tau))) * np.sqrt(tau) / 100
    assert vega == pytest.approx(142.30122, rel=1e-5)  # 142.302: the printed vol is rounded


@pytest.mark.parametrize(
    ("price", "printed_iv"),
    [(0.2140, 60.06), (0.2205, 61.85)],  # best bid and ask and their vols, printed to 2 digits
)
def test_inversion_gives_the_printed_bid_and_ask_vols(k, tau, price, printed_iv):
    v, status = implied_deviation(k, np.array(price), CALL)
    assert status == InversionStatus.OK
    assert round(100 * float(v) / np.sqrt(tau), 2) == printed_iv
