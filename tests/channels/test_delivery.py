"""Every message arrives, or lies in dead-letter with the reason."""

from __future__ import annotations

import json
import logging
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.channels import DeliveryReport, Limits, Outcome, deliver_pending, target_name
from monitor.channels.base import Letter
from monitor.errors import UnknownNameError
from monitor.incidents.base import Message
from monitor.store import Store, open_store
from monitor.store.outbox import Outbox
from monitor.store.writer import record_job
from monitor.verdict.base import Severity
from tests.channels.receivers import MailBox, WebHook, mail_box, web_hook
from tests.store.build import WALL, make_message

LIMITS = Limits(max_attempts=3, timeout_s=2.0)
SECRETS = ("T0p-passw0rd", "s3cretpath", "s3cretkey")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'misspec.db'}") as opened:
        opened.upgrade()
        yield opened


@pytest.fixture
def hook() -> Iterator[WebHook]:
    with web_hook() as running:
        yield running


@pytest.fixture
def box() -> Iterator[MailBox]:
    with mail_box() as running:
        yield running


def queue(store: Store, *messages: Message) -> None:
    record_job(
        store,
        job="test",
        stream=None,
        slot="2026-07-01",
        outcome="done",
        note="",
        started_wall=WALL,
        ended_wall=WALL,
        messages=messages,
    )


def deliver(
    store: Store, *urls: str, after_s: float = 0.0, limits: Limits = LIMITS
) -> DeliveryReport:
    at = WALL + timedelta(seconds=after_s)
    return deliver_pending(Outbox(store), {"red": urls}, now=at, limits=limits)


def log_of(store: Store) -> list[dict[str, object]]:
    with store.reading() as connection:
        return [
            dict(row)
            for row in connection.execute(text("SELECT * FROM message_log")).mappings().all()
        ]


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


# --- what arrives -------------------------------------------------------------------------------


def test_a_web_hook_gets_title_text_and_key(store: Store, hook: WebHook) -> None:
    message = make_message("k1")
    queue(store, message)
    assert deliver(store, hook.url) == DeliveryReport(sent=("k1",))
    (payload,) = hook.received
    assert payload["title"] == message.title
    assert payload["message"] == f"{message.body}\n\nmessage k1"
    assert (payload["dedup_key"], payload["severity"]) == ("k1", "red")
    assert hook.headers[0]["X-Misspec-Key"] == "k1"


def test_mail_bears_the_key_as_its_message_id(store: Store, box: MailBox) -> None:
    message = make_message("k1")
    queue(store, message)
    assert deliver(store, box.url) == DeliveryReport(sent=("k1",))
    (mail,) = box.received
    assert mail.get_all("Message-ID") == ["<k1@misspec>"]
    assert (mail["X-Misspec-Key"], mail["To"]) == ("k1", "ann@desk.example")
    assert mail.get_content_type() == "text/plain"
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert "Put wing +5 vol points; σ=0.65" in payload.decode()


def test_a_message_is_sent_once(store: Store, hook: WebHook) -> None:
    queue(store, make_message("k1"))
    deliver(store, hook.url)
    assert deliver(store, hook.url, after_s=1e6) == DeliveryReport()
    queue(store, make_message("k1"))
    assert deliver(store, hook.url, after_s=2e6) == DeliveryReport()
    assert len(hook.received) == 1


def test_every_severity_goes_its_own_way_and_the_loudest_first(store: Store, hook: WebHook) -> None:
    queue(store, *(make_message(s.value, s) for s in Severity))
    routes = {s.value: (hook.url,) for s in (Severity.AMBER, Severity.RED)}
    report = deliver_pending(Outbox(store), routes, now=WALL, limits=LIMITS)
    assert report.sent == ("red", "amber", "info")
    assert [p["dedup_key"] for p in hook.received] == ["red", "amber"]
    assert [p["type"] for p in hook.received] == ["failure", "warning"]


def test_without_a_receiver_a_message_goes_to_the_log(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    message = make_message("k1")
    queue(store, message)
    with caplog.at_level(logging.INFO, logger="monitor.desk"):
        assert deliver(store).sent == ("k1",)
    (record,) = caplog.records
    assert json.loads(record.getMessage()) == {
        "message": "k1",
        "severity": "red",
        "title": message.title,
        "body": message.body,
    }
    assert (log_of(store)[0]["target"], log_of(store)[0]["state"]) == ("log", "sent")


# --- what does not ------------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_again_when_its_time_has_come(
    store: Store, hook: WebHook
) -> None:
    hook.answers = [500]
    queue(store, make_message("k1"))
    first = deliver(store, hook.url)
    assert first.waiting == ("k1",)
    assert "500" in first.reasons["k1"]
    assert deliver(store, hook.url, after_s=29) == DeliveryReport()  # the first wait is 30 s
    assert deliver(store, hook.url, after_s=39).sent == ("k1",)
    assert [p["dedup_key"] for p in hook.received] == ["k1"]


