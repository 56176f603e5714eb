"""The watchdog as a flow, apart from the night it watches; cron runs it without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monitor.config import load_config
from monitor.watchdog import watch


@flow(name="watchdog", validate_parameters=False)
async def watchdog(config: str | None = None) -> State[None]:
    """Look whether the jobs were done and the messages delivered; ends failed if not.

    Parameters
    ----------
    config : str, optional
        Path of the TOML file.
    """
    found = watch(load_config(Path(config) if config else None), now=datetime.now(UTC))
    for trouble in found.troubles:
        get_run_logger().warning("%s", trouble)
    if found.troubles:
        return Failed(message="; ".join(found.troubles))
    return Completed(message="all was done that was due")
