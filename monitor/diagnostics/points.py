"""The smile and the term structure at fixed places: vectors that nights can be compared by.

Vols between places are read off straight lines, as in `smile`; nothing here looks back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.smile import slices
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection

_DAY = 1.0 / 365.0
# Call deltas at which the mean smile is read, from the put side to the call side, and the tenors
# that it is the mean over.
DELTAS = {"10p": 0.90, "25p": 0.75, "atm": 0.50, "25c": 0.25, "10c": 0.10}
MEAN_DAYS = (7.0, 14.0, 30.0, 60.0, 90.0)
TERM_DAYS = (7.0, 14.0, 30.0, 45.0, 60.0, 90.0, 180.0)
SMILE, TERM = "smile_point_iv", "term_point_iv"
SMILE_SCOPES = tuple(f"point:{name}" for name in DELTAS)
TERM_SCOPES = tuple(f"tenor:{days:.0f}d" for days in TERM_DAYS)


@lru_cache(maxsize=4)
def smile_points(quotes: Quotes) -> FloatArray | None:
    """Return the mean smile's vols at `DELTAS`, shape (5,); None where the quotes do not reach."""
    read = []
    for smile in slices(quotes):
        at = [smile.k_of_call_delta(delta) for delta in DELTAS.values()]
        points = [smile.at(k) for k in at if k is not None]
        if len(points) == len(DELTAS) and all(p is not None for p in points):
            read.append((smile.tau, *(p[0] for p in points if p is not None)))
    if len(read) < 2:
        return None
    table = np.array(read)
    root, wanted = np.sqrt(table[:, 0]), np.sqrt(np.array(MEAN_DAYS) * _DAY)
    if not root[0] <= wanted[2] <= root[-1]:
        return None
    return np.array([np.mean(np.interp(wanted, root, column)) for column in table[:, 1:].T])


@lru_cache(maxsize=4)
def term_points(quotes: Quotes) -> FloatArray | None:
    """Return at-the-money vols at `TERM_DAYS`, shape (7,); None where the quotes do not reach."""
    known = [(s.tau, at[0]) for s in slices(quotes) if (at := s.at(0.0)) is not None]
    if len(known) < 3:
        return None
    tau, vol = np.array(known).T
    wanted = np.array(TERM_DAYS) * _DAY
    if not tau[0] <= wanted[0] or not wanted[-2] <= tau[-1]:
        return None
    # In total variance between expiries; flat in vol beyond the last.
    variance = np.interp(wanted, tau, vol**2 * tau) / np.minimum(wanted, tau[-1])
    return np.asarray(np.sqrt(variance))


@metric(
    SMILE,
    unit="vol",
    level="market",
    definition="Mid vol at 10 and 25 delta puts, at the money and at 25 and 10 delta calls, mean "
    "over tenors of 7, 14, 30, 60 and 90 days. Forward delta.",
    source="Market convention",
)
def smile_point_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the mean smile."""
    yield from _points(metric, evidence, smile_points(evidence.quotes), SMILE_SCOPES)


@metric(
    TERM,
    unit="vol",
    level="market",
    definition="Mid vol at the forward at 7, 14, 30, 45, 60, 90 and 180 days, in total variance "
    "between expiries.",
    source="Market convention",
)
def term_point_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the term structure at fixed tenors."""
    yield from _points(metric, evidence, term_points(evidence.quotes), TERM_SCOPES)


def _points(
    metric: Metric, evidence: Evidence, points: FloatArray | None, scopes: tuple[str, ...]
) -> Iterator[Outcome]:
    if points is None:
        yield Rejection("metric", "too_few_expiries", metric.name, "the quotes do not reach")
        return
    for scope, value in zip(scopes, points, strict=True):
        yield metric.value(evidence, float(value), scope=scope, n=evidence.quotes.n)
