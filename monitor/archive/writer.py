"""Write one snapshot: whole or not at all, and harmlessly twice."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.archive.context import context_to_table
from monitor.archive.layout import (
    COLUMN_ORDER,
    FORMAT,
    FORMAT_KEY,
    SCALARS_KEY,
    context_path,
    schema,
)
from monitor.conventions import from_ms
from monitor.errors import ArchiveError
from monitor.market.snapshot import Snapshot

_DIGEST_LENGTH = 12


def snapshot_path(root: Path, snapshot: Snapshot) -> Path:
    """Return where a snapshot lies under `root`; see `path_of`."""
    return path_of(root, snapshot.venue, snapshot.underlying, snapshot.as_of_ms, snapshot.digest)


def path_of(root: Path, venue: str, underlying: str, as_of_ms: int, digest: str) -> Path:
    """Return where a snapshot of that digest lies under `root`.

    ``<root>/<venue>/<underlying>/<YYYY-MM-DD>/<HHMMSS>-<digest12>.parquet``, by the venue's time.
    """
    at = from_ms(as_of_ms)
    folder = Path(root) / venue / underlying / f"{at:%Y-%m-%d}"
    return folder / f"{at:%H%M%S}-{digest[:_DIGEST_LENGTH]}.parquet"


def write_snapshot(root: Path, snapshot: Snapshot) -> Path:
    """Write `snapshot` and the market around it, and return the path of the chain.

    The content names the file, so writing it again replaces it by itself. The context is in place
    before the chain: a chain that can be seen is complete, also after a crash.

    Raises
    ------
    ArchiveError
        If the files cannot be written: no space, no permission.
    """
    path = snapshot_path(root, snapshot)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(context_path(path), context_to_table(snapshot.context))
        _write_whole(path, _chain_to_table(snapshot))
        _sync_folder(path.parent)
    except OSError as error:
        raise ArchiveError(
            f"{path}: cannot be written ({error.strerror or error}); the archive needs a folder "
            "with space and permission to write"
        ) from error
    return path


def _chain_to_table(snapshot: Snapshot) -> pa.Table:
    n = len(snapshot)
    absent = np.full(n, np.nan)
    index = np.nan if snapshot.index_price is None else snapshot.index_price
    columns = {
        "ts": np.full(n, snapshot.as_of_ms),
        "venue": [snapshot.venue] * n,
        "underlying": [snapshot.underlying] * n,
        "instrument": snapshot.instrument,
        "expiry": snapshot.expiry_ms,
        "strike": snapshot.strike,
        "cp": np.where(snapshot.is_call, "C", "P").tolist(),
        "bid": snapshot.bid,
        "ask": snapshot.ask,
        "mark": snapshot.mark,
        "bid_iv": absent,
        "ask_iv": absent,
        "mark_iv": snapshot.mark_iv,
        "forward": snapshot.forward,
        "index_price": np.full(n, index),
        "open_interest": snapshot.open_interest,
        "volume": snapshot.volume,
        "underlying_index": snapshot.underlying_index,
        "price_unit": [snapshot.price_unit] * n,
    }
    scalars = {
        "as_of_ms": snapshot.as_of_ms,
        "venue": snapshot.venue,
        "underlying": snapshot.underlying,
        "price_unit": snapshot.price_unit,
        "index_price": snapshot.index_price,
        "n_listed": snapshot.n_listed,
        "venue_now_ms": snapshot.venue_now_ms,
        "digest": snapshot.digest,
    }
    types = schema()
    arrays = [pa.array(columns[name], type=types.field(name).type) for name in COLUMN_ORDER]
    metadata = {FORMAT_KEY: FORMAT, SCALARS_KEY: json.dumps(scalars).encode()}
    return pa.table(arrays, schema=types.with_metadata(metadata))


def _write_whole(path: Path, table: pa.Table) -> None:
    # The name starts with a dot and does not end in .parquet: readers never see half a file.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as sink:
            pq.write_table(table, sink, compression="zstd")
            sink.flush()
            os.fsync(sink.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    # The rename itself survives a power cut only once the folder is on disk.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
