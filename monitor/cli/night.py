"""The jobs: a night now, a backfill, the schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.board import in_order
from monitor.cli.context import (
    FailOnOption,
    FormatOption,
    ModelOption,
    UnderlyingOption,
    VenueOption,
    desk_of,
    emit,
    fail_on,
    lower_bound,
    stderr_console,
    upper_edge,
)
from monitor.errors import MonitorError, UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    from monitor.backfill import Progress
    from monitor.jobs import PassResult, Target

BOARD = "as_of venue underlying model status reason".split()


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(nightly)
    app.command()(pulse)
    app.command()(backfill)
    app.command()(serve)


def nightly(
    context: typer.Context,
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    model: ModelOption = None,
    fail: FailOnOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """One night now: fetch, archive, calibrate, measure, judge, store, tell."""
    from monitor import jobs
    from monitor.store.frames import status_frame

    desk = desk_of(context)
    targets = jobs.targets(desk.config, venue or (), underlying or ())
    jobs.rules_for(desk.config, model or ())  # an unknown name before the engine starts
    what = ", ".join(f"{t.venue} {t.underlying}" for t in targets)
    console = stderr_console()
    with console.status(f"judging {what} …"):
        night = asyncio.run(run_flow(desk.config_path, targets, model or []))
    with desk.store(readonly=True) as store:
        board = in_order(status_frame(store), desk.config.models)
        judged = {astuple(result.stream) for result in night.results}
        streams = zip(board["venue"], board["underlying"], board["cadence"], strict=True)
        emit(board[[stream in judged for stream in streams]], form, columns=BOARD)
        if not night.done:
            raise MonitorError(night.said)
        fail_on(store, fail)


def pulse(
    context: typer.Context,
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    model: ModelOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """The light intraday pass: last night's structure against fresh quotes, states refreshed.

    Its history is its own (cadence pulse). It tells nobody: what it finds stands on the board and
    among the incidents, and beside the night's news.
    """
    from monitor import jobs
    from monitor.assessment import PULSE
    from monitor.store.frames import status_frame

    desk = desk_of(context)
    rules = jobs.rules_for(desk.config, model or ())
    results = [
        asyncio.run(jobs.run_night(desk.config, target, rules, job=PULSE))
        for target in jobs.targets(desk.config, venue or (), underlying or ())
    ]
    with desk.store(readonly=True) as store:
        board = in_order(status_frame(store), desk.config.models)
    judged = {astuple(result.stream) for result in results}
    streams = zip(board["venue"], board["underlying"], board["cadence"], strict=True)
    emit(board[[stream in judged for stream in streams]], form, columns=BOARD)
    blind = [f"{r.target.venue} {r.target.underlying}: {r.note}" for r in results if not r.usable]
    if blind:
        raise MonitorError(f"no usable data: {'; '.join(blind)}")


@dataclass(frozen=True, slots=True)
class Night:
    """How a run of the nightly flow ended: well or not, its last words, each pass."""

    done: bool
    said: str
    results: list[PassResult]


async def run_flow(config: Path | None, targets: tuple[Target, ...], models: list[str]) -> Night:
    """Run the nightly flow once, in this process.

    A failure that is not the market's is raised as it was.
    """
    from flows.nightly import nightly as flow

    state = await flow(
        venues=list(dict.fromkeys(t.venue for t in targets)),
        underlyings=list(dict.fromkeys(t.underlying for t in targets)),
        models=models,
        config=str(config.absolute()) if config else None,
        return_state=True,
    )
    results = getattr(state.data, "result", None)
    if not isinstance(results, list):  # it did not come to its end
        await state.aresult(raise_on_failure=True)
        results = []
    return Night(state.is_completed(), state.message or "", results)


def backfill(
    context: typer.Context,
    archive: Annotated[
        list[Path],
        typer.Option("--archive", metavar="PATH", help="Parquet file or folder; repeatable."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(metavar="PATH…", hidden=True)] = None,
    every: Annotated[
        str,
        typer.Option(
            "--every",
            metavar="day|snapshot",
            help="The last snapshot of each UTC day, or all of them; two histories, never mixed.",
        ),
    ] = "day",
    since: Annotated[
        str | None, typer.Option("--from", metavar="T", help="From this day or time on, UTC.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="T", help="To this day (its end) or time, UTC.")
    ] = None,
    underlying: UnderlyingOption = None,
    model: ModelOption = None,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", help="Processes that measure; one by default."),
    ] = 1,
    engine: Annotated[
        str, typer.Option("--engine", metavar="local|dask", help="Where they run.")
    ] = "local",
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="tcp://HOST:PORT",
            help="The Dask scheduler; without it, a cluster of this machine.",
        ),
    ] = None,
) -> None:
    """The same pass over recorded snapshots, in time order, knowing only what was known then.

    What is stored is not done again: stop it and run it again, it goes on where it stood. Results
    depend neither on the engine nor on the number of workers.
    """
    from monitor import jobs
    from monitor.backfill import backfill as recorded_passes

    if every not in ("day", "snapshot"):
        raise UsageError(f"--every takes day or snapshot, was {every!r}")
    config = desk_of(context).config
    steps = recorded_passes(
        config,
        jobs.rules_for(config, model or ()),
        [*archive, *(more or ())],
        every="day" if every == "day" else "snapshot",
        since=lower_bound(since),
        until=upper_edge(until),
        underlyings=underlying or (),
        workers=workers,
        engine=engine,
        address=cluster,
    )
    done = new = blind = total = 0
    try:
        for step in shown(steps):
            done, total = step.done, step.total
            new, blind = new + step.is_new, blind + (not step.usable)
    except KeyboardInterrupt:
        raise MonitorError(
            f"stopped after {done} of {total or 'all'} snapshots; they are kept. "
            "Run the same command again to go on"
        ) from None
    before = done - new
    print(
        f"{done} snapshots: {before} stored before, {new} new, {blind} of them without usable data"
    )
    if blind:
        raise typer.Exit(1)


def shown(steps: Iterator[Progress]) -> Iterator[Progress]:
    """Yield the steps, with a bar on stderr."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from monitor.conventions import from_ms

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=stderr_console(),
    ) as progress:
        bar = progress.add_task("reading the archive", total=None)
        for step in steps:
            said = f"{step.ref.underlying} {from_ms(step.ref.as_of_ms):%Y-%m-%d %H:%M}"
            progress.update(bar, description=said, completed=step.done, total=step.total)
            yield step


def serve(context: typer.Context) -> None:
    """Run the schedules until interrupted; a Prefect server of its own unless one is configured."""
    from flows.schedules import serve_schedules

    desk, console = desk_of(context), stderr_console()
    serve_schedules(desk.config, desk.config_path, console.print)
