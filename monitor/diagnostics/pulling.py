"""A second fit drawn towards a belief, beside the night's own: where it ends, and what it costs.

It is stored as these numbers, under names of their own; nothing is judged by it. What it says is
read with its cost: a belief that the quotes contradict is dear, one on which they say nothing is
free, and then the cold fit's parameters mean as little as the belief's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.fit import Fit
from monitor.calibration.prior import Prior, chart_of, expert_prior, last_night_prior
from monitor.calibration.solve import grid_of
from monitor.diagnostics.base import Evidence, History, Metric, Outcome, metric
from monitor.models.base import Grid, Model
from monitor.outcome import Rejection

SOURCE = "Tikhonov regularisation; Cont and Tankov (2004), section 13.3"
NEEDS = "an expert's prior, or the setting calibration.pull and 21 nights"
_WINDOW = 120  # nights whose changes are the usual ones


def prior_of(
    model: Model,
    grid: Grid,
    history: History,
    said: Sequence[tuple[str, float, float]],
    *,
    follow: bool,
) -> Prior | None:
    """Return what is believed of a model tonight; None where nothing is.

    Parameters
    ----------
    model : Model
    grid : Grid
    history : History
    said : sequence of (parameter, mean, standard deviation)
        What experts say.
    follow : bool
        Whether last night's structure is believed too.
    """
    if model.per_expiry or not (said or follow):
        return None
    word = expert_prior(model, grid, said) if said else None
    last = history.fits.get(model.name)
    if not follow or last is None:
        return word
    night = last_night_prior(model, grid, last.params, _structure(model, history))
    return night if word is None else word if night is None else word.joined(night)


def _structure(model: Model, history: History) -> dict[str, FloatArray]:
    """Return the structure of the nights that have all of it, oldest first, the latest window."""
    names = [p.name for p in model.parameters if p.role == "structure"]
    found = [history.series.get((model.name, "param", f"param:{name}")) for name in names]
    known = [s for s in found if s is not None]
    if not names or len(known) < len(names):
        return {}
    common = known[0].as_of_ms
    for s in known[1:]:
        common = np.intersect1d(common, s.as_of_ms)
    common = common[-_WINDOW:]
    return {
        name: s.value[np.isin(s.as_of_ms, common)] for name, s in zip(names, known, strict=True)
    }


def _asked(metric: Metric, evidence: Evidence) -> tuple[Prior, Fit] | Rejection:
    assert evidence.model is not None
    subject = f"{metric.name}/{evidence.model.name}"
    pulled = evidence.pulled
    if pulled is None:
        return Rejection("metric", "no_belief", subject, "no fit beside the cold one is asked for")
    cold = evidence.fit
    assert cold is not None
    has_end = np.isfinite(cold.iv).any() and np.isfinite(cold.params).all()
    if pulled.fit is None or not has_end:
        return Rejection("metric", "not_fitted", subject, "the cold fit is none to start from")
    if not pulled.fit.converged:
        return Rejection("metric", "not_converged", subject, pulled.fit.reason)
    return pulled.prior, pulled.fit


@metric(
    "pulled_param",
    unit="own",
    level="model",
    definition="Each parameter of the fit drawn towards what is believed of it, with the standard "
    "error that quotes and belief leave.",
    source=SOURCE,
    needs=NEEDS,
)
def pulled_param(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the parameters of the pulled fit."""
    asked = _asked(metric, evidence)
    if isinstance(asked, Rejection):
        yield asked
        return
    _, fit = asked
    variance = np.diagonal(fit.covariance)
    for name, value, v in zip(fit.names, fit.params, variance, strict=True):
        error = float(np.sqrt(v)) if v >= 0.0 else None
        n = evidence.quotes.n
        yield metric.value(evidence, float(value), scope=f"param:{name}", n=n, stderr=error)


@metric(
    "pull_cost",
    unit="1",
    level="model",
    definition="Root mean square residual over noise of the fit drawn towards a belief, less that "
    "of the night's own: what believing costs in fit.",
    source=SOURCE,
    needs=NEEDS,
)
def pull_cost(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield by how much the pulled fit is worse."""
    asked = _asked(metric, evidence)
    if isinstance(asked, Rejection):
        yield asked
        return
    _, fit = asked
    assert evidence.fit is not None
    n = int(np.isfinite(evidence.fit.iv).sum())
    value = np.sqrt(2.0 * fit.cost / n) - np.sqrt(2.0 * evidence.fit.cost / n)
    yield metric.value(evidence, float(value), n=n)


@metric(
    "pull_distance",
    unit="1",
    level="model",
    definition="How far the night's own fit (fit:cold) and the one drawn towards it (fit:pulled) "
    "lie from a belief, root mean square in the belief's standard deviations.",
    source=SOURCE,
    needs=NEEDS,
)
def pull_distance(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield both distances."""
    asked = _asked(metric, evidence)
    if isinstance(asked, Rejection):
        yield asked
        return
    prior, fit = asked
    assert evidence.fit is not None and evidence.model is not None
    chart = chart_of(evidence.model, grid_of(evidence.quotes))
    for name, params in (("cold", evidence.fit.params), ("pulled", fit.params)):
        value = prior.distance(chart.of(params))
        yield metric.value(evidence, value, scope=f"fit:{name}", n=len(prior.target))
