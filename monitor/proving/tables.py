"""Operating characteristics as frames: false pages, breaks, what is none, triage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from monitor.assessment import Rules, streams_of
from monitor.proving.inject import Trial, night_found
from monitor.proving.intervals import poisson_interval, share_interval
from monitor.proving.nights import Lived, Span
from monitor.proving.score import (
    Outcome,
    ambers,
    called,
    counts_of,
    falsely_paged,
    outcome_of,
)
from monitor.sandbox.worlds import WORLDS
from monitor.verdict.market import MARKET

# What a terminal shows of each frame.
QUIET = (
    "world runs nights red nights_between between_low between_high budget holds amber "
    "amber_nights_between what"
).split()
BREAKS = (
    "world expected found interval within in_time nights_median nights_90 seen seen_median finders "
    "named called_right svi_adequate"
).split()
CALM = "world expected runs nights false_red rate_high misspecification called_right what".split()


def quiet_frame(lived: Sequence[Lived], rules: Rules) -> pd.DataFrame:
    """Return false pages where nothing happens: worlds of their own, and all together.

    Rates are a night; nights are those on which references were long enough for a red page.
    """
    rows = []
    quiet = [run for run in lived if not WORLDS[run.world].breaks]
    names = sorted({run.world for run in quiet})
    for name in [*names, *(["together"] if len(names) > 1 else [])]:
        runs = [run for run in quiet if name in (run.world, "together")]
        nights = sum(s.settled for run in runs for s in run.nights)
        pages = [t for run in runs for _, t in falsely_paged(run)]
        told = [t for run in runs for _, t in ambers(run)]
        low, high = poisson_interval(len(pages), max(nights, 1))
        rows.append(
            {
                "world": name,
                "runs": len(runs),
                "nights": nights,
                "red": len(pages),
                "nights_between": _over(nights, len(pages)),
                "between_low": 1.0 / high,
                "between_high": 1.0 / low if low else np.inf,
                "budget": budget(rules),
                "holds": low * budget(rules) <= 1.0 <= high * budget(rules),
                "amber": len(told),
                "amber_nights_between": _over(sum(len(run.nights) for run in runs), len(told)),
                "what": counts_of(pages) or "",
                "ambers": counts_of(told),
            }
        )
    return pd.DataFrame(rows)


def budget(rules: Rules) -> float:
    """Return the nights between false pages that one underlying is allowed."""
    return rules.drift.nights_between_a_streams / streams_of(
        rules.models, rules.inventory, markets=1
    )


def breaks_frame(lived: Sequence[Lived], span: Span) -> pd.DataFrame:
    """Return what became of each break that a desk must hear of."""
    rows = []
    for name, runs in _by_world(lived, pages=True):
        world = WORLDS[name]
        found = [outcome_of(run, span) for run in runs]
        hits = sum(o.found is not None for o in found)
        low, high = share_interval(hits, len(found))
        placed = [o.placed for o in found if o.placed is not None]
        within = world.breaks[0].within
        in_time = sum(o.found is not None and o.found <= within for o in found)
        rows.append(
            {
                "world": name,
                "truth": world.rival or "richer",
                "expected": world.breaks[0].cause,
                "runs": len(found),
                "red": hits / len(found),
                "red_low": low,
                "red_high": high,
                "found": f"{hits}/{len(found)}",
                "interval": f"{low:.0%}-{high:.0%}",
                "within": within,
                "in_time": f"{in_time}/{len(found)}",
                "red_in_time": in_time / len(found),
                "nights_median": _quantile(found, "found", 0.5),
                "nights_90": _quantile(found, "found", 0.9),
                "seen": f"{sum(o.seen is not None for o in found)}/{len(found)}",
                "seen_median": _quantile(found, "seen", 0.5),
                "finders": _finders(found),
                "named": f"{sum(placed)}/{len(placed)}" if placed else "",
                "placed": np.mean(placed) if placed else np.nan,
                "called_right": np.mean([o.called == world.breaks[0].cause for o in found]),
                "svi_adequate": _adequate(runs, "svi"),
            }
        )
    return pd.DataFrame(rows)


def calm_frame(lived: Sequence[Lived]) -> pd.DataFrame:
    """Return what was told where something happens that is no reason to page."""
    rows = []
    for name, runs in _by_world(lived, pages=False):
        pages = [t for run in runs for _, t in falsely_paged(run)]
        told = [t for run in runs for s in run.nights for t in s.told]
        nights = sum(s.settled for run in runs for s in run.nights)
        low, high = poisson_interval(len(pages), max(nights, 1))
        expected = WORLDS[name].breaks[0].cause
        labels = [called(run.nights) for run in runs]
        rows.append(
            {
                "world": name,
                "truth": WORLDS[name].rival or "richer",
                "expected": expected,
                "runs": len(runs),
                "nights": nights,
                "false_red": len(pages),
                "runs_paged": sum(bool(falsely_paged(run)) for run in runs),
                "rate_low": low,
                "rate_high": high,
                "misspecification": sum(t.cause == "misspecification" for t in told),
                "called_right": np.mean([label == expected for label in labels]),
                "what": counts_of(told),
            }
        )
    return pd.DataFrame(rows)


def runs_frame(lived: Iterable[Lived], span: Span) -> pd.DataFrame:
    """Return one row a run: the raw material of the tables."""
    rows: list[dict[str, Any]] = []
    for run in lived:
        world = WORLDS[run.world]
        expected = world.breaks[0].cause if world.breaks else "none"
        outcome = outcome_of(run, span) if world.breaks else None
        rows.append(
            {
                "world": run.world,
                "truth": world.rival or "richer",
                "seed": run.seed,
                "underlying": run.underlying,
                "expected": expected,
                "pages_right": any(b.pages for b in world.breaks),
                "nights": len(run.nights),
                "nights_settled": sum(s.settled for s in run.nights),
                "false_red": len(falsely_paged(run)),
                "amber": len(ambers(run)),
                "called": called([s for s in run.nights if s.night >= 0]),
                "red_night": None if outcome is None else outcome.found,
                "seen_night": None if outcome is None else outcome.seen,
                "finders": [] if outcome is None else list(outcome.finders),
                "placed": None if outcome is None else outcome.placed,
            }
        )
    return pd.DataFrame(rows)


def trials_frame(trials: Sequence[Trial], rules: Rules) -> pd.DataFrame:
    """Return what was found of errors put into recorded chains, by place, size and who found it."""
    models = [m for m in rules.models if m in rules.inventory and rules.inventory[m].pages]
    cells = sorted({(t.underlying, t.place, t.size) for t in trials})
    rows = []
    for cell in cells:
        mine = [t for t in trials if (t.underlying, t.place, t.size) == cell]
        for who in (*models, MARKET, "any"):
            red = [night_found(t, who, red=True) for t in mine]
            seen = [night_found(t, who, red=False) for t in mine]
            hits = sum(n is not None for n in red)
            low, high = share_interval(hits, len(mine))
            rows.append(
                {
                    "underlying": cell[0],
                    "place": cell[1],
                    "vol_points": round(100 * cell[2]),
                    "who": who,
                    "trials": len(mine),
                    "red": hits / len(mine),
                    "red_low": low,
                    "red_high": high,
                    "red_median": _middle(red, 0.5),
                    "red_90": _middle(red, 0.9),
                    "seen": np.mean([n is not None for n in seen]),
                    "seen_median": _middle(seen, 0.5),
                    "seen_90": _middle(seen, 0.9),
                }
            )
    return pd.DataFrame(rows)


def _by_world(lived: Sequence[Lived], *, pages: bool) -> list[tuple[str, list[Lived]]]:
    names = {r.world for r in lived if any(b.pages == pages for b in WORLDS[r.world].breaks)}
    return [(name, [run for run in lived if run.world == name]) for name in sorted(names)]


def _quantile(found: Sequence[Outcome], what: str, q: float) -> float:
    """Return a quantile of nights over all runs, those that never saw it counted as infinite."""
    return _middle([getattr(o, what) for o in found], q)


def _middle(nights: Sequence[int | None], q: float) -> float:
    known = np.array([np.inf if n is None else float(n) for n in nights])
    return float(np.quantile(known, q, method="inverted_cdf"))


def _finders(found: Sequence[Outcome]) -> str:
    names = sorted({f for o in found for f in o.finders})
    return ", ".join(f"{name} {sum(name in o.finders for o in found)}" for name in names)


def _adequate(runs: Sequence[Lived], model: str) -> float:
    said = [
        status == "adequate"
        for run in runs
        for s in run.nights
        for name, status in s.statuses
        if name == model and s.night >= 0
    ]
    return float(np.mean(said)) if said else np.nan


def _over(nights: int, events: int) -> float:
    return nights / events if events else np.inf
