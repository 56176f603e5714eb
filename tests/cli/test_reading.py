"""What is known: board, history, surface, incidents, registers, in every format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

# The published columns of the JSON rows; more may be added, none may go.
HISTORY = "as_of run_id venue underlying model metric scope value unit n stderr".split()
STATUS = "as_of venue underlying model status reason findings".split()
ALERTS = (
    "id key state escalated silenced severity cause venue underlying model metric scope opened_at "
    "last_seen resolved_at value threshold usd message run_id"
).split()


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    return list(json.loads(answer.out))


def test_the_board_has_a_row_for_the_market_and_each_model_in_order(desk: Any) -> None:
    board = rows(desk("status", "--format", "json"))
    assert [row["model"] for row in board] == ["market", "black", "svi"]
    assert all(set(STATUS) <= set(row) for row in board)
    assert {row["as_of"] for row in board} == {"2026-01-08T22:30:00Z"}
    assert all(row["reason"] for row in board)


def test_four_nights_are_too_few_to_judge_change_by(desk: Any) -> None:
    board = rows(desk("status", "--format", "json", "--model", "black"))
    assert [(row["model"], row["status"]) for row in board] == [("black", "inconclusive")]
    assert "learning" in board[0]["reason"]


def test_the_board_can_be_asked_as_of_an_earlier_day(desk: Any) -> None:
    board = rows(desk("status", "--at", "2026-01-06", "--format", "json"))
    assert {row["as_of"] for row in board} == {"2026-01-06T22:30:00Z"}


def test_a_table_is_the_default_and_every_line_is_data(desk: Any) -> None:
    answer = desk("status")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["as", "of", "underlying", "model", "status", "reason"]
    assert len(lines) == 2 + 3


def test_history_gives_the_published_columns_and_the_chain_by_default(desk: Any) -> None:
    found = rows(desk("history", "--metric", "rmse_iv", "--model", "svi", "--format", "json"))
    assert all(set(HISTORY) <= set(row) for row in found)
    assert [row["as_of"][:10] for row in found] == [f"2026-01-0{d}" for d in (5, 6, 7, 8)]
    assert {row["scope"] for row in found} == {"chain"}
    assert all(0 < row["value"] < 0.02 for row in found)  # SVI on a Heston world: under 2 points
    assert {row["unit"] for row in found} == {"vol"}


def test_history_takes_scope_since_and_until(desk: Any) -> None:
    every = rows(
        desk("history", "--metric", "rmse_iv", "--model", "svi", "--scope", "all", "-f", "json")
    )
    assert {"wing:put", "wing:centre", "wing:call", "chain"} <= {row["scope"] for row in every}
    some = rows(
        desk(
            *"history --metric rmse_iv --model svi --since 2026-01-06 --until 2026-01-07".split(),
            *"--scope wing:put --format json".split(),
        )
    )
    # A bare day is meant whole, at both ends.
    assert [row["as_of"][:10] for row in some] == ["2026-01-06", "2026-01-07"]


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_the_formats_tell_the_same_to_the_last_bit(desk: Any, form: str) -> None:
    words = "history --metric rmse_iv --model svi --format".split()
    expected = [row["value"] for row in rows(desk(*words, "json"))]
    answer = desk(*words, form)
    assert answer.code == 0
    if form == "csv":
        found = [float(r["value"]) for r in csv.DictReader(io.StringIO(answer.out))]
    elif form == "parquet":
        found = pd.read_parquet(io.BytesIO(answer.bytes))["value"].tolist()
    else:
        found = [row["value"] for row in json.loads(answer.out)]
    assert found == expected


def test_history_draws_in_the_terminal_and_to_files(desk: Any, tmp_path: Path) -> None:
    words = "history --metric rmse_iv --plot".split()
    drawn = desk(*words, "terminal")
    assert drawn.code == 0
    assert "black" in drawn.out
    assert "svi" in drawn.out
    for name in ("rmse.png", "rmse.html"):
        answer = desk(*words, str(tmp_path / name))
        assert answer.code == 0
        assert answer.out == ""
        assert (tmp_path / name).stat().st_size > 1000
    refused = desk(*words, str(tmp_path / "rmse.pdf"))
    assert refused.code == 2
    assert "FILE.png or FILE.html" in refused.err


def test_a_surface_sets_the_market_against_the_models_quote_by_quote(desk: Any) -> None:
    found = rows(desk("surface", "--underlying", "BTC", "--model", "svi", "--format", "json"))
    assert len(found) > 100
    for row in found[::25]:
        assert row["iv_bid"] < row["iv"] < row["iv_ask"]
        assert row["residual"] == pytest.approx(row["model_iv"] - row["iv"], abs=1e-15)
    one = found[0]["expiry"][:10]
    of_expiry = rows(desk(*f"surface --underlying BTC --expiry {one} -f json".split()))
    assert {row["expiry"][:10] for row in of_expiry} == {one}


def test_no_incident_is_an_answer(desk: Any) -> None:
    answer = desk("alerts", "list")
    assert answer.code == 0
    listed = rows(desk("alerts", "list", "--all", "--format", "json"))
    assert all(set(ALERTS) <= set(row) for row in listed)


@pytest.mark.parametrize(
    ("register", "name"),
    [("models", "heston"), ("metrics", "rmse_iv"), ("worlds", "jumps-on")],
)
def test_what_is_registered_is_listed_with_a_line_and_its_source(
    empty: Any, register: str, name: str
) -> None:
    listed = {row["name"]: row for row in rows(empty(register, "--format", "json"))}
    assert name in listed
    for row in listed.values():
        assert row.get("summary") or row.get("definition")
        assert register == "worlds" or row["source"]
    assert name in empty(register).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("history --metric rmse_vi", "Did you mean 'rmse_iv'?"),
        ("history --metric rmse_iv --since yesterday", "'yesterday' is no time"),
        ("status --model hestn", "no model is named 'hestn'"),
        ("status --underlying DOGE", "Known: BTC"),
        ("surface --underlying DOGE", "BTC"),
        ("surface --underlying BTC --model hestn", "hestn"),
        ("surface --underlying BTC --expiry 2031-01-01", "Known: 2026-"),
        ("surface --underlying BTC --run nosuchrun", "nosuchrun"),
        ("alerts list --state opened", "Did you mean 'open'?"),
        ("alerts show nosuchincident", "nosuchincident"),
        ("alerts ack nosuchincident", "nosuchincident"),
        ("status --format xml", "table"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_is_not_there_is_a_usage_error_that_names_what_is(
    desk: Any, words: str, said: str
) -> None:
    answer = desk(*words.split())
    assert answer.code == 2
    assert answer.out == ""
    assert said in answer.err


@pytest.mark.parametrize(
    "words", ["status", "history --metric rmse_iv", "alerts list", "surface --underlying BTC"]
)
def test_a_desk_that_has_stored_nothing_says_how_to_begin(empty: Any, words: str) -> None:
    answer = empty(*words.split())
    assert answer.code == 1
    assert answer.out == ""
    assert "misspec nightly" in answer.err
