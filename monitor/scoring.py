"""Expert judgements held against what came: were they needed, and did they prove right?

Imports the store and below. Scored from stored numbers alone: a tolerance by the nights on which
only it kept the desk from being told and by where the number stands at its end, a restriction by
what the board said of the model meanwhile, a rebased reference by how change was judged after it, a
prior by where the parameter was fitted. What would have been judged and told without one is asked
of a replay (`misspec replay --without-judgement`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from monitor.assessment import Rules
from monitor.conventions import from_ms
from monitor.store import Store
from monitor.store.frames import history_frame, parameters_frame
from monitor.store.judgements import list_judgements
from monitor.store.standings import runs_under, statuses_between
from monitor.verdict.inventory import ModelUse
from monitor.verdict.judgement import Judgement, JudgementKind

_LAST = 5  # nights at the end of a judgement that say where things stand


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement against what came.

    Attributes
    ----------
    judgement : Judgement
    nights : int
        Judged nights it was in force for.
    mattered : int or None
        Nights on which it made the difference; None where stored numbers cannot say.
    verdict : str
        ``right``, ``wrong``, ``not needed`` or ``open``.
    found : str
        One line.
    """

    judgement: Judgement
    nights: int
    mattered: int | None
    verdict: str
    found: str


def score_all(store: Store, rules: Rules, *, cadence: str) -> list[Score]:
    """Return the score of every judgement, oldest first.

    Parameters
    ----------
    store : Store
    rules : Rules
        As configured: what holds without judgements.
    cadence : str
        Of the history that is asked.
    """
    scorers = {
        JudgementKind.TOLERANCE: _tolerance,
        JudgementKind.RESTRICT: _restriction,
        JudgementKind.REBASE: _rebase,
        JudgementKind.PRIOR: _prior,
    }
    scores = []
    for judgement in list_judgements(store):
        scorer = scorers.get(judgement.kind)
        if scorer is None:
            nights = len(_nights(store, judgement, cadence, "n_quotes", None))
            is_word = judgement.kind is JudgementKind.ANNOTATE
            said = "a word, it changed nothing" if is_word else "a replay without it says"
            scores.append(Score(judgement, nights, None, "open", said))
        else:
            scores.append(scorer(store, judgement, rules, cadence))
    return scores


def _nights(
    store: Store, j: Judgement, cadence: str, metric: str, model: str | None, scope: str = "chain"
) -> pd.Series:
    """Return a number over the nights a judgement was in force for."""
    frame = history_frame(
        store,
        metric,
        model=model,
        venue=j.venue,
        underlying=j.underlying,
        scope=scope,
        cadence=cadence,
        since=from_ms(j.since_ms),
        until=from_ms(j.until_ms),
    )
    return frame["value"]


def _tolerance(store: Store, j: Judgement, rules: Rules, cadence: str) -> Score:
    use = rules.inventory.get(j.model or "", ModelUse())
    old = use.max_rmse_iv if j.subject == "rmse_iv" else use.min_inside_share
    values = _nights(store, j, cadence, j.subject, j.model)
    if old is None or j.value is None or values.empty:
        return Score(j, len(values), None, "open", "no night to hold it against")
    sign = 1.0 if j.subject == "rmse_iv" else -1.0
    beyond_old = sign * values > sign * old
    beyond_new = sign * values > sign * j.value
    spared, n = int((beyond_old & ~beyond_new).sum()), len(values)
    at_end = bool(beyond_old.tail(_LAST).mean() > 0.5)
    said = (
        f"beyond the old {old:g} on {int(beyond_old.sum())} of {n} nights, beyond the new "
        f"{j.value:g} on {int(beyond_new.sum())}"
    )
    if spared == 0:
        return Score(j, n, 0, "not needed", said)
    if at_end:
        return Score(j, n, spared, "wrong", f"{said}; still beyond the old at the end: it lasted")
    return Score(j, n, spared, "right", f"{said}; back within the old at the end: it passed")


def _restriction(store: Store, j: Judgement, rules: Rules, cadence: str) -> Score:
    statuses = statuses_between(store, j, cadence=cadence)
    judged = [s for s in statuses if s != "inconclusive"]
    ill = sum(s != "adequate" for s in judged)
    if not judged:
        return Score(j, len(statuses), None, "open", "no judged night yet")
    said = f"watch or misspecified on {ill} of {len(judged)} judged nights"
    return Score(j, len(statuses), ill, "right" if 2 * ill >= len(judged) else "not needed", said)


def _rebase(store: Store, j: Judgement, rules: Rules, cadence: str) -> Score:
    metric = "smile_change_score" if j.model == "market" else "change_score"
    model = None if j.model == "market" else j.model
    scope = f"headline:{j.subject}" if j.subject else None
    frame = history_frame(
        store,
        metric,
        model=model,
        venue=j.venue,
        underlying=j.underlying,
        scope=scope,
        cadence=cadence,
        since=from_ms(j.since_ms),
        until=from_ms(j.until_ms),
    )
    # Nights that were judged before anybody said so were judged by the old reference.
    frame = frame[frame["run_id"].isin(runs_under(store, j))]
    nights = len(_nights(store, j, cadence, "n_quotes", None))
    if frame.empty:
        need = rules.drift.learning_nights
        return Score(j, nights, None, "open", f"{nights} of {need} nights learnt since")
    alarms = int((np.abs(frame["value"]) > 1).sum())
    said = f"{alarms} alarms in {frame['as_of'].nunique()} nights judged against what came after"
    # A reference that is right raises an alarm in a few nights of a hundred at most.
    right = alarms <= 0.05 * len(frame)
    return Score(j, nights, None, "right" if right else "wrong", said)


def _prior(store: Store, j: Judgement, rules: Rules, cadence: str) -> Score:
    frame = parameters_frame(
        store,
        model=j.model,
        venue=j.venue,
        underlying=j.underlying,
        cadence=cadence,
        since=from_ms(j.since_ms),
        until=from_ms(j.until_ms),
    )
    values = frame.loc[frame["parameter"] == j.subject, "value"] if len(frame) else pd.Series()
    if values.empty or j.value is None or not j.spread:
        return Score(j, len(values), None, "open", "the parameter was not fitted meanwhile")
    away = np.abs(values.to_numpy(dtype=float) - j.value) / j.spread
    inside = float(np.mean(away <= 2.0))
    said = f"fitted within two deviations of it on {inside:.0%} of {len(values)} nights"
    return Score(j, len(values), None, "right" if inside >= 0.8 else "wrong", said)
