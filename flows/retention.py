"""What has outlived its time moves to cold files, once a month."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from monitor.config import load_config
from monitor.keeping import keep


@flow(name="retention", validate_parameters=False)
def retention(config: str | None = None) -> State[None]:
    """Move residuals older than retention.residual_months out of the database.

    Parameters
    ----------
    config : str, optional
        Path of the TOML file.
    """
    moved = list(keep(load_config(Path(config) if config else None), now=datetime.now(UTC)))
    runs, rows = sum(m.runs for m in moved), sum(m.rows for m in moved)
    return Completed(message=f"{runs} runs, {rows} rows to {len(moved)} cold files")
