"""The incidents desk: what is open, who is on it, who is told, and how well the desk is served."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.context import (
    FailOnOption,
    FormatOption,
    desk_of,
    emit,
    fail_on,
    frame_of,
    moment_ahead,
)
from monitor.report.form import Format
from monitor.verdict.base import Severity

if TYPE_CHECKING:
    from monitor.cli.context import Desk
    from monitor.incidents.base import Incident

HELP = """The incidents desk: what is open, who is on it, who is told.

[bold]What an incident is.[/bold] One trouble, told once: all findings of one cause on one
underlying, over models, expiries and metrics. It opens, may get worse, is acknowledged, and is
resolved when its numbers have been calm for some nights, well below the level that opened it. If
it comes back soon it is the same incident; if it keeps coming back it counts as flapping, stays
open and is told no more unless it gets worse or ends.

[bold]How loud.[/bold] [red]red[/red]: real beyond the noise of the quotes, material, and lasting:
this is a page. [yellow]amber[/yellow]: one of these is missing, or the data are at fault. info: on
record, told nobody.

[bold]Why.[/bold] misspecification: the model no longer describes the market. calibration: the fit
did not end well or leaves directions open. data: the chain cannot be judged by (then no model is
called wrong). liquidity: quotes are there but cannot be used. market: the market moved and the
models followed. job: a run is missing, late or empty, or a message did not arrive.

[bold]What to do.[/bold] The night's message says what it means, what to look at and what usually
helps. `show` gives an incident's numbers and life. `ack` says that you are on it, and with
--verdict true, false or known whether it was right to tell you: `report` counts precision by that.
`silence` keeps matching news from being told for a while; numbers and incidents are stored all the
same. If the market changed for good or a model is wrong for its use, that is a judgement, not a
silence: see `misspec judge`.

[bold]Who is told.[/bold] alerts.rules in the configuration match severity, cause, venue,
underlying, model and the model's owner to receivers; what no rule matches goes to alerts.routes of
its severity. A red incident that nobody acknowledges is told again after alerts.repeat_hours.
What cannot be delivered is tried again for hours, then kept in dead-letter with the reason: see
`outbox`. Silence can be trusted: `misspec watchdog` opens a job incident when a night is missing,
late or empty or a message is stuck, and sends a weekly test message that somebody confirms by
`receipt`.
"""

desk = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode="rich")

IncidentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The incident's id, or enough of its beginning.")
]
NoteOption = Annotated[str, typer.Option("--note", "-m", help="Why; kept with the incident.")]
AuthorOption = Annotated[
    str, typer.Option("--author", help="Who says so.", default_factory=getpass.getuser)
]
VerdictOption = Annotated[
    str | None,
    typer.Option(
        "--verdict",
        metavar="true|false|known",
        help="Was it right to tell? known: true, and no news to the desk.",
    ),
]
Several = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Repeatable.")]


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
        frame = alerts_frame(
            store, state=state, all=all_, silenced=_silencer(desk_of(context), store)
        )
        columns = "id state severity cause underlying model opened_at last_seen message".split()
        if frame["silenced"].any():
            columns.insert(2, "silenced")
        emit(frame, form, columns=columns, empty="no incident is open")
        fail_on(store, fail)


@desk.command()
def show(
    context: typer.Context, incident: IncidentArgument, form: FormatOption = Format.TABLE
) -> None:
    """Show one incident: how it stands, why, the numbers behind it, its life, what to do."""
    from monitor.incidents.runbook import page_of
    from monitor.store.desk import diagnosis_of, find, life_of
    from monitor.store.frames import alerts_frame

    with desk_of(context).store(readonly=True) as store:
        found = find(store, incident)
        frame = alerts_frame(store, all=True, silenced=_silencer(desk_of(context), store))
        life, why = life_of(store, found.id), diagnosis_of(store, found)
    frame = frame[frame["id"] == found.id]
    if form is not Format.TABLE:
        emit(frame, form)
        return
    row = frame.iloc[0]
    rows = [{"field": name, "value": row[name]} for name in frame.columns]
    emit(frame_of(rows, ["field", "value"]), form)
    if why:
        columns = "model metric scope value message".split()
        emit(
            frame_of(why, columns), form, title="Why, by the run that saw it last", columns=columns
        )
    if found.members:
        columns = "model metric scope value threshold is_found runs_calm".split()
        numbers = frame_of([asdict(m) for m in found.members], columns)
        emit(numbers, form, title="Numbers behind it", columns=columns)
    columns = "slot event severity author verdict told message".split()
    told = [{**event, "message": event["note"] or event["message"]} for event in life]
    emit(frame_of(told, columns), form, title="Its life", columns=columns)
    page = page_of(found)
    for words, line in (
        ("It means", page.means),
        ("Look at", page.look),
        ("Usually helps", page.helps),
    ):
        print(f"{words}: {line}")


@desk.command()
def ack(
    context: typer.Context,
    incident: IncidentArgument,
    author: AuthorOption,
    note: NoteOption = "",
    verdict: VerdictOption = None,
) -> None:
    """Say that somebody is on it; it stays open until its trouble is gone.

    It is told again only if it gets worse. With --verdict it counts towards precision; the verdict
    may also be given after the end.
    """
    from monitor.store.desk import acknowledge

    with desk_of(context).store() as store:
        now = acknowledge(
            store, incident, author=author, note=note, wall=datetime.now(UTC), verdict=verdict
        )
    judged = f" as {verdict}" if verdict else ""
    print(f"{now.id} acknowledged{judged} by {author}: {now.message}")


@desk.command()
def resolve(
    context: typer.Context,
    incident: IncidentArgument,
    author: AuthorOption,
    note: NoteOption = "",
    verdict: VerdictOption = None,
) -> None:
    """Say that it is over; it opens again if its trouble is still there at the next pass."""
    from monitor.store.desk import resolve as resolve_incident

    with desk_of(context).store() as store:
        now = resolve_incident(
            store, incident, author=author, note=note, wall=datetime.now(UTC), verdict=verdict
        )
    print(f"{now.id} resolved by {author}: {now.message}")


@desk.command()
def silence(
    context: typer.Context,
    author: AuthorOption,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; it will be read later.")],
    for_: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long: 12h, 3d, 2w.")
    ] = "1d",
    incident: Several = None,
    severity: Several = None,
    cause: Several = None,
    venue: Several = None,
    underlying: Several = None,
    model: Several = None,
    owner: Several = None,
) -> None:
    """Keep matching news from being told for a while. Changes no number and no incident.

    Every field given must match, one of its values. What is still open when the silence ends is
    told then.
    """
    from monitor.incidents.matching import Matcher
    from monitor.store.desk import find
    from monitor.store.frames import alerts_frame
    from monitor.store.silences import add_silence

    now = datetime.now(UTC)
    asked = {
        "incident": incident,
        "severity": severity,
        "cause": cause,
        "venue": venue,
        "underlying": underlying,
        "model": model,
        "owner": owner,
    }
    matcher = Matcher(**{name: tuple(values or ()) for name, values in asked.items()})
    until = moment_ahead(for_, now)
    with desk_of(context).store() as store:
        names = desk_of(context).config.names
        seen = alerts_frame(store, all=True)
        for field in ("venue", "underlying", "model"):  # what is stored may be of other settings
            names[field] = (*names[field], *seen[field].dropna().unique())
        matcher.require_known(names)
        for id_ in matcher.incident:
            find(store, id_)
        made = add_silence(store, matcher, author=author, reason=reason, until=until, wall=now)
    print(f"silence {made.id} of {matcher} until {until:%Y-%m-%d %H:%M} UTC, by {made.author}")


@desk.command()
def unsilence(
    context: typer.Context,
    silence: Annotated[str, typer.Argument(metavar="ID", help="Of the silence; `silences`.")],
    author: AuthorOption,
) -> None:
    """Take a silence back: what is still open is told with the next news."""
    from monitor.store.silences import end_silence

    with desk_of(context).store() as store:
        ended = end_silence(store, silence, author=author, wall=datetime.now(UTC))
    print(f"silence {ended.id} of {ended.matcher} taken back by {author}")


@desk.command()
def silences(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the silences that hold."""
    from monitor.store.silences import list_silences

    now = datetime.now(UTC)
    with desk_of(context).store(readonly=True) as store:
        rows = [
            {
                "id": s.id,
                "of": str(s.matcher),
                "until": min(s.until, s.ended or s.until),
                "holds": s.is_active(now),
                "author": s.author,
                "reason": s.reason,
            }
            for s in list_silences(store)
            if all_ or s.is_active(now)
        ]
    columns = ["id", "of", "until", "holds", "author", "reason"]
    emit(frame_of(rows, columns), form, columns=columns, empty="no silence holds")


