"""The worked examples answer what they ask: in Python, in SQL, and by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import monitor
from monitor import compare, history, parameters, status, surface
from monitor.diagnostics.base import MetricValue
from monitor.errors import StoreUnavailable, UnknownNameError, UsageError
from monitor.store import Store, open_store
from monitor.store.writer import write_assessment
from tests.store.build import make_assessment, wall

TEXT = (Path(__file__).parents[1] / "sql" / "README.md").read_text(encoding="utf-8")
NIGHTS = 50  # from 2026-01-01 to 2026-02-19, through the crash of 5 February


def numbers(night: int) -> tuple[MetricValue, ...]:
    """Return a night: Heston doubles on 5 February, SVI is beaten by it every tenth night."""
    crash = night >= 35
    heston, svi = 0.02 + 0.02 * crash, 0.01 + 0.04 * (night % 10 == 9)
    wing = 0.021 if night in (7, 36) else 0.019
    return (
        MetricValue("rmse_iv", "heston", "chain", heston, "vol", 300),
        MetricValue("rmse_iv", "svi", "chain", svi, "vol", 300),
        MetricValue("bias_iv", "svi", "wing:put", -wing, "vol", 40, 0.001),
        MetricValue("bias_iv", "svi", "wing:call", 0.001 * night, "vol", 40, 0.001)
        if night == 30
        else MetricValue("bias_iv", "svi", "wing:call", 0.0, "vol", 40, 0.001),
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('questions') / 'misspec.db'}"
    with open_store(url) as store:
        store.upgrade()
        for night in range(NIGHTS):
            found = make_assessment(
                night, models=("heston", "svi"), expiries=1, strikes=2, metrics=numbers(night)
            )
            write_assessment(store, found, wall=wall(night), tell=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISSPEC_DATABASE_URL", url)
        yield url


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def answer(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "sql/README.md", "exec"), names)
    return names


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    with open_store(database, readonly=True) as store, store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def days(times: Any) -> list[str]:
    return [str(t)[:10] for t in times]


def test_there_are_four_worked_examples_in_two_languages() -> None:
    assert len(examples("python")) == len(examples("sql")) == 4


def test_hestons_error_before_and_after_a_date(database: str, capsys: Any) -> None:
    answer(examples("python")[0])
    printed = capsys.readouterr().out
    assert re.search(r"before +35 +0\.02 +0\.02\n", printed)
    assert re.search(r"after +15 +0\.04 +0\.04\n", printed)
    sides = {side: (n, round(m, 12), x) for side, n, m, x in rows(database, examples("sql")[0])}
    assert sides == {"before": (35, 0.02, 0.02), "after": (15, 0.04, 0.04)}


def test_nights_of_a_large_wing_residual(database: str) -> None:
    wings = answer(examples("python")[1])["wings"]
    assert list(zip(days(wings["as_of"]), wings["scope"], strict=True)) == [
        ("2026-01-08", "wing:put"),
        ("2026-01-31", "wing:call"),
        ("2026-02-06", "wing:put"),
    ]
    found = rows(database, examples("sql")[1])
    assert [row[4] for row in found] == wings["run_id"].tolist()


def test_the_path_of_the_parameters_around_the_crash(database: str) -> None:
    path = answer(examples("python")[2])["path"]
    assert len(path) == 10 * 5
    found = rows(database, examples("sql")[2])
    assert sorted(path["value"]) == sorted(row[2] for row in found)
    assert path["stderr"].isna().sum() == 10  # the last parameter of the built fit has none


def test_the_days_on_which_the_best_model_changed(database: str) -> None:
    found = answer(examples("python")[3])
    best = found["best"]
    changed = best[best != best.shift()].iloc[1:]
    assert [(str(t)[:10], m) for t, m in rows(database, examples("sql")[3])] == list(
        zip(days(changed.index), changed, strict=True)
    )
    expected = ["2026-01-10", "2026-01-11", "2026-01-20", "2026-01-21", "2026-01-30"]
    assert days(changed.index)[:5] == expected


def test_the_other_questions_answer_by_day_time_and_knowledge(database: str) -> None:
    board = status(at="2026-01-05")
    assert set(days(board["as_of"])) == {"2026-01-05"}
    assert set(board["model"]) == {"heston", "svi"}
    assert len(status(as_known="2026-06-30")) == 0  # written on 1 July
    assert len(status(at="2026-01-05", as_known="2026-02-10", assume_live=True)) == 2
    live = history("rmse_iv", model="svi", as_known="2026-01-10", assume_live=True)
    assert days(live["as_of"])[-1] == "2026-01-10"
    smile = surface("BTC", at=datetime(2026, 2, 1, tzinfo=UTC), models=["svi"])
    assert days(smile["as_of"])[0] == "2026-01-31"
    assert len(parameters("svi", since=date(2026, 2, 19))) == 5


def test_two_models_and_two_nights_are_compared_number_by_number(database: str) -> None:
    two = compare("BTC", models=["heston", "svi"], at=["2026-02-05"])
    (row,) = two.to_dict("records")
    assert (row["metric"], row["first"], row["second"]) == ("rmse_iv", 0.04, 0.01)
    assert row["difference"] == 0.01 - 0.04
    nights = compare("BTC", models=["svi"], at=["2026-01-07", "2026-01-08"])
    put = nights[nights["scope"] == "wing:put"].iloc[0]
    assert put["difference"] == -0.021 + 0.019
    assert put["stderr"] == pytest.approx(2**0.5 * 0.001)
    with pytest.raises(UsageError, match="two models of one night"):
        compare("BTC", models=["svi"])
    with pytest.raises(UnknownNameError, match="Known: heston, svi"):
        compare("BTC", models=["svi", "sabr"])


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda: history("rmse_ivv"), UnknownNameError, "Did you mean 'rmse_iv'"),
        (lambda: history("rmse_iv", since="soon"), UsageError, "'soon' is no time"),
        (lambda: parameters("hestn"), UnknownNameError, "Did you mean 'heston'"),
        (lambda: status(database="sqlite:////nowhere/m.db"), StoreUnavailable, "no database"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    database: str, ask: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ask()


def test_importing_the_package_loads_nothing() -> None:
    probe = (
        "import sys, monitor; print(sorted({'numpy', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env=os.environ,
        check=True,
    )
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'future'"):
        monitor.future  # type: ignore[attr-defined]  # noqa: B018


def test_a_query_assumed_live_is_the_query_but_for_what_is_known_when(database: str) -> None:
    def read(store: Store) -> list[int]:
        from monitor.store.frames import runs_frame, status_frame

        return [
            len(runs_frame(store)),
            len(status_frame(store)),
            len(status_frame(store, assume_live=True)),
        ]

    with open_store(database, readonly=True) as store:
        assert read(store) == [NIGHTS, 2, 2]
