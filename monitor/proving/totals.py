"""What a meter is held to, over all worlds: shares found and named, and the table of triage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from monitor.proving.intervals import share_interval
from monitor.proving.nights import Lived, Span
from monitor.proving.score import NOTHING, called, outcome_of
from monitor.proving.seen import Seen
from monitor.sandbox.worlds import WORLDS

# What a terminal shows.
TOTALS = "of hits n share low high".split()


def totals_frame(lived: Sequence[Lived], span: Span) -> pd.DataFrame:
    """Return the shares that a meter is held to, over all worlds, with exact intervals."""
    met = [
        (WORLDS[run.world], outcome_of(run, span))
        for run in lived
        if any(b.pages for b in WORLDS[run.world].breaks)
    ]
    rows = []
    for is_rival, words in ((True, "where a rival is the truth"), (False, "where none is")):
        mine = [(w.breaks[0], o) for w, o in met if (w.rival is not None) == is_rival]
        in_time = [o.found is not None and o.found <= happens.within for happens, o in mine]
        rows += [
            _share(f"breaks found {words}", [o.found is not None for _, o in mine]),
            _share(f"found in time {words}", in_time),
            _share(f"seen, amber or red, {words}", [o.seen is not None for _, o in mine]),
            _share(
                f"right wing or expiry named, of those seen, {words}",
                [o.placed for _, o in mine if o.placed is not None],
            ),
        ]
    pairs = _pairs(lived)
    called_anything = [right == said for right, said in pairs if said != NOTHING]
    faults = [
        all(t.cause != "misspecification" for s in _from_break(run) for t in s.told)
        for run in lived
        if any(b.cause == "data" for b in WORLDS[run.world].breaks)
    ]
    unpaged = [
        not any(s.pages for s in _from_break(run))
        for run in lived
        if any(not b.pages for b in WORLDS[run.world].breaks)
    ]
    rows += [
        _share("triage: right cause, of runs in which anything was told", called_anything),
        _share("data faults without a word of misspecification", faults),
        _share("non-breaks without a red page of any cause", unpaged),
    ]
    return pd.DataFrame([row for row in rows if row["n"]])


def _share(of: str, hits: Sequence[bool]) -> dict[str, Any]:
    n, k = len(hits), sum(hits)
    low, high = share_interval(k, n) if n else (np.nan, np.nan)
    return {"of": of, "hits": k, "n": n, "share": k / n if n else np.nan, "low": low, "high": high}


def _from_break(run: Lived) -> list[Seen]:
    return [s for s in run.nights if s.night >= 0]


def _pairs(lived: Sequence[Lived]) -> list[tuple[str, str]]:
    """Return the cause that was right and the one that was called, of each run with an event."""
    return [
        (WORLDS[run.world].breaks[0].cause, called(_from_break(run)))
        for run in lived
        if WORLDS[run.world].breaks
    ]


def triage_frame(lived: Sequence[Lived]) -> pd.DataFrame:
    """Return runs by the cause that was right (rows) and the one that was called (columns)."""
    pairs = _pairs(lived)
    if not pairs:
        return pd.DataFrame()
    right, said = zip(*pairs, strict=True)
    table = pd.crosstab(pd.Series(right, name="expected"), pd.Series(said, name="called"))
    table["right"] = [_right(table, str(cause)) for cause in table.index]
    return table.reset_index().rename_axis(columns=None)


def _right(table: pd.DataFrame, cause: str) -> float:
    """Return the share of right causes among what was called anything at all."""
    at = list(table.index).index(cause)
    counts = dict(zip([str(c) for c in table.columns], table.to_numpy()[at].tolist(), strict=True))
    if cause != NOTHING:
        counts.pop(NOTHING, None)
    told = sum(counts.values())
    return float(counts.get(cause, 0) / told) if told else np.nan
