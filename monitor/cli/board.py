"""What is known: the verdict board, a metric through time, one night's smiles."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.context import (
    FailOnOption,
    FormatOption,
    ModelOption,
    UnderlyingOption,
    VenueOption,
    among,
    desk_of,
    emit,
    fail_on,
    lower_bound,
    stderr_console,
    stdout_console,
    upper_bound,
)
from monitor.errors import UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    import pandas as pd

    from monitor.store import Store

TimeOption = str | None
SinceOption = Annotated[
    TimeOption, typer.Option("--since", metavar="T", help="From this day or time on, UTC.")
]
UntilOption = Annotated[
    TimeOption,
    typer.Option("--until", metavar="T", help="To this day (its end) or time, UTC."),
]
CadenceOption = Annotated[
    str | None,
    typer.Option("--cadence", help="day, snapshot, pulse …: histories of their own."),
]
KnownOption = Annotated[
    TimeOption,
    typer.Option(
        "--as-known",
        metavar="T",
        help="By what the desk knew then: a day (its end) or a time, UTC.",
    ),
]
LiveOption = Annotated[
    bool,
    typer.Option(
        "--assume-live",
        help="With --as-known: backfilled nights count as known at their own time.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(status)
    app.command()(history)
    app.command()(surface)


def status(
    context: typer.Context,
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    model: ModelOption = None,
    at: Annotated[
        TimeOption, typer.Option("--at", metavar="T", help="The board as of this day or time.")
    ] = None,
    as_known: KnownOption = None,
    assume_live: LiveOption = False,
    fail: FailOnOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """The verdict board: each model's status on each venue and underlying, and why."""
    from monitor.store.frames import status_frame

    with desk_of(context).store(readonly=True) as store:
        frame = status_frame(
            store, at=upper_bound(at), as_known=upper_bound(as_known), assume_live=assume_live
        )
        for names, column in ((venue, "venue"), (underlying, "underlying"), (model, "model")):
            frame = among(names, frame, column)
        frame = in_order(frame, desk_of(context).config.models)
        # What is the same in every row leaves the table's room to the reasons.
        same = {c for c in ("venue", "cadence") if frame[c].nunique() == 1}
        columns = "as_of venue underlying cadence model status reason".split()
        columns = [c for c in columns if c not in same]
        nothing = _nothing_known("no pass has been judged yet: misspec nightly", as_known, at)
        emit(frame, form, columns=columns, empty=nothing)
        if at is None and as_known is None:
            _warn_of_jobs(store)
        fail_on(store, fail)


def _warn_of_jobs(store: Store) -> None:
    """Say on stderr what the watchdog found: a board may be older than it looks."""
    from monitor.store.frames import alerts_frame

    alerts = alerts_frame(store)
    for row in alerts[alerts["cause"] == "job"].to_dict("records"):
        stderr_console().print(
            f"{row['severity']} job incident {row['id']}: {row['message']}", soft_wrap=True
        )


def _nothing_known(otherwise: str, as_known: str | None, at: str | None = None) -> str:
    """Return what to say of an empty answer."""
    if as_known is not None:
        return (
            f"nothing of this was known by {as_known}; with --assume-live, backfilled nights count "
            "as known at their own time"
        )
    return otherwise if at is None else f"nothing was judged by {at}"


def in_order(board: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return the board with each stream's market first, then its models as configured."""
    rank = {name: i for i, name in enumerate(("market", *models))}
    order = board["model"].map(lambda name: rank.get(name, len(rank)))
    keys = ["venue", "underlying", "cadence"]
    return board.assign(order=order).sort_values([*keys, "order", "model"]).drop(columns="order")


def history(
    context: typer.Context,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Which one; `misspec metrics` lists.")
    ],
    model: Annotated[str | None, typer.Option("--model", metavar="M")] = None,
    underlying: Annotated[str | None, typer.Option("--underlying", metavar="U")] = None,
    venue: Annotated[str | None, typer.Option("--venue", metavar="V")] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            "--scope", help="chain (default where it exists), wing:put, expiry:2026-03-27, … or all"
        ),
    ] = None,
    cadence: CadenceOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_known: KnownOption = None,
    assume_live: LiveOption = False,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="terminal|FILE.png|FILE.html",
            help="Draw it instead of listing it.",
        ),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """A metric through time, as a listing or a plot."""
    from monitor.diagnostics import METRICS
    from monitor.report.plots import TERMINAL, plot_history
    from monitor.store.frames import history_frame

    METRICS[metric]
    with desk_of(context).store(readonly=True) as store:
        frame = history_frame(
            store,
            metric,
            model=model,
            underlying=underlying,
            venue=venue,
            scope=None if scope in (None, "all") else scope,
            cadence=cadence,
            since=lower_bound(since),
            until=upper_bound(until),
            as_known=upper_bound(as_known),
            assume_live=assume_live,
        )
    if scope is None and (frame["scope"] == "chain").any():
        frame = frame[frame["scope"] == "chain"]
    if plot is None:
        columns = "as_of venue underlying cadence model metric scope value unit n stderr run_id"
        # One cadence goes without saying; two are two histories and must not read as one.
        shown = [c for c in columns.split() if c != "cadence" or frame[c].nunique() > 1]
        nothing = _nothing_known(f"no value of {metric} in this range", as_known)
        emit(frame, form, columns=shown, empty=nothing)
        return
    if frame["cadence"].nunique() > 1:
        held = ", ".join(sorted(frame["cadence"].unique()))
        raise UsageError(f"these are histories of several cadences ({held}): choose by --cadence")
    console = stdout_console()
    drawn = plot_history(frame, plot, width=console.width, colour=console.is_terminal)
    if plot == TERMINAL:
        print(drawn)
    else:
        print(drawn, file=sys.stderr)


def surface(
    context: typer.Context,
    underlying: Annotated[str, typer.Option("--underlying", metavar="U")],
    model: ModelOption = None,
    venue: Annotated[str | None, typer.Option("--venue", metavar="V")] = None,
    cadence: CadenceOption = None,
    at: Annotated[
        TimeOption, typer.Option("--at", metavar="T", help="The night of this day or time.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN_ID")] = None,
    expiry: Annotated[
        str | None, typer.Option("--expiry", metavar="DAY", help="Only this expiry: 2026-03-27.")
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE.png|FILE.html", help="Draw it instead."),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """One night, quote by quote: the market's smile against each model's."""
    from monitor.store.frames import surface_frame

    with desk_of(context).store(readonly=True) as store:
        frame = surface_frame(
            store,
            run_id=run,
            underlying=underlying,
            at=upper_bound(at),
            venue=venue,
            cadence=cadence,
            models=model,
        )
    days = frame["expiry"].dt.strftime("%Y-%m-%d")
    if expiry is not None:
        frame = among([expiry], frame.assign(day=days), "day").drop(columns="day")
    if plot is not None:
        from monitor.report.smiles import plot_surface

        print(plot_surface(frame, plot), file=sys.stderr)
        return
    columns = "model expiry strike cp k iv_bid iv_ask iv model_iv residual z".split()
    first = frame.iloc[0] if len(frame) else None
    title = None if first is None else f"{underlying} {first.as_of:%Y-%m-%d %H:%M} UTC"
    emit(frame, form, title=title, columns=columns, empty="no quote of this expiry")
