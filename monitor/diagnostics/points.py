"""The smile and the term structure at fixed places: vectors that nights can be compared by.

Vols are read as in `smile`; nothing here looks back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from monitor.arrays import FloatArray
from monitor.conventions import expiry_label
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
SMILE, TERM, GAP = "smile_point_iv", "term_point_iv", "term_gap_iv"
# Tenors that draw the curve, and those that are held against it: nearer ones go by the days that
# they hold, weekends and releases, and not by a curve.
_DRAWN_FROM, _HELD_FROM = 5.0 * _DAY, 14.0 * _DAY
_FEWEST_OTHERS = 4
# Of the quotes that expiries usually have, and by count: one newly listed has a handful, wide and
# far apart.
_THINNEST, _FEWEST_QUOTES = 1.0 / 3.0, 8
SMILE_SCOPES = tuple(f"point:{name}" for name in DELTAS)
TERM_SCOPES = tuple(f"tenor:{days:.0f}d" for days in TERM_DAYS)


@lru_cache(maxsize=4)
def smile_points(quotes: Quotes) -> FloatArray | None:
    """Return the mean smile's vols at `DELTAS`, shape (5,); None where the quotes do not reach."""
    read = []
    for smile in slices(quotes):
        points = [p for d in DELTAS.values() if (p := smile.at_call_delta(d)) is not None]
        if len(points) == len(DELTAS):
            read.append((smile.tau, *(vol for vol, _ in points)))
    if len(read) < 2:
        return None
    table = np.array(read)
    root, wanted = np.sqrt(table[:, 0]), np.sqrt(np.array(MEAN_DAYS) * _DAY)
    if not root[0] <= wanted[2] <= root[-1]:
        return None
    return np.array([np.mean(np.interp(wanted, root, column)) for column in table[:, 1:].T])


def _drawing(quotes: Quotes, shortest: float = 0.0) -> list[tuple[int, float, float]]:
    """Return place, tenor and at-the-money vol of the expiries that draw a curve.

    An expiry with less than a third of the usual quotes or fewer than eight does not.
    """
    smiles = [(j, s) for j, s in enumerate(slices(quotes)) if s.tau >= shortest]
    usual = float(np.median([len(s.k) for _, s in smiles])) if smiles else 0.0
    fewest = max(_THINNEST * usual, _FEWEST_QUOTES)
    return [
        (j, s.tau, at[0]) for j, s in smiles if len(s.k) >= fewest and (at := s.money) is not None
    ]


@lru_cache(maxsize=4)
def term_points(quotes: Quotes) -> FloatArray | None:
    """Return at-the-money vols at `TERM_DAYS`, shape (7,); None where the quotes do not reach."""
    known = _drawing(quotes)
    if len(known) < 3:
        return None
    _, tau, vol = np.array(known).T
    wanted = np.array(TERM_DAYS) * _DAY
    if not tau[0] <= wanted[0] or not wanted[-2] <= tau[-1]:
        return None
    # In total variance between expiries; flat in vol beyond the last.
    variance = np.interp(wanted, tau, vol**2 * tau) / np.minimum(wanted, tau[-1])
    return np.asarray(np.sqrt(variance))


@lru_cache(maxsize=4)
def term_gaps(quotes: Quotes) -> dict[int, float]:
    """Return how far expiries lie off the curve through all others, in vol, by their place.

    Of each from two weeks on that has a neighbour on either side; none where fewer than four others
    draw a curve.

    Notes
    -----
    At-the-money vol minus the natural cubic spline in log tenor through the other expiries: as many
    knots as quotes, so that nothing is to be chosen and no bend however sharp is smoothed away.

    *Refused:* leaving out those that are read with twice the usual error: who draws the curve then
    changes from night to night, and of 120 expiries shifted by one vol point 24 are found for 112.
    """
    drawn = _drawing(quotes, _DRAWN_FROM)
    if len(drawn) <= _FEWEST_OTHERS:
        return {}
    place, tau, vol = zip(*drawn, strict=True)
    x, y = np.log(np.array(tau)), np.array(vol)
    gaps = {}
    for i in range(1, len(x) - 1):
        if tau[i] >= _HELD_FROM:
            curve = CubicSpline(np.delete(x, i), np.delete(y, i), bc_type="natural")
            gaps[place[i]] = float(y[i] - curve(x[i]))
    return gaps


@metric(
    GAP,
    unit="vol",
    level="market",
    definition="At-the-money vol of an expiry minus the natural cubic spline in log tenor through "
    "all other expiries of five days and more that have a third of the usual quotes, eight at "
    "least; each from two weeks on, and for the chain the largest in size, without its sign.",
    source="Own; leave-one-out interpolation",
)
def term_gap_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far each expiry lies out of line."""
    quotes = evidence.quotes
    gaps = term_gaps(quotes)
    if not gaps:
        yield Rejection("metric", "too_few_expiries", metric.name, "too few draw a curve")
        return
    yield metric.value(evidence, max(abs(gap) for gap in gaps.values()), n=len(gaps))
    for j, gap in gaps.items():
        yield metric.value(
            evidence, gap, scope=f"expiry:{expiry_label(int(quotes.expiry_ms[j]))}", n=1
        )


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
    "between expiries that have a third of the usual quotes, eight at least.",
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
