"""Is there order in what a fit left over, and where?

A right model leaves noise: no mode of the smile, no region, no run of signs, no likeness of
neighbours. Each statistic here is a normal deviate under that null with independent noise of the
size given by the quotes, less what the fit followed; so its size is right for models of any
number of parameters. `sign_runs` and `spatial_autocorrelation` do not depend on the noise's size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.leftover import Leftover, leftover
from monitor.diagnostics.places import WINGS, wing_index
from monitor.market.quotes import Quotes
from monitor.numerics.spatial import moran, neighbours, sign_changes
from monitor.outcome import Rejection

MODES = ("level", "slope", "curvature", "term")
# Tenors in years below which an expiry is of the week, of the month; beyond, of the season.
TENORS = (("week", 9.0 / 365.0), ("month", 45.0 / 365.0), ("season", np.inf))
_ABSORBED = 1e-3  # of its length: a mode that the model follows leaves nothing to test
_LEAST = 3  # quotes of a region
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


def _modes_left(evidence: Evidence, left: Leftover) -> Iterator[tuple[str, FloatArray | None]]:
    """Yield each mode as a unit vector, orthogonal to the fit and to the modes before it."""
    assert evidence.fit is not None
    modes = smile_modes(evidence.quotes, evidence.fit.iv)
    columns = modes[left.at] / left.noise[:, None]
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
)
def mode_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each mode; one that the model follows is rejected as absorbed."""
    return _modes(metric, evidence, share=False)


@metric(
    "mode_share",
    unit="share",
    level="model",
    definition="Share of the squared residuals over noise that lies along the same modes.",
    source="As mode_z",
)
def mode_share(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the share of each mode."""
    return _modes(metric, evidence, share=True)


@metric(
    "region_z",
    unit="1",
    level="model",
    definition="Mean residual in vol over a region (week, month, season by put, centre, call) over "
    "its standard error: a normal deviate where the model is right.",
    source=f"{AFT}, test of the fit of a region",
)
def region_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each region with enough quotes."""
    assert evidence.model is not None
    left, subject = leftover(evidence), f"{metric.name}/{evidence.model.name}"
    found = False
    for scope, here in regions(evidence.quotes):
        mine = here[left.at]
        n = int(mine.sum())
        if n < _LEAST:
            continue
        weight = np.where(mine, left.noise / n, 0.0)
        length = float(np.linalg.norm(weight - left.basis @ (left.basis.T @ weight)))
        if length > _ABSORBED * float(np.linalg.norm(weight)):
            found = True
            yield metric.value(evidence, float(weight @ left.r) / length, scope=scope, n=n)
        else:
            detail = "the model follows its mean: nothing of it is left to test"
            yield Rejection("metric", "absorbed", f"{subject}/{scope}", detail)
            found = True
    if not found:
        detail = f"no region has {_LEAST} fitted quotes"
        yield Rejection("metric", "not_enough_data", subject, detail)


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


@metric(
    "structure_stability",
    unit="1",
    level="model",
    definition="What tonight's quotes lose by last night's structure, states refreshed: twice the "
    "difference of costs, halved as both nights' structures err alike, a chi-squared of as many "
    "degrees as structure parameters, by Wilson and Hilferty's cube root as a normal deviate.",
    source=f"{AFT}, test of stability, both nights' covariances taken as tonight's",
    needs="one night",
)
def structure_stability(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far one structure is from serving both nights."""
    model, fit, refreshed = evidence.model, evidence.fit, evidence.refreshed
    assert model is not None and fit is not None
    subject = f"{metric.name}/{model.name}"
    if refreshed is None:
        yield Rejection("metric", "no_last_night", subject, "no earlier fit")
        return
    structure = {p.name for p in model.parameters if p.role == "structure"}
    served = np.isfinite(refreshed.params) & (fit.at_bound == 0)
    free = [
        ok and name.split("@")[0] in structure for name, ok in zip(fit.names, served, strict=True)
    ]
    both = np.isfinite(fit.iv) & np.isfinite(refreshed.iv)
    q = sum(free)
    if not q or both.sum() <= q:
        detail = f"{q} structure parameters free, {int(both.sum())} quotes that both nights price"
        yield Rejection("metric", "no_structure", subject, detail)
        return
    quotes = evidence.quotes
    z = [(f.iv - quotes.iv)[both] / quotes.noise[both] for f in (refreshed, fit)]
    lost = max(float(z[0] @ z[0] - z[1] @ z[1]), 0.0)
    yield metric.value(evidence, cube_root_deviate(0.5 * lost, q), n=int(both.sum()))


def cube_root_deviate(statistic: float, degrees: int) -> float:
    """Return a chi-squared statistic as a normal deviate, defined where tail chances underflow.

    References
    ----------
    .. [1] Wilson, E. and Hilferty, M. (1931). The distribution of chi-square. PNAS 17(12).
    """
    spread = 2.0 / (9.0 * degrees)
    return float((np.cbrt(statistic / degrees) - (1.0 - spread)) / np.sqrt(spread))
