"""Parts of the review: how models performed, how stable they were, what became of words and alarms.

Frames in, frames out; counts and quantiles of what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from monitor.conventions import from_ms
from monitor.diagnostics.flatness import UNIDENTIFIED
from monitor.diagnostics.overfitting import MAX_HELDOUT_RATIO
from monitor.models import MODELS
from monitor.store.history import history_frame
from monitor.verdict.diagnosis import ASSUMPTIONS
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judgement import Judgement
from monitor.verdict.market import MARKET

if TYPE_CHECKING:
    import pandas as pd

    from monitor.store import Store


class Place(TypedDict):
    """A stream, as questions name it."""

    venue: str
    underlying: str
    cadence: str


_STATUSES = ("adequate", "watch", "misspecified", "inconclusive")
_LAGS = 7  # nights within which a signed error is asked for memory
DYNAMICS = (
    "realised_variance variance_premium realised_jump_share spot_variance_gap jump_share_gap "
    "correlation_gap vol_of_vol_gap"
).split()


def performance(
    verdicts: pd.DataFrame,
    inside: pd.DataFrame,
    outside: pd.DataFrame,
    within: pd.DataFrame,
    inventory: Mapping[str, ModelUse],
) -> pd.DataFrame:
    """Return each model's median errors, nights beyond tolerance and nights of each status."""
    import pandas as pd

    rows = []
    for model in inside.columns:
        use = inventory.get(model, ModelUse())
        mine = verdicts[verdicts["model"] == model]["status"]
        beyond = np.nan
        if use.max_rmse_iv is not None:
            beyond = float((inside[model].dropna() > use.max_rmse_iv).mean())
        rows.append(
            {
                "model": model,
                "purpose": use.purpose,
                "nights": int(inside[model].notna().sum()),
                "rmse_iv": float(inside[model].median()),
                "last_7": float(inside[model].dropna().iloc[-7:].median()),
                "worst": float(inside[model].max()),
                "refreshed_rmse_iv": float(outside[model].median()) if model in outside else np.nan,
                "inside_share": float(within[model].median()) if model in within else np.nan,
                "beyond_tolerance": beyond,
                **{status: int((mine == status).sum()) for status in _STATUSES},
            }
        )
    return pd.DataFrame(rows)


def conclusions(performed: pd.DataFrame, order: pd.DataFrame, record: pd.DataFrame) -> pd.DataFrame:
    """Return one sentence a model: what the record supports, in the order a reader would ask."""
    import pandas as pd

    rows = []
    ranks = order.set_index("model") if not order.empty else pd.DataFrame()
    records = record.set_index("model") if not record.empty else pd.DataFrame()
    for p in performed.to_dict("records"):
        model, said = p["model"], []
        judged_nights = sum(p[s] for s in _STATUSES[:3])
        if p["purpose"] == "benchmark":
            said.append("a benchmark, of no purpose of its own")
        elif p["beyond_tolerance"] == p["beyond_tolerance"]:
            share = p["beyond_tolerance"]
            said.append(
                "within tolerance every night"
                if share == 0.0
                else f"beyond its tolerance on {share:.0%} of {p['nights']} nights"
            )
        if judged_nights and p["purpose"] != "benchmark":
            said.append(f"misspecified on {p['misspecified']} of {judged_nights} judged nights")
        if model in ranks.index:
            row = ranks.loc[model]
            said.append(
                "cannot be told from the best next-night predictor"
                if row["in_set"]
                else f"predicts the next night worse than {ranks.index[0]} beyond chance"
            )
        if model in records.index:
            row = records.loc[model]
            if row["overfit_against"]:
                said.append(f"overfit against {row['overfit_against']}")
            elif row["heldout_ratio"] > MAX_HELDOUT_RATIO:
                said.append(
                    f"misses held-out strikes by {row['heldout_ratio']:.1f} times its error in "
                    "sample, and nothing simpler foretells better"
                )
            if row["hurdle"] == "lost":
                said.append("lost to the ad-hoc benchmark in the last two weeks running")
        rows.append({"model": model, "conclusion": "; ".join(said) or "nothing is on record"})
    return pd.DataFrame(rows)


def stability(
    store: Store,
    fitted: pd.DataFrame,
    place: Place,
    since: datetime,
    until: datetime,
) -> pd.DataFrame:
    """Return, by model, how structure jumps, what is not identified and what assumption fails."""
    import pandas as pd

    def asked(metric: str, scope: str | None = "chain") -> pd.DataFrame:
        return history_frame(store, metric, scope=scope, since=since, until=until, **place)

    jump, jumps = asked("structure_jump"), asked("structure_stability")
    flat, failed = asked("weakest_direction", None), asked("failed_assumption", None)
    spread, feller = asked("restarts_spread"), asked("feller")
    signed = asked("refreshed_bias_iv")
    rows = []
    for model in sorted({*fitted["model"], *signed["model"].dropna()}):
        # What a slice's few numbers leave open does its smile no harm.
        slices = model in MODELS and MODELS[model].per_expiry
        rows.append(
            {
                "model": model,
                "structure_jump": _median(jump, model),
                "unstable_nights": _share(jumps, model, 1.645),
                "restarts_disagree": _share(spread, model, 3.0),
                "unidentified_nights": np.nan if slices else _share(flat, model, UNIDENTIFIED),
                "weakest": "" if slices else _commonest(flat, model),
                "feller": _median(feller, model),
                "memory_p": ljung_box(signed[signed["model"] == model]["value"].to_numpy()),
                "failed_assumption": _commonest(failed, model),
            }
        )
    return pd.DataFrame(rows)


