"""Sandboxes and clients for tests: one world, one moment, no waiting."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import cache

import numpy as np

from monitor.conventions import MS_PER_DAY
from monitor.sandbox import Fault, Sandbox, VirtualClock
from monitor.sandbox.generate import open_world
from monitor.venues import DeribitSettings, open_venue


@cache
def world(name="calm", seed=0):
    """Return a world; chains are kept, so that tests share the cost."""
    return open_world(name, seed=seed)


MOMENT_MS = world().start_ms + 30 * MS_PER_DAY + 81_000_000  # night 30, 22:30 UTC


@contextmanager
def sandbox(*faults: Fault, market=None, now_ms=MOMENT_MS, **options):
    """Run a sandbox at one moment of the calm world."""
    with Sandbox(market or world(), VirtualClock(now_ms), faults=faults, **options) as running:
        yield running


async def no_sleep(seconds):
    """Wait no time at all."""


def fetch(running, underlying="BTC", **settings):
    """Return the chain fetched through the real client."""
    # A fresh client a fetch, as a flow has; the gap between requests would only cost time.
    merged = {"url": running.url, "request_gap_ms": 0, "timeout_s": 5.0} | settings

    async def run():
        rng = np.random.default_rng(0)
        venue = open_venue("deribit", DeribitSettings(**merged), rng=rng, sleep=no_sleep)
        async with venue:
            return await venue.fetch(underlying)

    return asyncio.run(run())
