"""Expert judgement on record."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from monitor.cli.context import FormatOption, desk_of, emit, frame_of, lower_bound, moment_ahead
from monitor.errors import UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    from monitor.verdict.judgement import Judgement

HELP = """Expert judgement on record: what a person knows and the numbers do not.

A judgement changes how nights are judged from now on and for a time; who said it, why, and about
which incident stands with it. It is part of the identity of every run it is in force for; nothing
that was measured is changed, and `misspec replay RUN --without-judgement ID` says what would have
been judged and told without it. `score` holds each against what came.
"""

judge = typer.Typer(no_args_is_help=True, help=HELP)

AuthorOption = Annotated[
    str, typer.Option("--author", help="Who says so.", default_factory=getpass.getuser)
]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why; it will be read later.")]
ForOption = Annotated[
    str, typer.Option("--for", metavar="SPAN", help="How long: 12h, 30d, 8w, or to a day.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="T", help="From this day or time, UTC; else from the next night."
    ),
]
VenueOption = Annotated[str | None, typer.Option("--venue", metavar="V")]
UnderlyingOption = Annotated[str | None, typer.Option("--underlying", metavar="U")]
ModelOption = Annotated[str, typer.Option("--model", metavar="M")]
IncidentOption = Annotated[
    str | None, typer.Option("--incident", metavar="ID", help="The incident it is about.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(judge, name="judge")


@judge.command()
def tolerance(
    context: typer.Context,
    model: ModelOption,
    limit: Annotated[float, typer.Option("--limit", help="0.08 is 8 vol points, or 80 %.")],
    author: AuthorOption,
    reason: ReasonOption,
    level: Annotated[
        str, typer.Option("--level", metavar="rmse_iv|inside_share", help="Which tolerance.")
    ] = "rmse_iv",
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    since: SinceOption = None,
    for_: ForOption = "30d",
    incident: IncidentOption = None,
) -> None:
    """Let a model be so wrong for a while: widen its tolerance."""
    from monitor.models import MODELS
    from monitor.verdict.judgement import LEVELS

    MODELS[model]
    if level not in LEVELS:
        raise UsageError(f"--level takes {' or '.join(LEVELS)}, was {level!r}")
    if not 0 < limit <= (1 if level == "inside_share" else 2):
        raise UsageError(f"--limit is a decimal, 0.08 for 8 vol points, was {limit:g}")
    said = _Said(author, reason, venue, underlying, since, for_, incident)
    _add(context, "tolerance", level, said, model=model, value=limit)


@judge.command()
def restrict(
    context: typer.Context,
    model: ModelOption,
    use: Annotated[str, typer.Option("--use", metavar="USE", help="marking or hedging.")],
    author: AuthorOption,
    reason: ReasonOption,
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    since: SinceOption = None,
    for_: ForOption = "30d",
    incident: IncidentOption = None,
) -> None:
    """Take a model out of a use: it is measured on, says so on the board, and pages nobody."""
    from monitor.models import MODELS

    MODELS[model]
    if use not in ("marking", "hedging"):
        raise UsageError(f"--use takes marking or hedging, was {use!r}")
    said = _Said(author, reason, venue, underlying, since, for_, incident)
    _add(context, "restrict", use, said, model=model)


@judge.command()
def prior(
    context: typer.Context,
    model: ModelOption,
    parameter: Annotated[str, typer.Option("--parameter", metavar="P")],
    mean: Annotated[float, typer.Option("--mean")],
    sd: Annotated[float, typer.Option("--sd", help="Standard deviation of the belief.")],
    author: AuthorOption,
    reason: ReasonOption,
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    since: SinceOption = None,
    for_: ForOption = "90d",
    incident: IncidentOption = None,
) -> None:
    """Say where a parameter is believed to lie: a second fit is drawn there, beside the own one.

    Where it ends, what that costs in fit and how far both lie from what was said are numbers of the
    night (pulled_param, pull_cost, pull_distance). Nothing is judged by them.
    """
    from monitor.errors import UnknownNameError
    from monitor.models import MODELS

    if MODELS[model].per_expiry:
        common = ", ".join(name for name, other in MODELS.items() if not other.per_expiry)
        raise UsageError(
            f"{model} has parameters of each expiry's own, of which nothing can be believed from "
            f"night to night; a prior is about one of {common}"
        )
    known = [p.name for p in MODELS[model].parameters]
    if parameter not in known:
        raise UnknownNameError(f"parameter of {model}", parameter, known)
    if sd <= 0:
        raise UsageError(f"--sd must be positive, was {sd:g}")
    said = _Said(author, reason, venue, underlying, since, for_, incident)
    _add(context, "prior", parameter, said, model=model, value=mean, spread=sd)


@judge.command()
def exclude(
    context: typer.Context,
    instrument: Annotated[
        str, typer.Argument(metavar="NAME", help="BTC-27MAR26-60000-P, or BTC-27MAR26-*.")
    ],
    author: AuthorOption,
    reason: ReasonOption,
    venue: VenueOption = None,
    since: SinceOption = None,
    for_: ForOption = "7d",
    incident: IncidentOption = None,
) -> None:
    """Leave an instrument, or all that match a pattern, out of the chain."""
    if instrument.strip("*?") == "":
        raise UsageError("that would leave out every instrument there is")
    said = _Said(author, reason, venue, None, since, for_, incident)
    _add(context, "exclude", instrument, said)


@judge.command()
def annotate(
    context: typer.Context,
    word: Annotated[str, typer.Argument(metavar="TEXT")],
    author: AuthorOption,
    night: Annotated[str, typer.Option("--night", metavar="DAY", help="Of this day, UTC.")],
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    incident: IncidentOption = None,
) -> None:
    """Put a word beside a night; it changes nothing."""
    said = _Said(author, word, venue, underlying, night, "1d", incident)
    _add(context, "annotate", word, said)


@judge.command()
def rebase(
    context: typer.Context,
    author: AuthorOption,
    reason: ReasonOption,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="M", help="Only this model's; market: the smile's own."),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Only this headline's.")
    ] = "",
    venue: VenueOption = None,
    underlying: UnderlyingOption = None,
    since: SinceOption = None,
    for_: ForOption = "365d",
    incident: IncidentOption = None,
) -> None:
    """Begin a reference anew: the market changed for good, and what was before is no measure.

    Change is then learnt anew, inconclusive until there are nights enough; levels are judged on.
    """
    from monitor.diagnostics.headlines import all_headlines
    from monitor.errors import UnknownNameError
    from monitor.models import MODELS

    if model not in (None, "market"):
        MODELS[model]
    names = sorted({h.name for h in all_headlines()})
    if metric and metric not in names:
        raise UnknownNameError("headline", metric, names)
    said = _Said(author, reason, venue, underlying, since, for_, incident)
    _add(context, "rebase", metric, said, model=model)


@judge.command("list")
def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the judgements that have not ended."""
    from monitor.conventions import to_ms
    from monitor.store.judgements import list_judgements, next_night

    with desk_of(context).store(readonly=True) as store:

        def is_over(j: Judgement) -> bool:
            """By the clock of the venue it is about, as it holds."""
            now = next_night(store, j.venue, j.underlying) or datetime.now(UTC)
            return j.until_ms <= to_ms(now)

        rows = [_row(j) for j in list_judgements(store) if all_ or not is_over(j)]
    columns = (
        "id kind venue underlying model subject value spread since until author incident "
        "reason".split()
    )
    shown = "id kind underlying model subject value since until author reason".split()
    emit(frame_of(rows, columns), form, columns=shown, empty="no judgement is in force")


