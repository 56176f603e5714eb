"""What every metric is given, what it returns, and how it registers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal, NamedTuple

import numpy as np

from monitor.arrays import FloatArray, IntArray, digest_of, frozen_floats, frozen_ints
from monitor.calibration.fit import Fit
from monitor.calibration.pull import Pulled
from monitor.diagnostics.drift_rules import DriftRules
from monitor.errors import DomainError
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models.base import Model
from monitor.outcome import Rejection
from monitor.registry import Registry
from monitor.replication.chain import PastChain

CHAIN = "chain"  # the scope of a number about the whole chain


class _Value(NamedTuple):
    metric: str
    model: str | None
    scope: str
    value: float
    unit: str
    n: int
    stderr: float | None = None


class MetricValue(_Value):
    """One number of one night: a tuple, for a night makes five thousand.

    Attributes
    ----------
    metric : str
        Registered name.
    model : str or None
        None for a number about the market alone.
    scope : str
        ``chain``, ``expiry:2026-03-27``, ``wing:put`` (``centre``, ``call``), ``param:kappa``,
        ``reason:no_bid``, ``stress:spot-16/vol-up``.
    value : float
        Finite. An undefined metric is a `Rejection`.
    unit : str
    n : int
        How many observations stand behind it.
    stderr : float or None
        Standard error, where one is known.
    """

    __slots__ = ()

    def __new__(
        cls,
        metric: str,
        model: str | None,
        scope: str,
        value: float,
        unit: str,
        n: int,
        stderr: float | None = None,
    ) -> MetricValue:
        """Return the value; one that is not finite raises `DomainError`."""
        if not isfinite(value):
            raise DomainError(f"{metric} of {model} at {scope} is {value}")
        return tuple.__new__(cls, (metric, model, scope, value, unit, n, stderr))


@dataclass(frozen=True, eq=False)
class PastFit:
    """What is kept of a model's last usable fit: enough to lay it on tonight's chain."""

    model: str
    as_of_ms: int
    expiry_ms: IntArray
    tau: FloatArray
    names: tuple[str, ...]
    params: FloatArray
    stderr: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "expiry_ms", frozen_ints(self.expiry_ms))
        for name in ("tau", "params", "stderr"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))


@dataclass(frozen=True, eq=False)
class Series:
    """One metric through the nights of one stream, oldest first; nights without it are absent."""

    as_of_ms: IntArray
    value: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of_ms", frozen_ints(self.as_of_ms))
        object.__setattr__(self, "value", frozen_floats(self.value))

    def __len__(self) -> int:
        return len(self.value)


SeriesKey = tuple[str | None, str, str]  # model, metric, scope


@dataclass(frozen=True, eq=False)
class History:
    """What a night may know of the nights before it, in its own stream.

    Attributes
    ----------
    fits : mapping of model to PastFit
        The latest usable fit of each.
    series : mapping of (model, metric, scope) to Series
        The window that limits are learnt from.
    chain_digest : str or None
        Digest of the previous night's chain: an equal one tonight is a repeated chain.
    n_quotes : int or None
        Usable quotes of the previous night.
    last_chain : PastChain or None
        Quotes of the latest night that could be judged: what a book of that night stood at.
    """

    fits: Mapping[str, PastFit] = field(default_factory=dict)
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    chain_digest: str | None = None
    n_quotes: int | None = None
    last_chain: PastChain | None = None

    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        parts: list[object] = [self.chain_digest, self.n_quotes]
        for model in sorted(self.fits):
            fit = self.fits[model]
            parts += [model, fit.as_of_ms, fit.expiry_ms, fit.tau, fit.names]
            parts += [fit.params, fit.stderr]
        # Series are short and many: together they are digested sooner than one by one.
        keys = sorted(self.series, key=repr)
        parts += [tuple(keys), tuple(len(self.series[key]) for key in keys)]
        if keys:
            parts += [np.concatenate([self.series[key].as_of_ms for key in keys])]
            parts += [np.concatenate([self.series[key].value for key in keys])]
        parts.append(None if self.last_chain is None else self.last_chain.digest())
        return digest_of(parts)


NO_HISTORY = History()


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a metric may look at.

    Attributes
    ----------
    snapshot : Snapshot
    quotes : Quotes
    history : History
    model : Model or None
        None for metrics about the market alone; `fit` and what follows are then None as well.
    fit : Fit or None
        Tonight's.
    frozen_iv : ndarray of shape (n,) or None
        Last night's parameters, all of them, on tonight's quotes; NaN where last night had no
        such expiry. None without a last night.
    refreshed : Fit or None
        Last night's structure with tonight's states. None without a last night.
    pulled : Pulled or None
        A second fit, drawn towards what is believed. None where nobody believes anything.
    tonight : mapping of (model, metric, scope) to float
        Values already measured tonight: what the drift metrics set against history.
    drift : DriftRules
    tolerance_iv : float or None
        How wrong the model may be for its purpose, in vol; None where nobody said.
    rivals : tuple of Fit
        Tonight's fits of all models, its own among them.
    """

    snapshot: Snapshot
    quotes: Quotes
    history: History
    model: Model | None = None
    fit: Fit | None = None
    frozen_iv: FloatArray | None = None
    refreshed: Fit | None = None
    pulled: Pulled | None = None
    tonight: Mapping[SeriesKey, float] = field(default_factory=dict)
    drift: DriftRules = DriftRules()
    tolerance_iv: float | None = None
    rivals: tuple[Fit, ...] = ()


