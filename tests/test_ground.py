"""The ground floor: arrays and digests, names, time and units, errors, rejections."""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import types
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import monitor.errors
from monitor.arrays import digest_of, frozen_bools, frozen_floats, frozen_ints
from monitor.conventions import (
    expiry_label,
    from_ms,
    log_moneyness_from_strike,
    premium_from_quote,
    strike_from_log_moneyness,
    tenor,
    to_ms,
)
from monitor.errors import DomainError, MonitorError, UnknownNameError, UsageError
from monitor.outcome import Rejection
from monitor.registry import Registry

# Arrays and digests -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freeze", "dtype"),
    [(frozen_floats, np.float64), (frozen_ints, np.int64), (frozen_bools, np.bool_)],
)
def test_a_frozen_array_is_a_read_only_copy_in_one_type(freeze, dtype):
    mine = np.array([[1, 0], [0, 1]])[:, ::-1]
    frozen = freeze(mine)
    assert frozen.dtype == dtype and frozen.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 1
    mine[0, 0] = 7
    assert frozen[0, 0] == 0


ARRAYS = hnp.arrays(np.float64, hnp.array_shapes(max_dims=2, max_side=4))


@given(ARRAYS)
def test_equal_arrays_have_one_digest_however_they_lie_in_memory(array):
    assert digest_of([array]) == digest_of([np.asfortranarray(array)])
    assert digest_of([array]) == digest_of([np.repeat(array, 2, axis=0)[::2]])


@given(ARRAYS)
def test_a_digest_does_not_change_what_it_reads(array):
    before = array.tobytes()
    digest_of([array])
    assert array.tobytes() == before


def test_every_nan_and_both_zeros_are_one():
    other_nan = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)
    assert digest_of([other_nan]) == digest_of([np.array([np.nan])])
    assert digest_of([np.array([-0.0])]) == digest_of([np.array([0.0])])
    assert digest_of([-0.0]) == digest_of([0.0])


def test_a_number_has_one_digest_whichever_library_holds_it():
    assert digest_of([np.float64(1.5), np.int64(2), np.True_]) == digest_of([1.5, 2, True])
    assert digest_of([np.float64(1.0)]) != digest_of([np.int64(1)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([np.array([1.0, 2.0]), np.array([3.0])], [np.array([1.0]), np.array([2.0, 3.0])]),
        (["ab", "c"], ["a", "bc"]),
        ([np.zeros((2, 3))], [np.zeros((3, 2))]),
        ([np.array([1])], [np.array([1.0])]),
        ([1], [1.0]),
        ([1], ["1"]),
        ([None], []),
        ([("a", 1)], ["a", 1]),
        ([np.array([1.0])], [np.array([np.nextafter(1.0, 2.0)])]),
    ],
)
def test_another_content_or_another_boundary_is_another_digest(one, other):
    assert digest_of(one) != digest_of(other)


def test_an_array_of_references_has_no_content_to_digest():
    with pytest.raises(DomainError, match="object"):
        digest_of([np.array(["BTC-1", None], dtype=object)])


def test_a_digest_is_the_same_on_every_machine_and_every_day():
    # The parts as they are written, by hand; a change here renames every run ever stored.
    written = b"|str9|'deribit'|int1|1|float3|0.5|NoneType4|None"
    written += b"|<f8(2,)|" + struct.pack("<d", 1.0) + bytes.fromhex("000000000000f87f")
    written += b"||b1(1,)|" + bytes([1])
    parts = ["deribit", 1, 0.5, None, np.array([1.0, np.nan]), np.array([True])]
    assert digest_of(parts) == hashlib.sha256(written).hexdigest()


# Names ------------------------------------------------------------------------------------------


def test_a_registry_is_read_in_the_order_of_names():
    numbers: Registry[int] = Registry("number")
    for name in ("two", "one", "three"):
        numbers.add(name, len(name))
    assert list(numbers) == ["one", "three", "two"]
    assert numbers.items() == [("one", 3), ("three", 5), ("two", 3)]
    assert len(numbers) == 3 and "one" in numbers and "four" not in numbers