@judge.command()
def expire(
    context: typer.Context,
    judgement: Annotated[str, typer.Argument(metavar="ID")],
    author: AuthorOption,
    reason: Annotated[str, typer.Option("--reason", "-m")] = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="T", help="From this day or time on; else from the next night."
        ),
    ] = None,
) -> None:
    """End a judgement before its time; nights before that stay as they were judged."""
    from monitor.conventions import from_ms, to_ms
    from monitor.store.judgements import end_judgement, find_judgement, next_night

    now = datetime.now(UTC)
    with desk_of(context).store() as store:
        found = find_judgement(store, judgement)
        until = lower_bound(at) or next_night(store, found.venue, found.underlying) or now
        ended = end_judgement(
            store, judgement, author=author, reason=reason, until_ms=to_ms(until), wall=now
        )
    print(f"{ended.id} ends on {from_ms(ended.until_ms):%Y-%m-%d %H:%M} UTC, by {author}")


@judge.command()
def score(
    context: typer.Context,
    cadence: Annotated[str, typer.Option("--cadence", help="day or snapshot.")] = "day",
    form: FormatOption = Format.TABLE,
) -> None:
    """Hold every judgement against what came: was it needed, did it prove right?"""
    from monitor.scoring import score_all

    desk = desk_of(context)
    with desk.store(readonly=True) as store:
        rows = [
            {
                **_row(s.judgement),
                "nights": s.nights,
                "mattered": s.mattered,
                "verdict": s.verdict,
                "found": s.found,
            }
            for s in score_all(store, desk.config.rules(), cadence=cadence)
        ]
    columns = (
        "id kind venue underlying model subject value since until author nights mattered verdict "
        "found".split()
    )
    shown = "id kind model subject since until nights mattered verdict found".split()
    emit(frame_of(rows, columns), form, columns=shown, empty="no judgement is on record")


