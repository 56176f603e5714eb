"""The desk's commands as a person gives them: silences, receipts, the outbox, judgements."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.config import load_config
from monitor.incidents.base import Event
from monitor.store import open_store
from monitor.store.outbox import Outbox
from monitor.store.watch import expect
from monitor.store.writer import record_job, write_assessment
from monitor.verdict.base import Severity
from tests.cli.conftest import Answer, run
from tests.store.build import as_of_ms, make_assessment, make_event, make_message

NOW = datetime.now(UTC)


@pytest.fixture
def incident(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A desk with four nights, and a red incident that was found a minute ago."""
    folder = tmp_path / "home"
    shutil.copytree(home, folder)
    monkeypatch.setenv("MISSPEC_HOME", str(folder))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    event = make_event(Event.OPENED, 0, subject="heston", severity=Severity.RED)
    found = make_assessment(0, expiries=1, strikes=2, transitions=(event,))
    with open_store(load_config().database) as store:
        write_assessment(store, found, wall=NOW - timedelta(hours=1), tell=True)
    return event.incident.id


def data(*words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run(*words, "--format", "json").out)
    return rows


def test_a_silence_is_made_listed_seen_on_the_list_and_taken_back(incident: str) -> None:
    words = "alerts silence --model heston --for 3d --author ann --reason known".split()
    made = run(*words)
    assert made.out.startswith("silence ") and "of model heston until" in made.out
    (row,) = data("alerts", "silences")
    assert (row["of"], row["author"], row["reason"]) == ("model heston", "ann", "known")
    assert data("alerts", "list")[0]["silenced"] is True
    assert "yes" in run("alerts", "list").out
    assert "taken back by bob" in run("alerts", "unsilence", row["id"], "--author", "bob").out
    assert run("alerts", "silences").out == "no silence holds\n"
    assert [r["holds"] for r in data("alerts", "silences", "--all")] == [False]
    assert data("alerts", "list")[0]["silenced"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--reason x", "say of what"),
        ("--model hestn --reason x", "no model is named 'hestn'. Did you mean 'heston'?"),
        ("--cause weather --reason x", "no cause is named 'weather'"),
        ("--severity loud --reason x", "no severity is named 'loud'"),
        ("--venue derbit --reason x", "Did you mean 'deribit'?"),
        ("--underlying BTCC --reason x", "Did you mean 'BTC'?"),
        ("--owner ann --reason x", "no owner is named 'ann'"),
        ("--incident zz --reason x", "no incident is named 'zz'"),
        ("--model svi --for 5y --reason x", "give 12h, 3d or 2w"),
        ("--model svi --for 99999999w --reason x", "beyond the calendar"),
        ("--model svi --for 0h --reason x", "over before it begins"),
    ],
)
def test_a_silence_that_would_match_nothing_or_everything_is_refused(
    incident: str, words: str, said: str
) -> None:
    answer = run("alerts", "silence", "--author", "ann", *words.split())
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert data("alerts", "silences", "--all") == []


def test_an_acknowledgement_with_a_verdict_is_counted_by_the_report(incident: str) -> None:
    assert run("alerts", "ack", incident, "--verdict", "maybe").code == 2
    answer = run("alerts", "ack", incident, "--verdict", "true", "--author", "ann", "-m", "seen")
    assert answer.out.startswith(f"{incident} acknowledged as true by ann")
    shown = run("alerts", "show", incident)
    assert "acknowledged" in shown.out and "Usually helps" in shown.out
    (quarter,) = data("alerts", "report")
    assert quarter["quarter"] == f"{NOW.year}-Q{(NOW.month + 2) // 3}"
    assert quarter["pages"] == 0  # stored, and not yet told


def test_the_outbox_shows_what_was_given_up_and_tries_it_again(incident: str) -> None:
    with open_store(load_config().database) as store:
        record_job(
            store,
            job="test",
            stream=None,
            slot="",
            outcome="done",
            note="",
            started_wall=NOW,
            ended_wall=NOW,
            messages=[make_message("k1")],
        )
        Outbox(store).settle(
            1, state="dead", next_attempt=NOW, error="refused", now=NOW, attempted=True
        )
    (row,) = data("alerts", "outbox")
    assert (row["message_key"], row["state"], row["last_error"]) == ("k1", "dead", "refused")
    assert run("alerts", "outbox", "--revive", "k2").code == 2
    assert run("alerts", "outbox", "--revive", "k1").out == "message k1 will be tried again\n"
    assert data("alerts", "outbox")[0]["state"] == "pending"


