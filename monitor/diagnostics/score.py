r"""Which assumption failed: score tests towards richer models, and of last night's constants.

With r the residuals over noise and G the derivatives of the vols by what a richer model would
have, both less what the fit followed, the score statistic

.. math:: s = r'G\,(G'G)^{-1}G'r \sim \chi^2_q

needs no richer fit. It is also the misfit that the richer model would remove to first order, so
that its share of the whole says how much of tonight's error the assumption accounts for. The
assumption named is the one whose statistic is the least likely by chance. Last night's structure
errs by its own noise W besides, which is no failure of a constant: there r has the covariance
1 + WW', and s is taken in its units.

Two questions. `assumption_*`: which feature does tonight's fit lack? `constancy_*`: last night's
structure with tonight's states, freed parameter by parameter: which of its constants gave way?
A feature that the model lacks altogether, or a wrong forward, is the first question's, on the same
night: a dozen free forwards would account for more of any standing misfit than one constant can.
Signs are not used: an intensity that would have to be negative counts like a positive one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from monitor.arrays import FloatArray, IntArray
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.directions import directions, forward_directions
from monitor.diagnostics.leftover import Leftover, leftover, refreshed_leftover, structure_error
from monitor.diagnostics.structure import AFT, NEEDS, cube_root_deviate
from monitor.numerics.spatial import outside
from monitor.outcome import Rejection

SOURCE = "Rao (1948); Breusch and Pagan (1980), Rev. Economic Studies 47(1), of vols"
SIGNIFICANCE = 0.05  # shared by all assumptions of a model: Bonferroni
NEEDS_BOTH = "one night; quiet nights, if any"
# Of its length: a direction that the fit follows, or others of its assumption do, is none.
_ABSORBED = 1e-3
_TOGETHER = "structure"
_ONE = np.ones((1, 1))


@dataclass(frozen=True)
class Score:
    """The evidence against one assumption.

    Attributes
    ----------
    deviate : float
        The chi-squared statistic as a normal deviate.
    share : float
        Of the squared residuals over noise.
    degrees : int
    """

    deviate: float
    share: float
    degrees: int


def scores_of(
    left: Leftover,
    columns: FloatArray,
    of: Mapping[str, IntArray],
    wrong: FloatArray | None = None,
) -> dict[str, Score]:
    """Return the score of each assumption whose directions the fit does not follow already.

    Parameters
    ----------
    left : Leftover
    columns : ndarray of shape (n, q)
        Directions in vol, at the quotes of `left`; those that are not finite are passed over.
    of : mapping of assumption to ndarray of int
        Which columns are its directions; assumptions may share some.
    wrong : ndarray of shape (n, w), optional
        What the residuals carry besides noise, as for `structure_error`.
    """
    total = float(left.r @ left.r)
    if not total > 0.0:
        return {}
    usable = np.isfinite(columns).all(axis=0)
    scaled = left.scaled(np.where(usable, columns, 0.0))
    free = outside(left.basis, scaled)
    length = np.linalg.norm(free, axis=0)
    kept = length > _ABSORBED * np.linalg.norm(scaled, axis=0)
    unit = free / np.where(kept, length, 1.0)
    # Their products are all a test needs: of directions no flatter than a thousandth, ten digits.
    products, along = unit.T @ unit, unit.T @ left.r
    loads = unit.T @ wrong if wrong is not None else np.zeros((len(along), 0))
    found = {}
    for name, own in of.items():
        own = own[kept[own]]
        if not len(own):
            continue
        one = len(own) == 1  # needs no decomposition
        values, vectors = (_ONE[0], _ONE) if one else np.linalg.eigh(products[np.ix_(own, own)])
        firm = values > _ABSORBED**2 * values[-1]
        back, degrees = vectors[:, firm] / np.sqrt(values[firm]), int(firm.sum())
        if left.n <= left.p + degrees:
            continue
        mine = back.T @ along[own]
        statistic = explained = float(mine @ mine)
        if loads.size:
            felt = back.T @ loads[own]
            statistic = float(mine @ np.linalg.solve(np.eye(degrees) + felt @ felt.T, mine))
        deviate = cube_root_deviate(statistic, degrees)
        found[name] = Score(deviate, min(explained / total, 1.0), degrees)
    return found


def named(scores: Mapping[str, Score]) -> str | None:
    """Return the assumption that failed: the least likely score, if unlikely enough among all."""
    if not scores:
        return None
    worst = max(scores, key=lambda name: scores[name].deviate)
    limit = -float(ndtri(SIGNIFICANCE / len(scores)))
    return worst if scores[worst].deviate > limit else None


@lru_cache(maxsize=4)
def feature_scores(evidence: Evidence) -> dict[str, Score]:
    """Return the scores of what tonight's fit lacks."""
    fit, model, quotes = evidence.fit, evidence.model, evidence.quotes
    assert fit is not None and model is not None
    left = leftover(evidence)
    if left.n <= left.p or not np.isfinite(fit.params).any():
        return {}
    towards = dict(directions(model, fit.params, fit.iv, fit.jacobian, quotes))
    towards["forward"] = forward_directions(fit.iv, quotes)
    stops = np.cumsum([columns.shape[1] for columns in towards.values()])
    of = dict(zip(towards, np.split(np.arange(stops[-1]), stops[:-1]), strict=True))
    return scores_of(left, np.hstack(list(towards.values()))[left.at], of)