Outcome = MetricValue | Rejection
Compute = Callable[[Evidence], Iterable[Outcome]]


@dataclass(frozen=True)
class Metric:
    """A registered metric: what it is, in words a risk manager can check, and how it is had.

    Attributes
    ----------
    name, unit : str
    level : {"market", "model"}
        Whether it is asked once a chain or once for each model.
    definition, source : str
    needs : str
        History needed: ``none``, ``one night``, ….
    compute : callable
        Evidence in, values and rejections out.
    after : bool
        Whether it is asked once all others of the night are measured, and reads them.
    """

    name: str
    unit: str
    level: Literal["market", "model"]
    definition: str
    source: str
    needs: str
    compute: Compute
    after: bool = False

    @property
    def stands_alone(self) -> bool:
        """Whether tonight's chain and fit are all it looks at: no earlier night, no other value."""
        return self.needs == "none" and not self.after

    def value(
        self,
        evidence: Evidence,
        value: float,
        *,
        n: int,
        scope: str = CHAIN,
        stderr: float | None = None,
    ) -> MetricValue:
        """Return a value of this metric, filled with what the registration says."""
        model = evidence.model.name if evidence.model is not None else None
        return MetricValue(self.name, model, scope, float(value), self.unit, n, stderr)


METRICS: Registry[Metric] = Registry("metric")


def metric(
    name: str,
    *,
    unit: str,
    level: Literal["market", "model"],
    definition: str,
    source: str,
    needs: str = "none",
    after: bool = False,
) -> Callable[[Callable[[Metric, Evidence], Iterable[Outcome]]], Metric]:
    """Register a function ``(metric, evidence) -> values and rejections`` as a metric."""

    def register(function: Callable[[Metric, Evidence], Iterable[Outcome]]) -> Metric:
        def compute(evidence: Evidence) -> Iterable[Outcome]:
            return function(registered, evidence)

        registered = Metric(name, unit, level, definition, source, needs, compute, after)
        METRICS.add(name, registered)
        return registered

    return register


def measure_alone(evidence: Evidence) -> dict[str, tuple[Outcome, ...]]:
    """Return the metrics of the evidence's level that need no history, by name."""
    return {m.name: tuple(m.compute(evidence)) for m in _asked(evidence) if m.stands_alone}


def measure(
    evidence: Evidence, known: Mapping[str, tuple[Outcome, ...]] | None = None
) -> list[Outcome]:
    """Return every metric of the evidence's level, those that read the others' values last.

    Parameters
    ----------
    evidence : Evidence
    known : mapping of metric to its outcomes, optional
        What `measure_alone` made of the same chain and fit; it is not computed again.
    """
    known, asked = known or {}, _asked(evidence)
    first = [
        outcome
        for m in asked
        if not m.after
        for outcome in (known[m.name] if m.name in known else m.compute(evidence))
    ]
    tonight = {(v.model, v.metric, v.scope): v.value for v in first if isinstance(v, MetricValue)}
    second = replace(evidence, tonight=tonight)
    return first + [outcome for m in asked if m.after for outcome in m.compute(second)]


def _asked(evidence: Evidence) -> list[Metric]:
    level = "market" if evidence.model is None else "model"
    return [m for _, m in METRICS.items() if m.level == level]
