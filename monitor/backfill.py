"""Recorded snapshots, judged in time order, knowing at each only what was known then.

Imports jobs, scaleout and below. Two passes: the first measures each snapshot alone, here or in as
many processes as there are, in any order; the second, in this process, lays the nights before
behind each, judges it and stores it, in order. Whatever the engine, the stored nights are those
that one process would have made, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.archive import SnapshotRef, list_snapshots, note_places, read_refs, select
from monitor.archive.index import Every
from monitor.assessment import Rules, Stream
from monitor.config import Config
from monitor.conventions import from_ms
from monitor.errors import UsageError
from monitor.jobs import now, open_database
from monitor.market.snapshot import Snapshot
from monitor.pipeline import is_stored, is_usable, run_pass, slot_of
from monitor.scaleout import Unit, measured
from monitor.store import Store


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
    stood. The places of the files are noted in the archive, for replays to find them.

    Parameters
    ----------
    every : {"day", "snapshot"}
        The last snapshot of each UTC day, or all. The cadence is part of the history's key.
    since, until : datetime, optional
        ``since <= as_of < until``.
    workers, engine, address
        See `monitor.scaleout.measured`.

    Yields
    ------
    Progress

    Raises
    ------
    ArchiveError, StoreError
        What was finished is kept.
    UsageError
        If nothing in the archive is meant, or there is no such engine.
    """
    refs = list_snapshots(paths)
    wanted = [u.upper() for u in underlyings]
    chosen = select(refs, underlying=wanted or None, since=since, until=until, every=every)
    if not chosen:
        held = sorted({ref.underlying for ref in refs})
        span = f"{from_ms(refs[0].as_of_ms):%Y-%m-%d} to {from_ms(refs[-1].as_of_ms):%Y-%m-%d}"
        raise UsageError(f"no snapshot is meant: the archive holds {', '.join(held)} from {span}")
    own = config.archive.resolve()
    note_places(own, [p for p in paths if not p.resolve().is_relative_to(own)])
    with open_database(config) as store:
        units = _units(store, rules, chosen, every)
        spread = measured(units, rules, workers=workers, engine=engine, address=address)
        for done, (unit, night) in enumerate(spread, start=1):
            is_new, usable = False, True
            if night is not None:
                snapshot = unit.snapshot
                stream, slot = _place(snapshot, every)
                at = now()
                found = run_pass(
                    store,
                    snapshot,
                    rules,
                    stream=stream,
                    slot=slot,
                    wall=at,
                    tell=False,
                    night=night,
                )
                is_new, usable = found is not None, found is None or is_usable(found)
            yield Progress(done, len(chosen), unit.label, is_new, usable)


def _units(
    store: Store, rules: Rules, refs: Sequence[SnapshotRef], every: Every
) -> Iterator[Unit[SnapshotRef]]:
    """Yield what is to be done; from the first night of a stream that is not stored on, all of it.

    A night's identity holds the digest of its past, so it is not known before the night before it
    is stored: the look into the store ends where measuring begins.
    """
    begun: set[Stream] = set()
    for ref, snapshot in _paired(refs):
        stream, slot = _place(snapshot, every)
        if stream not in begun and is_stored(store, snapshot, rules, stream=stream, slot=slot):
            yield Unit(ref, snapshot, is_done=True)
            continue
        begun.add(stream)
        yield Unit(ref, snapshot)


def _place(snapshot: Snapshot, every: Every) -> tuple[Stream, str]:
    stream = Stream(snapshot.venue, snapshot.underlying, every)
    return stream, slot_of(snapshot.as_of, every)


def _paired(refs: Sequence[SnapshotRef]) -> Iterator[tuple[SnapshotRef, Snapshot]]:
    """Return each snapshot with its reference; one that lies in two files is given once."""
    by_place = {(r.as_of_ms, r.venue, r.underlying): r for r in refs}
    for snapshot in read_refs(refs):
        yield by_place[snapshot.as_of_ms, snapshot.venue, snapshot.underlying], snapshot
