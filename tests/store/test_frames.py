"""Questions about the history: Python and the published views give one answer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import inspect, text

from monitor.assessment import Stream
from monitor.conventions import from_ms
from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Event, State
from monitor.store import Store
from monitor.store.desk import acknowledge, resolve
from monitor.store.folder import sql_folder, views
from monitor.store.frames import ALERTS, HISTORY, STATUS
from monitor.store.reader import (
    alerts_frame,
    history_frame,
    parameters_frame,
    rejections_frame,
    runs_frame,
    status_frame,
    surface_frame,
)
from monitor.store.writer import write_assessment
from monitor.verdict.base import Severity, Status
from tests.store.build import MODELS, as_of_ms, day_slot, make_assessment, make_event, wall

ETH = Stream("deribit", "ETH", "day")


@pytest.fixture
def filled(store: Store) -> Store:
    """Four nights of BTC, one of them run twice; two of ETH; three incidents."""
    events = {
        0: (make_event(Event.OPENED, 0), make_event(Event.OPENED, 0, subject="svi")),
        1: (
            make_event(Event.ESCALATED, 1, opened=0, severity=Severity.RED, escalated=True),
            make_event(
                Event.RESOLVED, 1, opened=0, subject="svi", state=State.RESOLVED, resolved=1
            ),
        ),
        2: (make_event(Event.OPENED, 2, subject="black"),),
        3: (make_event(Event.QUIET, 2, opened=2, subject="black", runs_quiet=1),),
    }
    for night in range(4):
        found = make_assessment(night, expiries=2, strikes=4, transitions=events[night])
        write_assessment(store, found, wall=wall(night), tell=False)
    again = make_assessment(1, expiries=2, strikes=4, code="b" * 64, transitions=events[1])
    write_assessment(store, again, wall=wall(10), tell=False)
    for night in range(2):
        found = make_assessment(night, expiries=2, strikes=4, stream=ETH, status=Status.WATCH)
        write_assessment(store, found, wall=wall(night), tell=False)
    acknowledge(store, "heston", author="ann", note="known", wall=wall(20))
    resolve(store, "black", author="bob", note="venue's marks", wall=wall(21))
    return store


def view(store: Store, name: str, order: str) -> pd.DataFrame:
    with store.reading() as connection:
        result = connection.execute(text(f"SELECT * FROM {name} ORDER BY {order}"))
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def assert_same(python: pd.DataFrame, sql: pd.DataFrame, columns: list[str]) -> None:
    assert len(python) == len(sql) > 0
    for name in columns:
        mine, theirs = python[name], sql[name]
        if isinstance(mine.dtype, pd.DatetimeTZDtype):
            theirs = pd.Series(pd.to_datetime(theirs.tolist(), utc=True, format="ISO8601"))
            assert mine.isna().tolist() == theirs.isna().tolist(), name
            assert mine.dropna().tolist() == theirs.dropna().tolist(), name
        elif mine.dtype == "float64":
            np.testing.assert_array_equal(mine, theirs.astype("float64"), err_msg=name)
        else:
            assert mine.tolist() == theirs.tolist(), name


def test_history_has_the_published_columns_and_equals_its_view(filled: Store) -> None:
    frame = history_frame(filled, "rmse")
    assert tuple(frame.columns) == HISTORY
    order = "as_of, venue, underlying, cadence, COALESCE(model, ''), scope"
    same = view(filled, "(SELECT * FROM metric_history WHERE metric = 'rmse') h", order)
    assert_same(frame, same, list(HISTORY))


def test_status_has_the_published_columns_and_equals_its_view(filled: Store) -> None:
    frame = status_frame(filled)
    assert tuple(frame.columns) == STATUS
    board = view(filled, "verdict_board", "venue, underlying, cadence, model")
    assert_same(frame, board, [c for c in STATUS if c != "findings"])
    assert [len(f) for f in frame["findings"]] == board["n_findings"].tolist()


def test_alerts_have_the_published_columns_and_equal_their_view(filled: Store) -> None:
    frame = alerts_frame(filled, all=True)
    assert tuple(frame.columns) == ALERTS
    board = view(filled, "incident_board", "opened_at, id").rename(columns={"incident_key": "key"})
    board["escalated"] = board["escalated"].astype(bool)
    assert_same(frame, board, [c for c in ALERTS if c != "silenced"])
    states = dict(zip(frame["id"], frame["state"], strict=True))
    assert states == {
        "heston-0000": "acknowledged",
        "svi-0000": "resolved",
        "black-0002": "resolved",
    }


def test_parameters_rejections_surface_and_runs_equal_their_views(filled: Store) -> None:
    run = runs_frame(filled, underlying="BTC").iloc[-1]["run_id"]
    mine = f"WHERE run_id = '{run}'"
    for python, name, order in (
        (parameters_frame(filled, run_id=run), "parameter_history", "model, parameter"),
        (rejections_frame(filled, run_id=run), "rejection_history", "subject"),
        (surface_frame(filled, run_id=run), "surface_points", "model, expiry, strike"),
        (runs_frame(filled), "current_runs", "as_of, underlying"),
    ):
        where = "" if name == "current_runs" else mine
        sql = view(filled, f"(SELECT * FROM {name} {where}) v", order)
        shared = [c for c in python.columns if c in sql.columns]
        by = [c.strip() for c in order.split(",")]
        assert_same(python.sort_values(by, ignore_index=True), sql, shared)


def test_every_published_view_can_be_read(filled: Store) -> None:
    with filled.reading() as connection:
        for name, _ in views():
            connection.execute(text(f"SELECT * FROM {name} LIMIT 1")).all()


def test_the_published_columns_of_every_view_are_there_in_their_order(store: Store) -> None:
    page = (sql_folder() / "README.md").read_text(encoding="utf-8")
    told = {
        line[1]: re.findall(r"`(\w+)`", line[2])
        for line in re.finditer(r"^\| `(\w+)` \|[^|]*\| (.*) \|$", page, flags=re.MULTILINE)
    }
    with store.reading() as connection:
        found = inspect(connection)
        columns = {n: [c["name"] for c in found.get_columns(n)] for n in found.get_view_names()}
    assert columns == told


def test_the_history_can_be_narrowed_by_every_key_and_by_time(filled: Store) -> None:
    first, last = from_ms(as_of_ms(1)), from_ms(as_of_ms(2))
    frame = history_frame(
        filled,
        "bias",
        model="svi",
        underlying="BTC",
        venue="deribit",
        scope="wing:put",
        cadence="day",
        since=first,
        until=last,
    )
    assert frame["as_of"].tolist() == [pd.Timestamp(first), pd.Timestamp(last)]
    assert frame["stderr"].tolist() == [0.001, 0.001]
    for narrow in ({"model": "x"}, {"venue": "x"}, {"underlying": "x"}, {"cadence": "pulse"}):
        assert history_frame(filled, "bias", **narrow).empty


def test_a_number_about_the_market_has_no_model(filled: Store) -> None:
    assert set(history_frame(filled, "rejection_rate")["model"]) == {None}


def test_an_empty_answer_has_the_same_columns_and_types(filled: Store) -> None:
    full, none = history_frame(filled, "rmse"), history_frame(filled, "unheard_of")
    assert none.empty
    assert none.dtypes.to_dict() == full.dtypes.to_dict()


def test_the_board_of_an_earlier_moment_is_that_of_then(filled: Store) -> None:
    then = from_ms(as_of_ms(1)) + timedelta(hours=1)
    frame = status_frame(filled, at=then)
    assert set(frame["as_of"]) == {pd.Timestamp(from_ms(as_of_ms(1)))}
    btc = frame[frame["underlying"] == "BTC"]
    assert btc["model"].tolist() == list(MODELS)
    assert set(frame[frame["underlying"] == "ETH"]["status"]) == {"watch"}


def test_the_board_as_known_then_names_the_run_that_was_known(filled: Store) -> None:
    then = from_ms(as_of_ms(1))
    now_known = set(status_frame(filled, at=then)["run_id"])
    known_first = set(status_frame(filled, at=then, as_known=wall(5))["run_id"])
    assert now_known != known_first
    assert status_frame(filled, as_known=wall(-1)).empty


def test_a_model_that_a_later_run_left_out_stays_on_the_board(store: Store) -> None:
    write_assessment(store, make_assessment(0), wall=wall(0), tell=False)
    only = make_assessment(1, models=("svi",))
    write_assessment(store, only, wall=wall(1), tell=False)
    frame = status_frame(store)
    assert dict(zip(frame["model"], frame["as_of"], strict=True)) == {
        model: pd.Timestamp(from_ms(as_of_ms(1 if model == "svi" else 0))) for model in MODELS
    }


def test_alerts_show_what_is_not_resolved_unless_asked(filled: Store) -> None:
    assert alerts_frame(filled)["id"].tolist() == ["heston-0000"]
    assert alerts_frame(filled, state="resolved")["id"].tolist() == ["svi-0000", "black-0002"]
    as_known = alerts_frame(filled, as_known=wall(15))
    assert as_known["state"].tolist() == ["open", "open"]
    with pytest.raises(UnknownNameError, match="acknowledged"):
        alerts_frame(filled, state="closed")


def test_the_surface_of_an_underlying_is_its_latest_with_quotes(filled: Store) -> None:
    blind = make_assessment(5, judged=False)
    write_assessment(filled, blind, wall=wall(30), tell=False)
    frame = surface_frame(filled, underlying="BTC", models=["svi", "heston"])
    assert set(frame["model"]) == {"svi", "heston"}
    assert set(frame["as_of"]) == {pd.Timestamp(from_ms(as_of_ms(3)))}
    earlier = surface_frame(filled, underlying="BTC", at=from_ms(as_of_ms(1)))
    assert set(earlier["as_of"]) == {pd.Timestamp(from_ms(as_of_ms(1)))}
    speaks = runs_frame(filled, underlying="BTC", until=from_ms(as_of_ms(1)))["run_id"].iloc[-1]
    assert set(earlier["run_id"]) == {speaks}


def test_a_surface_that_is_not_there_is_named_in_the_refusal(filled: Store) -> None:
    with pytest.raises(UnknownNameError, match="no run is named 'nonsense'"):
        surface_frame(filled, run_id="nonsense")
    with pytest.raises(UnknownNameError, match="Did you mean 'heston'"):
        surface_frame(filled, underlying="BTC", models=["hestn"])
    with pytest.raises(UsageError, match="BTC, ETH"):
        surface_frame(filled, underlying="SOL")
    with pytest.raises(UsageError, match="name a run"):
        surface_frame(filled)


def test_slots_of_the_test_are_days(filled: Store) -> None:
    assert runs_frame(filled, underlying="BTC")["slot"].tolist() == [day_slot(n) for n in range(4)]


def test_a_slot_answered_by_a_later_chain_is_not_told_by_the_earlier_one(store: Store) -> None:
    first, second = (make_assessment(n, expiries=2, strikes=4) for n in (1, 3))
    second = replace(second, run=replace(second.run, slot=first.run.slot))
    for at, found in enumerate((first, second)):
        write_assessment(store, found, wall=wall(at), tell=False)

    def told(**bounds: object) -> list[str]:
        asked = {"model": "svi", "scope": "chain", **bounds}
        return history_frame(store, "rmse", **asked)["run_id"].tolist()  # type: ignore[arg-type]

    between = from_ms(as_of_ms(2))
    assert told() == told(since=between) == [second.run.id]
    assert told(until=between) == []
    assert told(until=between, as_known=wall(0)) == [first.run.id]
    assert told(since=from_ms(as_of_ms(9))) == []
