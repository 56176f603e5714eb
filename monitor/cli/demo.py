"""The demonstration: a market whose truth is known, watched until it breaks."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.context import desk_of, stderr_console, stdout_console
from monitor.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.rehearsal import Rehearsal

COMMANDS = (
    ("the verdict board", "status"),
    ("the incidents", "alerts list --all"),
    ("SVI's error through time", "history --metric rmse_iv --model svi --plot terminal"),
    ("last night's smiles", "surface --underlying BTC --model svi --model heston"),
    ("what is measured", "metrics"),
)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)


def demo(
    context: typer.Context,
    nights: Annotated[
        int, typer.Option("--nights", help="Nights through the exchange; half of them quiet.")
    ] = 8,
    world: Annotated[
        str, typer.Option("--world", metavar="NAME", help="`misspec worlds` lists them.")
    ] = "jumps-on",
    seed: Annotated[int, typer.Option("--seed", help="Of the world.")] = 0,
) -> None:
    """Watch a market of known truth until it breaks: the real client, flow and database.

    Sixty quiet nights are learnt from an archive, then each night is fetched from a loopback
    exchange by the real client and judged by the real flow.
    """
    from monitor.rehearsal import Rehearsal

    if nights < 2:
        raise UsageError(f"--nights must be at least 2, one before the break, was {nights}")
    home = desk_of(context).config.home / "demo"
    rehearsal = Rehearsal(home, world, seed=seed, nights=nights)
    for name in [n for n in os.environ if n.upper().startswith("MISSPEC_")]:
        del os.environ[name]  # the demonstration has a configuration of its own
    os.environ["PREFECT_HOME"] = str(home / "prefect")
    os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
    logging.getLogger("monitor.desk").setLevel(logging.CRITICAL)  # the news is shown by night
    rehearsal.prepare()
    console = stderr_console()
    console.print(f"world {world}, seed {seed}: {rehearsal.market.world.summary}", soft_wrap=True)
    _rehearse(rehearsal, console)
    _tell(rehearsal)


def _rehearse(rehearsal: Rehearsal, console: Console) -> None:
    from flows.server import own_server
    from monitor.cli.night import shown

    with ExitStack() as stack, ThreadPoolExecutor(1) as aside:
        # The engine takes a dozen seconds to come up: meanwhile the quiet nights are learnt.
        server = aside.submit(stack.enter_context, own_server(rehearsal.home / "prefect"))
        console.print("1  sixty quiet nights, from an archive")
        rehearsal.record_past()
        for _ in shown(rehearsal.learn()):
            pass
        console.print("2  the nights to be judged: exchange, client, flow")
        with console.status("waiting for the engine …"):
            url = server.result()
        _nights(rehearsal, url, console)


def _nights(rehearsal: Rehearsal, url: str, console: Console) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from monitor.cli.night import run_flow

    with temporary_settings({PREFECT_API_URL: url}):
        for night in rehearsal.live():
            with console.status(f"{night.label} …"):
                run = asyncio.run(run_flow(rehearsal.config_path, rehearsal.targets, []))
                night = rehearsal.look(night, run.said)
            console.print(f"   {night.label}: {night.news}", soft_wrap=True)


def _tell(rehearsal: Rehearsal) -> None:
    """Print the board, the incidents, what was broken and whether it was found."""
    from monitor.cli.board import in_order
    from monitor.report.listing import table, to_console

    out = stdout_console()
    board, alerts = rehearsal.board(), rehearsal.alerts()
    board = in_order(board, rehearsal.config.models)
    for title, frame, columns in (
        ("Verdict board", board, "as_of venue underlying model status reason"),
        ("Incidents", alerts, "id state severity cause model opened_at last_seen message"),
    ):
        to_console(table(frame, title=title, columns=columns.split(), empty="no incident"), out)
        out.print()
    for line in rehearsal.story():
        out.print(line, soft_wrap=True)
    out.print()
    out.print("Where to look next:")
    out.print(f"  export MISSPEC_CONFIG={rehearsal.config_path}", soft_wrap=True)
    for line in where_next(_command()):
        out.print(line, soft_wrap=True)


def where_next(command: str) -> list[str]:
    """Return commands to go on with, one a line, what each is for beside it."""
    called = [(f"  {command} {arguments}", what) for what, arguments in COMMANDS]
    width = max(len(line) for line, _ in called)
    return [f"{line:<{width}}  # {what}" for line, what in called]


def _command() -> str:
    """Return how this program was called, short enough to be typed again."""
    called = Path(sys.argv[0])
    try:
        return str(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(called) if called.is_absolute() and called.name == "misspec" else "misspec"
