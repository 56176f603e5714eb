"""What was not done or did not arrive becomes an incident within one period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import watchdog
from monitor.assessment import Stream
from monitor.channels import Outcome
from monitor.config import Config, load_config
from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Event
from monitor.incidents.watch import WatchRules
from monitor.store import Store, open_store
from monitor.store import watch as kept
from monitor.store.frames import alerts_frame
from monitor.store.outbox import Outbox
from monitor.store.writer import record_job, write_assessment
from monitor.watchdog import Watch, code_of, watch
from tests.store.build import MODELS, make_assessment, make_event, make_message

DUE = datetime(2026, 6, 3, 22, 30, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)
LOOK = timedelta(minutes=45)  # after a night was due: the first look that can miss it
RED = "json://127.0.0.1:9/red"


class Receiver:
    """Takes every message, or none."""

    def __init__(self, reason: str = "") -> None:
        self.reason, self.got = reason, []

    def __call__(self, url: str, message: Any, timeout_s: float) -> Outcome:
        if not self.reason:
            self.got.append((message.title, message.body))
        return Outcome(not self.reason, self.reason)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    monkeypatch.setenv("MISSPEC_UNDERLYINGS", "BTC,ETH")
    monkeypatch.setenv("MISSPEC_ALERTS__ROUTES", f'{{"red": ["{RED}"], "amber": ["{RED}"]}}')
    monkeypatch.setenv("MISSPEC_SCHEDULE__TEST_MESSAGE", "0 9 1 1 *")  # not in these weeks
    return load_config()


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    with open_store(config.database) as opened:
        opened.upgrade()
        kept.expect(opened, "nightly", [("deribit", u) for u in ("BTC", "ETH")], wall=DUE - 3 * DAY)
        yield opened


def beat(
    store: Store,
    due: datetime,
    *underlyings: str,
    outcome: str = "done",
    note: str = "",
    after: timedelta = timedelta(minutes=2),
) -> None:
    for underlying in underlyings or ("BTC", "ETH"):
        record_job(
            store,
            job="nightly",
            stream=Stream("deribit", underlying),
            slot=f"{due:%Y-%m-%d}",
            outcome=outcome,
            note=note,
            started_wall=due,
            ended_wall=due + after,
        )


def look(config: Config, at: datetime, receiver: Receiver | None = None, **options: Any) -> Watch:
    return watch(config, now=at, sender=receiver or Receiver(), **options)


def stated(store: Store) -> list[tuple[str, str, str]]:
    frame = alerts_frame(store, all=True)
    return list(frame[["state", "severity", "cause"]].itertuples(index=False, name=None))


# --- nights -------------------------------------------------------------------------------------


def test_all_is_well_where_every_night_was_done(config: Config, store: Store) -> None:
    for back in range(4):
        beat(store, DUE - back * DAY)
    found = look(config, DUE + LOOK)
    assert (found.troubles, found.transitions) == ((), ())


def test_a_scheduler_that_stopped_is_one_incident_within_a_period_and_red_after_it(
    config: Config, store: Store
) -> None:
    beat(store, DUE - 2 * DAY)
    beat(store, DUE - DAY)
    receiver = Receiver()
    assert look(config, DUE + LOOK - timedelta(seconds=1), receiver).troubles == ()
    found = look(config, DUE + LOOK, receiver)
    (trouble,) = found.troubles
    assert trouble == (
        "2 of 2 passes, due 2026-06-03 22:30 UTC: deribit BTC missing; deribit ETH missing"
    )
    assert stated(store) == [("open", "amber", "job")]
    ((title, body),) = receiver.got  # at once, and not a look later
    assert title == "[AMBER] 2026-06-03 nightly: job opened"
    assert "misspec watchdog, then the scheduler's log" in body
    for hour in range(1, 24):
        assert look(config, DUE + LOOK + timedelta(hours=hour), receiver).transitions == ()
    assert len(receiver.got) == 1  # once
    look(config, DUE + DAY + LOOK, receiver)
    assert stated(store) == [("open", "red", "job")]
    assert receiver.got[-1][0] == "[RED] 2026-06-04 nightly: job got worse"


def test_a_night_that_is_done_again_ends_the_trouble(config: Config, store: Store) -> None:
    beat(store, DUE - DAY)
    look(config, DUE + LOOK)
    beat(store, DUE, after=timedelta(hours=9))  # by hand, in the morning
    receiver = Receiver()
    found = look(config, DUE + timedelta(hours=10), receiver)
    # It is there, but it was late: the trouble stays until the next night is in time.
    assert "late: ended 2026-06-04 07:30 UTC" in found.troubles[0]
    beat(store, DUE + DAY)
    look(config, DUE + DAY + LOOK, receiver)
    assert stated(store) == [("resolved", "amber", "job")]
    assert [title for title, _ in receiver.got] == ["[AMBER] 2026-06-04 nightly: job resolved"]


def test_a_night_that_failed_is_over_when_it_is_done_again_in_time(
    config: Config, store: Store
) -> None:
    beat(store, DUE, outcome="failed", note="ArchiveError: no space left on device")
    assert "failed: ArchiveError: no space left" in look(config, DUE + LOOK).troubles[0]
    beat(store, DUE, after=timedelta(minutes=44))
    assert look(config, DUE + LOOK).troubles == ()


def test_an_empty_night_is_told_once_by_the_data_or_by_the_job(
    config: Config, store: Store
) -> None:
    beat(store, DUE, "BTC")
    beat(store, DUE, "ETH", outcome="no usable data", note="no chain: refused")
    (trouble,) = look(config, DUE + LOOK).troubles
    assert trouble == "due 2026-06-03 22:30 UTC: deribit ETH empty: no chain: refused"


def test_a_run_that_left_early_says_so_and_is_missing(config: Config, store: Store) -> None:
    beat(store, DUE, "BTC")
    beat(store, DUE, "ETH", outcome="skipped", note="left: the next run is due")
    (trouble,) = look(config, DUE + LOOK).troubles
    assert trouble.endswith("deribit ETH missing (left: the next run is due)")


def test_a_run_without_one_of_the_models_is_partial(config: Config, store: Store) -> None:
    beat(store, DUE)
    found = make_assessment(0, models=("market", "black"))
    write_assessment(store, found, wall=DUE, tell=True)
    (trouble,) = look(config, DUE + LOOK).troubles
    assert "deribit BTC partial: svi not judged" in trouble


def test_a_run_that_measured_little_of_the_listed_vega_is_partial(
    config: Config, store: Store
) -> None:
    from monitor.diagnostics.base import MetricValue

    beat(store, DUE)
    low = MetricValue("coverage", None, "chain", 0.31, "share", 100)
    found = make_assessment(0, models=("market", *MODELS), metrics=(low,))
    write_assessment(store, found, wall=DUE, tell=True)
    (trouble,) = look(config, DUE + LOOK).troubles
    assert "partial: 31% of the listed vega measured" in trouble
    assert look(config, DUE + LOOK, rules=WatchRules(min_coverage=0.3)).troubles == ()


def weekly(store: Store, due: datetime) -> None:
    stream = Stream("deribit", "BTC")
    ended = due + timedelta(minutes=2)
    kept.expect(store, "weekly", [("deribit", "BTC")], wall=ended)
    record_job(
        store,
        job="weekly",
        stream=stream,
        slot=f"{due:%F}",
        outcome="done",
        note="",
        started_wall=due,
        ended_wall=ended,
    )


def test_a_weekly_review_is_missed_from_the_first_one_on(config: Config, store: Store) -> None:
    def looked(now: datetime) -> str | None:
        found = watchdog.look(store, config, now=now, rules=WatchRules())["weekly"]
        return found and found.message

    monday = datetime(2026, 6, 1, 5, tzinfo=UTC)
    assert looked(monday + LOOK) is None  # this desk runs none
    weekly(store, monday)
    assert looked(monday + 7 * DAY) is None  # not late yet
    assert looked(monday + 7 * DAY + LOOK) == "due 2026-06-08 05:00 UTC: deribit BTC missing"
    weekly(store, monday + 7 * DAY)
    assert looked(monday + 7 * DAY + LOOK) is None


def test_nights_are_expected_from_the_first_look_on(config: Config) -> None:
    assert look(config, DUE + LOOK).troubles == ()
    assert "missing" in look(config, DUE + DAY + LOOK).troubles[0]


def test_a_job_that_fails_months_later_is_another_incident(config: Config, store: Store) -> None:
    beat(store, DUE - DAY)
    look(config, DUE + LOOK)
    beat(store, DUE + DAY)
    look(config, DUE + DAY + LOOK)  # resolved
    soon, later = DUE + 4 * DAY, DUE + 60 * DAY
    for due, event in ((soon, Event.REOPENED), (later, Event.OPENED)):
        beat(store, due - DAY)
        (transition,) = look(config, due + LOOK).transitions
        assert transition.event is event
        beat(store, due + DAY)
        look(config, due + DAY + LOOK)
    assert len(alerts_frame(store, all=True)) == 2


def test_two_watchdogs_in_one_minute_open_one_incident(
    config: Config, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "incidents_now", lambda _: ())  # neither sees the other's
    receiver = Receiver()
    look(config, DUE + LOOK, receiver)
    look(config, DUE + LOOK + timedelta(seconds=20), receiver)
    monkeypatch.undo()
    assert len(alerts_frame(store)) == 1
    assert len(receiver.got) == 1


def test_recorded_chains_are_expected_by_nobody(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_VENUES__ACTIVE", "recorded")
    recorded = load_config()
    look(recorded, DUE)
    assert look(recorded, DUE + DAY + LOOK).troubles == ()


# --- messages -----------------------------------------------------------------------------------


def test_a_message_that_waits_for_an_hour_is_a_trouble_and_a_dead_one_is_red(
    config: Config, store: Store
) -> None:
    beat(store, DUE)
    at = DUE + LOOK
    record_job(
        store,
        job="test",
        stream=None,
        slot="",
        outcome="done",
        note="",
        started_wall=at,
        ended_wall=at,
        messages=[make_message("k1")],
    )
    refused = Receiver("451 try again later")
    assert "not delivered now" in look(config, at, refused).troubles[0]
    found = look(config, at + timedelta(hours=1), refused)
    assert found.troubles[0].startswith("1 message undelivered (1 waiting) since 2026-06-03 23:15")
    assert "451 try again later" in found.troubles[0]
    assert ("open", "amber", "job") in stated(store)
    (number,) = (m.number for m in Outbox(store).due(at + DAY, limit=9) if m.key == "k1")
    Outbox(store).settle(
        number, state="dead", next_attempt=at, error="gave up", now=at, attempted=True
    )
    found = look(config, at + timedelta(hours=3))
    # The other is the word of the trouble itself, which goes the same way.
    assert found.troubles[0].startswith("2 messages undelivered (1 given up, 1 waiting)")
    assert found.troubles[0].endswith("(k1)': gave up")
    assert ("open", "red", "job") in stated(store)


def test_a_nights_news_wait_for_the_night_and_are_not_left_lying(
    config: Config, store: Store
) -> None:
    event = make_event(Event.OPENED, 0, subject="heston")
    found = make_assessment(0, models=("market", "black", "svi"), transitions=(event,))
    write_assessment(store, found, wall=DUE, tell=True)
    beat(store, DUE - DAY)
    beat(store, DUE)
    receiver = Receiver()
    look(config, DUE + timedelta(minutes=5), receiver)
    assert receiver.got == []  # the night is about to gather them with the others
    look(config, DUE + timedelta(minutes=20), receiver)
    assert [title for title, _ in receiver.got] == [
        "[AMBER] 2026-01-01 deribit BTC: misspecification opened"
    ]


# --- test messages ------------------------------------------------------------------------------


def test_the_weekly_test_message_is_sent_once_and_asks_for_a_receipt(
    config: Config, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_SCHEDULE__TEST_MESSAGE", "0 9 * * 1")
    monkeypatch.setenv("MISSPEC_SCHEDULE__NIGHTLY", "0 0 1 1 *")
    config = load_config()
    monday, receiver = datetime(2026, 6, 8, 9, 15, tzinfo=UTC), Receiver()
    for hour in range(30):
        look(config, monday + timedelta(hours=hour), receiver)
    ((title, body),) = receiver.got
    assert title == "[TEST] 2026-06-08 misspec reaches you"
    code = code_of(monday.replace(minute=0))
    assert f"misspec alerts receipt {code}" in body
    late = look(config, monday + timedelta(days=7, hours=-1), receiver)
    assert late.troubles == ()
    late = look(config, monday + timedelta(days=7, minutes=1), receiver)
    assert "nobody has confirmed the test message of 2026-06-08" in late.troubles[0]
    with pytest.raises(UnknownNameError, match=code):
        kept.confirm(store, "ZZZZ", author="ann", wall=monday)
    with pytest.raises(UsageError, match="author"):
        kept.confirm(store, code, author=" ", wall=monday)
    assert kept.confirm(store, code.lower(), author="ann", wall=monday).date() == monday.date()
    with pytest.raises(UsageError, match="confirmed by ann before"):
        kept.confirm(store, code, author="bob", wall=monday)
    assert not [t for t in look(config, monday + 8 * DAY).troubles if "2026-06-08" in t]


# --- the last resort ----------------------------------------------------------------------------


def test_a_database_that_does_not_answer_is_cried_to_the_red_receivers(
    config: Config, tmp_path: Path
) -> None:
    (tmp_path / "misspec.db").write_text("no database " * 500)
    receiver = Receiver()
    found = look(config, DUE, receiver)
    assert "does not do its work" in found.troubles[0] and len(found.troubles) == 1
    ((title, body),) = receiver.got
    assert title == "[RED] 2026-06-03 misspec: job, the database does not do its work"
    assert "not a SQLite database" in body


def test_who_cannot_be_told_of_it_is_named(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "misspec.db").write_text("no database " * 500)
    _, trouble = look(config, DUE, Receiver("connection refused")).troubles
    assert trouble.startswith("json://127.0.0.1:9#")
    assert trouble.endswith("could not be told: connection refused")
    monkeypatch.delenv("MISSPEC_ALERTS__ROUTES")
    _, trouble = look(load_config(), DUE).troubles
    assert trouble == "alerts.routes.red names nobody who could be told"


def test_a_full_database_is_cried_too(config: Config, store: Store) -> None:
    from sqlalchemy import text

    from monitor import watchdog

    beat(store, DUE - DAY)
    with store.reading() as connection:
        used = connection.scalar(text("PRAGMA page_count"))
    opened = watchdog.open_database

    def narrow(config: Config) -> Store:
        from sqlalchemy import event

        tight = opened(config)
        event.listen(
            tight._engine,
            "checkout",
            lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {used}"),
        )
        return tight

    receiver = Receiver()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "open_database", narrow)
        for hour in range(400):  # what is free within its pages is used up first
            found = look(config, DUE + LOOK + timedelta(hours=hour), receiver)
            if found.delivered is None:
                break
    assert "no room left: free disk space" in found.troubles[0]
    assert "does not do its work" in receiver.got[-1][0]
