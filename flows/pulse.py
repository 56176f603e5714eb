"""The pulse: last night's structure against fresh quotes, every underlying, a task each."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.runs import LEFT, lateness_or_leave, passes
from monitor import jobs
from monitor.assessment import PULSE
from monitor.config import load_config
from monitor.jobs import PassResult


@flow(name="pulse", validate_parameters=False)
async def pulse(
    venues: list[str] | None = None,
    underlyings: list[str] | None = None,
    models: list[str] | None = None,
    config: str | None = None,
    cron: str | None = None,
) -> State[list[PassResult]]:
    """Try last night's structure on every chain; parameters as those of the night. Tells nobody."""
    settings = load_config(Path(config) if config else None)
    targets = jobs.targets(settings, venues or (), underlyings or ())
    late = await lateness_or_leave(settings, targets, cron, PULSE)
    if late is None:
        return Completed(name="Skipped", message=LEFT)
    results, failures = await passes(targets, models or [], config, late, PULSE)
    if failures:
        raise failures[0]
    blind = [f"{r.target.venue} {r.target.underlying}: {r.note}" for r in results if not r.usable]
    if blind:
        return Failed(message=f"no usable data: {'; '.join(blind)}", data=results)
    return Completed(message=f"{len(results)} pulses", data=results)
