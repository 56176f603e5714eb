"""Where snapshots lie that are not kept under the archive's own root.

A backfill reads files of others without copying them: a year of recorded chains is gigabytes, and
a copy is not more true. Their paths are noted in the archive instead, so that a replay finds what
its run has read. *Refused:* copying on backfill; a path with each run, which says less than the
digest that every run carries, and goes stale a thousand times when a folder is moved once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from monitor.archive.index import SnapshotRef, list_snapshots
from monitor.archive.reader import read_refs, read_snapshot
from monitor.archive.writer import path_of
from monitor.conventions import from_ms
from monitor.errors import ArchiveError
from monitor.market.snapshot import Snapshot

NOTED = "elsewhere.txt"


def note_places(root: Path, paths: Iterable[Path]) -> None:
    """Note files and folders outside of `root` in which snapshots were read.

    Raises
    ------
    ArchiveError
        If the note cannot be written.
    """
    known = noted_places(root)
    new = [p for p in dict.fromkeys(Path(p).resolve() for p in paths) if p not in known]
    if not new:
        return
    text = "".join(f"{path}\n" for path in (*known, *new))
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{NOTED}.", dir=root)
        with os.fdopen(handle, "w", encoding="utf-8") as sink:
            sink.write(text)
        Path(temporary).replace(root / NOTED)
    except OSError as error:
        raise ArchiveError(
            f"{root / NOTED} cannot be written ({error.strerror}); the archive needs a folder "
            "with permission to write"
        ) from error


def noted_places(root: Path) -> tuple[Path, ...]:
    """Return the files and folders noted in the archive at `root`."""
    try:
        lines = (root / NOTED).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(Path(line) for line in lines if line)


def find_snapshot(
    root: Path,
    *,
    venue: str,
    underlying: str,
    as_of_ms: int,
    digest: str,
    also: Iterable[Path] = (),
) -> Snapshot:
    """Return the snapshot of a digest: from the archive, `also`, or the places noted there.

    Raises
    ------
    ArchiveError
        If it lies in none of them, naming those searched, or its file is damaged.
    """
    own = path_of(root, venue, underlying, as_of_ms, digest)
    if own.exists():
        snapshot = read_snapshot(own)
        if snapshot.digest == digest:
            return snapshot
    missing: list[str] = []
    searched = list(dict.fromkeys([*map(Path, also), *noted_places(root)]))
    for place in searched:
        if not place.exists():
            missing.append(f"{place} (gone)")
            continue
        for ref in _of(place, venue, underlying, as_of_ms):
            (snapshot,) = read_refs([ref])
            if snapshot.digest == digest:
                return snapshot
        missing.append(f"{place} (not in it, or changed since)")
    raise ArchiveError(
        f"the {venue} {underlying} chain of {from_ms(as_of_ms):%Y-%m-%d %H:%M:%S} UTC with digest "
        f"{digest[:12]} is not at {own}"
        f"{''.join(f', nor at {place}' for place in missing)}; "
        "put the file back, or name the one that holds it with --archive"
    )


def _of(place: Path, venue: str, underlying: str, as_of_ms: int) -> list[SnapshotRef]:
    wanted = (as_of_ms, venue, underlying)
    return [r for r in list_snapshots(place) if (r.as_of_ms, r.venue, r.underlying) == wanted]
