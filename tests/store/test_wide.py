"""Columns of a large answer are what its rows say, on each database."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sqlalchemy import text

from monitor.store import Store
from monitor.store.wide import columns_of

KINDS = {"whole": int, "number": float, "name": str, "word": bytes}
ROWS = {
    "of one width": [(1, 0.1, "a", "2026-01-01"), (2**31 - 1, None, "bc", "2026-01-02")],
    "of two widths": [(1, -1e-300, "a", "2026-01-01"), (-5, 1e300, "b", "2026-01-01T00:00:00Z")],
    "of two widths that add up": [(1, 1.0, "a", "abc"), (2, 2.0, "b", "a"), (3, 3.0, "c", "abcde")],
    "one": [(7, None, "x", "y")],
    "none": [],
}


@pytest.mark.parametrize("case", ROWS)
def test_columns_hold_what_rows_hold(store: Store, case: str) -> None:
    rows = ROWS[case]
    with store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE given "
            "(i INTEGER, whole INTEGER, number DOUBLE PRECISION, name TEXT, word TEXT)"
        )
        insert = text("INSERT INTO given VALUES (:i, :whole, :number, :name, :word)")
        for i, row in enumerate(rows):
            connection.execute(insert, {"i": i} | dict(zip(KINDS, row, strict=True)))
        statement = text("SELECT * FROM given WHERE i >= :low AND i IN :all ORDER BY i DESC")
        asked = {"low": 0, "all": [*range(len(rows)), 99]}
        found = columns_of(connection, statement, KINDS, asked)
        connection.exec_driver_sql("DROP TABLE given")
    assert list(found) == list(KINDS)
    whole, number, name, word = (list(column) for column in found.values())
    assert (found["whole"].dtype, found["number"].dtype) == (np.int64, np.float64)
    assert whole == [row[0] for row in reversed(rows)]
    assert [None if math.isnan(x) else x for x in number] == [row[1] for row in reversed(rows)]
    assert name == [row[2] for row in reversed(rows)]
    assert [w.decode() for w in word] == [row[3] for row in reversed(rows)]