@desk.command()
def report(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """How the desk is served: pages a quarter against the budget, precision, time to acknowledge.

    A page is a red incident told as opened, back or worse. The budget is that of false pages,
    drift.nights_between_false_pages. Precision counts what was acknowledged with a verdict.
    """
    from monitor.store.precision import quarters

    config = desk_of(context).config
    with desk_of(context).store(readonly=True) as store:
        found = quarters(
            store,
            nights_between_false_pages=config.drift.nights_between_false_pages,
            now=datetime.now(UTC),
        )
    rows = [
        {
            "quarter": q.name,
            **{k: v for k, v in asdict(q).items() if k != "name"},
            "precision": q.precision,
        }
        for q in found
    ]
    columns = (
        "quarter days pages true false known unjudged budget precision ambers reminders "
        "hours_to_acknowledge".split()
    )
    emit(frame_of(rows, columns), form, columns=columns, empty="nothing has been told yet")


@desk.command()
def receipt(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="It stands in the test message.")],
    author: AuthorOption,
) -> None:
    """Confirm that the weekly test message was read."""
    from monitor.store.watch import confirm

    with desk_of(context).store() as store:
        asked = confirm(store, code, author=author, wall=datetime.now(UTC))
    print(f"the test message of {asked:%Y-%m-%d} was read by {author}")


@desk.command()
def outbox(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Delivered messages too.")] = False,
    revive: Annotated[
        str | None,
        typer.Option("--revive", metavar="KEY", help="Try a dead message's receivers anew."),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Messages that wait for delivery or lie in dead-letter, each with the reason."""
    from monitor.store.frames import messages_frame
    from monitor.store.outbox import Outbox

    if revive is not None:
        with desk_of(context).store() as store:
            Outbox(store).revive(revive, now=datetime.now(UTC))
        print(f"message {revive} will be tried again")
        return
    with desk_of(context).store(readonly=True) as store:
        frame = messages_frame(store, all=all_)
    columns = "message_key severity state attempts queued_wall title target last_error".split()
    emit(frame, form, columns=columns, empty="every message has arrived")


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


def _silencer(desk: Desk, store: Any) -> Any:
    """Return whether an incident is silenced, as a function of it."""
    from monitor.incidents.silence import silence_of
    from monitor.store.silences import list_silences

    now, known = datetime.now(UTC), list_silences(store)
    owners = {model: use.owner for model, use in desk.config.inventory.items()}

    def is_silenced(incident: Incident) -> bool:
        return silence_of(incident, known, owners, now) is not None

    return is_silenced
