"""The jobs that a flow or a command starts: a night, what it tells. Plain functions, no engine.

Imports pipeline and below. A night asks each venue for each underlying and always ends in a run:
a venue that gives no chain leaves an empty one behind, with the reason, which is judged
`inconclusive` like any other night without data and told the same way. *Refused:* a night that
failed and left yesterday's green on the board.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from monitor import telling
from monitor.archive import write_snapshot
from monitor.assessment import PULSE, Assessment, Rules, Stream
from monitor.channels import DeliveryReport
from monitor.config import Config
from monitor.conventions import to_ms
from monitor.errors import MonitorError, VenueError
from monitor.incidents.watch import NIGHTLY
from monitor.market.snapshot import MarketContext, Snapshot
from monitor.models import MODELS
from monitor.outcome import Rejection
from monitor.pipeline import fetch, is_usable, run_pass, slot_of
from monitor.store import Store
from monitor.store.clocks import venue_clock_gap
from monitor.store.frames import status_frame
from monitor.store.watch import expect
from monitor.store.writer import record_job
from monitor.telling import open_database as open_database
from monitor.venues import VENUES, Venue, open_venue
from monitor.verdict.base import Kind, Status
from monitor.verdict.market import MARKET

CADENCES = {NIGHTLY: "day", PULSE: PULSE}  # of the streams of each job


@dataclass(frozen=True, slots=True)
class Target:
    """What one nightly pass is about."""

    venue: str
    underlying: str


@dataclass(frozen=True, slots=True)
class PassResult:
    """How one pass ended.

    Attributes
    ----------
    target : Target
        What was asked.
    stream : Stream
        Which history it became part of: a recorded chain keeps the venue it was recorded from.
    slot : str
    usable : bool
        Whether there was data to judge by.
    note : str
        One line.
    """

    target: Target
    stream: Stream
    slot: str
    usable: bool
    note: str


def now() -> datetime:
    """Return the desk's time."""
    return datetime.now(UTC)


def targets(
    config: Config, venues: Sequence[str] = (), underlyings: Sequence[str] = ()
) -> tuple[Target, ...]:
    """Return what a night is about: all that is configured, or what is named.

    Raises
    ------
    UnknownNameError
        If a venue is not registered.
    """
    for name in venues:
        VENUES[name]
    asked = tuple(u.upper() for u in underlyings) or config.underlyings
    return tuple(Target(v, u) for v in (tuple(venues) or config.venues.active) for u in asked)


def rules_for(config: Config, models: Sequence[str] = ()) -> Rules:
    """Return the configured rules, for some models only where they are named.

    Raises
    ------
    UnknownNameError
        If a model is not registered.
    """
    for name in models:
        MODELS[name]
    return replace(config.rules(), models=tuple(models)) if models else config.rules()


async def run_night(
    config: Config,
    target: Target,
    rules: Rules,
    *,
    late: timedelta = timedelta(),
    job: str = NIGHTLY,
) -> PassResult:
    """Fetch, archive, judge and store one chain.

    Parameters
    ----------
    config : Config
    target : Target
    rules : Rules
    late : timedelta
        How long after its time the run began: the slot is the one of the venue's time then, so
        that a run of 22:30 that begins after midnight answers for the day before.
    job : {"nightly", "pulse"}
        A pulse tries last night's structure, and tells nobody: its findings stand on the board
        and beside the night's news.

    Raises
    ------
    StoreError
        Nothing was stored; the chain is in the archive.
    ArchiveError
        The chain could not be archived, and nothing was computed from it.
    """
    started = now()
    try:
        return await _run_pass(config, target, rules, late, started, job)
    except Exception as error:
        # The watchdog then knows why there is no run, where the database still takes a word.
        with suppress(MonitorError):
            _record(
                *(config, target, started),
                outcome="failed",
                note=f"{type(error).__name__}: {error}",
                job=job,
            )
        raise


