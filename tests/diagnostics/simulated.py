"""Nights on which a model is right and only quotes are off: what tests with a size must keep.

``python -m tests.diagnostics.simulated --nights 2000`` prints the table that stands in
``test_sizes.py``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.solve import calibrate, evaluate, model_iv
from monitor.diagnostics.base import History, Series
from monitor.diagnostics.detectable import USUAL_HISTORY, buckets_of, detectable
from monitor.diagnostics.lastnight import stderr_of
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.residual import standardised
from monitor.diagnostics.residual_law import law_of_fit, law_of_last_night, tonights_law
from monitor.market.quotes import Quotes
from monitor.models import MODELS
from tests.diagnostics.noisy import evidence_of, grid_of, history_of, quoted

# Half-widths in vol: half, one, three and ten times those of the recorded chains.
SPREADS = (0.0025, 0.005, 0.015, 0.05)
TRUE = np.array([0.30, 4.0, 0.32, 1.5, -0.3])  # Heston as on a calm night
GRID = grid_of(21)
WITHIN = 1.96  # the two-sided 95 % point of a normal law


@dataclass
class Counts:
    """How many of each kind of z were within the 95 % point, night by night."""

    within: dict[str, list[float]] = field(default_factory=dict)
    n: dict[str, list[float]] = field(default_factory=dict)

    def add(self, kind: str, z: FloatArray) -> None:
        known = z[np.isfinite(z)]
        self.within.setdefault(kind, []).append(float(np.sum(np.abs(known) < WITHIN)))
        self.n.setdefault(kind, []).append(float(len(known)))

    def share(self, kind: str) -> tuple[float, float]:
        """Return the share within and its error, nights being independent and quotes not."""
        inside, n = np.array(self.within[kind]), np.array(self.n[kind])
        share = inside.sum() / n.sum()
        scatter = inside - share * n
        return float(share), float(np.sqrt(np.sum(scatter**2)) / n.sum())


def truth() -> FloatArray:
    """Return the true vols."""
    return model_iv(MODELS["heston"], TRUE, GRID)


def subset(quotes: Quotes, kept: BoolArray) -> Quotes:
    """Return the quotes kept."""
    names = (
        "expiry_index strike k sign c_bid c_ask tick iv_bid iv_ask iv vega noise mark_iv "
        "open_interest"
    )
    columns = {name: getattr(quotes, name)[kept] for name in names.split()}
    return replace(quotes, instrument=tuple(np.array(quotes.instrument)[kept].tolist()), **columns)


def taught(rng: np.random.Generator, nights: int = 40) -> History:
    """Return a quiet past of nights at every spread."""
    iv = truth()
    return history_of(
        [quoted(GRID, iv, rng, half_width=SPREADS[i % len(SPREADS)]) for i in range(nights)]
    )


def run(half_width: float, nights: int, seed: int) -> Counts:
    """Return how often z was within its 95 % point: fitted, held out, next night, by bucket."""
    rng = np.random.default_rng(seed)
    model, iv, counts = MODELS["heston"], truth(), Counts()
    history = taught(rng)
    noise = learnt_noise(history)
    states = np.array([p.role == "state" for p in model.parameters])
    for _ in range(nights):
        quotes = quoted(GRID, iv, rng, half_width=half_width)
        fit = calibrate(model, quotes, start=TRUE)
        counts.add("fitted", standardised(quotes, fit, noise))
        sums = buckets_of(quotes).weights
        of_buckets = sums.T @ (fit.iv - quotes.iv)
        variance = np.diag(tonights_law(quotes, fit, noise).of_sums(sums))
        counts.add("bucket", of_buckets / np.sqrt(variance))
        used = rng.random(quotes.n) > 0.15
        without = calibrate(model, subset(quotes, used), start=fit.params)
        laid = replace(evaluate(model, quotes, without.params), at_bound=without.at_bound)
        held_out = (laid.iv - quotes.iv) / np.sqrt(
            law_of_fit(quotes, laid, noise, used=used).variance
        )
        counts.add("held out", held_out[~used])
        tonight = quoted(GRID, iv, rng, half_width=half_width)
        refreshed = calibrate(model, tonight, start=fit.params, free=states)
        errors = stderr_of(fit.covariance)
        law = law_of_last_night(tonight, refreshed, errors, states, noise)
        counts.add("next night", (refreshed.iv - tonight.iv) / np.sqrt(law.variance))
    return counts


def power(nights: int, seed: int, usual: float = 0.0) -> tuple[float, float]:
    """Return the share of injected errors of the detectable size that were found, and its error.

    Each night an error of that size, up or down, is put on one bucket of the true smile, whose
    misfit is off by `usual` (vol, standard deviation) each night; the fit follows what it can.
    """
    rng = np.random.default_rng(seed)
    model, iv = MODELS["heston"], truth()
    history = taught(rng)
    if usual:
        days = np.arange(120)
        moved = {
            (model.name, name, scope): Series(days, usual * rng.standard_normal(120))
            for name, scope in USUAL_HISTORY
        }
        history = replace(history, series={**history.series, **moved})
    noise, found = learnt_noise(history), []
    for _ in range(nights):
        quotes = quoted(GRID, iv, rng)
        buckets = buckets_of(quotes)
        plain = calibrate(model, quotes, start=TRUE)
        shown = detectable(replace(evidence_of(quotes, history), model=model, fit=plain))
        variance = np.diag(tonights_law(quotes, plain, noise).of_sums(buckets.weights))
        b = int(rng.choice(np.flatnonzero(np.isfinite(shown))))
        error = rng.choice([-1.0, 1.0]) * shown[b] * buckets.members[:, b]
        bent = replace(
            quotes,
            iv=quotes.iv + error,
            iv_bid=quotes.iv_bid + error,
            iv_ask=quotes.iv_ask + error,
        )
        fit = calibrate(model, bent, start=plain.params)
        moved = usual * np.subtract(*rng.standard_normal(2))  # tonight less last night
        misfit = buckets.weights[:, b] @ (fit.iv - bent.iv) + moved
        found.append(abs(misfit) > WITHIN * np.sqrt(variance[b] + 2.0 * usual**2))
    share = float(np.mean(found))
    return share, float(np.sqrt(share * (1.0 - share) / nights))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=2000)
    nights = parser.parse_args().nights
    kinds = ("fitted", "held out", "next night", "bucket")
    print(f"half-width  {'  '.join(f'{k:>14}' for k in kinds)}")
    for i, half_width in enumerate(SPREADS):
        counts = run(half_width, nights, seed=i)
        cells = ["{:.4f} ± {:.4f}".format(*counts.share(k)) for k in kinds]
        print(f"{half_width:10.4f}  {'  '.join(cells)}", flush=True)
    for usual in (0.0, 0.002):
        share, error = power(nights, seed=9, usual=usual)
        print(f"found at the detectable size, usual {usual}: {share:.4f} ± {error:.4f}", flush=True)


if __name__ == "__main__":
    main()
