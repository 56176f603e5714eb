"""What is computed again: a stored run, by its own rules or by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.context import (
    FormatOption,
    desk_of,
    emit,
    frame_of,
    stderr_console,
)
from monitor.errors import UsageError
from monitor.report.form import Format

if TYPE_CHECKING:
    from monitor.replay import Replay
    from monitor.store import Store

SUMMARY = "run_id as_of venue underlying cadence slot compared differing remarks".split()
DIFFERENCES = "run_id part place column stored replayed".split()
CHANGES = "run_id subject what stored replayed".split()
_SHOWN = 20  # differences of one run in a table; the other formats have all


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(replay)


def replay(
    context: typer.Context,
    run_id: Annotated[
        list[str] | None, typer.Argument(metavar="RUN_ID…", help="Or the beginning of it.")
    ] = None,
    random: Annotated[
        int, typer.Option("--random", metavar="N", help="So many stored runs, drawn by chance.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of that chance.")] = 0,
    with_config: Annotated[
        Path | None,
        typer.Option(
            "--with-config",
            metavar="FILE",
            help="Say what the rules of this file would have judged and told instead.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without-judgement",
            metavar="ID",
            help="Say what would have been judged and told without this expert judgement.",
        ),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option("--archive", metavar="PATH", help="Where else chains lie; repeatable."),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Compute a stored run again from its archived chain and hold every stored number against it.

    The other formats list only what differs, every value of it. Leaves with code 1 if anything
    does.
    """
    from monitor.replay import replay as again

    desk = desk_of(context)
    with desk.store(readonly=True) as store:
        ids = list(_asked(store, run_id or [], random, seed))
        if with_config is not None or without:
            _what_if(store, context, ids, with_config, without or [], archive or [], form)
            return
        done = []
        with stderr_console().status("replaying …") as status:
            for n, one in enumerate(ids, start=1):
                status.update(f"replaying {n} of {len(ids)} …")
                done.append(again(store, desk.config, one, archive=archive or ()))
    differing = [row for r in done for row in _rows(r)]
    if form is Format.TABLE:
        emit(frame_of([_summary(r) for r in done], SUMMARY), form, columns=SUMMARY)
        if differing:
            first = [d for r in done for d in _rows(r)[:_SHOWN]]
            emit(frame_of(first, DIFFERENCES), form, title=f"What differs ({_SHOWN} a run at most)")
        n = sum(r.n_compared for r in done)
        print(f"{len(done)} runs, {n:,} values: {n - len(differing):,} the same to the last bit")
    else:
        emit(frame_of(differing, DIFFERENCES), form)
    if differing:
        raise typer.Exit(1)


def _asked(store: Store, named: list[str], random: int, seed: int) -> Iterator[str]:
    import numpy as np

    from monitor.store.content import run_ids

    yield from named
    if random:
        stored = run_ids(store)
        drawn = np.random.default_rng(seed).permutation(len(stored))[:random]
        yield from (stored[i] for i in sorted(drawn.tolist()))
    elif not named:
        raise UsageError("name a run (misspec history shows their ids), or draw some with --random")


def _rows(done: Replay) -> list[dict[str, str]]:
    """Return the differences as text: their columns hold numbers, words and times."""
    return [
        {"run_id": done.run.id, **{k: str(v) for k, v in asdict(d).items()}}
        for d in done.differences
    ]


def _summary(done: Replay) -> dict[str, object]:
    from monitor.conventions import from_ms

    run = done.run
    return {
        "run_id": run.id,
        "as_of": from_ms(run.as_of_ms),
        "venue": run.stream.venue,
        "underlying": run.stream.underlying,
        "cadence": run.stream.cadence,
        "slot": run.slot,
        "compared": done.n_compared,
        "differing": len(done.differences),
        "remarks": "; ".join(done.remarks),
    }


def _what_if(
    store: Store,
    context: typer.Context,
    ids: list[str],
    path: Path | None,
    without: list[str],
    archive: list[Path],
    form: Format,
) -> None:
    from monitor.config import load_config
    from monitor.replay import what_if
    from monitor.store.judgements import find_judgement

    config = desk_of(context).config
    rules = (config if path is None else load_config(path)).rules()
    ids_out = [find_judgement(store, j).id for j in without]
    rows = []
    for one in ids:
        done, changes = what_if(store, config, rules, one, archive=archive, without=ids_out)
        rows += [{"run_id": done.run.id, **asdict(change)} for change in changes]
        for remark in done.remarks:
            stderr_console().print(f"{done.run.id}: {remark}")
    said = [f"by the rules of {path}"] * (path is not None)
    others = ", ".join([*said, *(f"without judgement {j}" for j in ids_out)])
    emit(
        frame_of(rows, CHANGES),
        form,
        title=f"Stored, and {others}",
        columns=CHANGES,
        empty=f"{others}, every run would have said the same",
    )
