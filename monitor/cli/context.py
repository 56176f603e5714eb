"""What commands share: configuration, store, options of one kind, how an answer is written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.errors import StoreError, StoreUnavailable, UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from monitor.config import Config
    from monitor.store import Store


_TICK = timedelta(milliseconds=1)  # no clock of ours, and no venue's, tells less


class Desk:
    """What a command works on; read when first asked for."""

    def __init__(self, config_path: Path | None) -> None:
        self.config_path = config_path

    @cached_property
    def config(self) -> Config:
        """The configuration."""
        from monitor.config import load_config

        return load_config(self.config_path)

    def store(self, *, readonly: bool = False) -> Store:
        """Return the store.

        Raises
        ------
        StoreUnavailable
            If nothing was ever stored: there is nothing to read, and nothing to act on.
        """
        from monitor.store import SchemaState, open_store

        store = open_store(self.config.database, readonly=readonly)
        state = store.check()
        if state is SchemaState.OTHER_VIEWS and readonly:
            with suppress(StoreError), open_store(self.config.database) as writable:
                writable.upgrade()
        if state is SchemaState.EMPTY:
            raise StoreUnavailable(
                f"nothing is stored yet at {store.address}; `misspec nightly` or `misspec backfill`"
                " begins, MISSPEC_HOME or MISSPEC_DATABASE_URL names another place"
            )
        return store


class FailOn(StrEnum):
    """The severity from which open incidents make a command leave with code 3."""

    RED = "red"
    AMBER = "amber"


FormatOption = Annotated[
    Format,
    typer.Option("--format", "-f", help="Tables are for people; the others print only data."),
]
VenueOption = Annotated[
    list[str] | None, typer.Option("--venue", metavar="V", help="Only this venue; repeatable.")
]
UnderlyingOption = Annotated[
    list[str] | None,
    typer.Option("--underlying", metavar="U", help="Only this underlying, e.g. BTC; repeatable."),
]
ModelOption = Annotated[
    list[str] | None, typer.Option("--model", metavar="M", help="Only this model; repeatable.")
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option(
        "--fail-on", help="Leave with code 3 if an incident so severe, or worse, is open."
    ),
]


def desk_of(context: typer.Context) -> Desk:
    """Return what the application put into the context."""
    desk = context.find_root().obj
    assert isinstance(desk, Desk)
    return desk


def lower_bound(text: str | None) -> datetime | None:
    """Return a time given as ``2026-02-05`` (its midnight, UTC) or ISO ``2026-02-05T14:00``."""
    return None if text is None else _moment(text)[0]


def upper_bound(text: str | None) -> datetime | None:
    """Return the last moment of a day, or the moment itself where a time of day is given."""
    if text is None:
        return None
    moment, is_day = _moment(text)
    return moment + timedelta(days=1) - _TICK if is_day else moment


def upper_edge(text: str | None) -> datetime | None:
    """Return the first moment that is no longer meant by `upper_bound`."""
    bound = upper_bound(text)
    return None if bound is None else bound + _TICK


_SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment_ahead(text: str, now: datetime) -> datetime:
    """Return the moment a span ahead of now, given as ``12h``, ``3d``, ``2w``, or as a time."""
    number, unit = text[:-1], text[-1:]
    if unit in _SPANS and number.replace(".", "", 1).isdigit():
        try:
            return now + float(number) * _SPANS[unit]
        except OverflowError:
            raise UsageError(f"{text!r} from now is beyond the calendar") from None
    try:
        moment, is_day = _moment(text)
    except UsageError:
        raise UsageError(
            f"{text!r} is no span; give 12h, 3d or 2w, or its last day (2026-02-05)"
        ) from None
    return moment + timedelta(days=1) if is_day else moment


def _moment(text: str) -> tuple[datetime, bool]:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime.combine(day, time(), UTC), True
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time; give a day (2026-02-05) or a time (2026-02-05T14:00, UTC)"
        ) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC), False


def among(names: Iterable[str] | None, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows of some names; a name that no row bears is refused, with those borne."""
    from monitor.errors import UnknownNameError

    wanted = list(names or ())
    if not wanted or frame.empty:
        return frame
    known = frame[column].dropna().unique().tolist()
    for name in wanted:
        if name not in known:
            raise UnknownNameError(column, name, known)
    return frame[frame[column].isin(wanted)]


def emit(
    frame: pd.DataFrame,
    form: Format,
    *,
    title: str | None = None,
    columns: Sequence[str] | None = None,
    empty: str = "nothing to show",
) -> None:
    """Write a frame to stdout: a table of some columns for people, all of them for programs."""
    from monitor.report.listing import encoded, table, to_console

    if form is Format.TABLE:
        to_console(table(frame, title=title, columns=columns, empty=empty), stdout_console())
        return
    if form is Format.PARQUET and sys.stdout.isatty():
        raise UsageError("Parquet is no text for a terminal: send it to a file, > FILE.parquet")
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded(frame, form))
    sys.stdout.buffer.flush()


def frame_of(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a frame with these columns, also when there is none."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def stdout_console() -> Console:
    """Return the console for answers."""
    from rich.console import Console

    return Console(highlight=False, markup=False)


def stderr_console() -> Console:
    """Return the console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)


def fail_on(store: Store, limit: FailOn | None) -> None:
    """Leave with code 3 if an incident of that severity, or a worse one, is not resolved."""
    if limit is None:
        return
    from monitor.store.frames import alerts_frame
    from monitor.verdict.base import Severity

    severities = alerts_frame(store)["severity"]
    if any(Severity(s).rank >= Severity(limit.value).rank for s in severities):
        raise typer.Exit(3)
