"""Rows that have left the database: plain Parquet, readable without this program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.archive.writer import _sync_folder, _write_whole
from monitor.errors import ArchiveError


def write_cold(path: Path, columns: Mapping[str, Sequence[Any]]) -> int:
    """Write a table whole, and return how many of its rows can be read back.

    Parameters
    ----------
    path : Path
        The same content under the same name again replaces it by itself.
    columns : mapping of name to values

    Raises
    ------
    ArchiveError
        If it cannot be written or read: no space, no permission.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, pa.table(dict(columns)))
        _sync_folder(path.parent)
        return len(read_cold(path))
    except OSError as error:
        raise ArchiveError(
            f"{path}: cannot be written ({error.strerror or error}); cold files need a folder with "
            "space and permission to write, see retention.cold"
        ) from error


def read_cold(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a cold file."""
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except pa.ArrowInvalid as error:
        raise ArchiveError(f"{path}: is no Parquet file, or half of one ({error})") from error
    return rows
