"""Last night's fit on tonight's quotes: what the market moved, what the model got wrong.

Two questions that must not be mixed. With everything frozen the error is the market's move. With
the structure frozen and the states refreshed to tonight it is the model's: a right model has
constant structure, whatever its states do (Bakshi, Cao and Chen 1997).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import sqrt

import numpy as np

from monitor.arrays import BoolArray, FloatArray
from monitor.calibration.fit import Fit
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.places import places
from monitor.diagnostics.residual_law import ResidualLaw, law_of_last_night
from monitor.models.base import Model
from monitor.outcome import Rejection

SOURCE = "Bakshi, Cao and Chen (1997), Journal of Finance 52(5), section IV"


def _summaries(
    metric: Metric, evidence: Evidence, residual: FloatArray | None, power: int
) -> Iterator[Outcome]:
    assert evidence.model is not None
    if residual is None:
        yield Rejection(
            "metric", "no_last_night", f"{metric.name}/{evidence.model.name}", "no earlier fit"
        )
        return
    finite = np.isfinite(residual)
    for scope, here in places(evidence.quotes, expiries=False):
        known = residual[here & finite]
        if not len(known):
            subject = f"{metric.name}/{evidence.model.name}/{scope}"
            yield Rejection("metric", "no_model_value", subject, "no expiry here had a fit")
        else:
            mean = float((known if power == 1 else known * known).sum()) / len(known)
            value = mean if power == 1 else sqrt(mean)
            yield metric.value(evidence, value, scope=scope, n=len(known))


def _frozen(evidence: Evidence) -> FloatArray | None:
    return None if evidence.frozen_iv is None else evidence.frozen_iv - evidence.quotes.iv


def _refreshed(evidence: Evidence) -> FloatArray | None:
    return None if evidence.refreshed is None else evidence.refreshed.iv - evidence.quotes.iv


@metric(
    "frozen_bias_iv",
    unit="vol",
    level="model",
    definition="Mean of last night's model, all parameters frozen, minus tonight's market vol.",
    source=SOURCE,
    needs="one night",
)
def frozen_bias_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the market's mean move against last night's model."""
    return _summaries(metric, evidence, _frozen(evidence), 1)


@metric(
    "frozen_rmse_iv",
    unit="vol",
    level="model",
    definition="Root mean square of last night's model, all parameters frozen, minus tonight's "
    "market vol: the market's move, not the model's error.",
    source=SOURCE,
    needs="one night",
)
def frozen_rmse_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the size of the market's move against last night's model."""
    return _summaries(metric, evidence, _frozen(evidence), 2)


@metric(
    "refreshed_bias_iv",
    unit="vol",
    level="model",
    definition="Mean of last night's structure with tonight's states, minus tonight's market vol.",
    source=SOURCE,
    needs="one night",
)
def refreshed_bias_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the model's mean error out of sample, states refreshed."""
    return _summaries(metric, evidence, _refreshed(evidence), 1)


