"""The venue's words and units."""

import numpy as np
import pytest

from monitor.conventions import MS_PER_YEAR
from monitor.market.instrument import parse_instrument
from monitor.sandbox.rows import greeks, historical_vols, percent, plain


def test_greeks_are_the_venues_own_to_its_printed_digits():
    # A real ticker: BTC-27SEP24-40000-C, 2023-11-10 05:18:31 UTC, mark vol 60.86.
    now_ms = 1699593511000
    tau = (parse_instrument("BTC-27SEP24-40000-C").expiry_ms - now_ms) / MS_PER_YEAR
    found = greeks(39165.86, 40000.0, 0.6086, tau, 1.0)
    assert found["delta"] == pytest.approx(0.59833, abs=2e-5)
    # The mark vol is printed to 1e-4 of itself, and so far are vega, theta and rho.
    assert found["vega"] == pytest.approx(142.30122, rel=1e-4)
    assert found["theta"] == pytest.approx(-13.4441, rel=1e-4)
    assert found["rho"] == pytest.approx(131.82621, rel=1e-4)


def test_a_put_has_the_calls_greeks_less_the_forward():
    call = greeks(70_000.0, 75_000.0, 0.5, 0.1, 1.0)
    put = greeks(70_000.0, 75_000.0, 0.5, 0.1, -1.0)
    assert call["delta"] - put["delta"] == pytest.approx(1.0, abs=2e-5)
    assert (call["gamma"], call["vega"]) == (put["gamma"], put["vega"])
    assert put["rho"] < 0 < call["rho"]


def test_every_two_decimal_percentage_survives_the_wire():
    percents = np.arange(1, 50_000, 7) / 100.0
    for found in percents:
        assert round(percent(found / 100.0) / 100.0, 10) == round(found / 100.0, 10)


def test_absent_numbers_are_null():
    assert (plain(np.nan), plain(None), percent(np.nan)) == (None, None, None)
    assert set(greeks(70_000.0, 75_000.0, 0.0, 0.1, 1.0).values()) == {None}


def test_realised_vol_is_annualised_from_hours():
    rng = np.random.default_rng(1)
    close = 70_000 * np.exp(np.cumsum(rng.normal(0, 0.5 / np.sqrt(24 * 365), 2000)))
    vols = historical_vols(3_600_000.0 * np.arange(2000), close)
    # 360 draws in a window: a deviation of 4 % of the vol.
    assert np.mean([v for _, v in vols]) == pytest.approx(50.0, rel=0.08)
    assert historical_vols(np.arange(10.0), close[:10]) == []