class _Said(NamedTuple):
    """What every judgement says beside its subject."""

    author: str
    reason: str
    venue: str | None
    underlying: str | None
    since: str | None
    for_: str
    incident: str | None


def _add(
    context: typer.Context,
    kind: str,
    subject: str,
    said: _Said,
    *,
    model: str | None = None,
    value: float | None = None,
    spread: float | None = None,
) -> None:
    """Record one judgement and say so."""
    from monitor.conventions import from_ms, to_ms
    from monitor.store.desk import find
    from monitor.store.judgements import add_judgement, next_night
    from monitor.venues import VENUES
    from monitor.verdict.judgement import Judgement, JudgementKind

    now = datetime.now(UTC)
    if said.venue is not None:
        VENUES[said.venue]
    underlying = None if said.underlying is None else said.underlying.upper()
    with desk_of(context).store() as store:
        start = lower_bound(said.since) or next_night(store, said.venue, underlying) or now
        judgement = Judgement(
            id="",
            kind=JudgementKind(kind),
            subject=subject,
            since_ms=to_ms(start),
            until_ms=to_ms(moment_ahead(said.for_, start)),
            author=said.author,
            reason=said.reason,
            venue=said.venue,
            underlying=underlying,
            model=model,
            value=value,
            spread=spread,
            incident=None if said.incident is None else find(store, said.incident).id,
        )
        made = add_judgement(store, judgement, wall=now)
    span = f"{from_ms(made.since_ms):%Y-%m-%d %H:%M} to {from_ms(made.until_ms):%Y-%m-%d %H:%M} UTC"
    words = [made.id, kind, model or "", subject]
    print(f"{' '.join(w for w in words if w)}: {span}, by {made.author}")


def _row(j: Judgement) -> dict[str, object]:
    from monitor.conventions import from_ms

    return {
        "id": j.id,
        "kind": str(j.kind),
        "venue": j.venue,
        "underlying": j.underlying,
        "model": j.model,
        "subject": j.subject,
        "value": j.value,
        "spread": j.spread,
        "since": from_ms(j.since_ms),
        "until": from_ms(j.until_ms),
        "author": j.author,
        "incident": j.incident,
        "reason": j.reason,
    }
