"""Our reading of a schedule is the engine's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.incidents.cron import parse_cron

CRONS = [
    "30 22 * * *",
    "*/15 * * * *",
    "15 * * * *",
    "0 9 * * 1",
    "0 4 1 * *",
    "5,35 8-18/2 * * mon-fri",
    "0 0 29 2 *",
    "0 12 13 * 5",  # either day is enough
    "10 3 * jan,jul sun",
    "59 23 31 12 *",
]


@pytest.mark.parametrize("text", CRONS)
def test_the_next_times_are_those_that_prefect_would_run(text: str) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    rng = np.random.default_rng(CRONS.index(text))  # a start of its own
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=int(rng.integers(0, 1_000_000)))
    theirs = asyncio.run(CronSchedule(cron=text, timezone="UTC").get_dates(6, start=start))
    cron, at = parse_cron(text), start - timedelta(minutes=1)
    ours = []
    for _ in theirs:
        at = cron.after(at)
        assert at is not None
        ours.append(at)
    assert [t.timestamp() for t in theirs] == [t.timestamp() for t in ours]
    # Going back from each finds it again, and the one before it just before it.
    for earlier, later in pairwise(ours):
        assert cron.before(later) == later
        assert cron.before(later - timedelta(seconds=1)) == earlier


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "0 9 * * mo", "0 9 0 * *", "5-1 * * * *"]
)
def test_what_is_no_schedule_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(DomainError, match="cron string"):
        parse_cron(text)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert parse_cron("0 0 31 2 *").before(datetime(2026, 1, 1, tzinfo=UTC)) is None
