"""The vocabulary of a judgement: findings, statuses, causes, severities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What is said of a model on a night."""

    ADEQUATE = "adequate"
    WATCH = "watch"
    MISSPECIFIED = "misspecified"
    INCONCLUSIVE = "inconclusive"


class Kind(StrEnum):
    """The step of the ordered argument that a finding belongs to."""

    DATA = "data"
    NUMERICAL = "numerical"
    IDENTIFIABILITY = "identifiability"
    DRIFT = "drift"
    MISFIT = "misfit"
    DIAGNOSIS = "diagnosis"  # why: of no severity, and it moves no status


class Cause(StrEnum):
    """What an incident is put down to."""

    MISSPECIFICATION = "misspecification"
    CALIBRATION = "calibration"
    DATA = "data"
    LIQUIDITY = "liquidity"
    MARKET = "market"
    JOB = "job"


class Severity(StrEnum):
    """How loudly the desk is told."""

    INFO = "info"
    AMBER = "amber"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for info, 1 for amber, 2 for red."""
        return ("info", "amber", "red").index(self.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of the argument, with its numbers.

    Attributes
    ----------
    kind : Kind
    cause : Cause
    severity : Severity or None
        None: part of the status, told nobody (standing misfit, learning).
    model : str or None
        None for a finding about the chain, which concerns every model.
    metric, scope : str
        The number behind it and where on the surface.
    value, threshold : float or None
    message : str
        A sentence with numbers.
    usd : float or None
        What it is worth, where that is known.
    """

    kind: Kind
    cause: Cause
    severity: Severity | None
    model: str | None
    metric: str
    scope: str
    value: float | None
    threshold: float | None
    message: str
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one model on one night: its status follows from its findings by rules.

    Attributes
    ----------
    model : str
    status : Status
    reason : str
        One line.
    findings : tuple of Finding
        In the order of the argument.
    """

    model: str
    status: Status
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PastVerdict:
    """What the rules may know of an earlier night: was it judged, and what was beyond limits."""

    as_of_ms: int
    status: Status
    beyond: tuple[str, ...] = ()  # "kind/metric/scope" of each finding but of data