async def _run_pass(
    config: Config, target: Target, rules: Rules, late: timedelta, started: datetime, job: str
) -> PassResult:
    cadence = CADENCES[job]
    settings = config.venue(target.venue)
    rng = np.random.default_rng()
    with open_database(config) as store:
        if job == PULSE:  # from its first run on the watchdog listens for the next
            expect(store, PULSE, [(target.venue, target.underlying)], wall=started)
        async with open_venue(target.venue, settings, rng=rng, sleep=asyncio.sleep) as venue:
            try:
                snapshot = await fetch(venue, target.underlying, config.archive)
            except VenueError as error:
                snapshot = await _unanswered(store, venue, target, error)
                write_snapshot(config.archive, snapshot)
        slot = slot_of(snapshot.as_of - late, cadence)
        stream = Stream(snapshot.venue, snapshot.underlying, cadence)
        found = run_pass(
            store,
            snapshot,
            rules,
            stream=stream,
            slot=slot,
            wall=now(),
            tell=job == NIGHTLY,
            is_live=True,
        )
        usable_before = found is not None or _was_usable(store, stream)
        result = _result_of(target, stream, slot, found, usable_before)
        record_job(
            store,
            job=job,
            stream=stream,
            slot=slot,
            outcome="done" if result.usable else "no usable data",
            note=result.note,
            started_wall=started,
            ended_wall=now(),
        )
    return result


def _result_of(
    target: Target, stream: Stream, slot: str, found: Assessment | None, usable_before: bool
) -> PassResult:
    if found is None:
        return PassResult(target, stream, slot, usable_before, "this very run was stored before")
    if is_usable(found):
        said = ", ".join(f"{v.model} {v.status}" for v in found.verdicts)
        return PassResult(target, stream, slot, True, said)
    return PassResult(target, stream, slot, False, found.verdicts[0].reason)


def _was_usable(store: Store, stream: Stream) -> bool:
    """Return whether the board's row of the stream's market was judged on data."""
    for row in status_frame(store).to_dict("records"):
        if (row["venue"], row["underlying"], row["cadence"], row["model"]) == (
            *astuple(stream),
            MARKET,
        ):
            blind = any(finding["kind"] == Kind.DATA for finding in row["findings"])
            return not (blind and row["status"] == Status.INCONCLUSIVE)
    return False


async def _unanswered(store: Store, venue: Venue, target: Target, error: VenueError) -> Snapshot:
    """Return the chain of a venue that gave none: no rows, and why."""
    source = venue.source_of(target.underlying)
    heard_ms = None
    try:
        now_ms = heard_ms = await venue.now_ms()
    except VenueError:
        # Its clock as it went when it was last heard; a venue never heard is taken to keep ours.
        now_ms = to_ms(now() + (venue_clock_gap(store, source) or timedelta()))
    why = Rejection("context", type(error).__name__, "chain", str(error))
    none = np.empty(0)
    return Snapshot(
        venue=source,
        underlying=target.underlying,
        as_of_ms=now_ms,
        price_unit="coin",
        instrument=(),
        underlying_index=(),
        expiry_ms=none.astype(np.int64),
        is_call=none.astype(np.bool_),
        strike=none,
        forward=none,
        bid=none,
        ask=none,
        mark=none,
        mark_iv=none,
        open_interest=none,
        volume=none,
        venue_now_ms=heard_ms,
        context=MarketContext(missing=(why,)),
    )


def record_skip(
    config: Config, target: Target, *, slot: str, note: str, job: str = NIGHTLY
) -> None:
    """Store that a run left without doing anything, and why."""
    _record(config, target, now(), outcome="skipped", note=note, slot=slot, job=job)


def _record(
    config: Config,
    target: Target,
    started: datetime,
    *,
    outcome: str,
    note: str,
    job: str,
    slot: str = "",
) -> None:
    """Store how a pass ended that has no run to show for it."""
    with open_database(config) as store:
        record_job(
            store,
            job=job,
            stream=Stream(target.venue, target.underlying, CADENCES[job]),
            slot=slot,
            outcome=outcome,
            note=note,
            started_wall=started,
            ended_wall=now(),
        )


def tell(config: Config) -> DeliveryReport:
    """Gather the night's news into messages, and deliver what waits in the outbox."""
    with open_database(config) as store:
        return telling.tell(store, config, now=now())
