"""What is asked once a week: who cannot be told from the best, and the review to be signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.board import CadenceOption
from monitor.cli.context import (
    FormatOption,
    ModelOption,
    UnderlyingOption,
    desk_of,
    emit,
    lower_bound,
    stderr_console,
    upper_bound,
)
from monitor.errors import UsageError
from monitor.report.form import Format

_SHOWN = "underlying cadence period nights model rmse_iv p_set in_set p_best p_vuong".split()


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(ranking)
    app.command()(weekly)


def ranking(
    context: typer.Context,
    loss: Annotated[
        str,
        typer.Option(
            "--loss", metavar="NAME", help="A stored error in vol; in sample it is rmse_iv."
        ),
    ] = "refreshed_rmse_iv",
    by: Annotated[str, typer.Option("--by", metavar="month|all")] = "month",
    level: Annotated[
        float, typer.Option("--level", metavar="P", help="Of the confidence set.")
    ] = 0.9,
    underlying: Annotated[str | None, typer.Option("--underlying", metavar="U")] = None,
    venue: Annotated[str | None, typer.Option("--venue", metavar="V")] = None,
    cadence: CadenceOption = None,
    model: ModelOption = None,
    since: Annotated[str | None, typer.Option("--since", metavar="T")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="T")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """The models that cannot be told from the best, by their record: the model confidence set.

    By default on next-night errors (last night's structure, tonight's states), month by month.
    """
    from monitor.diagnostics import METRICS
    from monitor.validation.rivals import ranking as ranked

    METRICS[loss]
    if not 0.0 < level < 1.0:
        raise UsageError(f"--level lies between 0 and 1, was {level:g}")
    with desk_of(context).store(readonly=True) as store:
        found = ranked(
            store,
            loss=loss,
            by=by,
            level=level,
            underlying=underlying,
            venue=venue,
            cadence=cadence,
            since=lower_bound(since),
            until=upper_bound(until),
            models=model or (),
        )
    title = f"{loss}, model confidence set of {level:.0%}"
    emit(found, form, title=title, columns=_SHOWN, empty="too few nights to compare models by")


def weekly(
    context: typer.Context,
    until: Annotated[
        str | None, typer.Option("--until", metavar="T", help="The last night; now by default.")
    ] = None,
    nights: Annotated[int, typer.Option("--nights", metavar="N", help="Looked back over.")] = 90,
    underlying: UnderlyingOption = None,
    cadence: Annotated[str, typer.Option("--cadence", metavar="day|snapshot")] = "day",
    archive: Annotated[
        list[Path] | None,
        typer.Option("--archive", metavar="PATH", help="Where else the last chain lies."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where the pages go; else in the home."),
    ] = None,
) -> None:
    """The validation review: record, rivals, held-out strikes and expiries, limits, overrides.

    Writes an HTML page and the same in Markdown, to be read and signed.
    """
    from monitor.report.weekly import write_weekly

    desk = desk_of(context)
    with stderr_console().status("reviewing …"):
        found, paths = write_weekly(
            desk.config,
            until=upper_bound(until),
            nights=nights,
            underlyings=underlying or (),
            cadence=cadence,
            archive=archive or (),
            folder=out,
        )
    if not paths:
        raise UsageError(f"no night is stored from {found.since:%F} to {found.until:%F}")
    for row in found.tables["conclusions"].to_dict("records"):
        print(f"{row['underlying']} {row['model']}: {row['conclusion']}")
    for path in paths:
        print(path)
