"""Clocks move when they are moved."""

import threading
from datetime import UTC, datetime

import pytest

from monitor.errors import DomainError
from monitor.sandbox import RunningClock, VirtualClock


def test_a_virtual_clock_stands_still_until_it_is_moved():
    clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
    before = clock.now_ms()
    assert clock.now_ms() == before
    clock.advance_ms(86_400_000)
    assert clock.now() == datetime(2026, 3, 2, tzinfo=UTC)
    clock.set(before)
    assert clock.now_ms() == before


def test_a_venues_clock_does_not_run_backwards():
    with pytest.raises(DomainError, match="moves forward, was told to move by -1 ms"):
        VirtualClock(0).advance_ms(-1)


def test_moves_from_many_threads_are_all_counted():
    clock = VirtualClock(0)
    threads = [
        threading.Thread(target=lambda: [clock.advance_ms(1) for _ in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now_ms() == 2000


def test_a_running_clock_follows_its_stopwatch():
    seconds = iter([10.0, 10.0, 11.5])
    clock = RunningClock(1_000_000, lambda: next(seconds), speed=60.0)
    assert clock.now_ms() == 1_000_000
    assert clock.now_ms() == 1_000_000 + 90_000
