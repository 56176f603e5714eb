"""How hard a calibration tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Limits of one calibration; all of them change the stored fit, so all are part of a run.

    Attributes
    ----------
    restarts : int
        Cold starts tried for a model of the whole surface.
    max_evaluations : int
        Model evaluations allowed from one start.
    gradient_tolerance, step_tolerance : float
        Relative sizes below which the solver stops as converged.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    restarts: int = 3
    max_evaluations: int = 200
    gradient_tolerance: float = 1e-9
    step_tolerance: float = 1e-10
