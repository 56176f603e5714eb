r"""What is believed of a model's parameters before tonight's quotes: an expert's word, last night.

A belief is a set of rows in coordinates y, in which positive parameters stand by their logarithm
(they move by factors, not by steps), R y = b up to independent unit normal errors. An expert's is a
row a parameter.
Last night's is the fit of then, in the spread that nightly changes of the fitted structure have
shown. That spread holds the motion of the market and the errors of both nights, correlations along
the model's valleys with them; what is known of tonight is less uncertain by tonight's own error, so
that the belief is too weak, never too strong. *Refused:* last night's standard errors alone, which
hold tonight to parameters that move by several errors every night; beliefs about states, which the
model itself says move; beliefs about smiles of an expiry's own, which another night has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, frozen_floats
from monitor.calibration.objective import Chart
from monitor.errors import DomainError
from monitor.models.base import Grid, Model, Parameter

FEWEST = 20  # nightly changes from which a spread is learnt
# Changes beyond so many robust deviations are drawn in before a spread is made of them.
_FAR = 3.5


@dataclass(frozen=True, eq=False)
class Prior:
    """A belief about the parameters of one model.

    Attributes
    ----------
    centre : ndarray of shape (P,)
        Where it is strongest; NaN for parameters that nothing is believed of.
    rows : ndarray of shape (q, P)
        R.
    target : ndarray of shape (q,)
        b.
    """

    centre: FloatArray
    rows: FloatArray
    target: FloatArray

    def __post_init__(self) -> None:
        for name in ("centre", "rows", "target"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))
        if self.rows.shape != (len(self.target), len(self.centre)):
            raise DomainError(f"rows of shape {self.rows.shape} are not (targets, parameters)")

    def weighted(self, weight: float) -> Prior:
        """Return the belief with its precision multiplied by `weight`."""
        root = float(np.sqrt(weight))
        return Prior(self.centre, root * self.rows, root * self.target)

    def joined(self, other: Prior) -> Prior:
        """Return both beliefs as one; the centre is this one's where it has one."""
        return Prior(
            np.where(np.isnan(self.centre), other.centre, self.centre),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.target, other.target]),
        )

    def distance(self, y: FloatArray) -> float:
        """Return how far coordinates, shape (P,), lie from it, in its own standard deviations.

        Root mean square over the rows: about 1 for parameters drawn from it.
        """
        return float(np.sqrt(np.mean((self.rows @ y - self.target) ** 2)))


def chart_of(model: Model, grid: Grid) -> Chart:
    """Return the coordinates in which a model's parameters are believed.

    Raises
    ------
    DomainError
        For a model with parameters of each expiry's own.
    """
    if model.per_expiry:
        raise DomainError(f"{model.name} has parameters of each expiry's own: no belief holds them")
    return Chart(*model.bounds(grid), np.array([_shift(p) for p in model.parameters]))


def _shift(p: Parameter) -> float:
    """Return what is added to a parameter before its logarithm is taken; NaN: none is."""
    if p.log_from is not None:
        return p.log_from
    if p.lower > 0.0:
        return 0.0
    # What may be nothing at all moves by steps near there.
    return 1e-3 * p.upper if p.lower == 0.0 else float("nan")


def expert_prior(model: Model, grid: Grid, said: Sequence[tuple[str, float, float]]) -> Prior:
    """Return the belief that parameters lie about means with standard deviations.

    Parameters
    ----------
    model : Model
        Of one vector for all expiries.
    grid : Grid
    said : sequence of (parameter, mean, standard deviation)
        In the parameter's own unit, the deviation carried into coordinates by their slope at the
        mean; a mean beyond a bound stands at the bound. Of one parameter more than once: opinions
        that all count.
    """
    chart, names = chart_of(model, grid), [p.name for p in model.parameters]
    P, q = len(names), len(said)
    centre, rows, target = np.full(P, np.nan), np.zeros((q, P)), np.zeros(q)
    full = np.array(chart.lower)
    for j, (name, mean, deviation) in enumerate(said):
        i = names.index(name)
        centre[i] = full[i] = np.clip(mean, chart.lower[i], chart.upper[i])
        rows[j, i] = chart.slope(full)[i] / deviation
        target[j] = rows[j, i] * chart.of(full)[i]
    return Prior(centre, rows, target)


def last_night_prior(
    model: Model, grid: Grid, last: FloatArray, past: Mapping[str, FloatArray]
) -> Prior | None:
    """Return the belief that structure has moved from last night's as it usually does.

    Parameters
    ----------
    model : Model
        Of one vector for all expiries.
    grid : Grid
    last : ndarray of shape (P,)
        Last night's parameters.
    past : mapping of parameter to ndarray of shape (T,)
        Fitted values of the structure on the nights before, oldest first, the same nights for all.

    Returns
    -------
    Prior or None
        None with fewer than `FEWEST` changes, or where no structure has ever moved. Of a parameter
        that never moved (it lay at its bound) nothing is believed.
    """
    chart = chart_of(model, grid)
    at = [i for i, p in enumerate(model.parameters) if p.role == "structure" and p.name in past]
    at = [i for i in at if np.isfinite(last[i])]
    nights = min((len(past[model.parameters[i].name]) for i in at), default=0)
    if nights <= max(FEWEST, 2 * len(at)):
        return None
    last = np.clip(np.where(np.isfinite(last), last, chart.lower), chart.lower, chart.upper)
    values = np.tile(last, (nights, 1))
    for i in at:
        values[:, i] = past[model.parameters[i].name]
    changes = np.diff(chart.of(np.clip(values, chart.lower, chart.upper)), axis=0)
    at = [i for i in at if np.median(np.abs(changes[:, i])) > 0.0]
    if not at:
        return None
    centre, rows = np.full(len(last), np.nan), np.zeros((len(at), len(last)))
    centre[at] = last[at]
    rows[:, at] = np.linalg.inv(np.linalg.cholesky(_spread(changes[:, at])))
    return Prior(centre, rows, rows @ chart.of(last))


def _spread(changes: FloatArray) -> FloatArray:
    """Return the second moments of changes, (p, p), wild ones drawn in."""
    robust = 1.4826 * np.median(np.abs(changes), axis=0)
    drawn = np.clip(changes, -_FAR * robust, _FAR * robust)
    spread: FloatArray = drawn.T @ drawn / len(drawn)
    # Two parameters that have always moved as one are still two.
    return spread + np.diag(1e-6 * np.diag(spread))