def test_the_watchdog_says_in_words_and_by_its_code_what_is_wrong(
    incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = run("watchdog")
    assert (answer.code, answer.out) == (0, "all was done that was due\n")
    monkeypatch.setenv("MISSPEC_ALERTS__ROUTES__RED", '["json://127.0.0.1:9/closed?rto=1&cto=1"]')
    monkeypatch.setenv("MISSPEC_SCHEDULE__TEST_MESSAGE", "* * * * *")
    answer = run("watchdog")
    assert answer.code == 1
    assert answer.out.startswith("not delivered now: json://127.0.0.1:9")
    assert run("alerts", "receipt", "ZZZZ").code == 2
    code = data("alerts", "outbox", "--all")[-1]["title"]
    assert code.startswith("[TEST]")


def test_the_board_says_on_stderr_that_a_job_is_missing(
    incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("status").err == ""
    due = (NOW - timedelta(minutes=50)).replace(second=0, microsecond=0)
    monkeypatch.setenv("MISSPEC_SCHEDULE__NIGHTLY", f"{due.minute} {due.hour} * * *")
    with open_store(load_config().database) as store:
        expect(store, "nightly", [("deribit", "BTC")], wall=NOW - timedelta(days=3))
    assert run("watchdog").code == 1
    answer = run("status", "--format", "json")
    assert answer.err.startswith("red job incident ")
    assert "deribit BTC missing" in answer.err
    assert json.loads(answer.out)


def test_a_receipt_without_a_test_message_is_refused(incident: str) -> None:
    answer = run("alerts", "receipt", "ABCD")
    assert answer.code == 2
    assert "no test message waits for a receipt" in answer.err


# --- judgements ---------------------------------------------------------------------------------


def judge(*words: str) -> Answer:
    return run("judge", *words, "--author", "ann")


def test_judgements_of_every_kind_are_recorded_for_the_nights_to_come(incident: str) -> None:
    because = ("--reason", "because")
    for words in (
        ("tolerance", "--model", "heston", "--limit", "0.08", "--incident", incident, *because),
        ("restrict", "--model", "heston", "--use", "hedging", *because),
        (
            "prior",
            "--model",
            "heston",
            "--parameter",
            "rho",
            "--mean",
            "0",
            "--sd",
            "0.1",
            *because,
        ),
        ("exclude", "BTC-27MAR26-*", *because),
        ("annotate", "Fed night", "--night", "2026-01-06"),
        ("rebase", "--model", "svi", *because),
    ):
        answer = judge(*words)
        assert answer.code == 0, answer.err
    # By the venue's clock, which stands in January, they are to come, whatever the desk's says.
    kinds = [row["kind"] for row in data("judge", "list")]
    assert sorted(kinds) == "exclude prior rebase restrict tolerance".split()
    by_kind = {row["kind"]: row for row in data("judge", "list", "--all")}
    assert by_kind["annotate"]["since"].startswith("2026-01-06T00:00")
    assert by_kind["tolerance"]["incident"] == incident
    starts = {row["since"] for row in data("judge", "list")}
    assert (
        len(starts) == 1 and starts.pop() > f"{datetime.fromtimestamp(as_of_ms(3) / 1e3, UTC):%F}"
    )
    assert {row["verdict"] for row in data("judge", "score")} == {"open"}
    id_ = by_kind["tolerance"]["id"]
    assert "by ann" in judge("expire", id_).out
    assert id_ not in {row["id"] for row in data("judge", "list")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tolerance --model heston --limit 8 --reason x", "0.08 for 8 vol points"),
        ("tolerance --model hestn --limit 0.08 --reason x", "Did you mean 'heston'?"),
        (
            "tolerance --model heston --limit 0.08 --level rmse --reason x",
            "rmse_iv or inside_share",
        ),
        ("tolerance --model heston --limit 0.08 --venue derbit --reason x", "'deribit'?"),
        ("tolerance --model heston --limit 0.08 --for -3d --reason x", "give 12h, 3d or 2w"),
        ("tolerance --model heston --limit 0.08 --since soon --reason x", "is no time"),
        ("restrict --model heston --use trading --reason x", "marking or hedging"),
        ("prior --model heston --parameter kapa --mean 1 --sd 1 --reason x", "'kappa'?"),
        ("prior --model heston --parameter kappa --mean 1 --sd 0 --reason x", "must be positive"),
        ("prior --model svi --parameter rho --mean 0 --sd 1 --reason x", "each expiry's own"),
        ("exclude * --reason x", "every instrument there is"),
        ("rebase --metric rmse --reason x", "no headline is named 'rmse'"),
        ("restrict --model heston --use hedging --incident zz --reason x", "no incident"),
        ("restrict --model heston --use hedging --reason ", "needs an author and a reason"),
    ],
)
def test_a_judgement_that_makes_no_sense_is_refused_in_words(
    incident: str, words: str, said: str
) -> None:
    answer = judge(*words.split(" "))
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert data("judge", "list", "--all") == []


def test_help_tells_a_risk_manager_what_an_incident_is_and_what_to_do() -> None:
    said = " ".join(run("alerts", "--help").out.replace("│", " ").split())
    for words in (
        "One trouble, told once",
        "It opens, may get worse, is acknowledged, and is resolved",
        "red: real beyond the noise of the quotes, material, and lasting: this is a page",
        "misspecification: the model no longer describes the market",
        "data: the chain cannot be judged by (then no model is called wrong)",
        "job: a run is missing, late or empty, or a message did not arrive",
        "--verdict true, false or known",
        "flapping",
        "`silence` keeps matching news from being told for a while",
        "alerts.rules in the configuration",
        "A red incident that nobody acknowledges is told again",
        "dead-letter with the reason",
        "misspec watchdog",
        "misspec judge",
    ):
        assert words in said
    for (
        command
    ) in "list show ack resolve silence unsilence silences report receipt outbox test".split():
        help_ = run("alerts", command, "--help")
        assert help_.code == 0 and f"alerts {command}" in help_.out
