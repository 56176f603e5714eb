"""The loopback exchange alone: the venue's public API over a world or over recorded chains."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.context import lower_bound, stderr_console
from monitor.errors import MonitorError, UsageError

if TYPE_CHECKING:
    from monitor.sandbox.market import Market


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(sandbox)


def sandbox(
    world: Annotated[
        str | None, typer.Option("--world", metavar="NAME", help="`misspec worlds` lists them.")
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option("--archive", metavar="PATH", help="Recorded chains instead; repeatable."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Where to listen; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the world.")] = 0,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="T",
            help="Where the exchange's clock begins; by default the last recorded chain, or the "
            "evening before a world's break.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option("--speed", help="Its seconds in one of ours; 0: the clock stands still."),
    ] = 0.0,
) -> None:
    """A loopback exchange that speaks the venue's public API, until interrupted."""
    from monitor.conventions import from_ms
    from monitor.sandbox import ArchiveMarket, RunningClock, Sandbox
    from monitor.sandbox.generate import DEFAULT_BREAK_NIGHT, DEFAULT_START, open_world

    if world is not None and archive:
        raise UsageError("--world and --archive are two markets: give one of them")
    if speed < 0:
        raise UsageError(f"--speed must be zero or more, was {speed}")
    market: Market
    if archive:
        market = ArchiveMarket(archive)
        start = from_ms(market.refs[-1].as_of_ms)
    else:
        market = open_world(world or "calm", seed=seed)
        start = DEFAULT_START + timedelta(days=DEFAULT_BREAK_NIGHT - 1, hours=22, minutes=30)
    start = lower_bound(at) or start
    clock = RunningClock(start, time.monotonic, speed=speed)
    try:
        exchange = Sandbox(market, clock, port=port)
    except OSError as error:
        raise MonitorError(f"port {port} cannot be listened on: {error.strerror}") from error
    with exchange:
        print(exchange.url, flush=True)
        console = stderr_console()
        console.print(
            f"{', '.join(market.underlyings)} at {start:%Y-%m-%d %H:%M} UTC by its own clock. "
            f"Elsewhere:\n  MISSPEC_VENUES__DERIBIT__URL={exchange.url} misspec nightly\n"
            "Ctrl-C stops."
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print(f"{len(exchange.requests)} requests answered")
