"""How often tests of what a fit left over reject a right model, and name what is wrong with others.

``python -m tests.diagnostics.operating --nights 2000 --seeds 20`` prints the tables that stand in
``test_operating.py``: the size of every test at every spread where Heston is true and noise is
learnt, and the assumption or constant that is named on the night after a sandbox world breaks.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from monitor.calibration.fit import Fit
from monitor.calibration.solve import calibrate, grid_of
from monitor.conventions import MS_PER_DAY
from monitor.diagnostics.base import METRICS, Evidence, History, MetricValue
from monitor.diagnostics.score import constancy_scores, feature_scores, named
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from monitor.market.quotes import Quotes
from monitor.models import MODELS
from monitor.sandbox.generate import open_world
from tests.diagnostics.evidence import remembered
from tests.diagnostics.noisy import SNAPSHOT, history_of, quoted
from tests.diagnostics.simulated import GRID, SPREADS, taught, truth

HESTON = MODELS["heston"]
# One-sided at 5 %: a misfit only adds to a chi-squared. Two-sided: a wing may be off either way.
ONE_SIDED, TWO_SIDED = 1.645, 1.960
TESTS = {
    "mode_z": TWO_SIDED,
    "region_z": TWO_SIDED,
    "sign_runs": TWO_SIDED,
    "spatial_autocorrelation": TWO_SIDED,
    "assumption_z": ONE_SIDED,
    "constancy_z": ONE_SIDED,
    "structure_stability": ONE_SIDED,
}
NAMED = ("failed_assumption", "failed_constant")  # one of many at 5 % together
WORLDS = {
    "jumps-on": ("assumption", "jumps"),
    "correlation-flip": ("constant", "rho"),
    "vol-of-vol-doubles": ("constant", "xi"),
}
_TAUGHT, _HOUR_MS = 15, 81_000_000  # quiet nights learnt from; half past ten in the evening


def two_nights(before: Quotes, then: Fit, tonight: Quotes, history: History) -> Evidence:
    """Return the evidence on a model's second night: tonight's fit, and last night's laid on it."""
    model, grid = MODELS[then.model], grid_of(tonight)
    past = remembered(then, before)
    carried = model.carry(past.params, past.expiry_ms, past.tau, grid)
    states = np.array([p.role == "state" for p in model.tiled(grid)])
    fit = calibrate(model, tonight, grid=grid)
    refreshed = calibrate(model, tonight, grid=grid, start=carried, free=states)
    history = replace(history, fits={model.name: past})
    return Evidence(SNAPSHOT, tonight, history, model=model, fit=fit, refreshed=refreshed)


def sizes(half_width: float, nights: int, seed: int) -> dict[str, tuple[float, float]]:
    """Return each test's share of rejections where Heston is right, and its standard error.

    A metric of several scopes counts all of them; its error is that of nights, not of scopes.
    """
    rng, iv = np.random.default_rng(seed), truth()
    history = taught(rng)
    counts: dict[str, list[tuple[int, int]]] = {name: [] for name in (*TESTS, *NAMED)}
    before = quoted(GRID, iv, rng, half_width=half_width)
    then = calibrate(HESTON, before)
    for _ in range(nights):
        tonight = quoted(GRID, iv, rng, half_width=half_width)
        evidence = two_nights(before, then, tonight, history)
        assert evidence.fit is not None
        before, then = tonight, evidence.fit
        for name, limit in TESTS.items():
            z = [o.value for o in METRICS[name].compute(evidence) if isinstance(o, MetricValue)]
            beyond = np.abs(z) > limit if limit == TWO_SIDED else np.array(z) > limit
            counts[name].append((int(np.sum(beyond)), len(z)))
        for name in NAMED:
            found = any(isinstance(o, MetricValue) for o in METRICS[name].compute(evidence))
            counts[name].append((int(found), 1))
    return {name: _share(np.array(c)) for name, c in counts.items()}


def _share(counts: np.ndarray) -> tuple[float, float]:
    hits, asked = counts.sum(axis=0)
    scatter = counts[:, 0] - hits / asked * counts[:, 1]
    return float(hits / asked), float(np.sqrt(np.sum(scatter**2)) / asked)


def named_after_break(world: str, seeds: range) -> Iterator[str | None]:
    """Yield what the score tests of Heston name on the first night of a world's break.

    What it lacks where a feature fails, the constant that gave way where one does.
    """
    question, _ = WORLDS[world]
    for seed in seeds:
        market = open_world(world, seed=seed, break_night=_TAUGHT)
        for underlying in market.underlyings:
            nights = [
                build_quotes(
                    market.snapshot(
                        underlying, market.start_ms + t * MS_PER_DAY + _HOUR_MS, brief=True
                    ),
                    CleaningRules(),
                )
                for t in range(_TAUGHT + 1)
            ]
            then = calibrate(HESTON, nights[-2])
            evidence = two_nights(nights[-2], then, nights[-1], history_of(nights[:-1]))
            scores = feature_scores if question == "assumption" else constancy_scores
            yield named(scores(evidence) or {})


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--spread", type=float, action="append", help="half-width in vol")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    found = {h: sizes(h, asked.nights, seed=5) for h in asked.spread or SPREADS if asked.nights}
    print("half-width in vol        " + "".join(f"{h:>16.4f}" for h in found))
    for name in (*TESTS, *NAMED):
        cells = "".join(f"  {f[name][0]:.4f} ±{f[name][1]:.4f}" for f in found.values())
        print(f"{name:<25}{cells}", flush=True)
    for world, (_, right) in WORLDS.items():
        names = Counter(named_after_break(world, range(asked.seeds)))
        share = names[right] / max(names.total(), 1)
        print(f"{world:<20} {right:<6} {share:.0%} of {names.total()}  {dict(names)}", flush=True)


if __name__ == "__main__":
    main()
