"""The week: every model reviewed by its record, and the page that a validator signs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monitor.config import load_config
from monitor.report.validation import write_review
from monitor.store import open_store
from monitor.validation.weekly import NIGHTS, review


@flow(name="weekly", validate_parameters=False)
async def weekly(
    config: str | None = None, nights: int = NIGHTS, until: datetime | None = None
) -> State[list[str]]:
    """Review the nights on record; ends failed if there are none.

    Parameters
    ----------
    config : str, optional
        Path of the TOML file.
    nights : int
        Looked back over.
    until : datetime, optional
        The last night; now by default.
    """
    settings = load_config(Path(config) if config else None)
    with open_store(settings.database, readonly=True) as store:
        found = review(store, settings, until=until or datetime.now(UTC), nights=nights)
    if not found.streams:
        return Failed(message=f"no night is stored since {found.since:%Y-%m-%d}")
    paths = [str(path) for path in write_review(found, settings.home / "reports")]
    return Completed(message=f"{len(found.streams)} streams reviewed: {paths[0]}", data=paths)
