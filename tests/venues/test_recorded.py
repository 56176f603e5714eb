"""Recorded chains as a venue."""

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from monitor.archive import write_snapshot
from monitor.conventions import MS_PER_DAY, from_ms
from monitor.errors import ConfigurationError, UnknownNameError, VenueRefused
from monitor.venues import RecordedSettings, open_venue
from tests.sandbox.rooms import MOMENT_MS, no_sleep, world


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    for day in range(3):
        write_snapshot(folder, world().snapshot("BTC", MOMENT_MS + day * MS_PER_DAY))
    return folder


def ask(folder, underlying="BTC", as_of=None):
    settings = RecordedSettings(paths=(str(folder),), as_of=as_of)
    venue = open_venue("recorded", settings, rng=np.random.default_rng(0), sleep=no_sleep)

    async def run():
        async with venue:
            return await venue.fetch(underlying), await venue.now_ms()

    return asyncio.run(run())


def test_the_last_chain_at_or_before_the_moment_is_given_as_it_was_recorded(archive):
    end, now_ms = ask(archive)
    assert end.as_of_ms == now_ms == MOMENT_MS + 2 * MS_PER_DAY
    assert end.digest == world().snapshot("BTC", end.as_of_ms).digest
    moment = from_ms(MOMENT_MS + MS_PER_DAY) + timedelta(hours=3)
    earlier, now_ms = ask(archive, as_of=moment)
    assert (earlier.as_of_ms, now_ms) == (MOMENT_MS + MS_PER_DAY, now_ms)


def test_what_was_not_recorded_is_refused_by_name(archive):
    with pytest.raises(VenueRefused, match="SOL is not in it; the archive holds BTC"):
        ask(archive, "SOL")
    with pytest.raises(VenueRefused, match="BTC begins 2026-02-04 22:30"):
        ask(archive, as_of=from_ms(MOMENT_MS) - timedelta(days=1))


def test_a_recorded_venue_without_recordings_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="paths"):
        open_venue("recorded", rng=np.random.default_rng(0), sleep=no_sleep)


def test_an_unknown_venue_lists_those_known():
    with pytest.raises(UnknownNameError, match="Known: deribit, recorded"):
        open_venue("derebit", rng=np.random.default_rng(0), sleep=no_sleep)
