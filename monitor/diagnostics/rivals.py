r"""Which models cannot be told from the best tonight, by how well each fits the same quotes.

Vuong's test of two models that need not contain each other: with :math:`l_i` a quote's log
likelihood, the scale of each model's errors its own, the sum of differences less Schwarz's penalty
is compared with its scatter over expiries' wings, within which misfits go together. It says who
describes tonight's chain; who would be good tomorrow is asked of the record (`validation.rivals`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from scipy.special import ndtri, stdtr

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.detectable import buckets_of
from monitor.diagnostics.noise_model import NoiseModel, learnt_noise
from monitor.market.quotes import Quotes
from monitor.outcome import Rejection

SURELY = 0.90  # that the best is among those named: each rival is tested at its share of the rest
_LEAST = 5  # expiries' wings: fewer have no scatter to speak of
_FURTHEST = 1e-300  # chance beyond which a deviate is not told further


@lru_cache(maxsize=2)
def behind_best(
    quotes: Quotes, fits: tuple[Fit, ...], noise: NoiseModel
) -> tuple[str, Mapping[str, float]] | None:
    """Return tonight's best model, and by how much each is behind it as a normal deviate.

    None with fewer than two models or five expiries' wings at which all give a vol. The best by
    Schwarz's criterion itself has 0; a rival counts by its vols and its effective parameters.

    Parameters
    ----------
    quotes : Quotes
    fits : tuple of Fit
        All of tonight's, on `quotes`.
    noise : NoiseModel

    References
    ----------
    .. [1] Vuong, Q. (1989). Likelihood ratio tests for model selection and non-nested hypotheses.
       Econometrica 57(2).
    """
    known = np.all([np.isfinite(f.iv) for f in fits], axis=0) if fits else np.zeros(0, np.bool_)
    members = buckets_of(quotes).members[known]
    members = members[:, members.any(axis=0)].astype(np.float64)
    n, blocks = members.shape
    if len(fits) < 2 or blocks < _LEAST:
        return None
    deviation = noise.deviation(quotes)[known]
    likelihood = np.stack([_likelihood((f.iv - quotes.iv)[known] / deviation) for f in fits])
    used = np.array([float(np.nansum(f.leverage)) for f in fits])
    criterion = likelihood.sum(axis=1) - 0.5 * used * np.log(n)
    best = int(np.argmax(criterion))
    difference = likelihood[best] - likelihood
    centred = difference - difference.mean(axis=1, keepdims=True)
    scatter = np.sqrt(blocks / (blocks - 1.0) * np.sum((centred @ members) ** 2, axis=1))
    t = np.divide(criterion[best] - criterion, scatter, out=np.zeros(len(fits)), where=scatter > 0)
    chance = np.maximum(stdtr(blocks - 1, -t), _FURTHEST)
    behind = np.where(np.arange(len(fits)) == best, 0.0, -ndtri(chance))
    return fits[best].model, {f.model: float(z) for f, z in zip(fits, behind, strict=True)}


def _likelihood(z: FloatArray) -> FloatArray:
    """Return each quote's log likelihood by normal errors of the scale that they show."""
    square = max(float(np.mean(z * z)), 1e-12)
    return np.asarray(-0.5 * np.log(square) - 0.5 * z * z / square)


def told_apart_beyond(rivals: int) -> float:
    """Return the deviate beyond which one of so many rivals is told from the best."""
    return -float(ndtri((1.0 - SURELY) / max(rivals, 1)))


@metric(
    "behind_best",
    unit="1",
    level="model",
    definition="How far the model is behind the one that describes tonight's quotes best, named in "
    "the scope: log likelihoods less Schwarz's penalty over their scatter across expiries' wings, "
    "as a normal deviate; 0 for the best itself. Beyond 1.28 it can be told from one rival at "
    "90 %, beyond 2.33 where there are ten.",
    source="Vuong (1989), Econometrica 57(2); clustered by expiry and wing",
    needs="tonight's other models; quiet nights, if any",
)
def behind_best_metric(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far the model is behind the best."""
    model = evidence.model
    assert model is not None
    noise = learnt_noise(evidence.history)
    found = behind_best(evidence.quotes, evidence.rivals, noise) if evidence.rivals else None
    if found is None or model.name not in found[1]:
        detail = "no rival tonight, or too few quotes that all of them price"
        yield Rejection("metric", "no_rivals", f"{metric.name}/{model.name}", detail)
        return
    best, behind = found
    yield metric.value(evidence, behind[model.name], scope=f"best:{best}", n=evidence.quotes.n)
