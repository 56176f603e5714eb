"""The night: every venue and underlying, one task each, then what there is to tell."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from monitor import jobs
from monitor.config import load_config
from monitor.errors import StoreError
from monitor.jobs import PassResult, Target


@task(name="pass", task_run_name="{venue} {underlying}", cache_policy=NO_CACHE)
async def one_pass(
    venue: str, underlying: str, models: list[str], config: str | None, late: timedelta
) -> PassResult:
    """Fetch, judge and store one chain."""
    settings = load_config(Path(config) if config else None)
    rules = jobs.rules_for(settings, models)
    return await jobs.run_night(settings, Target(venue, underlying), rules, late=late)


@flow(name="nightly", validate_parameters=False)
async def nightly(
    venues: list[str] | None = None,
    underlyings: list[str] | None = None,
    models: list[str] | None = None,
    config: str | None = None,
    cron: str | None = None,
) -> State[list[PassResult]]:
    """Judge every chain once; ends failed if one of them had no usable data.

    Parameters
    ----------
    venues, underlyings, models : list of str, optional
        Only these; else all that is configured.
    config : str, optional
        Path of the TOML file.
    cron : str, optional
        The schedule that the run belongs to: with it, a run so late that the next one is due
        leaves at once.
    """
    settings = load_config(Path(config) if config else None)
    targets = jobs.targets(settings, venues or (), underlyings or ())
    late = await lateness(cron)
    if late is None:
        note = "left: so late that the next run of the schedule is due"
        for target in targets:
            jobs.record_skip(settings, target, slot=f"{_scheduled():%Y-%m-%d}", note=note)
        return Completed(name="Skipped", message=note)
    results, failures = [], []
    for t in targets:
        try:
            results.append(await one_pass(t.venue, t.underlying, models or [], config, late))
        except Exception as error:  # one that fails must not keep the others from being judged
            failures.append(error)
    if failures:
        with suppress(StoreError):  # what was found is told; the first failure is the run's end
            jobs.tell(settings)
        raise failures[0]
    told = jobs.tell(settings)
    blind = [r for r in results if not r.usable]
    if blind:
        said = "; ".join(f"{r.target.venue} {r.target.underlying}: {r.note}" for r in blind)
        return Failed(message=f"no usable data: {said}", data=results)
    said = f"{len(results)} passes; {len(told.sent)} messages sent, {len(told.waiting)} waiting"
    return Completed(message=said, data=results)


async def lateness(cron: str | None) -> timedelta | None:
    """Return how late this run is, None if the next of its schedule is due; 0 off schedule."""
    if cron is None:
        return timedelta()
    from prefect.server.schemas.schedules import CronSchedule  # two seconds to import

    now, schedule = datetime.now(UTC), CronSchedule(cron=cron, timezone="UTC")
    (due,) = await schedule.get_dates(1, start=_scheduled() + timedelta(seconds=1))
    return None if due <= now else max(now - _scheduled(), timedelta())


def _scheduled() -> datetime:
    """Return when this run was meant to start, by the desk's clock."""
    return runtime.flow_run.scheduled_start_time or datetime.now(UTC)
