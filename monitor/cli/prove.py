"""The proving ground: what the meter finds, misses and makes up, with exact intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.context import (
    FormatOption,
    UnderlyingOption,
    desk_of,
    emit,
    stderr_console,
    stdout_console,
)
from monitor.errors import UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    import pandas as pd

    from monitor.assessment import Rules
    from monitor.config import Config
    from monitor.proving.nights import Lived

SEEDS = 2  # a quarter of an hour on two slow cores
_LIKE = ("calm-rich", "wandering")  # what facts are set beside
# One of each kind. Thousands of nights are judged: what slower models would add is their own page.
_PROVED = ("black", "adhoc", "svi", "ssvi", "heston", "bates")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(prove)


def prove(
    context: typer.Context,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="Markets of each world; they set intervals.")
    ] = SEEDS,
    first_seed: Annotated[
        int, typer.Option("--first-seed", metavar="S", help="The first of them.")
    ] = 0,
    world: Annotated[
        list[str] | None,
        typer.Option("--world", metavar="NAME", help="Only this world; repeatable."),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            "--archive",
            metavar="PATH",
            help="Instead of worlds: put known errors into these recorded chains.",
        ),
    ] = None,
    facts: Annotated[
        bool,
        typer.Option(
            "--facts", help="With --archive: measure what worlds are built on, beside the worlds."
        ),
    ] = False,
    underlying: UnderlyingOption = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="M",
            help="Only this model; repeatable. Else those configured that are among "
            f"{', '.join(_PROVED)}.",
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", help="At work at the same time.")
    ] = 2,
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what the meter is worth: false pages, delays, attribution, triage.

    Worlds whose truth is known are judged night after night by the configured rules. With an
    archive, errors of 1, 2 and 4 vol points are put into its chains instead.
    """
    if seeds < 1 or processes < 1:
        raise UsageError(f"--seeds and --processes must be 1 or more, were {seeds}, {processes}")
    if facts and not archive:
        raise UsageError("--facts measures recorded chains: give --archive PATH")
    if archive and world:
        raise UsageError("--world and --archive are two things to prove by: give one of them")
    rules = _rules(desk_of(context).config, model)
    if facts:
        _facts(archive or [], underlying, processes, form)
    elif archive:
        _trials(archive, underlying, rules, processes, form)
    else:
        _worlds(range(first_seed, first_seed + seeds), world, underlying, rules, processes, form)


def _rules(config: Config, models: Sequence[str] | None) -> Rules:
    """Return the configured rules for the models to be proved, who share the budget alone."""
    from monitor.models import MODELS

    for name in models or ():
        MODELS[name]  # refuses a name that is not known
    proved = tuple(models or (name for name in config.models if name in _PROVED))
    return config.model_copy(update={"models": proved or config.models}).rules()


def _worlds(
    seeds: Sequence[int],
    names: list[str] | None,
    underlyings: list[str] | None,
    rules: Rules,
    processes: int,
    form: Format,
) -> None:
    from monitor.proving.nights import Span, default_worlds, families, live_all
    from monitor.proving.pool import run_all
    from monitor.proving.tables import runs_frame

    span = Span()
    tasks = [
        family
        for name in (underlyings or ["BTC"])
        for family in families(names or default_worlds(), seeds, name.upper())
    ]
    with _progress("nights", sum(task.count(span) for task in tasks)) as tick:
        work = partial(live_all, span, rules)
        lived = [
            run for runs in run_all(work, tasks, processes=processes, tick=tick) for run in runs
        ]
    if form is not Format.TABLE:
        emit(runs_frame(lived, span), form)
        return
    _tell(lived, rules)


def _tell(lived: Sequence[Lived], rules: Rules) -> None:
    """Print the five tables."""
    from monitor.proving import tables, totals
    from monitor.proving.nights import Span

    span = Span()
    _show(
        tables.quiet_frame(lived, rules),
        "False pages where nothing happens: nights between them, 95 % interval, the budget",
        tables.QUIET,
    )
    _show(
        tables.breaks_frame(lived, span),
        "Breaks: found (a red page of the right cause), nights (1: the break's own), seen (amber)",
        tables.BREAKS,
    )
    _show(
        tables.calm_frame(lived),
        "What is no break: no red page of another cause than the event's is right",
        tables.CALM,
    )
    _show(
        totals.triage_frame(lived),
        "Triage: runs by the cause that was right (rows) and the gravest that was told (columns)",
        None,
    )
    _show(
        totals.totals_frame(lived, span),
        "Shares over all worlds, with 95 % intervals (worlds of one seed are not independent)",
        totals.TOTALS,
    )


def _trials(
    archive: list[Path],
    underlyings: list[str] | None,
    rules: Rules,
    processes: int,
    form: Format,
) -> None:
    from monitor.archive import list_snapshots, select
    from monitor.proving import tables
    from monitor.proving.inject import Trials, count_of, try_all
    from monitor.proving.pool import run_all

    refs = list_snapshots(archive)
    names = [u.upper() for u in underlyings or sorted({ref.underlying for ref in refs})]
    tasks = [Trials(tuple(archive), name) for name in names]
    nights = [len(select(refs, underlying=task.underlying, every="day")) for task in tasks]
    total = sum(count_of(n, task) for n, task in zip(nights, tasks, strict=True))
    with _progress("nights", total) as tick:
        found = run_all(partial(try_all, rules), tasks, processes=processes, tick=tick)
    frame = tables.trials_frame([trial for trials in found for trial in trials], rules)
    title = "Errors put into recorded chains: share found, nights (1 is the first), by whom"
    emit(frame, form, title=title, empty="the archive is too short: 80 nights are needed")


def _facts(
    archive: list[Path], underlyings: list[str] | None, processes: int, form: Format
) -> None:
    import pandas as pd

    from monitor.proving.facts import Source, measure_facts
    from monitor.proving.pool import run_all

    tasks = []
    for name in [u.upper() for u in underlyings or ["BTC", "ETH"]]:
        tasks.append(Source(name, tuple(archive)))
        tasks += [Source(name, world=world) for world in _LIKE]
    with _progress("nights", sum(task.nights for task in tasks)) as tick:
        frames = run_all(measure_facts, tasks, processes=processes, tick=tick)
    emit(pd.concat(frames, ignore_index=True), form, title="What worlds are built on")


def _show(frame: pd.DataFrame, title: str, columns: Sequence[str] | None) -> None:
    from monitor.report.listing import table, to_console

    out = stdout_console()
    if not frame.empty:
        to_console(table(frame, title=title, columns=columns), out)
        out.print()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr, and give what moves it by one."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeElapsedColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=stderr_console()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
