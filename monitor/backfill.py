"""Recorded snapshots, judged in time order, knowing at each only what was known then.

Imports jobs, scaleout and below. Each snapshot is measured alone, in any order; then the nights
before it are laid behind it and it is judged, in the order of its stream; both here, or in as many
processes as there are. It is stored by this process, in the order of all. Whatever the engine, the
stored nights are those that one process would have made, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from monitor.archive import Damaged, SnapshotRef, list_snapshots, note_places, read_refs, select
from monitor.archive.index import Every
from monitor.assessment import Rules, Stream
from monitor.config import Config
from monitor.conventions import from_ms
from monitor.errors import ArchiveError, UsageError
from monitor.jobs import now, open_database
from monitor.market.snapshot import Snapshot
from monitor.pipeline import is_usable, look_back, slot_of
from monitor.scaleout import Lookback, Unit, assessed
from monitor.store.writer import write_assessment


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a backfill stands, after each snapshot.

    Attributes
    ----------
    done, total : int
    ref : SnapshotRef
        The one just finished.
    is_new, usable : bool
        False for `is_new`: it was stored by an earlier backfill.
    """

    done: int
    total: int
    ref: SnapshotRef
    is_new: bool
    usable: bool


def backfill(
    config: Config,
    rules: Rules,
    paths: Sequence[Path],
    *,
    every: Every = "day",
    since: datetime | None = None,
    until: datetime | None = None,
    underlyings: Sequence[str] = (),
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
) -> Iterator[Progress]:
    """Judge recorded snapshots; each is stored before the next is judged.

    One that is stored already is passed over, so that a backfill that was stopped goes on where it
    stood. What cannot be read is left out, and named when all else is done: run again after it is
    mended, the nights from there on are judged anew, for their past is another. The places of the
    files are noted in the archive, for replays to find them.

    Parameters
    ----------
    every : {"day", "snapshot"}
        The last snapshot of each UTC day, or all. The cadence is part of the history's key.
    since, until : datetime, optional
        ``since <= as_of < until``.
    workers, engine, address
        See `monitor.scaleout.assessed`.

    Yields
    ------
    Progress

    Raises
    ------
    ArchiveError
        At the end, with every file and chain that could not be read; the others are stored. At
        once, if none can.
    StoreError
        What was finished is kept.
    UsageError
        If nothing in the archive is meant, or there is no such engine.
    """
    damaged: list[Damaged] = []
    refs = list_snapshots(paths, damaged)
    wanted = [u.upper() for u in underlyings]
    chosen = select(refs, underlying=wanted or None, since=since, until=until, every=every)
    if not chosen:
        held = sorted({ref.underlying for ref in refs})
        span = f"{from_ms(refs[0].as_of_ms):%Y-%m-%d} to {from_ms(refs[-1].as_of_ms):%Y-%m-%d}"
        raise UsageError(f"no snapshot is meant: the archive holds {', '.join(held)} from {span}")
    own = config.archive.resolve()
    note_places(own, [p for p in paths if not p.resolve().is_relative_to(own)])
    with open_database(config) as store:

        def back(unit: Unit[SnapshotRef]) -> Lookback | None:
            stream, slot = _place(unit.snapshot, every)
            return look_back(store, unit.snapshot, rules, stream=stream, slot=slot)

        units = _units(_paired(chosen, damaged), back, every)
        spread = assessed(units, rules, back, workers=workers, engine=engine, address=address)
        for done, (unit, found) in enumerate(spread, start=1):
            if found is not None:
                write_assessment(store, found, wall=now(), tell=False)
            usable = found is None or is_usable(found)
            yield Progress(done, len(chosen), unit.label, found is not None, usable)
    if damaged:
        raise ArchiveError(_said(damaged))


def _units(
    read: Iterator[tuple[SnapshotRef, Snapshot]],
    back: Callable[[Unit[SnapshotRef]], Lookback | None],
    every: Every,
) -> Iterator[Unit[SnapshotRef]]:
    """Yield what is to be done; from the first night of a stream that is not stored on, all of it.

    A night's identity holds the digest of its past, so it is not known before the night before it
    is stored: the look into the store ends where measuring begins.
    """
    begun: set[Stream] = set()
    for ref, snapshot in read:
        stream, _ = _place(snapshot, every)
        unit = Unit(ref, snapshot, line=stream)
        if stream not in begun and back(unit) is None:
            yield replace(unit, is_done=True)
            continue
        begun.add(stream)
        yield unit


def _place(snapshot: Snapshot, every: Every) -> tuple[Stream, str]:
    stream = Stream(snapshot.venue, snapshot.underlying, every)
    return stream, slot_of(snapshot.as_of, every)


def _paired(
    refs: Sequence[SnapshotRef], damaged: list[Damaged]
) -> Iterator[tuple[SnapshotRef, Snapshot]]:
    """Return each snapshot with its reference; one that lies in two files is given once."""
    by_place = {(r.as_of_ms, r.venue, r.underlying): r for r in refs}
    for snapshot in read_refs(refs, damaged):
        yield by_place[snapshot.as_of_ms, snapshot.venue, snapshot.underlying], snapshot


def _said(damaged: Sequence[Damaged]) -> str:
    """Return one line a damaged file, with the first that was found in it."""
    of_file: dict[Path, list[Damaged]] = {}
    for found in damaged:
        of_file.setdefault(found.path, []).append(found)
    lines = [
        f"{found[0].error}" + (f" (and {len(found) - 1} more chains of it)" if found[1:] else "")
        for found in of_file.values()
    ]
    return "\n".join(["what could be read is stored; left out:", *lines])
