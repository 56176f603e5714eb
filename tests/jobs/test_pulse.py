"""A pulse tries last night's structure on fresh quotes, in its own history, and tells nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor import jobs
from monitor.assess import assess
from monitor.assessment import PULSE, Stream
from monitor.config import Config, load_config
from monitor.incidents.cron import parse_cron
from monitor.jobs import PassResult, Target
from monitor.models import MODELS
from monitor.pipeline import past_of, slot_of
from monitor.replay import replay
from monitor.sandbox import Sandbox, VirtualClock
from monitor.store import open_store
from monitor.store.frames import alerts_frame, parameters_frame, status_frame
from monitor.store.outbox import Outbox
from monitor.watchdog import watch
from tests.conftest import evening_ms

BTC = Target("deribit", "BTC")
QUARTER_MS = 15 * 60_000


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    monkeypatch.setenv("MISSPEC_MODELS", "heston")
    monkeypatch.setenv("MISSPEC_UNDERLYINGS", "BTC")
    monkeypatch.setenv("MISSPEC_VENUES__DERIBIT__REQUEST_GAP_MS", "0")
    return load_config()


def run(world: Any, now_ms: int, job: str, monkeypatch: pytest.MonkeyPatch) -> PassResult:
    with Sandbox(world, VirtualClock(now_ms)) as exchange, monkeypatch.context() as patch:
        patch.setenv("MISSPEC_VENUES__DERIBIT__URL", exchange.url)
        config = load_config()
        return asyncio.run(jobs.run_night(config, BTC, config.rules(), job=job))


def test_a_slot_of_the_pulse_is_a_quarter_of_an_hour() -> None:
    at = datetime(2026, 3, 5, 14, 29, 59, tzinfo=UTC)
    assert slot_of(at, PULSE) == "2026-03-05T14:15:00Z"
    assert slot_of(at + timedelta(seconds=1), PULSE) == "2026-03-05T14:30:00Z"


def test_a_pulse_keeps_the_structure_of_the_night_and_refreshes_its_states(
    config: Config, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(world, evening_ms(0), "nightly", monkeypatch).usable
    later = evening_ms(0) + 8 * 3_600_000
    results = [run(world, later + n * QUARTER_MS, PULSE, monkeypatch) for n in range(2)]
    assert [r.slot for r in results] == ["2026-01-06T06:30:00Z", "2026-01-06T06:45:00Z"]
    with open_store(config.database, readonly=True) as store:
        frame = parameters_frame(store, model="heston")
        fitted = {
            (row.cadence, row.as_of): row.value
            for row in frame.itertuples()
            if row.parameter == "kappa"
        }
        states = frame[frame["parameter"] == "v0"].set_index("as_of")["value"]
        board = status_frame(store)
        assert alerts_frame(store).empty
        assert Outbox(store).counts() == {"pending": 0, "sent": 0, "dead": 0}
        past = past_of(store, Stream("deribit", "BTC", PULSE), "2026-01-06T07:00:00Z")
    # Structure to the bit; the state has moved with the market.
    (kappa,) = set(fitted.values())
    assert kappa == past.history.fits["heston"].params[1]
    assert states.nunique() == 3
    roles = {p.name: p.role for p in MODELS["heston"].parameters}
    assert (roles["kappa"], roles["v0"]) == ("structure", "state")
    # Two histories, never mixed: each its own rows on the board, each its own past.
    assert set(board["cadence"]) == {"day", PULSE}
    assert past.history.fits["heston"].as_of_ms == evening_ms(0)
    assert max(len(s) for s in past.history.series.values()) == 2


def test_a_pulse_is_replayed_to_the_bit(
    config: Config, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(world, evening_ms(0), "nightly", monkeypatch)
    run(world, evening_ms(0) + QUARTER_MS, PULSE, monkeypatch)
    with open_store(config.database, readonly=True) as store:
        board = status_frame(store)
        (run_id,) = set(board.loc[board["cadence"] == PULSE, "run_id"])
        again = replay(store, config, run_id)
    assert (again.differences, again.remarks) == ((), ())
    assert again.n_compared > 1000


def test_before_any_night_a_pulse_judges_no_model(
    config: Config, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = world.snapshot("BTC", evening_ms(0))
    with open_store(config.database) as store:
        store.upgrade()
        past = past_of(store, Stream("deribit", "BTC", PULSE), "2026-01-05T22:30:00Z")
    found = assess(snapshot, past, config.rules(), stream=Stream("deribit", "BTC", PULSE), slot="s")
    assert found.fits == ()
    assert {v.model: v.status for v in found.verdicts}["heston"] == "inconclusive"
    assert found.quotes is not None and np.all(np.isfinite(found.quotes.iv))


def test_the_watchdog_listens_for_the_pulse_from_its_first_run_on(
    config: Config, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_SCHEDULE__NIGHTLY", "0 0 31 2 *")  # never
    silent = load_config()
    now = datetime.now(UTC)
    assert watch(silent, now=now).troubles == ()  # nobody runs pulses here
    run(world, evening_ms(0), PULSE, monkeypatch)
    cron = parse_cron(silent.schedule.pulse)
    due = cron.after(now)
    assert due is not None
    found = watch(silent, now=due + timedelta(minutes=46))
    assert "deribit BTC missing" in found.troubles[0]
    with open_store(config.database, readonly=True) as store:
        rows = alerts_frame(store)
        assert list(rows["severity"]) == ["amber"]
    watch(silent, now=due + timedelta(hours=9))  # the next is soon due: never red
    with open_store(config.database, readonly=True) as store:
        assert list(alerts_frame(store)["severity"]) == ["amber"]