@metric(
    "refreshed_rmse_iv",
    unit="vol",
    level="model",
    definition="Root mean square of last night's structure with tonight's states, minus tonight's "
    "market vol: the model's error out of sample.",
    source=SOURCE,
    needs="one night",
)
def refreshed_rmse_iv(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the size of the model's error out of sample, states refreshed."""
    return _summaries(metric, evidence, _refreshed(evidence), 2)


@metric(
    "refreshed_rmse_z",
    unit="1",
    level="model",
    definition="Root mean square of the errors of refreshed_rmse_iv over their standard "
    "deviations: the learnt noise, less what the states took, plus what the structure errs by; "
    "near 1 if it is right.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3); noise as in z",
    needs="one night; quiet nights, if any",
)
def refreshed_rmse_z(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the model's error out of sample in units of what could be known."""
    return _summaries(metric, evidence, refreshed_z(evidence), 2)


def refreshed_z(evidence: Evidence) -> FloatArray | None:
    """Return the standardised errors out of sample, shape (n,); None without a last night."""
    law, fit = law_of_refreshed(evidence), evidence.refreshed
    if law is None or fit is None:
        return None
    return (fit.iv - evidence.quotes.iv) / np.sqrt(law.variance)


@lru_cache(maxsize=4)
def law_of_refreshed(evidence: Evidence) -> ResidualLaw | None:
    """Return the law of the errors of last night's structure; None without a last night."""
    fit, model = evidence.refreshed, evidence.model
    if fit is None or model is None:
        return None
    past = evidence.history.fits.get(model.name)
    known = {} if past is None else dict(zip(past.names, past.stderr.tolist(), strict=True))
    errors = np.array([known.get(name, np.nan) for name in fit.names])
    noise = learnt_noise(evidence.history)
    return law_of_last_night(evidence.quotes, fit, errors, states_of(model, fit), noise)


def states_of(model: Model, fit: Fit) -> BoolArray:
    """Return which of a fit's parameters are states, shape (P,)."""
    roles = {p.name for p in model.parameters if p.role == "state"}
    return np.array([name.split("@")[0] in roles for name in fit.names], dtype=np.bool_)


@metric(
    "param",
    unit="own",
    level="model",
    definition="Fitted value of each parameter, with its standard error where it is identified.",
    source="The model's own; see `misspec models`",
)
def param(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield tonight's parameters."""
    fit = evidence.fit
    assert fit is not None
    errors = stderr_of(fit.covariance)
    for name, value, error in zip(fit.names, fit.params, errors, strict=True):
        if np.isfinite(value):
            known = float(error) if np.isfinite(error) else None
            n = evidence.quotes.n
            yield metric.value(evidence, float(value), scope=f"param:{name}", n=n, stderr=known)
    absent = [name for name, value in zip(fit.names, fit.params, strict=True) if np.isnan(value)]
    if absent or not fit.names:
        detail = f"{len(absent)} of {len(fit.names)} parameters: {', '.join(absent)}"
        yield Rejection("metric", "not_fitted", f"{metric.name}/{fit.model}", detail)


@metric(
    "param_change",
    unit="1",
    level="model",
    definition="Change of each parameter since last night over the root of both nights' squared "
    "standard errors.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3), stability test, one parameter",
    needs="one night",
)
def param_change(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield each parameter's standardised change; parameters without an error are rejected."""
    assert evidence.model is not None and evidence.fit is not None
    changes = standardised_changes(evidence)
    subject = f"{metric.name}/{evidence.model.name}"
    if changes is None:
        yield Rejection("metric", "no_last_night", subject, "no earlier fit")
        return
    for name, z in changes.items():
        yield metric.value(evidence, z, scope=f"param:{name}", n=2)
    left_out = [name for name in evidence.fit.names if name not in changes]
    if left_out or not changes:
        detail = f"no error known on both nights: {', '.join(left_out) or 'no parameter'}"
        yield Rejection("metric", "unidentified", subject, detail)


@metric(
    "structure_jump",
    unit="1",
    level="model",
    definition="Root mean square of the standardised changes of the structure parameters.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3)",
    needs="one night",
)
def structure_jump(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far what the model claims to be constant has moved, in standard errors."""
    assert evidence.model is not None and evidence.fit is not None
    changes = standardised_changes(evidence)
    structure = {p.name for p in evidence.model.parameters if p.role == "structure"}
    subject = f"{metric.name}/{evidence.model.name}"
    if not structure:
        yield Rejection("metric", "no_structure", subject, "every parameter moves with the market")
        return
    if changes is None:
        yield Rejection("metric", "no_last_night", subject, "no earlier fit")
        return
    z = np.array([v for name, v in changes.items() if name.split("@")[0] in structure])
    if len(z):
        yield metric.value(evidence, float(np.sqrt(np.mean(z**2))), scope=CHAIN, n=len(z))
    else:
        yield Rejection("metric", "unidentified", subject, "no structure parameter has an error")


def stderr_of(covariance: FloatArray) -> FloatArray:
    """Return standard errors from a covariance, NaN where a parameter is not identified."""
    variance = np.diag(covariance)
    return np.sqrt(np.where(variance >= 0, variance, np.nan))


@lru_cache(maxsize=4)
def standardised_changes(evidence: Evidence) -> Mapping[str, float] | None:
    """Return each parameter's change over its error, both known; None without a last night.

    Slices are aged to tonight's tenor first, with their errors, so that an unchanged smile has no
    change and a day's shorter tenor does not make errors look larger than they are.
    """
    fit, model = evidence.fit, evidence.model
    assert fit is not None and model is not None
    past = evidence.history.fits.get(fit.model)
    if past is None:
        return None
    place = {name: i for i, name in enumerate(past.names)}
    at = np.array([place.get(name, -1) for name in fit.names], dtype=np.int64)
    there = at >= 0
    then, error_then = np.full(len(at), np.nan), np.full(len(at), np.nan)
    then[there], error_then[there] = past.params[at[there]], past.stderr[at[there]]
    if model.per_expiry:
        tenors = dict(zip(past.expiry_ms.tolist(), past.tau.tolist(), strict=True))
        quotes, p = evidence.quotes, len(model.parameters)
        tau_then = np.array([tenors.get(e, np.nan) for e in quotes.expiry_ms.tolist()])
        both = np.isfinite(tau_then) & there.reshape(-1, p).all(axis=1)
        before, error = (a.reshape(-1, p)[both] for a in (then, error_then))
        aged = model.age(before, tau_then[both], quotes.tau[both])
        # Ageing takes each parameter by itself: one error up is one error up after it.
        up = model.age(before + error, tau_then[both], quotes.tau[both])
        then.reshape(-1, p)[both], error_then.reshape(-1, p)[both] = aged, np.abs(up - aged)
    errors = stderr_of(fit.covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = (fit.params - then) / np.hypot(errors, error_then)
    usable = (errors > 0.0) & (error_then > 0.0) & np.isfinite(changes)
    return {fit.names[i]: float(changes[i]) for i in np.flatnonzero(usable)}