def test_waits_double_up_to_the_longest(store: Store) -> None:
    def refuse(_: str, __: Letter, ___: float) -> Outcome:
        return Outcome(False, "no")

    limits = Limits(max_attempts=6, first_wait_s=10, longest_wait_s=50)
    queue(store, make_message("k1"))
    waits, at = [], WALL
    for _ in range(5):
        deliver_pending(Outbox(store), {"red": ["json://h"]}, now=at, sender=refuse, limits=limits)
        (row,) = log_of(store)
        due = datetime.fromisoformat(str(row["next_attempt_wall"]))
        waits.append((due - at).total_seconds())
        at = due
    for wait, least in zip(waits, (10, 20, 40, 50, 50), strict=True):
        assert least <= wait <= 1.25 * least + 1  # scattered by up to a quarter; a slow machine


def test_after_the_last_attempt_a_message_lies_in_dead_letter_with_its_reason(
    store: Store, hook: WebHook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [500, 503, 500]
    queue(store, make_message("k1"))
    ends = [deliver(store, hook.url, after_s=t) for t in (0, 100, 1000)]
    assert [bool(e.waiting) for e in ends] == [True, True, False]
    assert ends[-1].dead == ("k1",)
    (row,) = log_of(store)
    assert (row["state"], row["target_attempts"]) == ("dead", 3)
    assert "500" in str(row["last_error"]) and "gave up after 3 attempts" in str(row["last_error"])
    assert "dead letter k1" in caplog.text
    assert deliver(store, hook.url, after_s=1e6) == DeliveryReport()
    assert Outbox(store).counts() == {"pending": 0, "sent": 0, "dead": 1}


def test_a_dead_message_can_be_revived(store: Store, hook: WebHook) -> None:
    hook.answers = [500]
    queue(store, make_message("k1"))
    deliver(store, hook.url, limits=Limits(max_attempts=1))
    with pytest.raises(UnknownNameError, match="k1"):
        Outbox(store).revive("k2", now=WALL)
    Outbox(store).revive("k1", now=WALL)
    assert deliver(store, hook.url).sent == ("k1",)


def test_a_receiver_that_does_not_answer_in_time_counts_as_failed(
    store: Store, hook: WebHook
) -> None:
    hook.answers = ["silence"]
    queue(store, make_message("k1"))
    report = deliver(store, hook.url, limits=Limits(timeout_s=0.05))
    assert report.waiting == ("k1",)
    assert "timed out" in report.reasons["k1"].lower()
    assert deliver(store, hook.url, after_s=60).sent == ("k1",)


def test_a_refused_connection_is_named_as_such(store: Store) -> None:
    queue(store, make_message("k1"))
    report = deliver(store, f"json://127.0.0.1:{closed_port()}/x")
    assert report.waiting == ("k1",)
    assert "refused" in report.reasons["k1"].lower()


def test_a_mail_server_that_refuses_is_tried_again(store: Store, box: MailBox) -> None:
    box.answers = ["451 try later"]
    queue(store, make_message("k1"))
    report = deliver(store, box.url)
    assert report.waiting == ("k1",)
    assert "451" in report.reasons["k1"]
    assert deliver(store, box.url, after_s=60).sent == ("k1",)
    assert len(box.received) == 1


def test_a_mail_server_that_is_down_is_named(store: Store) -> None:
    queue(store, make_message("k1"))
    url = f"mailto://127.0.0.1:{closed_port()}/?from=a@b.example&to=c@d.example&mode=insecure"
    report = deliver(store, url)
    assert "refused" in report.reasons["k1"].lower()


@pytest.mark.parametrize("url", ["nonsense://T0p-passw0rd", "json://", "T0p-passw0rd"])
def test_an_address_that_nobody_understands_is_dead_at_once(store: Store, url: str) -> None:
    queue(store, make_message("k1"))
    report = deliver(store, url)
    assert report.dead == ("k1",)
    assert "no address that Apprise understands" in report.reasons["k1"]
    assert "alerts.routes" in report.reasons["k1"]
    assert "T0p-passw0rd" not in str(report) + str(log_of(store))


def test_of_several_receivers_only_those_that_failed_are_asked_again(
    store: Store, hook: WebHook, box: MailBox
) -> None:
    hook.answers = [500]
    queue(store, make_message("k1"))
    assert deliver(store, hook.url, box.url).waiting == ("k1",)
    states = {row["target"]: row["target_state"] for row in log_of(store)}
    assert states == {target_name(hook.url): "pending", target_name(box.url): "sent"}
    assert deliver(store, hook.url, box.url, after_s=60).sent == ("k1",)
    assert (len(hook.received), len(box.received)) == (1, 1)


def test_one_wrong_address_does_not_keep_the_others_from_being_told(
    store: Store, hook: WebHook
) -> None:
    queue(store, make_message("k1"))
    assert deliver(store, "nonsense://x", hook.url).dead == ("k1",)
    assert len(hook.received) == 1


def test_a_receiver_that_is_down_is_not_asked_for_every_message(
    store: Store, hook: WebHook
) -> None:
    hook.answers = [500] * 10
    queue(store, *(make_message(f"k{i}") for i in range(6)))
    report = deliver(store, hook.url)
    assert len(report.waiting) == 6
    assert hook.requests == 2
    hook.answers = []
    assert len(deliver(store, hook.url, after_s=60).sent) == 6


def test_a_restart_between_failure_and_success_loses_nothing(
    store: Store, hook: WebHook, tmp_path: Path
) -> None:
    hook.answers = [500]
    queue(store, make_message("k1"))
    deliver(store, hook.url)
    store.close()
    with open_store(f"sqlite:///{tmp_path / 'misspec.db'}") as reopened:
        assert deliver(reopened, hook.url, after_s=60).sent == ("k1",)


def test_no_secret_of_an_address_reaches_report_log_or_database(
    store: Store, hook: WebHook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers = [500]
    refused = hook.url.replace(str(hook.port), str(closed_port()))
    queue(store, make_message("k1"), make_message("k2"))
    with caplog.at_level(logging.DEBUG):
        reports = [
            deliver(store, hook.url, refused, after_s=t, limits=Limits(max_attempts=2))
            for t in (0, 100)
        ]
    store.close()
    files = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    for secret in SECRETS:
        assert secret not in str(reports)
        assert secret not in caplog.text
        assert secret.encode() not in files


def test_whatever_receivers_do_every_message_arrives_or_lies_dead_with_its_reason(
    tmp_path: Path,
) -> None:
    """Thirty rounds of weather: 500s, time-outs, slow answers, refusals, servers gone and back."""
    rng, database = random.Random(6), f"sqlite:///{tmp_path / 'misspec.db'}"
    ports = {"hook": closed_port(), "box": closed_port()}
    keys = [f"k{n:02d}" for n in range(10)]
    limits = Limits(max_attempts=6, timeout_s=0.1, failures_a_round=3)
    with open_store(database) as opened:
        opened.upgrade()
    urls = {"hook": WebHook(ports["hook"]).url, "box": MailBox(ports["box"]).url}
    urls["box"] += "&rto=0.1&cto=0.1"
    arrived: dict[str, list[str]] = {"hook": [], "box": []}
    for day in range(30):
        with ExitStack() as up, open_store(database) as opened:  # we, too, are restarted
            if rng.random() < 0.6:
                hook = up.enter_context(web_hook(ports["hook"]))
                hook.answers = rng.choices([200, 500, 503, 0.02, 0.2, "silence"], k=4)
                up.callback(
                    lambda hook=hook: arrived["hook"].extend(p["dedup_key"] for p in hook.received)
                )
            if rng.random() < 0.6:
                box = up.enter_context(mail_box(ports["box"]))
                box.answers = rng.choices([0.0, "451 later", "554 no", 0.02], k=4)
                up.callback(
                    lambda box=box: arrived["box"].extend(m["X-Misspec-Key"] for m in box.received)
                )
            if day < len(keys):
                queue(opened, make_message(keys[day]))
            deliver(opened, *urls.values(), after_s=86_400.0 * day, limits=limits)
    with open_store(database) as opened:
        rows = log_of(opened)
        assert Outbox(opened).counts()["pending"] == 0
    names = {target_name(url): kind for kind, url in urls.items()}
    assert len(rows) == 2 * len(keys)
    ends = set()
    for row in rows:
        kind, key = names[str(row["target"])], str(row["message_key"])
        ends.add((kind, row["target_state"]))
        if row["target_state"] == "sent":
            assert key in arrived[kind]
        else:
            assert row["target_state"] == "dead"
            assert "gave up after 6 attempts" in str(row["target_error"])
    assert {("hook", "sent"), ("box", "sent")} <= ends
    assert any(state == "dead" for _, state in ends)  # the weather was bad enough to show it
    # A message that was taken by somebody whose word came too late came again, by the same key.
    assert set(arrived["hook"]) <= set(keys) and set(arrived["box"]) <= set(keys)


# --- two deliverers, and one that dies ----------------------------------------------------------


def test_a_message_that_somebody_is_sending_is_left_to_them(store: Store) -> None:
    inner: list[DeliveryReport] = []

    def send(url: str, message: Letter, timeout_s: float) -> Outcome:
        inner.append(deliver_pending(Outbox(store), {"red": [url]}, now=WALL, sender=send))
        return Outcome(True)

    queue(store, make_message("k1"))
    report = deliver_pending(Outbox(store), {"red": ["json://h"]}, now=WALL, sender=send)
    assert (report.sent, inner) == (("k1",), [DeliveryReport()])


def test_a_deliverer_that_died_is_replaced_when_its_claim_runs_out(
    store: Store, hook: WebHook
) -> None:
    queue(store, make_message("k1"))
    (message,) = Outbox(store).due(WALL, limit=10)
    assert Outbox(store).claim(message.number, now=WALL, until=WALL + timedelta(seconds=180))
    assert not Outbox(store).claim(message.number, now=WALL, until=WALL + timedelta(seconds=999))
    assert deliver(store, hook.url, after_s=100) == DeliveryReport()
    assert deliver(store, hook.url, after_s=181).sent == ("k1",)
