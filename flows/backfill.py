"""The backfill as a flow: one run, one task, however many snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monitor import jobs
from monitor.backfill import backfill as recorded_passes
from monitor.config import load_config

_SAID_EVERY = 100  # snapshots between two lines in the log


@task(name="recorded passes", cache_policy=NO_CACHE)
def passes(
    archive: list[str],
    every: Literal["day", "snapshot"],
    underlyings: list[str],
    models: list[str],
    config: str | None,
    workers: int,
    engine: str,
    address: str | None,
) -> tuple[int, int, int]:
    """Judge recorded snapshots in time order; return how many, how many new, how many blind."""
    settings = load_config(Path(config) if config else None)
    rules = jobs.rules_for(settings, models)
    done = new = blind = 0
    steps = recorded_passes(
        settings,
        rules,
        [Path(p) for p in archive],
        every=every,
        underlyings=underlyings,
        workers=workers,
        engine=engine,
        address=address,
    )
    for step in steps:
        done, new, blind = step.done, new + step.is_new, blind + (not step.usable)
        if done % _SAID_EVERY == 0:
            get_run_logger().info("%d of %d", done, step.total)
    return done, new, blind


@flow(name="backfill", validate_parameters=False)
def backfill(
    archive: list[str],
    every: Literal["day", "snapshot"] = "day",
    underlyings: list[str] | None = None,
    models: list[str] | None = None,
    config: str | None = None,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
) -> State[None]:
    """Judge recorded snapshots; a run that was stopped goes on where it stood."""
    asked = (archive, every, underlyings or [], models or [], config)
    done, new, blind = passes(*asked, workers, engine, address)
    said = f"{done} snapshots, {new} new, {blind} without usable data"
    return Failed(message=said) if blind else Completed(message=said)
