r"""A fit drawn towards what is believed of its parameters: a second one, beside the night's own.

In the coordinates y of the belief it minimises

.. math:: \frac1{2\phi}\sum_i \Bigl(\frac{\sigma_i(y) - \hat\sigma_i}{s_i}\Bigr)^2
   + \tfrac12 |R y - b|^2,

the objective of every fit and Tikhonov's penalty, R y = b being the belief (`calibration.prior`).
With phi = 1 it is the mode of the posterior where quotes err as their noise says. No model's do:
four hundred quotes that share a misfit would drown any belief. So phi is by how much the cold fit's
errors are too small, as variances, from what whole expiries leave over (`robust.overconfidence`),
and quotes count for what they know of the parameters. The pulled fit never takes the place of the
cold one, which depends on its snapshot alone and has the same end whatever was believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.calibration.fit import Fit, FitStatus
from monitor.calibration.objective import Chart, grid_of, model_vol, surface_residuals
from monitor.calibration.prior import Prior, chart_of
from monitor.calibration.robust import overconfidence
from monitor.calibration.settings import CalibrationSettings
from monitor.market.quotes import Quotes
from monitor.models.base import Grid, Model
from monitor.numerics.least_squares import Ending, solve_bounded

_STATUS = {
    Ending.CONVERGED: FitStatus.CONVERGED,
    Ending.MAX_EVALUATIONS: FitStatus.MAX_EVALUATIONS,
    Ending.STALLED: FitStatus.STALLED,
}


@dataclass(frozen=True, eq=False)
class Pulled:
    """A belief and the fit drawn towards it; the fit is None where there was none to draw."""

    prior: Prior
    fit: Fit | None


def pulled_fit(
    model: Model,
    quotes: Quotes,
    cold: Fit,
    prior: Prior,
    *,
    grid: Grid | None = None,
    settings: CalibrationSettings | None = None,
    phi: float | None = None,
) -> Fit | None:
    """Return the fit drawn towards a belief.

    Parameters
    ----------
    model : Model
        Of one vector for all expiries.
    quotes : Quotes
    cold : Fit
        The night's own: one of the two starts, the other being the same with what is believed put
        in its place; and the quotes that it gives a vol to are those that count.
    prior : Prior
    grid : Grid, optional
        `grid_of` the quotes; pass it to share Fourier kernels.
    settings : CalibrationSettings, optional
    phi : float, optional
        What the squared residuals are divided by; else the cold fit's overconfidence.

    Returns
    -------
    Fit or None
        None where there is no cold fit to start from. `cost` is that of the quotes alone, to be
        held against the cold one's; `restarts_cost` is the penalised objective times phi;
        `covariance` is the posterior's, (H / phi + R'R)^-1, without parameters at a bound, and
        `leverage` what the quotes have of it.

    References
    ----------
    .. [1] Crepey, S. (2003). Calibration of the local volatility in a trinomial tree using Tikhonov
       regularization. Inverse Problems 19(1).
    .. [2] Cont, R. and Tankov, P. (2004). Financial modelling with jump processes, section 13.3.
    """
    if not np.all(np.isfinite(cold.params)):
        return None
    grid, settings = grid or grid_of(quotes), settings or CalibrationSettings()
    chart = chart_of(model, grid)
    phi = overconfidence(quotes, cold) if phi is None else phi
    prior = prior.weighted(phi)  # the whole objective is searched times phi
    used = np.isfinite(cold.iv)
    of_quotes = surface_residuals(model, grid, quotes, chart, used)

    def residuals(y: FloatArray, which: IntArray) -> tuple[FloatArray, FloatArray]:
        ends = [of_quotes(row[None], which[:1]) for row in y]
        r = np.concatenate([r for r, _ in ends])
        J = np.concatenate([J for _, J in ends])
        away = y @ prior.rows.T - prior.target
        rows = np.broadcast_to(prior.rows, (len(y), *prior.rows.shape))
        return np.concatenate([r, away], axis=1), np.concatenate([J, rows], axis=1)

    believed = np.where(np.isnan(prior.centre), cold.params, prior.centre)
    starts = chart.of(np.clip(np.stack([cold.params, believed]), chart.lower, chart.upper))
    low, high = chart.of(chart.lower), chart.of(chart.upper)
    end = solve_bounded(residuals, starts, low, high, settings.tolerances)
    order = np.argsort(end.cost, kind="stable")
    best = int(order[0])
    if not np.isfinite(end.cost[best]):
        return None
    status = _STATUS[Ending(int(end.ending[best]))]
    spent = int(end.evaluations[best])
    return _told(
        *(model, quotes, grid, chart, prior, used, end.x[best]),
        status=status,
        reason="" if status is FitStatus.CONVERGED else f"{status.value}: {spent} evaluations",
        evaluations=int(end.evaluations.sum()),
        phi=phi,
        costs=end.cost[order][np.isfinite(end.cost[order])],
    )


def _told(
    model: Model,
    quotes: Quotes,
    grid: Grid,
    chart: Chart,
    prior: Prior,
    used: np.ndarray,
    y: FloatArray,
    *,
    status: FitStatus,
    reason: str,
    evaluations: int,
    phi: float,
    costs: FloatArray,
) -> Fit:
    """Return the fit at coordinates, with what its Jacobian and the belief say of it."""
    params, P = chart.params(y), len(y)
    iv, jacobian = model_vol(model, params, grid)
    seen = used & np.isfinite(iv)
    at_bound = model.bounds_hit(params, chart.lower, chart.upper)
    free = np.flatnonzero(at_bound == 0)
    slope = chart.slope(params)
    A = (jacobian[seen] * slope / quotes.noise[seen, None])[:, free]
    rows = prior.rows[:, free]
    stacked = np.concatenate([A, rows])
    scale = np.linalg.norm(stacked, axis=0)
    scale[scale == 0.0] = 1.0
    U, singular, Vt = np.linalg.svd(stacked / scale, full_matrices=False)
    firm = singular > 1e-10 * singular.max(initial=0.0)  # see `calibration.trust`
    half = (Vt[firm].T / singular[firm]) * (slope[free] / scale)[:, None]
    block = phi * (half @ half.T)
    loose = np.any(np.abs(Vt[~firm]) > 1e-6, axis=0)
    block[loose], block[:, loose] = np.nan, np.nan
    covariance = np.full((P, P), np.nan)
    covariance[np.ix_(free, free)] = block
    leverage = np.full(quotes.n, np.nan)
    leverage[seen] = np.clip(np.sum(U[: len(A), firm] ** 2, axis=1), 0.0, 1.0)
    z = (iv[seen] - quotes.iv[seen]) / quotes.noise[seen]
    return Fit(
        model=model.name,
        names=model.names(grid),
        params=params,
        iv=iv,
        leverage=leverage,
        jacobian=jacobian,
        covariance=covariance,
        condition=float(singular[0] / singular[-1]) if firm.all() and len(free) else float("inf"),
        status=status,
        reason=reason,
        cost=0.5 * float(z @ z),
        evaluations=evaluations,
        at_bound=at_bound,
        restarts_cost=costs,
        restarts_spread=0.0,
    )
