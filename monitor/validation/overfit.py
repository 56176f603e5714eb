"""Which models fit best and fail next day, by their record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import DomainError
from monitor.models import MODELS
from monitor.validation.rivals import LEAST_NIGHTS, diebold_mariano

if TYPE_CHECKING:
    import pandas as pd

BENCHMARK = "adhoc"  # of Dumas, Fleming and Whaley
HURDLE_WEEKS = 2  # running, lost to the benchmark out of sample
RECORD = tuple(
    "model parameters nights rmse_iv refreshed_rmse_iv ratio heldout_ratio overfit_against "
    "hurdle jumpiness jumpiness_per_point".split()
)
_ALPHA = 0.05


def overfit_record(
    inside: pd.DataFrame,
    outside: pd.DataFrame,
    heldout: pd.DataFrame,
    jumps: pd.DataFrame,
    used: pd.DataFrame,
) -> pd.DataFrame:
    """Return each model's record in sample and out of it.

    Parameters
    ----------
    inside, outside, heldout, jumps, used : DataFrame
        ``rmse_iv``, ``refreshed_rmse_iv``, ``heldout_ratio``, ``structure_jump`` and
        ``effective_parameters`` of one stream: one row a night, indexed by time, one column a
        model. The last three may be empty.

    Returns
    -------
    DataFrame
        Columns `RECORD`. ``overfit_against`` names simpler rivals that fit worse in sample and
        predict better the next night, both beyond chance (Diebold and Mariano, 5 %): a model with
        one is overfit. ``hurdle``: ``lost`` where the model was worse than the ad-hoc benchmark
        out of sample in the last two weeks running. ``jumpiness``: median jump of structure in
        standard errors; ``jumpiness_per_point``: the same a vol point of error in sample gained
        on the benchmark.
    """
    import pandas as pd

    both = [m for m in outside.columns if m in inside.columns]
    size = {m: _parameters(m, used) for m in both}
    rows = []
    for model in both:
        here = pd.concat([inside[model], outside[model]], axis=1).dropna()
        if here.empty:
            continue
        fit, next_night = np.sqrt((here**2).mean()).tolist()
        jump = float(jumps[model].median()) if model in jumps else np.nan
        gained = np.nan
        if BENCHMARK in inside and model != BENCHMARK:
            gained = 100.0 * float((inside[BENCHMARK] - inside[model]).mean())
        rows.append(
            {
                "model": model,
                "parameters": size[model],
                "nights": len(here),
                "rmse_iv": fit,
                "refreshed_rmse_iv": next_night,
                "ratio": next_night / fit if fit > 0.0 else np.nan,
                "heldout_ratio": float(heldout[model].median()) if model in heldout else np.nan,
                "overfit_against": ", ".join(
                    rival
                    for rival in both
                    if size[rival] < size[model] and _overtaken(inside, outside, model, rival)
                ),
                "hurdle": _hurdle(outside, model),
                "jumpiness": jump,
                "jumpiness_per_point": jump / gained if gained > 0.0 else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=list(RECORD)).sort_values("refreshed_rmse_iv")


def _parameters(model: str, used: pd.DataFrame) -> float:
    """Return how many directions a model's fits used, or declares where none is stored."""
    if model in used and used[model].notna().any():
        return float(used[model].median())
    return float(len(MODELS[model].parameters)) if model in MODELS else np.nan


def _overtaken(inside: pd.DataFrame, outside: pd.DataFrame, model: str, rival: str) -> bool:
    """Return whether a model fits better than a rival and predicts worse, both beyond chance."""
    fit, following = (f[[model, rival]].dropna() ** 2 for f in (inside, outside))
    try:
        better = diebold_mariano(fit[model].to_numpy(), fit[rival].to_numpy())
        worse = diebold_mariano(following[model].to_numpy(), following[rival].to_numpy())
    except DomainError:
        return False
    won = better.mean < 0.0 and better.p_value < _ALPHA
    return won and worse.mean > 0.0 and worse.p_value < _ALPHA


def _hurdle(outside: pd.DataFrame, model: str) -> str:
    """Return ``passed``, ``lost``, or ``-`` where it cannot be said or is the benchmark's own."""
    if model == BENCHMARK or BENCHMARK not in outside:
        return "-"
    nights = outside[[model, BENCHMARK]].dropna() ** 2
    if len(nights) < LEAST_NIGHTS:
        return "-"
    nights = nights[nights.index > nights.index[-1] - _weeks(HURDLE_WEEKS)]
    week = ((nights.index[-1] - nights.index) // _weeks(1)).to_numpy()
    means = nights.groupby(week).mean()
    if len(means) < HURDLE_WEEKS:
        return "-"
    return "lost" if bool((means[model] > means[BENCHMARK]).all()) else "passed"


def _weeks(count: int) -> pd.Timedelta:
    import pandas as pd

    return pd.Timedelta(weeks=count)
