"""The application: global options, error messages, exit codes."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import (
    again,
    alerts,
    board,
    care,
    demo,
    judge,
    known,
    night,
    pairs,
    prove,
    sandbox,
    weekly,
)
from monitor.cli.context import Desk
from monitor.errors import MonitorError, UsageError

app = typer.Typer(
    name="misspec",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Say every night, with evidence, whether the desk's option models still describe the "
    "market: which, where on the surface, since when, by how much.",
    epilog="Exit codes: 0 done · 1 the job failed or a pass had no usable data · 2 bad usage or "
    "configuration · 3 only with --fail-on.",
)

for module in (
    demo,
    night,
    board,
    pairs,
    again,
    alerts,
    judge,
    known,
    sandbox,
    prove,
    weekly,
    care,
):
    module.add_to(app)


def _version(asked: bool) -> None:
    if asked:
        print(f"misspec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file of settings; else MISSPEC_CONFIG, else the defaults. Every key can be "
            "overridden by MISSPEC_… in the environment.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say on stderr what is being done.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("monitor").setLevel(logging.INFO if verbose else logging.WARNING)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if verbose else "CRITICAL")
    context.obj = Desk(config)


def run(arguments: list[str] | None = None) -> None:
    """Run the command of the arguments; leave with its exit code and, on failure, one sentence."""
    try:
        app(args=arguments)
    except MonitorError as error:
        print(f"misspec: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:  # `misspec history … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
