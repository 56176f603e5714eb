"""From Arrow columns to numpy ones: times in milliseconds, text by code, numbers with NaN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.archive.layout import FLOATS, OPTIONAL_FLOATS, STRINGS, TIMES
from monitor.arrays import IntArray
from monitor.errors import ArchiveError


def numpy_columns(path: Path, table: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
    """Return the format's columns of `table`; `path` is named where one has gaps."""
    out: dict[str, np.ndarray[Any, Any]] = {}
    for name in table.column_names:
        if name in TIMES:
            out[name] = times_ms(path, table[name], name)
        elif name in STRINGS:
            codes, words = codes_of(path, table[name], name)
            out[name] = np.array(words, dtype=object)[codes]
        elif name in (*FLOATS, *OPTIONAL_FLOATS):
            numbers = table[name].cast(pa.float64()).fill_null(np.nan)
            out[name] = numbers.to_numpy()
    return out


def times_ms(path: Path, column: pa.ChunkedArray, name: str) -> IntArray:
    """Return timestamps of any unit as whole milliseconds since 1970."""
    if column.null_count:
        raise ArchiveError(f"{path}: {column.null_count} rows have no {name}; remove or fill them")
    stamps: IntArray = (
        column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).to_numpy()
    )
    return stamps // 1000


def codes_of(path: Path, column: pa.ChunkedArray, name: str) -> tuple[IntArray, list[str]]:
    """Return the number of each row's word, and the words."""
    if column.null_count:
        raise ArchiveError(f"{path}: {column.null_count} rows have no {name}; remove or fill them")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return np.empty(0, np.int64), []
    words = column.chunk(0).dictionary.to_pylist()
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks]).astype(np.int64)
    if len(codes) and not 0 <= codes.min() <= codes.max() < len(words):
        raise ArchiveError(f"{path}: column {name} is damaged; take the file back from a copy")
    return codes, words
