"""`misspec replay` in words and codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from monitor.store import open_store
from monitor.store.content import run_ids
from tests.cli.conftest import run


def test_runs_drawn_by_chance_replay_to_the_last_bit(desk: Any) -> None:
    answer = desk("replay", "--random", "2")
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith("2 runs, ")
    listed = desk("replay", "--random", "9", "--format", "json")
    assert (listed.code, json.loads(listed.out)) == (0, [])


def test_a_run_with_other_numbers_leaves_with_code_1_and_names_them(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("MISSPEC_HOME", str(copy))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    with open_store(f"sqlite:///{copy / 'misspec.db'}") as store:
        with store.writing() as connection:
            connection.exec_driver_sql("UPDATE fits SET cost = cost + 1 WHERE run_key = 1")
        run_id = run_ids(store)[0]
    answer = run("replay", run_id, "--format", "json")
    rows = json.loads(answer.out)
    assert answer.code == 1
    assert {(r["part"], r["place"], r["column"]) for r in rows} == {
        ("fits", "black", "cost"),
        ("fits", "svi", "cost"),
    }
    table = run("replay", run_id)
    assert "What differs" in table.out


def test_the_rules_of_a_file_are_asked_what_they_would_have_said(
    desk: Any, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strict.toml"
    path.write_text("[judgement]\nmin_quotes = 100000\n", encoding="utf-8")
    with open_store(f"sqlite:///{home / 'misspec.db'}", readonly=True) as store:
        run_id = run_ids(store)[3]
    answer = desk("replay", run_id, "--with-config", str(path), "--format", "json")
    assert answer.code == 0, answer.err
    said = {(r["subject"], r["what"]) for r in json.loads(answer.out)}
    assert any(subject == "svi" and "n_quotes" in what for subject, what in said), answer.out


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "--random"), (["nothing"], "no run is named 'nothing'")],
)
def test_what_is_not_there_is_a_usage_error(desk: Any, words: list[str], said: str) -> None:
    answer = desk("replay", *words)
    assert answer.code == 2
    assert said in answer.err


def test_two_models_and_two_nights_are_set_side_by_side(desk: Any) -> None:
    two = desk("compare", "--underlying", "BTC", "--model", "black", "--model", "svi", "-f", "json")
    rows = {(r["metric"], r["scope"]): r for r in json.loads(two.out)}
    chain = rows["rmse_iv", "chain"]
    assert chain["difference"] == chain["second"] - chain["first"] < 0
    words = "compare --underlying BTC --model svi --at 2026-01-06 --at 2026-01-08".split()
    table = desk(*words)
    assert "BTC svi, 2026-01-06 22:30 against 2026-01-08 22:30 UTC" in table.out
    assert "expiry:" not in table.out
    one = desk("compare", "--underlying", "BTC", "--model", "svi")
    assert (one.code, "two models of one night" in one.err) == (2, True)


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_a_surface_is_drawn_to_a_file(desk: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"smiles.{suffix}"
    drawn = desk("surface", "--underlying", "BTC", "--plot", str(path))
    assert drawn.code == 0, drawn.err
    assert "2 models drawn to" in drawn.err
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<!do")


def test_the_board_and_the_history_are_told_as_known_then(desk: Any) -> None:
    known = ("--as-known", "2026-01-06")  # years before the backfill of this test
    nothing = desk("history", "--metric", "rmse_iv", *known, "-f", "json")
    assert json.loads(nothing.out) == []
    live = desk("history", "--metric", "rmse_iv", *known, "--assume-live", "-f", "json")
    assert {r["as_of"][:10] for r in json.loads(live.out)} == {"2026-01-05", "2026-01-06"}
    board = desk("status", *known, "--assume-live", "-f", "json")
    assert {r["as_of"][:10] for r in json.loads(board.out)} == {"2026-01-06"}


def test_nothing_known_then_is_told_from_nothing_there(desk: Any) -> None:
    for words in ("status", "history --metric rmse_iv"):
        answer = desk(*words.split(), "--as-known", "2026-01-06")
        assert answer.code == 0
        assert "nothing of this was known by 2026-01-06; with --assume-live" in answer.out
    assert "nothing was judged by 2025-01-01" in desk("status", "--at", "2025-01-01").out


def test_two_cadences_do_not_read_as_one_history(
    home: Path, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("MISSPEC_HOME", str(copy))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi")
    words = "history --metric rmse_iv --model svi".split()
    assert "cadence" not in run(*words).out
    every = run("backfill", "--archive", str(recorded), "--every", "snapshot", "--model", "svi")
    assert every.code == 0
    lines = run(*words).out.splitlines()
    assert "cadence" in lines[0]
    assert len(lines) == 2 + 8
    drawn = run(*words, "--plot", "terminal")
    assert (drawn.code, "day, snapshot" in drawn.err) == (2, True)


def test_a_run_of_another_version_says_so_before_its_rules_are_blamed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSPEC_HOME", str(home))
    monkeypatch.setenv("MISSPEC_MODELS", "black,svi,heston")
    with open_store(f"sqlite:///{home / 'misspec.db'}", readonly=True) as store:
        run_id = run_ids(store)[0]
    path = tmp_path / "strict.toml"
    path.write_text("[judgement]\nmin_quotes = 100000\n", encoding="utf-8")
    own = run("--config", str(path), "replay", run_id)
    assert (own.code, "by other rules" in own.err, "other code" in own.err) == (2, True, False)
    monkeypatch.setattr("monitor.replay.code_digest", lambda: "0" * 64)
    other = run("--config", str(path), "replay", run_id)
    assert (other.code, "it was made by other code" in other.err) == (2, True)


def test_a_migration_is_not_taken_back(desk: Any) -> None:
    answer = desk("db", "downgrade")
    assert (answer.code, answer.out) == (2, "")
    assert "restore the backup made before its upgrade" in answer.err