def ljung_box(values: np.ndarray, lags: int = _LAGS) -> float:
    """Return the p-value of no autocorrelation up to `lags`; NaN with fewer than 30 values."""
    if len(values) < 30 or not np.std(values) > 0.0:
        return float("nan")
    from statsmodels.stats.diagnostic import acorr_ljungbox

    return float(acorr_ljungbox(values, lags=[lags])["lb_pvalue"].iloc[0])


def _median(frame: pd.DataFrame, model: str) -> float:
    return float(frame[frame["model"] == model]["value"].median())


def _share(frame: pd.DataFrame, model: str, beyond: float) -> float:
    values = frame[frame["model"] == model]["value"]
    return float((values > beyond).mean()) if len(values) else float("nan")


def _commonest(frame: pd.DataFrame, model: str) -> str:
    """Return the scope most often named, with its share of nights."""
    scopes = frame[frame["model"] == model]["scope"].str.split(":", n=1).str[1]
    if scopes.empty:
        return "not stored"
    # An expiry's name would make every night another.
    counts = scopes.str.replace(r"@[0-9-]+", "", regex=True).value_counts()
    named = str(counts.index[0])
    return f"{ASSUMPTIONS.get(named, named)} ({counts.iloc[0] / counts.sum():.0%})"


def bands(store: Store, place: Place, since: datetime, until: datetime) -> pd.DataFrame:
    """Return where each number of P against Q stands in its own past, simulated ones left out."""
    import pandas as pd

    rows = []
    for metric in DYNAMICS:
        found = history_frame(store, metric, since=since, until=until, **place)
        found = found[found["scope"].str.startswith(("window:", "jumps:"))]
        for (model, scope), group in found.groupby(["model", "scope"], dropna=False):
            low, high = np.quantile(group["value"], [0.05, 0.95])
            last = float(group["value"].iloc[-1])
            rows.append(
                {
                    "metric": metric,
                    "model": model if isinstance(model, str) else MARKET,
                    "scope": scope,
                    "nights": len(group),
                    "last": last,
                    "low_5": float(low),
                    "high_95": float(high),
                    "outside": not low <= last <= high,
                }
            )
    return pd.DataFrame(rows)


def outcomes(alerts: pd.DataFrame, since: datetime, until: datetime) -> pd.DataFrame:
    """Return the incidents of the period: those open at its end first, then those it resolved."""
    started = alerts["opened_at"] <= until
    ended = alerts["resolved_at"].notna() & (alerts["resolved_at"] <= until)
    recent = alerts["resolved_at"].isna() | (alerts["resolved_at"] >= since)
    found = alerts[started & recent].assign(open=~ended[started & recent])
    columns = "open severity cause underlying model opened_at resolved_at usd message".split()
    return found.sort_values(["open", "opened_at"], ascending=[False, True])[columns]


def judged(
    judgements: Iterable[Judgement], verdicts: pd.DataFrame, since: datetime, until: datetime
) -> pd.DataFrame:
    """Return expert judgements that touched the period, and how they turned out.

    ``during``: share of the nights in force on which the model they are about was misspecified;
    ``after``: the same of the nights since.
    """
    import pandas as pd

    rows = []
    for j in judgements:
        start, end = from_ms(j.since_ms), from_ms(j.until_ms)
        if start > until or end < since:
            continue
        mine = verdicts
        for column, value in (("model", j.model), ("underlying", j.underlying)):
            mine = mine if value is None else mine[mine[column] == value]
        bad = mine["status"] == "misspecified"
        inside = (mine["as_of"] >= start) & (mine["as_of"] < end)
        after = mine["as_of"] >= end
        rows.append(
            {
                "id": j.id,
                "kind": str(j.kind),
                "model": j.model or "all",
                "underlying": j.underlying or "all",
                "subject": j.subject,
                "since": pd.Timestamp(start),
                "until": pd.Timestamp(end),
                "in_force": start <= until < end,
                "author": j.author,
                "reason": j.reason,
                "during": float(bad[inside].mean()) if inside.any() else np.nan,
                "after": float(bad[after].mean()) if after.any() else np.nan,
            }
        )
    return pd.DataFrame(rows)
