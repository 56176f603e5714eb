"""What is set side by side: two models of one night, or one model on two nights."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.board import CadenceOption
from monitor.cli.context import FormatOption, desk_of, emit, upper_bound
from monitor.report.form import Format

COLUMNS = "metric scope unit first second difference stderr".split()


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(compare)


def compare(
    context: typer.Context,
    underlying: Annotated[str, typer.Option("--underlying", metavar="U")],
    model: Annotated[
        list[str],
        typer.Option("--model", metavar="M", help="Two, or one with two --at; market is one too."),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="T", help="The night of this day or time; twice for two."),
    ] = None,
    venue: Annotated[str | None, typer.Option("--venue", metavar="V")] = None,
    cadence: CadenceOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Two models of one night, or one model on two nights: every number that both have.

    The table shows the chain and its wings; the other formats have every scope.
    """
    from monitor.store.pairs import compare_frame

    moments = [upper_bound(text) for text in at] if at else [None]
    with desk_of(context).store(readonly=True) as store:
        frame = compare_frame(
            store, underlying, models=model, at=moments, venue=venue, cadence=cadence
        )
    if form is Format.TABLE:
        frame = frame[frame["scope"].str.fullmatch("chain|wing:.*")]
    names = " against ".join(dict.fromkeys(model))
    nights = [f"{t:%Y-%m-%d %H:%M}" for c in ("first_as_of", "second_as_of") for t in frame[c][:1]]
    title = f"{underlying} {names}, {' against '.join(dict.fromkeys(nights))} UTC"
    emit(frame, form, title=title, columns=COLUMNS, empty="no number that both sides have")
