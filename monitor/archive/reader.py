"""Read snapshots back: one file, a folder of them, or one file with thousands of chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.archive.checks import distinct_rows, require_plausible_units, require_whole_rows
from monitor.archive.context import context_from_table
from monitor.archive.decode import numpy_columns
from monitor.archive.index import (
    Damaged,
    Every,
    Paths,
    SnapshotRef,
    footer,
    list_snapshots,
    refs_of,
    select,
)
from monitor.archive.layout import (
    OPTIONAL_FLOATS,
    REQUIRED,
    context_path,
    opened,
    parquet_errors,
)
from monitor.arrays import IntArray
from monitor.conventions import from_ms
from monitor.errors import ArchiveError, DomainError
from monitor.market.snapshot import CHAIN_FLOATS, NO_CONTEXT, MarketContext, Snapshot
from monitor.outcome import Rejection

# Chains built from one pass over a large file: 80 of 800 rows are 10 MB, and a pass over a
# million rows costs 0.15 s.
_CHAINS_PER_PASS = 80
_BATCH_ROWS = 1 << 16


def read_snapshot(path: Path | str) -> Snapshot:
    """Return the one snapshot in `path`, bit for bit as it was written.

    Raises
    ------
    ArchiveError
        If the file is broken, holds other than one snapshot, lost its context, or its content is
        no longer the one that was written.
    """
    path = Path(path)
    refs, rows = refs_of(path)
    if len(refs) != 1:
        raise ArchiveError(
            f"{path}: {len(refs)} snapshots, read_snapshot wants one; use read_archive"
        )
    return next(_build(path, refs, rows))


def read_archive(
    paths: Paths,
    *,
    underlying: str | Iterable[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    every: Every = "day",
) -> Iterator[Snapshot]:
    """Return the snapshots in time order, a few in memory at a time.

    Parameters
    ----------
    paths : path or iterable of paths
    underlying : str or iterable of str, optional
        Only these.
    since, until : datetime, optional
        Aware; ``since <= as_of < until``.
    every : {"day", "snapshot"}
        ``day`` gives the last snapshot of each UTC day, venue and underlying.

    Yields
    ------
    Snapshot
        A snapshot that lies in two files is given once.

    Raises
    ------
    ArchiveError
        As soon as a file turns out to be broken or not an archive.
    UsageError
        If `every` is neither of the two.
    """
    selected = select(
        list_snapshots(paths), underlying=underlying, since=since, until=until, every=every
    )
    return _read(selected)


def read_refs(
    refs: Iterable[SnapshotRef], damaged: list[Damaged] | None = None
) -> Iterator[Snapshot]:
    """Return the snapshots behind `refs`, in their order; the other half of `list_snapshots`.

    With a list of what is `damaged`, a chain that cannot be read is noted there, and left out.
    """
    return _read(tuple(refs), damaged)


def _read(
    refs: tuple[SnapshotRef, ...], damaged: list[Damaged] | None = None
) -> Iterator[Snapshot]:
    # Files overlap in time: each is read through once, a step whenever its turn comes.
    of_path: dict[Path, list[SnapshotRef]] = {}
    for ref in reversed(refs):
        of_path.setdefault(ref.path, []).append(ref)
    running: dict[Path, Iterator[Snapshot]] = {}
    previous: Snapshot | None = None
    for ref in refs:
        left = of_path[ref.path]  # the next one last
        if ref.path not in running:
            running[ref.path] = _build(ref.path, left[::-1], None)
        left.pop()
        try:
            snapshot = next(running[ref.path])
        except ArchiveError as error:
            if damaged is None:
                raise
            damaged.append(Damaged(ref.path, error))
            del running[ref.path]
            continue
        if not left:
            del running[ref.path]
        if previous is None or snapshot.digest != previous.digest:
            yield snapshot
        previous = snapshot


def _build(path: Path, refs: list[SnapshotRef], rows: IntArray | None) -> Iterator[Snapshot]:
    """Return the snapshots `refs` of one file, in their order."""
    all_refs, rows = (refs, rows) if rows is not None else refs_of(path)
    if rows is None:
        yield _read_own(path)
        return
    position = {ref: i for i, ref in enumerate(all_refs)}
    for start in range(0, len(refs), _CHAINS_PER_PASS):
        wanted = [position[ref] for ref in refs[start : start + _CHAINS_PER_PASS]]
        table, group = _rows_of(path, rows, wanted)
        columns = numpy_columns(path, table)
        order = np.argsort(group, kind="stable")
        edges = np.searchsorted(group[order], np.arange(len(wanted) + 1))
        for j, i in enumerate(wanted):
            here = order[edges[j] : edges[j + 1]]
            yield _snapshot(all_refs[i], {name: c[here] for name, c in columns.items()})


def _rows_of(path: Path, rows: IntArray, wanted: list[int]) -> tuple[pa.Table, IntArray]:
    rank = np.full(int(rows.max()) + 1, -1)
    rank[wanted] = np.arange(len(wanted))
    row_rank = rank[rows]
    last = int(np.flatnonzero(row_rank >= 0)[-1])
    kept: list[pa.RecordBatch] = []
    with opened(path) as file:
        present = [c for c in OPTIONAL_FLOATS if c in file.schema_arrow.names]
        start = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=[*REQUIRED, *present]):
            mask = row_rank[start : start + len(batch)] >= 0
            start += len(batch)
            if mask.any():
                kept.append(batch.filter(pa.array(mask)))
            if start > last:
                break
    return pa.Table.from_batches(kept), row_rank[row_rank >= 0]


def _snapshot(ref: SnapshotRef, columns: dict[str, np.ndarray[Any, Any]]) -> Snapshot:
    where = f"{ref.path}: {ref.venue} {ref.underlying} at {from_ms(ref.as_of_ms).isoformat()}"
    require_whole_rows(where, columns)
    keep, repeated = distinct_rows(where, columns)
    columns = {name: column[keep] for name, column in columns.items()}
    is_call = columns["cp"] == "C"
    price_unit = str(columns["price_unit"][0])
    require_plausible_units(
        where,
        price_unit,
        expiry_ms=columns["expiry"],
        is_call=is_call,
        **{name: columns[name] for name in ("strike", "forward", "mark", "mark_iv")},
    )
    index = columns.get("index_price", np.empty(0))
    index = index[np.isfinite(index)]
    context = NO_CONTEXT
    if repeated:
        detail = f"{repeated} rows repeat others in every column and were kept once"
        context = MarketContext(
            missing=(Rejection("archive", "duplicate_rows", str(ref.path.name), detail),)
        )
    try:
        return Snapshot(
            venue=ref.venue,
            underlying=ref.underlying,
            as_of_ms=ref.as_of_ms,
            price_unit=price_unit,
            instrument=tuple(columns["instrument"]),
            underlying_index=tuple(columns["underlying_index"]),
            expiry_ms=columns["expiry"],
            is_call=is_call,
            # Recorders poll the index instrument by instrument; the median is of one moment.
            index_price=float(np.median(index)) if len(index) else None,
            context=context,
            **_chain_floats(columns),
        )
    except DomainError as error:
        raise ArchiveError(f"{where}: {error}") from error


def _read_own(path: Path) -> Snapshot:
    with opened(path) as file:
        scalars = footer(path, file.schema_arrow)
        assert scalars is not None
        columns = numpy_columns(path, file.read())
    beside = context_path(path)
    if not beside.exists():
        raise ArchiveError(
            f"{path}: its market context {beside.name} is gone; put it back beside the chain"
        )
    with parquet_errors(beside):
        context = context_from_table(pq.read_table(beside), str(beside))
    try:
        snapshot = Snapshot(
            venue=scalars["venue"],
            underlying=scalars["underlying"],
            as_of_ms=scalars["as_of_ms"],
            price_unit=scalars["price_unit"],
            instrument=tuple(columns["instrument"]),
            underlying_index=tuple(columns["underlying_index"]),
            expiry_ms=columns["expiry"],
            is_call=columns["cp"] == "C",
            index_price=scalars["index_price"],
            n_listed=scalars["n_listed"],
            venue_now_ms=scalars["venue_now_ms"],
            context=context,
            **_chain_floats(columns),
        )
    except DomainError as error:
        raise ArchiveError(f"{path}: {error}") from error
    if snapshot.digest != scalars["digest"]:
        raise ArchiveError(
            f"{path}: its content has digest {snapshot.digest[:12]}, it was written with "
            f"{scalars['digest'][:12]}: the chain or its context was changed since. Take both "
            "files back from a copy"
        )
    return snapshot


def _chain_floats(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: columns[name] for name in CHAIN_FLOATS}
