import dataclasses

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.market.snapshot import MarketContext, Snapshot, TimeSeries
from monitor.outcome import Rejection

EXPIRY = 1774598400000  # 27 Mar 2026 08:00 UTC


def small_chain(order=(0, 1, 2, 3), **changes):
    """Two strikes, call and put each, rows in the order given."""
    i = list(order)
    fields = {
        "venue": "deribit",
        "underlying": "BTC",
        "as_of_ms": EXPIRY - 86_400_000,
        "price_unit": "coin",
        "instrument": tuple(
            np.array([f"BTC-27MAR26-{s}" for s in ("70000-P", "70000-C", "72000-P", "72000-C")])[i]
        ),
        "underlying_index": ("BTC-27MAR26",) * 4,
        "expiry_ms": np.full(4, EXPIRY),
        "is_call": np.array([False, True, False, True])[i],
        "strike": np.array([70e3, 70e3, 72e3, 72e3])[i],
        "forward": np.full(4, 71e3),
        "bid": np.array([0.01, 0.025, np.nan, 0.012])[i],
        "ask": np.array([0.011, 0.026, 0.03, 0.013])[i],
        "mark": np.array([0.0105, 0.0255, 0.0265, 0.0125])[i],
        "mark_iv": np.array([0.5, 0.5, 0.48, 0.48])[i],
        "open_interest": np.zeros(4),
        "volume": np.zeros(4),
    }
    return Snapshot(**(fields | changes))


def test_the_order_of_rows_does_not_change_the_snapshot():
    assert small_chain((3, 1, 0, 2)).digest == small_chain().digest
    assert small_chain((3, 1, 0, 2)).instrument == small_chain().instrument


def test_time_is_in_the_digest_and_not_in_the_chain_digest():
    then, now = small_chain(), small_chain(as_of_ms=EXPIRY - 3_600_000)
    assert then.chain_digest == now.chain_digest
    assert then.digest != now.digest


@pytest.mark.parametrize("column", ["bid", "ask", "mark", "mark_iv", "forward", "volume"])
def test_any_changed_number_changes_the_chain_digest(column):
    before = small_chain()
    values = np.array(getattr(before, column))
    values[1] = values[1] + 1e-4
    assert small_chain(**{column: values}).chain_digest != before.chain_digest


def test_a_context_and_what_it_misses_are_in_the_digest():
    bare = small_chain()
    missing = MarketContext(missing=(Rejection("context", "unavailable", "dvol"),))
    assert small_chain(context=missing).digest != bare.digest
    assert small_chain(context=missing).chain_digest == bare.chain_digest


def test_vols_from_percent_and_from_decimals_are_the_same_double():
    percent = np.round(np.arange(1, 30_000) / 100, 2)  # every two-decimal percentage to 300 %
    strike = 1.0 + np.arange(len(percent))
    n = len(percent)

    def chain(iv):
        columns = dict.fromkeys(
            ("forward", "bid", "ask", "mark", "open_interest", "volume"), np.ones(n)
        )
        return small_chain(
            instrument=tuple(f"BTC-27MAR26-{k:.0f}-C" for k in strike),
            underlying_index=("BTC-27MAR26",) * n,
            expiry_ms=np.full(n, EXPIRY),
            is_call=np.ones(n, bool),
            strike=strike,
            mark_iv=iv,
            **columns,
        )

    assert chain(percent / 100).chain_digest == chain(percent * 0.01).chain_digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strike": np.array([70e3, np.nan, 72e3, 72e3])}, "strike must be positive, was nan"),
        ({"forward": np.array([71e3, 71e3, -1.0, 71e3])}, "forward must be positive, was -1"),
        ({"bid": np.ones(3)}, "differ in length"),
        ({"instrument": ("A", "A", "B", "C")}, "stands twice in one chain: A"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(changes, message):
    with pytest.raises(DomainError, match=message):
        small_chain(**changes)


def test_columns_are_read_only_and_apart_from_the_caller():
    bid = np.array([0.01, 0.025, np.nan, 0.012])
    chain = small_chain(bid=bid)
    bid[0] = 9.0
    assert chain.bid[0] == 0.01
    with pytest.raises(ValueError, match="read-only"):
        chain.bid[0] = 9.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        chain.venue = "okx"


def test_the_times_of_a_series_rise():
    with pytest.raises(DomainError, match="rise strictly"):
        TimeSeries(np.array([1, 1]), ("value",), np.zeros((2, 1)))


def test_the_repr_of_a_chain_is_one_line():
    assert repr(small_chain()) == "<Snapshot deribit BTC 2026-03-26T08:00:00+00:00, 4 options>"
    assert "simulated" in repr(MarketContext(simulated=True))
