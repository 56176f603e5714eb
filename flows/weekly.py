"""The week: every model reviewed by its record, and the page that a validator signs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monitor.config import load_config
from monitor.report.weekly import write_weekly
from monitor.validation.weekly import NIGHTS


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
    found, paths = write_weekly(settings, until=until, nights=nights)
    if not paths:
        return Failed(message=f"no night is stored since {found.since:%Y-%m-%d}")
    written = [str(path) for path in paths]
    return Completed(message=f"{len(found.streams)} streams reviewed: {written[0]}", data=written)
