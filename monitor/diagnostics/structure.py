"""Is there order in what a fit left over, and where?

A right model leaves noise: no mode of the smile, no region, no run of signs, no likeness of
neighbours. Each statistic here is a normal deviate under that null with noise of the size and
correlation that quiet nights taught, less what the fit followed; so its size is right for models
of any number of parameters. Without such nights the noise is uniform between bid and ask, about
twice that of recorded chains, and the tests say less than they could. `sign_runs` and
`spatial_autocorrelation` do not depend on the noise's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.leftover import Leftover, leftover
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.places import WINGS, wing_index
from monitor.diagnostics.residual_law import tonights_law
from monitor.market.quotes import Quotes
from monitor.numerics.spatial import moran, neighbours, sign_changes
from monitor.outcome import Rejection

MODES = ("level", "slope", "curvature", "term")
# Tenors in years below which an expiry is of the week, of the month; beyond, of the season.
TENORS = (("week", 9.0 / 365.0), ("month", 45.0 / 365.0), ("season", np.inf))
_ABSORBED = 1e-3  # of its length: a mode that the model follows leaves nothing to test
_LEAST = 3  # quotes of a region
NEEDS = "quiet nights, if any; else bid and ask alone"
AFT = "Andersen, Fusari and Todorov (2015), Econometrica 83(3)"


def standard_moneyness(quotes: Quotes, iv: FloatArray) -> FloatArray:
    """Return k over the deviation of the log price at vols `iv`, shape (n,).

    At the fit's own vols it is as good as independent of the residuals; at the market's, an error
    of a quote would move the quote along the smile, and the curvature of pure noise would be
    found positive.
    """
    return np.asarray(quotes.k / (iv * np.sqrt(quotes.tau[quotes.expiry_index])))


def smile_modes(quotes: Quotes, iv: FloatArray) -> FloatArray:
    """Return level, slope, curvature and term of vol at each quote, shape (n, 4)."""
    x, tau = standard_moneyness(quotes, iv), quotes.tau[quotes.expiry_index]
    return np.stack([np.ones(quotes.n), x, x * x, np.log(tau)], axis=1)


@lru_cache(maxsize=4)
def _modes_left(evidence: Evidence, left: Leftover) -> tuple[tuple[str, FloatArray | None], ...]:
    """Return each mode as a unit vector, orthogonal to the fit and to the modes before it."""
    return tuple(_modes_of(evidence, left))


def _modes_of(evidence: Evidence, left: Leftover) -> Iterator[tuple[str, FloatArray | None]]:
    assert evidence.fit is not None
    modes = smile_modes(evidence.quotes, evidence.fit.iv)
    columns = left.scaled(modes[left.at])
    before = left.basis
    for j, name in enumerate(MODES):
        size = float(np.linalg.norm(columns[:, j]))
        rest = columns[:, j] - before @ (before.T @ columns[:, j])
        rest = rest - before @ (before.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= _ABSORBED * size:
            yield name, None
            continue
        before = np.column_stack([before, rest / length])
        yield name, rest / length


def _modes(metric: Metric, evidence: Evidence, share: bool) -> Iterator[Outcome]:
    assert evidence.model is not None
    left, subject = leftover(evidence), f"{metric.name}/{evidence.model.name}"
    if left.n <= left.p:
        yield Rejection("metric", "no_residual", subject, f"{left.n} quotes, {left.p} directions")
        return
    total = float(left.r @ left.r)
    for name, mode in _modes_left(evidence, left):
        if mode is None:
            detail = "the model follows it: nothing of it is left to test"
            yield Rejection("metric", "absorbed", f"{subject}/mode:{name}", detail)
            continue
        score = float(mode @ left.r)
        if share and not total > 0.0:
            yield Rejection("metric", "no_misfit", subject, "nothing is left over")
            return
        value = score * score / total if share else score
        yield metric.value(evidence, value, scope=f"mode:{name}", n=left.n)


@metric(
    "mode_z",
    unit="1",
    level="model",
    definition="Coefficient of residuals over noise on level, slope, curvature and term of the "
    "smile, each orthogonal to the fit and to those before it: a normal deviate where the model "
    "is right, positive where the model is above the market.",
    source="Orthogonal regression; Cox and Hinkley (1974), Theoretical Statistics, section 9.3",
    needs=NEEDS,
)
def mode_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each mode; one that the model follows is rejected as absorbed."""
    return _modes(metric, evidence, share=False)


