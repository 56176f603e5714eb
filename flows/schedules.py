"""What `misspec serve` serves: the deployments, each on its cron."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import Flow, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from flows.nightly import nightly
from flows.pulse import pulse
from flows.retention import retention
from flows.server import own_server
from flows.watchdog import watchdog
from flows.weekly import weekly
from monitor.config import Config

# A run that finds its predecessor still at work leaves: two would fight for the same slot.
ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)
FLOWS: dict[str, Flow[..., Any]] = {
    "nightly": nightly,
    "watchdog": watchdog,
    "pulse": pulse,
    "weekly": weekly,
    "retention": retention,
}
LIMIT = 4  # flow runs at once on this machine


def scheduled(config: Config, path: Path | None) -> list[RunnerDeployment]:
    """Return the scheduled flows.

    Parameters
    ----------
    config : Config
    path : Path or None
        The file `config` came from: runs are processes of their own and read it again.
    """
    crons = crons_of(config)
    file = str(path.absolute()) if path else None
    # Nights and pulses leave when the next is due; the others are the same whenever they run.
    own = {name: {"config": file} for name in FLOWS}
    for name in ("nightly", "pulse"):
        own[name]["cron"] = crons.get(name)
    made = [
        FLOWS[name].to_deployment(
            name,
            schedule=Cron(cron, timezone="UTC"),
            paused=False,  # the last shutdown paused it
            parameters=own[name],
            concurrency_limit=ONE_AT_A_TIME,
            # By module, so that it runs from any folder.
            entrypoint_type=EntrypointType.MODULE_PATH,
            description=FLOWS[name].description,
        )
        for name, cron in crons.items()
    ]
    # Coroutines only within an event loop.
    return [d for d in made if isinstance(d, RunnerDeployment)]


def crons_of(config: Config) -> dict[str, str]:
    """Return when each scheduled flow runs; those that never do are left out."""
    known = {name: getattr(config.schedule, name) for name in FLOWS}
    return {name: cron for name, cron in known.items() if cron}


def serve_schedules(config: Config, path: Path | None, say: Callable[[str], None]) -> None:
    """Run the schedules until interrupted, on the configured server or on one of our own."""
    configured = PREFECT_API_URL.value()
    if configured:
        _serve(config, path, configured, say)
        return
    say("starting a Prefect server …")
    with own_server(config.home / "prefect") as url, temporary_settings({PREFECT_API_URL: url}):
        _serve(config, path, url, say)


def _serve(config: Config, path: Path | None, url: str, say: Callable[[str], None]) -> None:
    crons = ", ".join(f"{name} at {cron}" for name, cron in crons_of(config).items())
    say(f"{crons} (cron, UTC), by the server {url}; Ctrl-C stops")
    serve(*scheduled(config, path), limit=LIMIT, print_starting_message=False)
