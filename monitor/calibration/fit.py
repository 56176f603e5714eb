"""The outcome of one calibration: a value, returned whether or not it converged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitor.arrays import FloatArray, IntArray, frozen_floats, frozen_ints


class FitStatus(StrEnum):
    """How a calibration ended."""

    CONVERGED = "converged"
    MAX_EVALUATIONS = "max_evaluations"  # stopped before the gradient or the step was small
    STALLED = "stalled"  # no step lowers the cost, the gradient is not small
    TOO_FEW_QUOTES = "too_few_quotes"  # fewer quotes than parameters: nothing was fitted
    NOT_PRICEABLE = "not_priceable"  # no start gives finite vols at more quotes than parameters


@dataclass(frozen=True, eq=False)
class Fit:
    """One model on one chain.

    Attributes
    ----------
    model : str
    names : tuple of str, length P
        Name of each entry of `params`.
    params : ndarray of shape (P,)
        The best of all starts. NaN only in slices with status ``too_few_quotes`` or
        ``not_priceable``.
    iv : ndarray of shape (n,)
        Model implied vol at each quote. NaN where the model gives none there.
    leverage : ndarray of shape (n,)
        Diagonal of the hat matrix in noise units, in [0, 1]: what the fit absorbed of each quote.
        NaN in slices that were not fitted.
    jacobian : ndarray of shape (n, P)
        d iv / d params.
    covariance : ndarray of shape (P, P)
        (J' N^-2 J)^-1 over the free directions, J = jacobian, N = noise; flat directions (singular
        values below 1e-10 of the largest, in scaled parameters) contribute infinite variance,
        written as NaN rows and columns for the parameters that load on them. A parameter at a
        bound has no standard error, NaN too, and the others' are conditional on it; one held by
        the caller has zero.
    condition : float
        Condition number of the column-scaled J/N over the parameters neither held nor at a bound;
        the worst slice for a model per expiry.
        ``inf`` where a direction is exactly flat.
    status : FitStatus
        The worst over the slices that were fitted. ``too_few_quotes`` or ``not_priceable`` only
        where no slice was.
    reason : str
        What fell short, with numbers and the expiries concerned, the status first
        (``max_evaluations: 2026-03-27 (200 evaluations)``). Expiries left out for want of quotes
        come as ``thin: …``, those without a usable start as ``not priced: …``, quotes to which the
        model gives no vol as ``no vol: …``; a fit with such gaps can be ``converged`` all the
        same. Empty where nothing fell short.
    cost : float
        Half the sum of squared residuals over noise, over the slices that were fitted.
    evaluations : int
        Model evaluations spent, over all starts.
    at_bound : ndarray of shape (P,)
        -1 at the lower bound, +1 at the upper, else 0, also where the parameter was held.
    restarts_cost : ndarray of shape (s,)
        Cost each start ended in, best first; for a model per expiry summed over slices.
    restarts_spread : float
        Over the starts that end within 0.1 % of the best cost: the largest distance of parameters
        from the best, in units of their standard errors. 0 where only one start ends there.
    """

    model: str
    names: tuple[str, ...]
    params: FloatArray
    iv: FloatArray
    leverage: FloatArray
    jacobian: FloatArray
    covariance: FloatArray
    condition: float
    status: FitStatus
    reason: str
    cost: float
    evaluations: int
    at_bound: IntArray
    restarts_cost: FloatArray
    restarts_spread: float

    def __post_init__(self) -> None:
        for name in ("params", "iv", "leverage", "jacobian", "covariance", "restarts_cost"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))
        object.__setattr__(self, "at_bound", frozen_ints(self.at_bound))

    @property
    def converged(self) -> bool:
        """Whether every slice converged."""
        return self.status is FitStatus.CONVERGED
