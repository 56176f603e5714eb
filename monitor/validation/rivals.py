r"""Rivals through time: who cannot be told from the best?

Losses are mean squared errors of a night. They are alike from night to night, so that every test
allows for it: Diebold and Mariano's with Newey and West's long-run variance and the small-sample
correction of Harvey, Leybourne and Newbold; the Model Confidence Set of Hansen, Lunde and Nason by
a stationary block bootstrap (arch); Vuong's test of likelihoods with the same long-run variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, stdtr

from monitor.arrays import FloatArray
from monitor.errors import DomainError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from monitor.store import Store

# In sample, and with last night's structure on tonight's quotes.
IN_SAMPLE, OUT_OF_SAMPLE = "rmse_iv", "refreshed_rmse_iv"
LEAST_NIGHTS = 10
_RESAMPLES, _SEED = 1000, 20_260_417
RANKING = tuple(
    "venue underlying cadence period nights model loss rmse_iv p_set in_set p_best p_vuong".split()
)


@dataclass(frozen=True)
class Difference:
    """A mean difference of two losses through time, tested.

    Attributes
    ----------
    mean : float
        Of the first less the second.
    statistic : float
    p_value : float
        Two-sided.
    """

    mean: float
    statistic: float
    p_value: float


def long_run_variance(x: FloatArray, lags: int | None = None) -> float:
    """Return Newey and West's long-run variance of a series of shape (T,).

    `lags`: by default 4 (T / 100)^(2/9), rounded down, and at least the cube root of T.
    """
    T = len(x)
    if lags is None:
        lags = max(int(4.0 * (T / 100.0) ** (2.0 / 9.0)), int(T ** (1.0 / 3.0)))
    d = x - x.mean()
    total = float(d @ d)
    for lag in range(1, min(lags, T - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(d[lag:] @ d[:-lag])
    return total / T


def diebold_mariano(
    first: FloatArray, second: FloatArray, *, lags: int | None = None
) -> Difference:
    """Return the test that two models lose alike, in the mean over T nights.

    Raises
    ------
    DomainError
        With fewer than ten nights.

    References
    ----------
    .. [1] Diebold, F. and Mariano, R. (1995). Journal of Business & Economic Statistics 13(3).
    .. [2] Harvey, D., Leybourne, S. and Newbold, P. (1997). International J. of Forecasting 13(2).
    """
    d = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    T = len(d)
    if T < LEAST_NIGHTS:
        raise DomainError(f"{T} nights are too few to compare by; {LEAST_NIGHTS} are needed")
    variance = long_run_variance(d, lags)
    if not variance > 0.0:
        return Difference(float(d.mean()), 0.0, 1.0)
    # One night ahead: the correction of Harvey and others at h = 1.
    statistic = float(d.mean() / np.sqrt(variance / T) * np.sqrt((T - 1.0) / T))
    return Difference(float(d.mean()), statistic, float(2.0 * stdtr(T - 1, -abs(statistic))))


def vuong(
    first: FloatArray, second: FloatArray, parameters: tuple[float, float], quotes: FloatArray
) -> Difference:
    """Return Vuong's test of two non-nested models, in sample, with Schwarz's correction.

    Parameters
    ----------
    first, second : ndarray of shape (T,)
        Each night's mean squared residual in one unit of noise.
    parameters : pair of float
        Effective numbers of parameters.
    quotes : ndarray of shape (T,)

    Returns
    -------
    Difference
        Of log likelihoods a quote, the scale of the noise estimated: positive where the first is
        the more likely.

    References
    ----------
    .. [1] Vuong, Q. (1989). Econometrica 57(2).
    """
    penalty = 0.5 * (parameters[0] - parameters[1]) * np.log(quotes) / quotes
    m = -0.5 * np.log(np.asarray(first) / np.asarray(second)) - penalty
    T = len(m)
    if T < LEAST_NIGHTS:
        raise DomainError(f"{T} nights are too few to compare by; {LEAST_NIGHTS} are needed")
    variance = long_run_variance(m)
    if not variance > 0.0:
        return Difference(float(m.mean()), 0.0, 1.0)
    statistic = float(m.mean() / np.sqrt(variance / T))
    return Difference(float(m.mean()), statistic, float(2.0 * ndtr(-abs(statistic))))


def confidence_set(losses: FloatArray, *, seed: int = _SEED) -> FloatArray:
    """Return each model's p-value of belonging to the set of the best, shape (m,).

    Parameters
    ----------
    losses : ndarray of shape (T, m)
        One column a model.

    References
    ----------
    .. [1] Hansen, P., Lunde, A. and Nason, J. (2011). The model confidence set. Econometrica 79(2).
    """
    T, m = losses.shape
    if T < LEAST_NIGHTS:
        raise DomainError(f"{T} nights are too few to compare by; {LEAST_NIGHTS} are needed")
    if m == 1:
        return np.ones(1)
    from arch.bootstrap import MCS

    # Blocks as long as the memory of nightly errors: the cube root of T, at least three.
    block = max(3, int(np.ceil(T ** (1.0 / 3.0))))
    found = MCS(losses, size=0.1, reps=_RESAMPLES, block_size=block, method="R", seed=seed)
    found.compute()
    p = found.pvalues["Pvalue"]
    return np.array([float(p.loc[i]) for i in range(m)])


def losses_frame(
    store: Store,
    metric: str,
    *,
    underlying: str | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    models: Sequence[str] = (),
    values: str = "value",
) -> pd.DataFrame:
    """Return a metric of the chain, one column a model and one row a night of a stream.

    `values`: ``value``, or ``n`` for the observations behind it.
    """
    from monitor.store.history import history_frame

    found = history_frame(
        store,
        metric,
        scope="chain",
        underlying=underlying,
        venue=venue,
        cadence=cadence,
        since=since,
        until=until,
    )
    if models:
        found = found[found["model"].isin(list(models))]
    keys = ["venue", "underlying", "cadence", "as_of"]
    return found.pivot_table(index=keys, columns="model", values=values, aggfunc="last")


def ranking(
    store: Store,
    *,
    loss: str = OUT_OF_SAMPLE,
    by: str = "month",
    level: float = 0.9,
    underlying: str | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    models: Sequence[str] = (),
) -> pd.DataFrame:
    """Return, for each stream and period, which models cannot be told from the best.

    Parameters
    ----------
    store : Store
    loss : str
        A stored error of the chain in vol; its square is the loss.
    by : {"month", "all"}
    level : float
        Of the confidence set: it holds the best model with at least this chance.
    underlying, venue, cadence, since, until, models
        Only these.

    Returns
    -------
    DataFrame
        Columns `RANKING`, best first in each period. ``p_set``: the set's p-value, ``in_set``
        whether it is above one less `level`. ``p_best``: Diebold and Mariano's against the
        period's best. ``p_vuong``: Vuong's against it in sample; NaN where it is not stored.
        Nights at which one of the models has no value are left out for all.
    """
    import pandas as pd

    if by not in ("month", "all"):
        raise UsageError(f"by must be month or all, was {by!r}")

    def frame(metric: str, values: str = "value") -> pd.DataFrame:
        return losses_frame(
            store,
            metric,
            underlying=underlying,
            venue=venue,
            cadence=cadence,
            since=since,
            until=until,
            models=models,
            values=values,
        )

    errors = frame(loss)
    extra = frame("rmse_z_spread"), frame("effective_parameters"), frame("rmse_z_spread", "n")
    rows: list[dict[str, object]] = []
    if errors.empty:
        return pd.DataFrame(rows, columns=list(RANKING))
    for stream, group in errors.groupby(level=["venue", "underlying", "cadence"]):
        months = pd.DatetimeIndex(group.index.get_level_values("as_of")).strftime("%Y-%m")
        for period in [*dict.fromkeys(months)] if by == "month" else ["all"]:
            here = group if period == "all" else group[months == period]
            # A model that was asked on some of the nights only is no rival on the others.
            here = here.loc[:, here.notna().mean() > 0.5].dropna()
            if len(here) < LEAST_NIGHTS:
                continue
            head = dict(zip(("venue", "underlying", "cadence"), stream, strict=True))
            rows += [{**head, "period": period, **row} for row in _ranked(here, level, extra)]
    return pd.DataFrame(rows, columns=list(RANKING))


def _ranked(
    here: pd.DataFrame, level: float, extra: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> list[dict[str, object]]:
    loss = here.to_numpy() ** 2
    p_set = confidence_set(loss)
    order = np.argsort(loss.mean(axis=0), kind="stable")
    best = int(order[0])
    rows: list[dict[str, object]] = []
    for i in order:
        own = i == best
        rows.append(
            {
                "nights": len(here),
                "model": here.columns[i],
                "loss": float(loss[:, i].mean()),
                "rmse_iv": float(np.sqrt(loss[:, i].mean())),
                "p_set": float(p_set[i]),
                "in_set": bool(p_set[i] > 1.0 - level),
                "p_best": 1.0 if own else diebold_mariano(loss[:, i], loss[:, best]).p_value,
                "p_vuong": np.nan
                if own
                else _vuong_of(here.index, here.columns[i], here.columns[best], extra),
            }
        )
    return rows


def _vuong_of(
    nights: pd.Index[Any],
    model: str,
    best: str,
    extra: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> float:
    fits, used, quotes = extra
    pair = [model, best]
    if not set(pair) <= set(fits.columns) or not set(pair) <= set(used.columns):
        return float("nan")
    z = fits.reindex(nights)[pair].dropna()
    p = used.reindex(nights)[pair].mean()
    if len(z) < LEAST_NIGHTS or p.isna().any():
        return float("nan")
    counts = quotes.reindex(z.index)[best].to_numpy(dtype=np.float64)
    first, second = (z[name].to_numpy() ** 2 for name in pair)
    found = vuong(first, second, (float(p[model]), float(p[best])), counts)
    return found.p_value


def pairs_won(
    losses: FloatArray, names: Sequence[str], alpha: float = 0.05
) -> list[tuple[str, str]]:
    """Return the pairs of models of which the first loses less beyond chance."""
    won = []
    for i, j in combinations(range(len(names)), 2):
        found = diebold_mariano(losses[:, i], losses[:, j])
        if found.p_value < alpha:
            won.append((names[i], names[j]) if found.mean < 0.0 else (names[j], names[i]))
    return won
