"""What lies in files and folders, without building any chain."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from monitor.archive.decode import codes_of, times_ms
from monitor.archive.layout import (
    CONTEXT_SUFFIX,
    FORMAT,
    FORMAT_KEY,
    SCALARS_KEY,
    context_path,
    opened,
    require_columns,
)
from monitor.arrays import IntArray, frozen_ints
from monitor.conventions import MS_PER_DAY, to_ms
from monitor.errors import ArchiveError, UsageError

Paths = Path | str | Iterable[Path | str]
Every = Literal["day", "snapshot"]


@dataclass(frozen=True, order=True, slots=True)
class SnapshotRef:
    """Where one snapshot lies; sorts by time, then venue and underlying.

    Attributes
    ----------
    as_of_ms : int
    venue, underlying : str
    venue_now_ms : int
        The venue's clock when it was received, 0 where not recorded: it orders a chain received
        twice.
    path : Path
    n_rows : int
    """

    as_of_ms: int
    venue: str
    underlying: str
    venue_now_ms: int
    path: Path
    n_rows: int = field(compare=False)


@dataclass(frozen=True)
class Damaged:
    """A file, or a chain in it, that could not be read."""

    path: Path
    error: ArchiveError


def list_snapshots(paths: Paths, damaged: list[Damaged] | None = None) -> tuple[SnapshotRef, ...]:
    """Return what lies in the files and folders, in time order, without building any chain.

    Parameters
    ----------
    paths : path or iterable of paths
        Parquet files, or folders searched through and through.
    damaged : list, optional
        Where files that cannot be read are noted, and left out; without it, the first one raises.

    Raises
    ------
    ArchiveError
        If a path does not exist, a file is broken or is not an archive, or nothing was found.
    """
    refs: list[SnapshotRef] = []
    for path in _files(paths):
        try:
            refs += refs_of(path)[0]
        except ArchiveError as error:
            if damaged is None:
                raise
            damaged.append(Damaged(path, error))
    if not refs and damaged:
        raise damaged[0].error
    if not refs:
        raise ArchiveError(f"no snapshot in {_named(paths)}; an archive is one or more .parquet")
    return tuple(sorted(refs))


def select(
    refs: Iterable[SnapshotRef],
    *,
    underlying: str | Iterable[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    every: Every = "day",
) -> tuple[SnapshotRef, ...]:
    """Return the snapshots that `read_archive` would give, in the same order."""
    if every not in ("day", "snapshot"):
        raise UsageError(f"every must be 'day' or 'snapshot', was {every!r}")
    wanted = {underlying} if isinstance(underlying, str) else underlying and set(underlying)
    low = -np.inf if since is None else to_ms(since)
    high = np.inf if until is None else to_ms(until)
    kept = [
        ref
        for ref in sorted(refs)
        if low <= ref.as_of_ms < high and (wanted is None or ref.underlying in wanted)
    ]
    if every == "day":
        last = {(ref.as_of_ms // MS_PER_DAY, ref.venue, ref.underlying): ref for ref in kept}
        kept = sorted(last.values())
    return tuple(kept)


def _files(paths: Paths) -> list[Path]:
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files: dict[Path, None] = {}
    for path in map(Path, given):
        if path.is_dir():
            for found in sorted(path.rglob("*.parquet")):
                if not found.name.startswith(".") and not found.name.endswith(CONTEXT_SUFFIX):
                    files[found.resolve()] = None
        elif path.exists():
            files[path.resolve()] = None
        else:
            raise ArchiveError(f"{path}: no such file or folder")
    return list(files)


def _named(paths: Paths) -> str:
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    return ", ".join(str(path) for path in given)


def footer(path: Path, file_schema: pa.Schema) -> dict[str, Any] | None:
    """Return the footer of a file written here, None for files made by others."""
    metadata = file_schema.metadata or {}
    # A context beside it says that it was written here, and that damage took the footer's keys.
    if not metadata.keys() & {FORMAT_KEY, SCALARS_KEY} and not context_path(path).exists():
        return None
    if metadata.get(FORMAT_KEY) != FORMAT:
        raise ArchiveError(
            f"{path}: format {metadata.get(FORMAT_KEY)!r}, this version reads "
            f"{FORMAT.decode()}; use the version that wrote it or a newer one"
        )
    scalars: dict[str, Any] = json.loads(metadata[SCALARS_KEY])
    return scalars


def refs_of(path: Path) -> tuple[list[SnapshotRef], IntArray | None]:
    """Return the snapshots of one file and, where rows had to be read, which one each row is of."""
    with opened(path) as file:
        file_schema = file.schema_arrow
        require_columns(path, file_schema)
        scalars = footer(path, file_schema)
        if scalars is not None:
            ref = SnapshotRef(
                scalars["as_of_ms"],
                scalars["venue"],
                scalars["underlying"],
                scalars["venue_now_ms"] or 0,
                path,
                file.metadata.num_rows,
            )
            return [ref], None
        if file.metadata.num_rows == 0:
            raise ArchiveError(f"{path}: no rows; remove the file or record the snapshot again")
        stat = path.stat()
    refs, row_group = _index_rows(path, stat.st_mtime_ns, stat.st_size)
    return list(refs), row_group


# Indexing a million rows takes a third of a second, and asking for one chain of them needs it.
@lru_cache(maxsize=4)
def _index_rows(path: Path, mtime_ns: int, size: int) -> tuple[tuple[SnapshotRef, ...], IntArray]:
    with opened(path) as file:
        table = file.read(columns=["ts", "venue", "underlying"])
    ts = times_ms(path, table["ts"], "ts")
    venue, venues = codes_of(path, table["venue"], "venue")
    underlying, underlyings = codes_of(path, table["underlying"], "underlying")
    # One integer a row: sorting rows of three columns takes five times as long.
    key = (ts * len(venues) + venue) * len(underlyings) + underlying
    _, first, row_group, count = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    refs = tuple(
        SnapshotRef(int(ts[i]), venues[venue[i]], underlyings[underlying[i]], 0, path, int(n))
        for i, n in zip(first, count, strict=True)
    )
    return refs, frozen_ints(row_group)
