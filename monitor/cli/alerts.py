"""The incidents desk."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from monitor.cli.context import FailOnOption, FormatOption, desk_of, emit, fail_on, frame_of
from monitor.report.form import Format
from monitor.verdict.base import Severity

desk = typer.Typer(no_args_is_help=True, help="The incidents desk: what is open, who is on it.")

IncidentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The incident's id, or enough of its beginning.")
]
NoteOption = Annotated[str, typer.Option("--note", "-m", help="Why; kept with the incident.")]
AuthorOption = Annotated[
    str, typer.Option("--author", help="Who says so.", default_factory=getpass.getuser)
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(desk, name="alerts")


@desk.command("list")
def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    state: Annotated[
        str | None, typer.Option("--state", metavar="S", help="open, acknowledged or resolved.")
    ] = None,
    fail: FailOnOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List incidents, open and acknowledged ones by default."""
    from monitor.store.frames import alerts_frame

    with desk_of(context).store(readonly=True) as store:
        frame = alerts_frame(store, state=state, all=all_)
        columns = "id state severity cause underlying model opened_at last_seen message".split()
        emit(frame, form, columns=columns, empty="no incident is open")
        fail_on(store, fail)


@desk.command()
def show(
    context: typer.Context, incident: IncidentArgument, form: FormatOption = Format.TABLE
) -> None:
    """Show one incident with all its numbers."""
    from monitor.store.desk import find
    from monitor.store.frames import alerts_frame

    with desk_of(context).store(readonly=True) as store:
        found = find(store, incident)
        frame = alerts_frame(store, all=True)
    frame = frame[frame["id"] == found.id]
    if form is not Format.TABLE:
        emit(frame, form)
        return
    row = frame.iloc[0]
    rows = [{"field": name, "value": row[name]} for name in frame.columns]
    emit(frame_of(rows, ["field", "value"]), form)


@desk.command()
def ack(
    context: typer.Context,
    incident: IncidentArgument,
    author: AuthorOption,
    note: NoteOption = "",
) -> None:
    """Say that somebody is on it; it stays open until its trouble is gone."""
    from monitor.store.desk import acknowledge

    with desk_of(context).store() as store:
        now = acknowledge(store, incident, author=author, note=note, wall=datetime.now(UTC))
    print(f"{now.id} acknowledged by {author}: {now.message}")


@desk.command()
def resolve(
    context: typer.Context,
    incident: IncidentArgument,
    author: AuthorOption,
    note: NoteOption = "",
) -> None:
    """Say that it is over; it opens again if its trouble is still there at the next pass."""
    from monitor.store.desk import resolve as resolve_incident

    with desk_of(context).store() as store:
        now = resolve_incident(store, incident, author=author, note=note, wall=datetime.now(UTC))
    print(f"{now.id} resolved by {author}: {now.message}")


@desk.command()
def test(
    context: typer.Context,
    severity: Annotated[
        Severity | None, typer.Option("--severity", help="Only the route of this severity.")
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Send a test message along each route; leaves with code 1 if one does not arrive."""
    from monitor.health import try_routes

    severities = [severity] if severity else list(Severity)
    checks = list(try_routes(desk_of(context).config, severities))
    rows = [asdict(check) for check in checks]
    emit(frame_of(rows, ["what", "outcome", "found", "advice"]), form)
    if any(check.outcome == "error" for check in checks):
        raise typer.Exit(1)
