"""What keeps the whole in order: the doctor, the database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from monitor.cli.context import FormatOption, desk_of, emit, frame_of, stderr_console
from monitor.report.form import Format

db = typer.Typer(no_args_is_help=True, help="The database: where it is, its schema, migrations.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(doctor)
    app.command()(watchdog)
    app.command()(retention)
    app.add_typer(db, name="db")


def doctor(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Try each thing a night needs: what works, what does not, what to do."""
    from monitor.health import examine

    with stderr_console().status("examining …"):
        checks = list(examine(desk_of(context).config))
    columns = ["what", "outcome", "found", "advice"]
    emit(frame_of([asdict(c) for c in checks], columns), form)
    if any(c.outcome == "error" for c in checks):
        raise typer.Exit(1)


def watchdog(context: typer.Context) -> None:
    """Look whether every night was done and every message delivered; tell what was not.

    It needs the database and nothing else, so that cron or systemd can run it where the scheduler
    does not: `15 * * * *  misspec watchdog`. It expects the nights of schedule.nightly from its
    first run on. What is missing, late, partial or empty, and what cannot be delivered, becomes an
    incident of cause job; it also sends the weekly test message. Leaves with code 1 if anything is
    wrong, one line each on stdout.
    """
    from datetime import UTC, datetime

    from monitor.watchdog import watch

    found = watch(desk_of(context).config, now=datetime.now(UTC))
    for trouble in found.troubles:
        print(trouble)
    if found.troubles:
        raise typer.Exit(1)
    print("all was done that was due")


def retention(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Move residuals older than retention.residual_months to cold Parquet files.

    Metrics, fits, verdicts and incidents stay for ever, and the raw chains in the archive: `replay`
    makes the residuals again. A lot's file is on disk before its rows are deleted.
    """
    from datetime import UTC, datetime

    from monitor.keeping import keep

    moved = keep(desk_of(context).config, now=datetime.now(UTC), dry_run=dry_run)
    rows = [{**asdict(lot), "file": str(lot.file)} for lot in moved]
    columns = ["month", "runs", "rows", "file"]
    emit(frame_of(rows, columns), form, columns=columns, empty="nothing is old enough")


@db.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version's schema, all of it or nothing; make a backup first."""
    from monitor.store import open_store

    with open_store(desk_of(context).config.database) as store:
        before = store.check()
        store.upgrade()
        print(f"{store.address}: {before} before, {store.check()} now")


@db.command()
def downgrade(context: typer.Context) -> None:
    """Refuse, and say what to do instead: an older schema has no place for what is stored."""
    from monitor.errors import UsageError
    from monitor.store import open_store

    with open_store(desk_of(context).config.database, readonly=True) as store:
        raise UsageError(
            f"{store.address}: history is not thrown away, so no migration is taken back. To use "
            "an older version of misspec, restore the backup made before its upgrade"
        )


@db.command()
def current(context: typer.Context) -> None:
    """Print where the database's schema stands: current, older, newer or empty."""
    from monitor.store import open_store

    with open_store(desk_of(context).config.database, readonly=True) as store:
        print(store.check())


@db.command()
def path(context: typer.Context) -> None:
    """Print the database's address, without secrets."""
    from monitor.store import open_store

    with open_store(desk_of(context).config.database, readonly=True) as store:
        print(store.address)
