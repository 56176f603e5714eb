"""Two models of one night, or one model on two nights, number by number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from monitor.errors import UnknownNameError, UsageError
from monitor.store.base import Store
from monitor.store.folder import query
from monitor.store.frames import surface_run
from monitor.store.typed import frame_of_rows

COMPARED = tuple(
    "metric scope unit first second difference stderr first_as_of second_as_of".split()
)


def compare_frame(
    store: Store,
    underlying: str,
    *,
    models: Sequence[str],
    at: Sequence[datetime | None] = (None,),
    venue: str | None = None,
    cadence: str | None = None,
) -> pd.DataFrame:
    """Return every number that both sides have, with their difference.

    Parameters
    ----------
    underlying : str
    models : sequence of str
        Two, or one for two nights; ``market`` for the numbers about the chain alone.
    at : sequence of datetime or None
        Two, or one for two models: the latest night with usable quotes by then.
    venue, cadence : str, optional

    Returns
    -------
    DataFrame
        Columns `COMPARED`: ``difference`` is second less first, ``stderr`` its standard error
        where both numbers have one.

    Raises
    ------
    UsageError
        If it is not two sides, or no run fits.
    UnknownNameError
        If a model was not judged that night; names those that were.
    """
    if len(models) * len(at) != 2:
        raise UsageError(
            f"compare two models of one night, or one model on two; got {len(models)} models "
            f"and {len(at)} nights"
        )
    sides = [(model, moment) for model in models for moment in at]
    numbers: list[dict[tuple[str, str, str], tuple[float, float | None]]] = []
    when: list[str] = []
    with store.reading() as connection:
        for model, moment in sides:
            run = surface_run(connection, None, underlying, moment, venue, cadence)
            asked = {"run_key": run["run_key"], "model": "" if model == "market" else model}
            found = connection.execute(query("run_metrics"), asked).all()
            if not found:
                known = connection.execute(query("run_models"), {"run_key": run["run_key"]})
                raise UnknownNameError(f"model in run {run['run_id']}", model, known.scalars())
            numbers.append({(r[0], r[1], r[2]): (r[3], r[5]) for r in found})
            when.append(run["as_of"])
    rows: list[tuple[Any, ...]] = []
    for name in sorted(numbers[0].keys() & numbers[1].keys()):
        (a, a_error), (b, b_error) = numbers[0][name], numbers[1][name]
        known = a_error is not None and b_error is not None
        error = float(np.hypot(a_error, b_error)) if known else None  # type: ignore[arg-type]
        rows.append((*name, a, b, b - a, error, *when))
    return frame_of_rows(COMPARED, rows)
