"""How hard a calibration tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from monitor.numerics.least_squares import Tolerances

# Of the quotes' noise: what is fitted so well is fitted, and has no valley left to follow.
_EXACT = 1e-4


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Limits of one calibration; all of them change the stored fit, so all are part of a run.

    Attributes
    ----------
    restarts : int
        Cold starts tried, the most promising first; a model may offer fewer.
    max_evaluations : int
        Model evaluations allowed from one start (of one expiry).
    cost_tolerance : float
        Relative reduction of the cost, actual and predicted, below which the solver stops as
        converged.
    gradient_tolerance, step_tolerance : float
        Relative sizes below which it does so too: the cosine between residuals and a column of
        the Jacobian; the step in parameters scaled by their columns.
    pull : tuple of str
        Models with a second fit beside the cold one, drawn towards last night's structure. Those
        that an expert believes something of have one anyhow.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    restarts: int = 3
    max_evaluations: int = 400
    cost_tolerance: float = 1e-10
    gradient_tolerance: float = 1e-9
    step_tolerance: float = 1e-10
    pull: tuple[str, ...] = ()

    @property
    def tolerances(self) -> Tolerances:
        """The solver's part of the settings."""
        return Tolerances(
            cost=self.cost_tolerance,
            step=self.step_tolerance,
            gradient=self.gradient_tolerance,
            residual=_EXACT,
            max_evaluations=self.max_evaluations,
        )