@metric(
    "mode_share",
    unit="share",
    level="model",
    definition="Share of the squared residuals over noise that lies along each mode of mode_z.",
    source="Orthogonal regression; Cox and Hinkley (1974), Theoretical Statistics, section 9.3",
    needs=NEEDS,
)
def mode_share(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share of each mode."""
    return _modes(metric, evidence, share=True)


@metric(
    "region_z",
    unit="1",
    level="model",
    definition="Mean residual in vol over a region (week, month, season by put, centre, call) over "
    "its own standard deviation: a normal deviate where the model is right, positive where the "
    "model is above the market.",
    source=f"{AFT}, test of a region of the surface",
    needs=NEEDS,
)
def region_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each region; one whose mean the model follows is rejected."""
    fit, quotes = evidence.fit, evidence.quotes
    assert fit is not None and evidence.model is not None
    subject = f"{metric.name}/{evidence.model.name}"
    noise = learnt_noise(evidence.history)
    known, deviation = np.isfinite(fit.iv), noise.deviation(quotes)
    all_of_them = ((scope, here & known) for scope, here in regions(quotes))
    asked = [(scope, mine) for scope, mine in all_of_them if mine.sum() >= _LEAST]
    if not asked:
        detail = f"no region has {_LEAST} fitted quotes"
        yield Rejection("metric", "not_enough_data", subject, detail)
        return
    weights = np.stack([mine / mine.sum() for _, mine in asked], axis=1)
    variance = np.diag(tonights_law(quotes, fit, noise).of_sums(weights))
    left = variance > _ABSORBED**2 * np.sum((weights * deviation[:, None]) ** 2, axis=0)
    mean = weights.T @ np.where(known, fit.iv - quotes.iv, 0.0)
    for b, (scope, mine) in enumerate(asked):
        if left[b]:
            value = float(mean[b] / np.sqrt(variance[b]))
            yield metric.value(evidence, value, scope=scope, n=int(mine.sum()))
        else:
            detail = "the model follows its mean: nothing of it is left to test"
            yield Rejection("metric", "absorbed", f"{subject}/{scope}", detail)


def regions(quotes: Quotes) -> Iterator[tuple[str, BoolArray]]:
    """Yield ``region:week/put`` and the like with the quotes in it, empty ones among them."""
    wing, tau = wing_index(quotes), quotes.tau[quotes.expiry_index]
    low = 0.0
    for tenor, high in TENORS:
        for i, name in enumerate(WINGS):
            yield f"region:{tenor}/{name}", (wing == i) & (tau > low) & (tau <= high)
        low = high


@metric(
    "sign_runs",
    unit="1",
    level="model",
    definition="Changes of the residuals' sign along strikes, less those expected of noise, in "
    "standard deviations: negative where signs persist, as over a wing that the model misses.",
    source="Wald and Wolfowitz (1940), Annals of Mathematical Statistics 11(2), of residuals",
    needs=NEEDS,
)
def sign_runs(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much signs persist from strike to strike."""
    left = leftover(evidence)
    value = sign_changes(left.r, left.basis, evidence.quotes.expiry_index[left.at])
    yield _deviate(metric, evidence, value, left)


@metric(
    "spatial_autocorrelation",
    unit="1",
    level="model",
    definition="Moran's I of residuals over noise between neighbouring strikes, of one expiry and "
    "of the next, in standard deviations from what noise leaves behind the same fit.",
    source="Cliff and Ord (1972), Geographical Analysis 4(3)",
    needs=NEEDS,
)
def spatial_autocorrelation(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much neighbours err alike."""
    left, quotes = leftover(evidence), evidence.quotes
    expiry = quotes.expiry_index[left.at]
    assert evidence.fit is not None
    edges = neighbours(expiry, standard_moneyness(quotes, evidence.fit.iv)[left.at])
    yield _deviate(metric, evidence, moran(left.r, left.basis, edges), left)


def _deviate(metric: Metric, evidence: Evidence, value: float | None, left: Leftover) -> Outcome:
    if value is None or not np.isfinite(value):
        assert evidence.model is not None
        detail = f"{left.n} fitted quotes, {left.p} directions followed"
        return Rejection("metric", "no_residual", f"{metric.name}/{evidence.model.name}", detail)
    return metric.value(evidence, value, n=left.n)


def cube_root_deviate(statistic: float, degrees: int) -> float:
    """Return a chi-squared statistic as a normal deviate, defined where tail chances underflow.

    References
    ----------
    .. [1] Wilson, E. and Hilferty, M. (1931). The distribution of chi-square. PNAS 17(12).
    """
    spread = 2.0 / (9.0 * degrees)
    return float((np.cbrt(statistic / degrees) - (1.0 - spread)) / np.sqrt(spread))
