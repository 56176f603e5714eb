"""A stored run computed again is the same to the last bit, whatever was learnt since."""

from __future__ import annotations

import shutil
from dataclasses import replace as changed
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor import replay as replay_module
from monitor.archive.places import NOTED, noted_places
from monitor.backfill import backfill
from monitor.config import Config, load_config
from monitor.errors import ArchiveError, UnknownNameError, UsageError
from monitor.replay import replay, what_if
from monitor.store import Store, open_store
from monitor.store.content import find_run, run_ids


def config_of(home: Path) -> Config:
    path = home / "misspec.toml"
    home.mkdir(exist_ok=True)
    path.write_text(f'home = "{home}"\nmodels = ["black"]\n', encoding="utf-8")
    return load_config(path)


@pytest.fixture(scope="module")
def judged(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with four nights, and the same four by other rules afterwards."""
    home = tmp_path_factory.mktemp("replay")
    archive = shutil.copytree(recorded, home / "chains")
    config = config_of(home)
    rules = config.rules()
    for r in (rules, changed(rules, judgement=changed(rules.judgement, min_quotes=41))):
        assert len(list(backfill(config, r, [archive]))) == 4
    return home


@pytest.fixture
def home(judged: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    home = Path(shutil.copytree(judged, tmp_path / "home"))
    (home / "archive" / NOTED).write_text(f"{home / 'chains'}\n", encoding="utf-8")
    return home


def opened(home: Path) -> Store:
    return open_store(f"sqlite:///{home / 'misspec.db'}")


def test_every_run_replays_to_the_last_bit_though_its_past_was_judged_anew(judged: Path) -> None:
    config = config_of(judged)
    with opened(judged) as store:
        ids = run_ids(store)
        assert len(ids) == 8
        for run_id in ids[2:4]:  # superseded: their past is the one known then
            done = replay(store, config, run_id)
            assert done.differences == ()
            assert done.remarks == ()
            assert done.n_compared > 3000


def test_a_run_is_found_by_the_beginning_of_its_id(judged: Path) -> None:
    with opened(judged) as store:
        whole = run_ids(store)[0]
        assert find_run(store, whole[:10]).id == whole
        with pytest.raises(UnknownNameError, match="no run is named 'nothing'"):
            find_run(store, "nothing")


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "UPDATE metrics SET value = value * (1 + 1e-15) WHERE run_key = 2 AND series_key = "
            "(SELECT key FROM series WHERE metric = 'rmse_iv' AND model = 'black' "
            "AND scope = 'chain')",
            [("metrics", "black/rmse_iv/chain/vol", "value")],
        ),
        (
            "UPDATE verdicts SET status = 'unheard of' WHERE run_key = 2 AND model_key = "
            "(SELECT key FROM models WHERE name = 'black')",
            [("verdicts", "black", "status")],
        ),
        (
            "DELETE FROM rejections WHERE run_key = 2 AND i = 0",
            [("rejections", "0", c) for c in ("stage", "reason", "subject", "detail")],
        ),
    ],
)
def test_a_value_that_is_not_the_stored_one_is_named(
    home: Path, statement: str, named: list[tuple[str, str, str]]
) -> None:
    with opened(home) as store:
        with store.writing() as connection:
            connection.execute(text(statement))
        done = replay(store, config_of(home), run_ids(store)[1])
    assert [(d.part, d.place, d.column) for d in done.differences] == named


def test_parts_that_are_no_longer_kept_are_said_and_not_compared(home: Path) -> None:
    with opened(home) as store:
        with store.writing() as connection:
            connection.execute(text("DELETE FROM residuals WHERE run_key = 2"))
        done = replay(store, config_of(home), run_ids(store)[1])
    assert done.differences == ()
    assert done.remarks == ("its residuals are no longer kept",)


def test_other_code_is_said(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "code_digest", lambda: "0" * 64)
    with opened(judged) as store:
        (said,) = replay(store, config_of(judged), run_ids(store)[0]).remarks
    assert "made by other code" in said


def test_other_rules_are_refused_with_what_to_do(judged: Path) -> None:
    with opened(judged) as store, pytest.raises(UsageError, match="--with-config FILE"):
        replay(store, config_of(judged), run_ids(store)[5])


def test_other_rules_can_be_asked_what_they_would_have_said(judged: Path) -> None:
    config = config_of(judged)
    rules = config.rules()
    blind = changed(rules, judgement=changed(rules.judgement, min_quotes=100_000))
    with opened(judged) as store:
        run_id = run_ids(store)[2]
        assert what_if(store, config, rules, run_id)[1] == ()
        _, changes = what_if(store, config, blind, run_id)
    findings = [c for c in changes if c.what.startswith("finding data n_quotes")]
    assert findings and all(c.stored == "" and "at least 100000" in c.replayed for c in findings)


def test_a_chain_that_is_gone_is_named_and_found_where_it_is_said_to_lie(home: Path) -> None:
    config = config_of(home)
    (home / "chains").rename(home / "moved")
    with opened(home) as store:
        run_id = run_ids(store)[0]
        with pytest.raises(ArchiveError, match=r"chains \(gone\).*--archive"):
            replay(store, config, run_id)
        assert replay(store, config, run_id, archive=[home / "moved"]).differences == ()


def test_a_backfill_notes_where_it_read_once(judged: Path) -> None:
    assert noted_places(judged / "archive") == ((judged / "chains").resolve(),)
