"""What `misspec serve` serves: the deployments, each on its cron."""

from __future__ import annotations

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import EntrypointType, RunnerDeployment

from flows.nightly import nightly
from monitor.config import Config

# A run that finds its predecessor still at work leaves: two would fight for the same slot.
ONE_AT_A_TIME = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
)
LIMIT = 4  # flow runs at once on this machine


def deployments(config: Config, path: str | None) -> list[RunnerDeployment]:
    """Return the scheduled flows.

    Parameters
    ----------
    config : Config
    path : str or None
        The file `config` came from, absolute: runs are processes of their own and read it again.
    """
    cron = config.schedule.nightly
    return [
        nightly.to_deployment(
            "nightly",
            schedule=CronSchedule(cron=cron, timezone="UTC"),
            parameters={"config": path, "cron": cron},
            concurrency_limit=ONE_AT_A_TIME,
            # By module, so that it runs from any folder.
            entrypoint_type=EntrypointType.MODULE_PATH,
            description="Fetch, judge and store every chain, then tell the desk.",
        )
    ]


def serve_schedules(config: Config, path: str | None) -> None:
    """Run the schedules until interrupted."""
    serve(*deployments(config, path), limit=LIMIT)
