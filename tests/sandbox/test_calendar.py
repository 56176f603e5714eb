"""The venue's calendar, against what was listed on every recorded night."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from monitor.conventions import MS_PER_DAY, from_ms, to_ms
from monitor.sandbox.calendar import expiries, last_friday

REAL = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "market-data"
    / "deribit_dev_20251230_20260531.parquet"
)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_every_recorded_chain_lists_exactly_the_calendars_expiries():
    rows = pd.read_parquet(REAL, columns=["ts", "underlying", "expiry"]).drop_duplicates()
    rows = rows.astype({"ts": "datetime64[ms, UTC]", "expiry": "datetime64[ms, UTC]"})
    chains = 0
    for (ts, _), chain in rows.groupby(["ts", "underlying"], observed=True):
        listed = {to_ms(expiry) for expiry in chain.expiry.dt.to_pydatetime()}
        assert {e.expiry_ms for e in expiries(to_ms(ts.to_pydatetime()))} == listed
        chains += 1
    assert chains == 1208


def test_an_expiry_is_gone_at_eight_and_another_is_there():
    eight = to_ms(datetime(2026, 3, 18, 8, tzinfo=UTC))
    before, after = expiries(eight - 1), expiries(eight)
    assert before[0].expiry_ms == eight
    assert {e.expiry_ms for e in after} - {e.expiry_ms for e in before} == {eight + 4 * MS_PER_DAY}


def test_an_expiry_once_listed_stays_until_it_expires():
    start = to_ms(datetime(2026, 1, 1, tzinfo=UTC))
    seen: set[int] = set()
    for hour in range(0, 400 * 24, 7):
        now = start + hour * 3_600_000
        listed = {e.expiry_ms for e in expiries(now)}
        assert {e for e in seen if e > now} <= listed
        seen |= listed
        assert 10 <= len(listed) <= 14


def test_an_expiry_belongs_to_its_longest_series():
    now = to_ms(datetime(2026, 3, 16, tzinfo=UTC))
    series = {f"{from_ms(e.expiry_ms):%d%b}": e.series for e in expiries(now)}
    assert series["17Mar"] == "day"
    assert series["20Mar"] == "week"
    assert series["24Apr"] == "month"
    assert series["27Mar"] == series["25Dec"] == "quarter"


def test_the_last_friday_is_one():
    assert last_friday(2026, 2).isoformat() == "2026-02-27"
    assert last_friday(2026, 5).isoformat() == "2026-05-29"
