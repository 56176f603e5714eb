"""What a night and a pulse have in common: a pass for each target, and leaving when too late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from monitor import jobs
from monitor.assessment import PULSE
from monitor.config import Config, load_config
from monitor.incidents.watch import NIGHTLY
from monitor.jobs import PassResult, Target

LEFT = "left: so late that the next run of the schedule is due"


@task(name="pass", task_run_name="{venue} {underlying}", cache_policy=NO_CACHE)
async def one_pass(
    venue: str,
    underlying: str,
    models: list[str],
    config: str | None,
    late: timedelta,
    job: str = NIGHTLY,
) -> PassResult:
    """Fetch, judge and store one chain."""
    settings = load_config(Path(config) if config else None)
    rules = jobs.rules_for(settings, models)
    return await jobs.run_night(settings, Target(venue, underlying), rules, late=late, job=job)


async def passes(
    targets: Sequence[Target], models: list[str], config: str | None, late: timedelta, job: str
) -> tuple[list[PassResult], list[Exception]]:
    """Run a pass for each target; one that fails keeps no other from being judged."""
    results: list[PassResult] = []
    failures: list[Exception] = []
    for t in targets:
        try:
            results.append(await one_pass(t.venue, t.underlying, models, config, late, job))
        except Exception as error:
            failures.append(error)
    return results, failures


async def lateness_or_leave(
    settings: Config, targets: Sequence[Target], cron: str | None, job: str
) -> timedelta | None:
    """Return how late this run is; None, with a note for each target, if the next one is due."""
    late = await lateness(cron)
    if late is None:
        form = "%Y-%m-%dT%H:%M:%SZ" if job == PULSE else "%Y-%m-%d"
        for target in targets:
            jobs.record_skip(settings, target, slot=f"{scheduled():{form}}", note=LEFT, job=job)
    return late


async def lateness(cron: str | None) -> timedelta | None:
    """Return how late this run is, None if the next of its schedule is due; 0 off schedule."""
    if cron is None:
        return timedelta()
    from prefect.server.schemas.schedules import CronSchedule  # two seconds to import

    now, schedule = datetime.now(UTC), CronSchedule(cron=cron, timezone="UTC")
    (due,) = await schedule.get_dates(1, start=scheduled() + timedelta(seconds=1))
    return None if due <= now else max(now - scheduled(), timedelta())


def scheduled() -> datetime:
    """Return when this run was meant to start, by the desk's clock."""
    return runtime.flow_run.scheduled_start_time or datetime.now(UTC)
