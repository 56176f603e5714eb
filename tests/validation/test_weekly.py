"""The review says what the record holds, and what it does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import monitor
from monitor.config import load_config
from monitor.report.validation import as_html, as_markdown, write_review
from monitor.store import open_store
from monitor.store.reviews import forwards_frame, verdicts_frame
from monitor.store.watch import beats_since, expected
from monitor.validation import weekly
from monitor.validation.folds import HeldOut
from monitor.validation.record import ljung_box
from monitor.validation.weekly import review
from tests.cli.conftest import run
from tests.validation.conftest import NIGHTS, STORY


@pytest.fixture(scope="module")
def found(record, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, open_store(record, readonly=True) as store:
        patch.setenv("MISSPEC_HOME", str(home))
        patch.setenv("MISSPEC_DATABASE_URL", record)
        last = verdicts_frame(store)["as_of"].max().to_pydatetime()
        yield review(store, load_config(None), until=last, nights=60)


def test_every_night_and_model_has_its_verdict_and_every_expiry_its_forward(record):
    with open_store(record, readonly=True) as store:
        verdicts, forwards = verdicts_frame(store), forwards_frame(store)
        half = verdicts_frame(store, since=verdicts["as_of"].median())
    assert (
        verdicts.groupby("as_of")["model"].nunique().tolist()
        == [verdicts["model"].nunique()] * NIGHTS
    )
    assert set(STORY) <= set(verdicts["model"])
    assert len(forwards) == 2 * NIGHTS and (forwards["forward"] > 0).all()
    assert half["as_of"].nunique() == NIGHTS // 2


def test_the_model_that_fits_best_and_fails_next_day_is_called_so(found):
    overfit = found.tables["overfit"].set_index("model")
    assert overfit.loc["svi", "overfit_against"] == "adhoc, heston"
    assert overfit.loc["svi", "hurdle"] == "lost"
    assert overfit.loc["heston", "overfit_against"] == ""
    said = found.tables["conclusions"].set_index("model")["conclusion"]
    assert "overfit against adhoc, heston" in said["svi"]
    assert "cannot be told from the best" in said["heston"]
    assert "within tolerance every night" in said["heston"]
    order = found.tables["ranking"]
    assert order["model"].tolist() == ["heston", "adhoc", "svi"]
    assert order["in_set"].tolist() == [True, False, False]
    # In sample it is the other way round.
    assert order["p_vuong"].iloc[2] < 0.001


def test_what_is_flat_what_moves_and_what_was_said_is_on_record(found):
    stable = found.tables["stability"].set_index("model")
    assert stable.loc["heston", "weakest"] == "theta_v/kappa (100%)"
    assert stable.loc["heston", "unidentified_nights"] == 1.0
    # Of slices it is not asked.
    assert stable.loc["svi", "weakest"] == ""
    assert np.isnan(stable.loc["svi", "unidentified_nights"])
    assert 0.0 <= stable.loc["svi", "memory_p"] <= 1.0
    (word,) = found.tables["judgements"].to_dict("records")
    assert (word["author"], word["model"], word["in_force"]) == ("Ada", "svi", False)
    assert word["during"] == 0.0 and word["after"] == 0.0


def test_premiums_stand_in_bands_of_their_own_and_simulated_ones_nowhere(found):
    (band,) = found.tables["dynamics"].to_dict("records")
    assert (band["metric"], band["scope"], band["nights"]) == (
        "variance_premium",
        "window:30d",
        NIGHTS,
    )
    assert band["last"] == pytest.approx(0.39) and band["outside"]
    assert band["low_5"] == pytest.approx(np.quantile(0.01 * np.arange(NIGHTS), 0.05))


def test_what_cannot_be_said_is_said(found):
    assert any("no archived chain" in r for r in found.remarks)
    assert "no archived chain" in as_markdown(found) and "no archived chain" in as_html(found)
    assert found.tables["heldout"].empty


def test_the_page_needs_nothing_else_and_has_every_number_and_a_place_to_sign(found, tmp_path):
    page, text = write_review(found, tmp_path / "reports")
    shown, written = page.read_text(), text.read_text()
    assert "<svg" in shown and not re.search(r'(src|href)="?http', shown)
    for heading in ("Inventory", "rivals", "Stability", "Incidents", "Expert judgements", "Signed"):
        assert heading in shown and heading in written
    order = found.tables["ranking"].set_index("model")["rmse_iv"]
    assert f"{100 * order['svi']:.2f}" in shown and f"{100 * order['svi']:.2f}" in written
    assert "overfit against adhoc, heston" in written
    assert write_review(found, tmp_path / "reports")[0].read_text() == shown


def test_memory_is_found_where_there_is_some():
    rng = np.random.default_rng(1)
    p = [ljung_box(rng.standard_normal(90)) for _ in range(200)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.11
    assert ljung_box(np.cumsum(rng.standard_normal(90))) < 1e-6
    assert np.isnan(ljung_box(np.ones(90))) and np.isnan(ljung_box(np.zeros(5)))


def test_the_ranking_is_a_question_in_python_and_on_the_command_line(record, monkeypatch):
    monkeypatch.setenv("MISSPEC_DATABASE_URL", record)
    found = monitor.ranking(by="all")
    assert found["model"].tolist() == ["heston", "adhoc", "svi"]
    inside = monitor.ranking(by="all", loss="rmse_iv")
    assert inside["model"].iloc[0] == "svi"
    answer = run("ranking", "--by", "all", "--format", "csv")
    assert answer.code == 0 and answer.out.splitlines()[1].split(",")[5] == "heston"
    assert run("ranking", "--by", "year").code == 2
    assert run("ranking", "--level", "2").code == 2
    assert run("ranking", "--loss", "nonsense").code != 0
    none = run("ranking", "--since", "2040-01-01")
    assert none.code == 0 and "too few nights" in none.out


def test_the_weekly_command_writes_both_pages_and_refuses_an_empty_past(
    record, monkeypatch, tmp_path
):
    monkeypatch.setenv("MISSPEC_DATABASE_URL", record)
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    with open_store(record, readonly=True) as store:
        last = verdicts_frame(store)["as_of"].max()
    answer = run("weekly", "--until", f"{last:%Y-%m-%d}")
    assert answer.code == 0
    assert "svi: " in answer.out and "overfit against" in answer.out
    names = sorted(path.suffix for path in (tmp_path / "reports").iterdir())
    assert names == [".html", ".md"]
    assert run("weekly", "--until", "2001-01-01").code == 2


def test_a_review_up_to_now_is_on_record_and_expected_from_then_on(record, monkeypatch, tmp_path):
    monkeypatch.setenv("MISSPEC_DATABASE_URL", record)
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    answer = run("weekly", "--nights", "40000")
    assert answer.code == 0
    with open_store(record, readonly=True) as store:
        beats = beats_since(store, "weekly", datetime(2026, 1, 1, tzinfo=UTC))
        places = {(b.venue, b.underlying) for b in beats}
        assert places and {b.outcome for b in beats} == {"done"}
        assert {(e.venue, e.underlying) for e in expected(store, "weekly", places)} == places


async def _weekly(until):
    from flows.weekly import weekly

    return await weekly.fn(until=until)


def test_the_flow_ends_completed_with_a_record_and_failed_without(record, monkeypatch, tmp_path):
    import asyncio

    monkeypatch.setenv("MISSPEC_DATABASE_URL", record)
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    with open_store(record, readonly=True) as store:
        last = verdicts_frame(store)["as_of"].max().to_pydatetime()
    done = asyncio.run(_weekly(last + timedelta(hours=1)))
    assert done.is_completed() and "1 streams reviewed" in done.message
    none = asyncio.run(_weekly(datetime(2001, 1, 1, tzinfo=UTC)))
    assert none.is_failed()


def test_models_too_slow_for_a_night_are_held_out_beside_those_judged(
    recorded, monkeypatch, tmp_path
):
    asked = []

    def noted(model, quotes, *, settings):
        asked.append(model.name)
        return HeldOut(model.name, 0.01, 0.02, float("nan"), quotes.n, 0)

    monkeypatch.setattr(weekly.folds, "held_out", noted)
    monkeypatch.setenv("MISSPEC_HOME", str(tmp_path))
    until = datetime(2030, 1, 1, tzinfo=UTC)
    frame, why = weekly._refitted(
        load_config(None), "deribit", "BTC", until, [recorded], ["svi", "heston"]
    )
    assert asked == ["svi", "heston", "double_heston", "local_vol", "rough_heston"]
    assert frame["model"].tolist() == asked and not why
