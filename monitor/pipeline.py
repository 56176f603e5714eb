"""The pass in the world: fetch, archive, remember, judge, store.

Everything here touches something outside; what it does with it is the pure pass of `assess`.
The order is the promise: the raw snapshot is archived before anything is computed, results and
news are one transaction, and `monitor.telling` reads what that transaction left.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from monitor.archive import write_snapshot
from monitor.assess import judge_night, measure_for, run_of
from monitor.assessment import PULSE, Assessment, Past, Rules, Stream
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.errors import UsageError
from monitor.incidents.lifecycle import is_blind
from monitor.judging import rules_under
from monitor.market.snapshot import Snapshot
from monitor.scaleout import Lookback
from monitor.store.base import Store
from monitor.store.judgements import list_judgements
from monitor.store.reader import has_run, read_past
from monitor.store.writer import write_assessment
from monitor.venues import Venue

CADENCES = ("day", "snapshot", PULSE)
PULSE_MINUTES = 15  # a slot of the pulse
# Limits are learnt from the stream's own count of nights (see diagnostics.drift), so all of its
# nights are read; a nightly stream takes thirty years to outgrow this.
HISTORY_WINDOW = 11_000


def slot_of(as_of: datetime, cadence: str) -> str:
    """Return the schedule slot that a chain of time `as_of` answers for.

    Raises
    ------
    UsageError
        If `cadence` is not one of `CADENCES`.
    """
    if cadence == "day":
        return f"{as_of:%Y-%m-%d}"
    if cadence == "snapshot":
        return f"{as_of:%Y-%m-%dT%H:%M:%SZ}"
    if cadence == PULSE:
        quarter = as_of.replace(minute=as_of.minute // PULSE_MINUTES * PULSE_MINUTES)
        return f"{quarter:%Y-%m-%dT%H:%M:00Z}"
    raise UsageError(f"cadence must be one of {', '.join(CADENCES)}, was {cadence!r}")


async def fetch(venue: Venue, underlying: str, archive_root: Path) -> Snapshot:
    """Return the chain of `underlying` as it is now, archived before it is returned.

    Raises
    ------
    VenueError
        If the venue does not give a chain.
    ArchiveError
        If it cannot be archived: nothing is computed from what is not kept.
    """
    snapshot = await venue.fetch(underlying)
    write_snapshot(archive_root, snapshot)
    return snapshot


def past_of(store: Store, stream: Stream, slot: str, *, as_known: datetime | None = None) -> Past:
    """Return what a pass for `slot` may know; with `as_known`, what one knew then.

    A pulse knows its own history, and the fits of the nights: it is their structure that it tries.
    """
    past = read_past(
        store, stream, slot, series=HISTORY_METRICS, window=HISTORY_WINDOW, as_known=as_known
    )
    if stream.cadence != PULSE:
        return past
    nights = replace(stream, cadence="day")
    fits = read_past(store, nights, slot, series=(), window=1, as_known=as_known).history.fits
    return replace(past, history=replace(past.history, fits=fits))


def in_force(
    store: Store,
    rules: Rules,
    stream: Stream,
    as_of_ms: int,
    *,
    as_known: datetime | None = None,
    without: Collection[str] = (),
) -> Rules:
    """Return the rules of one night: those configured, under the expert judgements on record.

    Parameters
    ----------
    as_known : datetime, optional
        The desk's time up to which judgements are known; all of them by default.
    without : collection of str
        Ids of judgements to leave out, to see what they did.
    """
    said = [j for j in list_judgements(store, as_known=as_known) if j.id not in set(without)]
    return rules_under(
        rules, said, venue=stream.venue, underlying=stream.underlying, as_of_ms=as_of_ms
    )


def look_back(
    store: Store, snapshot: Snapshot, rules: Rules, *, stream: Stream, slot: str
) -> Lookback | None:
    """Return what a pass judges by now; None where that very run is stored, and speaks."""
    past = past_of(store, stream, slot)
    held = in_force(store, rules, stream, snapshot.as_of_ms)
    if has_run(store, run_of(snapshot, past, held, stream=stream, slot=slot).id):
        return None
    anew = held.cleaning != rules.cleaning  # an expert left something out
    return Lookback(past, held, stream, slot, anew)


def run_pass(
    store: Store,
    snapshot: Snapshot,
    rules: Rules,
    *,
    stream: Stream,
    slot: str,
    wall: datetime,
    tell: bool,
    is_live: bool | None = None,
) -> Assessment | None:
    """Judge one snapshot and store what was found.

    Parameters
    ----------
    store : Store
    snapshot : Snapshot
    rules : Rules
        As configured; expert judgements in force are laid over them here.
    stream : Stream
    slot : str
    wall : datetime
        The desk's time.
    tell : bool
        Whether the desk is to be told: False for a backfill.
    is_live : bool, optional
        Whether it is judged as it happens; as `tell` by default.

    Returns
    -------
    Assessment or None
        None if this very run (same snapshot, rules, code and past) was stored already.

    Raises
    ------
    StoreError
        Nothing of the run was kept.
    """
    back = look_back(store, snapshot, rules, stream=stream, slot=slot)
    if back is None:
        return None
    night = measure_for(snapshot, back.past, back.rules, stream)
    assessment = judge_night(night, back.past, back.rules, stream=stream, slot=slot)
    write_assessment(store, assessment, wall=wall, tell=tell, is_live=is_live)
    return assessment


def is_usable(assessment: Assessment) -> bool:
    """Return whether the night could be judged: a chain that was fit to judge by."""
    return not is_blind(assessment.verdicts)
