"""The weekly job: the review written, and on record that it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from monitor.assessment import Stream
from monitor.config import Config
from monitor.incidents.watch import WEEKLY
from monitor.jobs import now
from monitor.report.validation import write_review
from monitor.store import open_store
from monitor.store.watch import expect
from monitor.store.writer import record_job
from monitor.validation.weekly import NIGHTS, Review, review


def write_weekly(
    config: Config,
    *,
    until: datetime | None = None,
    nights: int = NIGHTS,
    underlyings: Sequence[str] = (),
    cadence: str = "day",
    archive: Sequence[Path] = (),
    folder: Path | None = None,
) -> tuple[Review, tuple[Path, ...]]:
    """Return the review and the pages written of it; none where no night is stored.

    That of the nights up to now is recorded as done for each stream reviewed, and from the first
    one on expected week by week (`monitor.watchdog`); one up to another night is nobody's duty.

    Parameters
    ----------
    config : Config
    until : datetime, optional
        The venue's time, included; now by default.
    nights, underlyings, cadence, archive
        As for `monitor.validation.weekly.review`.
    folder : Path, optional
        Where the pages go; else ``reports`` in the home.

    Raises
    ------
    StoreError
        The pages are written by then, if the database was read.
    """
    started = now()
    with open_store(config.database, readonly=True) as store:
        found = review(
            store,
            config,
            until=until or started,
            nights=nights,
            underlyings=underlyings,
            cadence=cadence,
            archive=archive,
        )
    if not found.streams:
        return found, ()
    paths = tuple(write_review(found, folder or config.home / "reports"))
    if until is None:
        _record(config, found, started)
    return found, paths


def _record(config: Config, found: Review, started: datetime) -> None:
    streams = [Stream(*name.split()) for name in found.streams]
    ended = now()
    with open_store(config.database) as store:
        expect(store, WEEKLY, [(s.venue, s.underlying) for s in streams], wall=ended)
        for stream in streams:
            record_job(
                store,
                job=WEEKLY,
                stream=stream,
                slot=f"{started:%Y-%m-%d}",
                outcome="done",
                note=f"nights from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}",
                started_wall=started,
                ended_wall=ended,
            )
