"""Which combination of parameters the quotes do not tell: flat directions by name, Feller's ratio.

A condition number says that something is flat; a desk needs to know what. The direction is sought
in each parameter's own scale, so that it says how far parameters could move together, as shares
of themselves, before tonight's quotes would object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.objective import grid_of
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.models.base import Model
from monitor.outcome import Rejection

# A combination known no better than to a factor e is not identified.
UNIDENTIFIED = 1.0
_LOADING = 0.3  # of a direction of length one: smaller parts are not named


@dataclass(frozen=True)
class Direction:
    """The combination of parameters that the quotes tell least.

    Attributes
    ----------
    names : tuple of str
        Those that take part, the largest first.
    deviation : float
        Standard deviation along it, parameters in their own scales; ``inf`` where exactly flat.
    """

    names: tuple[str, ...]
    deviation: float


def own_scales(
    model: Model, params: FloatArray, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """Return what counts as a large change of each parameter, shape (P,).

    Its size for a parameter that is never negative, but no less than the middle of its range on a
    logarithmic scale, so that one that a fit has driven to nothing is not thought well known; a
    quarter of its range for one of either sign.
    """
    middle = np.sqrt(np.maximum(lower, 1e-4 * upper) * upper)
    return np.where(lower >= 0.0, np.maximum(np.abs(params), middle), 0.25 * (upper - lower))


def weakest(evidence: Evidence) -> Direction | None:
    """Return the weakest direction of the fit, of the worst slice for a model per expiry.

    None where nothing was fitted. Parameters at a bound take part: a bound that stops a fit is
    often the end of a flat valley.
    """
    fit, model, quotes = evidence.fit, evidence.model, evidence.quotes
    assert fit is not None and model is not None
    if not np.isfinite(fit.params).any():
        return None
    grid = grid_of(quotes)
    scales = own_scales(model, fit.params, *model.bounds(grid))
    free = np.isfinite(fit.params)
    p = len(model.parameters)
    blocks = (
        [(quotes.expiry_index == j, np.arange(j * p, (j + 1) * p)) for j in range(quotes.m)]
        if model.per_expiry
        else [(np.ones(quotes.n, np.bool_), np.arange(len(fit.params)))]
    )
    worst = None
    for rows, own in blocks:
        own = own[free[own]]
        seen = rows & np.isfinite(fit.iv)
        if not len(own) or not seen.any():
            continue
        A = fit.jacobian[np.ix_(seen, own)] * scales[own] / quotes.noise[seen, None]
        if not np.all(np.isfinite(A)):
            continue
        _, singular, right = np.linalg.svd(A, full_matrices=len(A) < len(own))
        least = singular[-1] if len(singular) == len(own) else 0.0
        deviation = float(1.0 / least) if least > 1e-12 * singular[0] else float("inf")
        if worst is None or deviation > worst.deviation:
            vector = np.abs(right[-1])
            order = np.argsort(-vector, kind="stable")
            named = tuple(fit.names[own[i]] for i in order if vector[i] >= _LOADING)
            worst = Direction(named, deviation)
    return worst


@metric(
    "weakest_direction",
    unit="own scales",
    level="model",
    definition="Standard deviation of the combination of parameters that the quotes tell least, "
    "each in its own scale (its size, at least the middle of its range by ratio; a quarter of its "
    "range if it has either sign): above 1 it is not identified. Scope: the parameters that take "
    "part, the largest first.",
    source="Eigenvectors of the information matrix; Rothenberg (1971), Econometrica 39(3)",
)
def weakest_direction(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how badly the worst combination is known, and which it is."""
    assert evidence.model is not None
    found, subject = weakest(evidence), f"{metric.name}/{evidence.model.name}"
    if found is None:
        yield Rejection("metric", "not_fitted", subject, "no parameter was fitted")
    elif not np.isfinite(found.deviation):
        detail = f"exactly flat in {', '.join(found.names)}"
        yield Rejection("metric", "flat_direction", subject, detail)
    else:
        scope = f"direction:{'/'.join(found.names)}"
        yield metric.value(evidence, found.deviation, scope=scope, n=evidence.quotes.n)


def is_unidentified(evidence: Evidence) -> bool:
    """Return whether a combination of parameters is known no better than to a factor e."""
    found = weakest(evidence)
    return found is not None and found.deviation > UNIDENTIFIED


@metric(
    "feller",
    unit="1",
    level="model",
    definition="Feller's ratio 2 kappa theta_v / xi^2: below 1 the fitted variance touches zero.",
    source="Feller (1951), Annals of Mathematics 54(1)",
)
def feller(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the ratio of models with a square-root variance."""
    fit = evidence.fit
    assert fit is not None
    value = dict(zip(fit.names, fit.params.tolist(), strict=True))
    subject = f"{metric.name}/{fit.model}"
    if not {"kappa", "theta_v", "xi"} <= set(value):
        yield Rejection("metric", "no_variance_process", subject, "no square-root variance")
        return
    ratio = 2.0 * value["kappa"] * value["theta_v"] / value["xi"] ** 2
    if np.isfinite(ratio):
        yield metric.value(evidence, ratio, n=evidence.quotes.n)
    else:
        yield Rejection("metric", "not_fitted", subject, "no parameters")
