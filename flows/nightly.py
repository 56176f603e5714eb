"""The night: every venue and underlying, one task each, then what there is to tell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.runs import LEFT, lateness_or_leave, passes
from monitor import jobs
from monitor.config import load_config
from monitor.errors import StoreError
from monitor.incidents.watch import NIGHTLY
from monitor.jobs import PassResult


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
    late = await lateness_or_leave(settings, targets, cron, NIGHTLY)
    if late is None:
        return Completed(name="Skipped", message=LEFT)
    results, failures = await passes(targets, models or [], config, late, NIGHTLY)
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
