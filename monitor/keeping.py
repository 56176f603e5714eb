"""What is kept for how long: the job that moves residuals to cold files.

Imports config and below.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from monitor.config import Config
from monitor.store import SchemaState, open_store
from monitor.store.retention import Retired, retire
from monitor.store.writer import record_job

JOB = "retention"
_MONTH = timedelta(days=365.25 / 12)


def keep(config: Config, *, now: datetime, dry_run: bool = False) -> Iterator[Retired]:
    """Move what is older than the configuration keeps, lot by lot, and record that it was done.

    Parameters
    ----------
    config : Config
    now : datetime
        The desk's time.
    dry_run : bool
        Say what would move, and move nothing.
    """
    months = config.retention.residual_months
    with open_store(config.database) as store:
        if not months or store.check() is SchemaState.EMPTY:
            return
        before, runs, rows = now - months * _MONTH, 0, 0
        for lot in retire(store, config.cold, before=before, dry_run=dry_run):
            runs, rows = runs + lot.runs, rows + lot.rows
            yield lot
        if not dry_run:
            record_job(
                store,
                job=JOB,
                stream=None,
                slot=f"{now:%Y-%m-%d}",
                outcome="done",
                note=f"{rows} rows of {runs} runs from before {before:%Y-%m-%d} to {config.cold}",
                started_wall=now,
                ended_wall=now,
            )