def test_two_things_of_one_name_are_a_mistake_and_one_thing_twice_is_not():
    things: Registry[list[int]] = Registry("thing")
    mine: list[int] = []
    things.add("a", mine)
    things.add("a", mine)
    with pytest.raises(RuntimeError, match="two things are named 'a'"):
        things.add("a", [])


def test_a_name_not_found_lists_those_known_and_the_nearest():
    models: Registry[int] = Registry("model")
    for name in ("svi", "heston"):
        models.add(name, 1)
    with pytest.raises(UnknownNameError) as caught:
        models["hestn"]
    assert str(caught.value) == (
        "no model is named 'hestn'. Did you mean 'heston'? Known: heston, svi"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.known) == (str(caught.value), ("heston", "svi"))


def test_discovery_imports_the_modules_of_a_package():
    import monitor.diagnostics as package

    Registry.discover(package)
    assert isinstance(package.residual, types.ModuleType)


# Time and units ---------------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(MOMENTS)
def test_a_moment_survives_milliseconds_to_the_millisecond(moment):
    back = from_ms(to_ms(moment))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)
    assert back.tzinfo is UTC
    assert to_ms(back) == to_ms(moment)


def test_a_moment_is_the_same_in_every_zone_and_none_is_assumed():
    noon = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert to_ms(noon) == 1_774_612_800_000  # date -u -d 2026-03-27T12:00 +%s
    assert to_ms(noon.astimezone(timezone(timedelta(hours=-7)))) == to_ms(noon)
    with pytest.raises(DomainError, match="needs a zone"):
        to_ms(datetime(2026, 3, 27, 12))


def test_an_expiry_is_named_by_its_day():
    assert expiry_label(to_ms(datetime(2026, 3, 27, 8, tzinfo=UTC))) == "2026-03-27"


def test_a_year_is_365_days_to_the_millisecond():
    start = to_ms(datetime(2026, 1, 1, tzinfo=UTC))
    later = np.array([start + 365 * 86_400_000, start + 1, start - 86_400_000])
    expected = [1.0, 1.0 / 31_536_000_000.0, -1.0 / 365.0]
    np.testing.assert_allclose(tenor(start, later), expected, rtol=1e-15)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e6))
def test_strike_and_log_moneyness_are_each_others_inverse(strike, forward):
    k = log_moneyness_from_strike(np.array(strike), np.array(forward))
    assert strike_from_log_moneyness(k, np.array(forward)) == pytest.approx(strike, rel=1e-13)


def test_a_coin_price_is_the_premium_and_a_dollar_price_is_divided_by_the_forward():
    price, forward = np.array([0.05, 4_500.0]), np.array([90_000.0, 90_000.0])
    np.testing.assert_array_equal(premium_from_quote(price, forward, "coin"), price)
    assert premium_from_quote(price, forward, "usd")[1] == 0.05
    with pytest.raises(DomainError, match="was 'eur'"):
        premium_from_quote(price, forward, "eur")


# Errors -----------------------------------------------------------------------------------------

CLASSES = [
    c
    for c in vars(monitor.errors).values()
    if isinstance(c, type) and issubclass(c, Exception) and c.__module__ == "monitor.errors"
]


def test_every_error_is_one_tree_and_is_drawn_in_it():
    assert all(issubclass(c, MonitorError) for c in CLASSES)
    drawn = re.findall(r"[─ ]([A-Z]\w+)", monitor.errors.__doc__.split("Raise")[0])
    assert {c.__name__ for c in CLASSES} <= {"MonitorError", *drawn}
    assert all(c.__doc__ for c in CLASSES)


def test_usage_errors_and_domain_errors_are_what_callers_catch():
    assert issubclass(UnknownNameError, UsageError)
    assert issubclass(DomainError, ValueError)
    assert not issubclass(DomainError, UsageError)


@pytest.mark.parametrize("error", [c for c in CLASSES if c is not UnknownNameError])
def test_errors_travel_between_processes(error):
    again = pickle.loads(pickle.dumps(error("what was found")))
    assert type(again) is error and str(again) == "what was found"


def test_a_rejection_is_a_value():
    one = Rejection("quote", "no_bid", "BTC-27MAR26-90000-C")
    assert one == Rejection("quote", "no_bid", "BTC-27MAR26-90000-C", "")
    with pytest.raises(FrozenInstanceError):
        one.reason = "no_ask"