def constancy_scores(evidence: Evidence) -> dict[str, Score] | None:
    """Return the scores of last night's constants, each alone; None without a last night."""
    found = _structure_scores(evidence)
    return found and {name: score for name, score in found.items() if name != _TOGETHER}


@lru_cache(maxsize=4)
def _structure_scores(evidence: Evidence) -> dict[str, Score] | None:
    """Return the scores of last night's constants, each alone and all of them together."""
    fit, model = evidence.refreshed, evidence.model
    left = refreshed_leftover(evidence)
    if fit is None or left is None:
        return None
    assert model is not None
    structure = [p.name for p in model.parameters if p.role == "structure"]
    if not structure or left.n <= left.p:
        return {}
    bare = np.array([name.split("@")[0] for name in fit.names])
    constant = np.flatnonzero(np.isin(bare, structure))
    of = {name: np.flatnonzero(bare[constant] == name) for name in structure}
    of[_TOGETHER] = np.arange(len(constant))
    columns = fit.jacobian[np.ix_(left.at, constant)]
    return scores_of(left, columns, of, structure_error(evidence, left))


def _report(
    metric: Metric, evidence: Evidence, scores: Mapping[str, Score], what: str
) -> Iterator[Outcome]:
    assert evidence.model is not None
    if not scores:
        subject = f"{metric.name}/{evidence.model.name}"
        yield Rejection("metric", "no_residual", subject, "nothing is left over to test")
    for name, score in scores.items():
        value = score.share if what == "share" else score.deviate
        yield metric.value(evidence, value, scope=f"assumption:{name}", n=score.degrees)


def _name(metric: Metric, evidence: Evidence, scores: Mapping[str, Score]) -> Iterator[Outcome]:
    assert evidence.model is not None
    worst = named(scores)
    if worst is None:
        subject = f"{metric.name}/{evidence.model.name}"
        yield Rejection("metric", "none_rejected", subject, "no score is beyond chance")
        return
    share, n = scores[worst].share, scores[worst].degrees
    yield metric.value(evidence, share, scope=f"assumption:{worst}", n=n)


@metric(
    "assumption_z",
    unit="1",
    level="model",
    definition="Score test of each assumption of the model against a richer one (jumps, a second "
    "variance factor, correlation or vol of vol that vary with tenor, another forward; where it is "
    "constant, variance that moves, alone or with the coin; without dynamics skew and curvature by "
    "expiry, of slices curvature and either wing), as a normal deviate.",
    source=SOURCE,
    needs=NEEDS,
)
def assumption_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each assumption."""
    return _report(metric, evidence, feature_scores(evidence), "deviate")


@metric(
    "failed_assumption",
    unit="share",
    level="model",
    definition="The assumption, as scope, whose score is the least likely by chance, if that is "
    "below 5 % among all; the value is the share of the squared residuals it accounts for.",
    source=SOURCE,
    needs=NEEDS,
)
def failed_assumption(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the assumption that failed, or that none did."""
    return _name(metric, evidence, feature_scores(evidence))


@metric(
    "constancy_z",
    unit="1",
    level="model",
    definition="Score test as in assumption_z of last night's structure with tonight's states, "
    "each structure parameter freed alone, as a normal deviate.",
    source=SOURCE,
    needs=NEEDS_BOTH,
)
def constancy_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the deviate of each constant."""
    scores = constancy_scores(evidence)
    if scores is None:
        yield _no_last_night(metric, evidence)
    else:
        yield from _report(metric, evidence, scores, "deviate")


@metric(
    "failed_constant",
    unit="share",
    level="model",
    definition="The constant, as scope, that accounts best for what last night's structure misses "
    "tonight, if beyond chance; the value is its share of the squared "
    "residuals.",
    source=SOURCE,
    needs=NEEDS_BOTH,
)
def failed_constant(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the constant that gave way, or that none did."""
    scores = constancy_scores(evidence)
    if scores is None:
        yield _no_last_night(metric, evidence)
    else:
        yield from _name(metric, evidence, scores)


@metric(
    "structure_stability",
    unit="1",
    level="model",
    definition="Whether one structure serves both nights: the score of all structure parameters "
    "together at last night's, states refreshed, allowing for what last night's errs by; a "
    "chi-squared by Wilson and Hilferty's cube root as a normal deviate.",
    source=f"{AFT}, test of stability",
    needs=NEEDS_BOTH,
)
def structure_stability(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far one structure is from serving both nights."""
    assert evidence.model is not None
    found = _structure_scores(evidence)
    if found is None:
        yield _no_last_night(metric, evidence)
    elif _TOGETHER not in found:
        subject = f"{metric.name}/{evidence.model.name}"
        yield Rejection("metric", "no_structure", subject, "no structure parameter left to test")
    else:
        score = found[_TOGETHER]
        yield metric.value(evidence, score.deviate, n=score.degrees)


def _no_last_night(metric: Metric, evidence: Evidence) -> Rejection:
    assert evidence.model is not None
    return Rejection(
        "metric", "no_last_night", f"{metric.name}/{evidence.model.name}", "no earlier fit"
    )
