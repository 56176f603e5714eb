"""The columns and footer keys of the format, and the one place that opens a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.errors import ArchiveError, MonitorError

TIMES = ("ts", "expiry")
STRINGS = ("venue", "underlying", "instrument", "cp", "underlying_index", "price_unit")
FLOATS = ("strike", "bid", "ask", "mark", "mark_iv", "forward", "open_interest", "volume")
# Written as NaN where the venue gives none, and not demanded of files made by others.
OPTIONAL_FLOATS = ("bid_iv", "ask_iv", "index_price")
REQUIRED = TIMES + STRINGS + FLOATS

COLUMN_ORDER = (
    "ts venue underlying instrument expiry strike cp bid ask mark bid_iv ask_iv mark_iv "
    "forward index_price open_interest volume underlying_index price_unit"
).split()

# Footer keys of files written here; what one snapshot says once, not once a row.
FORMAT_KEY = b"misspec.format"
FORMAT = b"1"
SCALARS_KEY = b"misspec.snapshot"
CONTEXT_SUFFIX = ".context.parquet"

_TIMESTAMP = pa.timestamp("ms", tz="UTC")


def schema() -> pa.Schema:
    """Return the Arrow schema of one chain as written here."""
    types: dict[str, pa.DataType] = dict.fromkeys(TIMES, _TIMESTAMP)
    types |= dict.fromkeys(STRINGS, pa.dictionary(pa.int32(), pa.string()))
    types |= dict.fromkeys(FLOATS + OPTIONAL_FLOATS, pa.float64())
    return pa.schema([(name, types[name]) for name in COLUMN_ORDER])


def context_path(path: Path) -> Path:
    """Return where the market context of the chain at `path` lies."""
    return path.with_name(path.name.removesuffix(".parquet") + CONTEXT_SUFFIX)


@contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """Translate what reading a broken or missing file raises.

    Raises
    ------
    ArchiveError
        Naming the file and the cause.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: no such file") from error
    except MonitorError:
        raise
    # A flipped byte can surface as any of these: a name that is no text, a key that is gone.
    except (pa.ArrowException, OSError, EOFError, ValueError, KeyError) as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArchiveError(
            f"{path}: not a whole Parquet file ({found}); a half-written or damaged file cannot "
            "be read, move it away and fetch or copy the snapshot again"
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file for reading, with `parquet_errors` around all that is done with it."""
    with parquet_errors(path), pq.ParquetFile(path) as file:
        yield file


def require_columns(path: Path, file_schema: pa.Schema) -> None:
    """Refuse a file without the format's columns, or with columns of another type.

    Raises
    ------
    ArchiveError
        Listing every missing or mistyped column.
    """
    missing = [name for name in REQUIRED if name not in file_schema.names]
    if missing:
        raise ArchiveError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(file_schema.names)}. "
            "An archive has one row per instrument and snapshot with the columns of "
            f"interfaces.md: {', '.join(REQUIRED)}"
        )
    wrong = []
    for name in (*REQUIRED, *OPTIONAL_FLOATS):
        if name not in file_schema.names:
            continue
        found = file_schema.field(name).type
        if not _is_of_kind(name, found):
            wrong.append(f"{name} is {found}, must be {_kind_of(name)}")
    if wrong:
        raise ArchiveError(f"{path}: {'; '.join(wrong)}. Convert the columns and write it again")


def _kind_of(name: str) -> str:
    if name in TIMES:
        return "a timestamp with time zone UTC"
    return "text" if name in STRINGS else "a number"


def _is_of_kind(name: str, found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if name in TIMES:
        return bool(pa.types.is_timestamp(found)) and found.tz in ("UTC", "+00:00", "Etc/UTC")
    if name in STRINGS:
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    return bool(
        pa.types.is_floating(found) or pa.types.is_integer(found) or pa.types.is_null(found)
    )
