"""What `misspec serve` serves: the deployments, each on its cron."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types.entrypoint import EntrypointType

from flows.nightly import nightly
from flows.server import own_server
from flows.watchdog import watchdog
from monitor.config import Config

# A run that finds its predecessor still at work leaves: two would fight for the same slot.
ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)
LIMIT = 4  # flow runs at once on this machine


def scheduled(config: Config, path: Path | None) -> list[RunnerDeployment]:
    """Return the scheduled flows.

    Parameters
    ----------
    config : Config
    path : Path or None
        The file `config` came from: runs are processes of their own and read it again.
    """
    cron = config.schedule.nightly
    night = nightly.to_deployment(
        "nightly",
        schedule=Cron(cron, timezone="UTC"),
        paused=False,  # the last shutdown paused it
        parameters={"config": str(path.absolute()) if path else None, "cron": cron},
        concurrency_limit=ONE_AT_A_TIME,
        # By module, so that it runs from any folder.
        entrypoint_type=EntrypointType.MODULE_PATH,
        description="Fetch, judge and store every chain, then tell the desk.",
    )
    watch = watchdog.to_deployment(
        "watchdog",
        schedule=Cron(config.schedule.watchdog, timezone="UTC"),
        paused=False,
        parameters={"config": str(path.absolute()) if path else None},
        concurrency_limit=ONE_AT_A_TIME,
        entrypoint_type=EntrypointType.MODULE_PATH,
        description="Look whether the jobs were done and the messages delivered.",
    )
    # Coroutines only within an event loop.
    assert isinstance(night, RunnerDeployment) and isinstance(watch, RunnerDeployment)
    return [night, watch]


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
    crons = f"nightly at {config.schedule.nightly}, watchdog at {config.schedule.watchdog}"
    say(f"{crons} (cron, UTC), by the server {url}; Ctrl-C stops")
    serve(*scheduled(config, path), limit=LIMIT, print_starting_message=False)
