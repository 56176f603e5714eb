"""Listings: the same rows in four formats, numbers to the last bit but in tables."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from monitor.report.form import Format
from monitor.report.listing import encoded, table, to_console

ROWS = pd.DataFrame(
    {
        "as_of": pd.to_datetime(
            ["2026-02-05T22:30:00Z", "2026-02-06T22:30:01.500Z"], format="ISO8601"
        ),
        "model": ["svi", None],
        "value": [0.1 + 0.2, np.nan],
        "n": [397, 12],
        "findings": [[{"kind": "data", "value": np.float64(1.5), "usd": np.nan}], []],
    }
)


def test_json_rows_read_back_to_the_last_bit() -> None:
    rows = json.loads(encoded(ROWS, Format.JSON))
    assert rows[0]["value"] == 0.1 + 0.2
    assert rows[0]["as_of"] == "2026-02-05T22:30:00Z"
    assert rows[1]["as_of"] == "2026-02-06T22:30:01.500000Z"
    assert rows[1]["model"] is None
    assert rows[1]["value"] is None
    assert rows[0]["findings"] == [{"kind": "data", "value": 1.5, "usd": None}]
    assert [row["n"] for row in rows] == [397, 12]


def test_csv_reads_back_to_the_last_bit() -> None:
    rows = list(csv.DictReader(io.StringIO(encoded(ROWS, Format.CSV).decode())))
    assert list(rows[0]) == list(ROWS.columns)
    assert float(rows[0]["value"]) == 0.1 + 0.2
    assert rows[1]["value"] == ""
    assert rows[0]["as_of"] == "2026-02-05T22:30:00Z"
    assert json.loads(rows[0]["findings"])[0]["kind"] == "data"


def test_parquet_reads_back_with_its_types() -> None:
    back = pd.read_parquet(io.BytesIO(encoded(ROWS, Format.PARQUET)))
    assert back["value"].iloc[0] == 0.1 + 0.2
    assert back["as_of"].tolist() == ROWS["as_of"].tolist()
    assert back["n"].dtype == np.int64


@pytest.mark.parametrize("form", [Format.JSON, Format.CSV, Format.PARQUET])
def test_a_listing_without_rows_keeps_its_columns_or_is_an_empty_list(form: Format) -> None:
    content = encoded(ROWS.iloc[:0], form)
    if form is Format.JSON:
        assert json.loads(content) == []
    elif form is Format.CSV:
        assert content.decode().strip() == "as_of,model,value,n,findings"
    else:
        assert list(pd.read_parquet(io.BytesIO(content)).columns) == list(ROWS.columns)


def shown(frame: pd.DataFrame, **options: object) -> str:
    out = io.StringIO()
    to_console(table(frame, **options), Console(file=out, width=40))  # type: ignore[arg-type]
    return out.getvalue()


def test_a_table_rounds_for_the_eye_and_leaves_absent_values_empty() -> None:
    text = shown(ROWS)
    assert "0.3 " in text
    assert "2026-02-05 22:30 " in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_a_table_in_a_pipe_has_lines_as_long_as_they_need_to_be() -> None:
    reason = "a reason that is a good deal longer than the forty columns of the console " * 2
    text = shown(pd.DataFrame({"model": ["svi"], "reason": [reason.strip()]}))
    assert reason.strip() in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_table_shows_the_columns_asked_for_in_their_order() -> None:
    head = shown(ROWS, columns=["n", "model", "not there"]).splitlines()[0]
    assert head.split() == ["n", "model"]


def test_a_table_without_rows_says_so() -> None:
    assert shown(ROWS.iloc[:0], empty="no incident is open").strip() == "no incident is open"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.012345, "0.01235"),
        (65_800.9, "65,801"),
        (-1234.5, "-1,234"),  # half to even, as everywhere in Python
        (3.2e-9, "3.2e-09"),
        (1.23e12, "1.23e+12"),
    ],
)
def test_a_number_has_the_digits_a_reader_can_use(value: float, said: str) -> None:
    assert said in shown(pd.DataFrame({"value": [value]}))
