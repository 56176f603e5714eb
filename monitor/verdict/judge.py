"""The ordered argument about one model.

Data fit to judge? Optimiser done? Identified? Moved beyond its error? Misfit beyond tolerance,
beyond noise, persistent? Misspecification is what remains. Status answers for the level: an error
that has grown by less than is material is told and leaves an adequate model adequate.

What a drift or a misfit is worth is the size of the model's misfit on the reference book tonight.

Identification counts where parameters are used: a hedging model that sits at a bound is on watch,
a marking model whose five numbers a slice cannot pin down marks no worse for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from monitor.calibration.fit import Fit
from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.numerics.charts import LEAST
from monitor.verdict.base import Cause, Finding, Kind, Severity, Status, Verdict
from monitor.verdict.explained import is_blurred, is_explained
from monitor.verdict.inventory import ModelUse
from monitor.verdict.numbers import Numbers
from monitor.verdict.rules import JudgementRules
from monitor.verdict.where import where

_LONGEST_REASON = 120  # characters of a fit's account that a line of the board has room for


def judge_model(
    model: str,
    fit: Fit | None,
    numbers: Numbers,
    market: Verdict,
    use: ModelUse,
    rules: JudgementRules,
    drift: DriftRules,
) -> Verdict:
    """Return the verdict on one model.

    Parameters
    ----------
    model : str
    fit : Fit or None
        None where the chain was not fit to calibrate on.
    numbers : Numbers
        The model's.
    market : Verdict
        The market's: a blinding finding there makes this verdict inconclusive.
    use : ModelUse
    rules : JudgementRules
    drift : DriftRules
    """
    blind = market.status is Status.INCONCLUSIVE and any(
        f.kind is Kind.DATA for f in market.findings
    )
    if blind or fit is None:
        # The same findings stand on the model's own row, but they are told once, as the market's.
        why = tuple(replace(f, severity=None) for f in market.findings if f.kind is Kind.DATA)
        return Verdict(model, Status.INCONCLUSIVE, f"no judgement: {market.reason}", why)
    numerical = tuple(_numerical(fit, use))
    if numerical:
        return Verdict(model, Status.INCONCLUSIVE, numerical[0].message, numerical)
    identified = tuple(_identifiability(fit, numbers, use, rules))
    moved = tuple(
        f for f in _drift(model, numbers, use, rules, drift) if not is_blurred(f.scope, market)
    )
    misfit = tuple(_misfit(model, numbers, use, rules))
    findings = identified + moved + misfit
    lasting = [f for f in misfit if numbers.streak(f.kind, f.metric) + 1 >= rules.persistent_nights]
    if lasting:
        return Verdict(model, Status.MISSPECIFIED, lasting[0].message, findings)
    slight = [f for f in moved if _is_slight(f, numbers, rules, drift)]
    for finding in misfit + tuple(f for f in moved if f not in slight) + identified:
        return Verdict(model, Status.WATCH, finding.message, findings)
    learning = numbers.learning()
    level = _level(numbers, use)
    if learning is not None:
        return Verdict(model, Status.INCONCLUSIVE, f"learning: {learning}; {level}", findings)
    unseen = numbers.get("blind_vega")
    if unseen is not None and unseen > rules.max_blind_vega:
        # Nothing speaks against the model, and nothing could have: that is no proof of it.
        least = "an error of its tolerance" if use.max_rmse_iv is not None else "any error"
        words = f"not enough data: {unseen:.0%} of the listed vega could not have shown {least}"
        return Verdict(model, Status.INCONCLUSIVE, f"{words}; {level}", findings)
    if slight:
        level += f"; {slight[0].scope.removeprefix('headline:')} has risen, not materially"
    return Verdict(model, Status.ADEQUATE, level, findings)


def _is_slight(
    finding: Finding, numbers: Numbers, rules: JudgementRules, drift: DriftRules
) -> bool:
    """Return whether what moved is a model's error, by less than is material.

    Level and change are two questions. A marking model that follows a bent wing all but a tenth of
    a vol point is as good for its purpose as it was; that it has changed is told all the same.
    """
    rise = _rise(finding.scope.removeprefix("headline:"), numbers, drift)
    return rise is not None and rise < rules.material_iv


def _rise(headline: str, numbers: Numbers, drift: DriftRules) -> float | None:
    """Return by how much an error exceeds its usual size, in vol; None for what is no error."""
    now, usual = numbers.get(headline), numbers.usual(headline, drift)
    if not headline.endswith("_iv") or now is None or usual is None:
        return None
    return now - usual


def _numerical(fit: Fit, use: ModelUse) -> Iterator[Finding]:
    if not fit.converged:
        severity = Severity.AMBER if use.pages else None
        # The fit's own account says how it ended, and can name every expiry of the chain.
        why = fit.reason or fit.status.value
        shown = why if len(why) <= _LONGEST_REASON else f"{why[: _LONGEST_REASON - 1].rstrip()}…"
        message = f"the calibration did not converge: {shown}"
        yield Finding(
            Kind.NUMERICAL,
            Cause.CALIBRATION,
            severity,
            fit.model,
            "converged",
            CHAIN,
            None,
            None,
            message,
        )


def _identifiability(
    fit: Fit, numbers: Numbers, use: ModelUse, rules: JudgementRules
) -> Iterator[Finding]:
    if use.purpose != "hedging":
        return
    at_bound = [name for name, side in zip(fit.names, fit.at_bound, strict=True) if side]
    tests = (
        ("bounds_hit", 0.0, f"at a bound: {', '.join(at_bound)}"),
        ("condition", rules.max_condition_log10, "condition number 1e{:.1f}: a flat direction"),
        ("restarts_spread", rules.max_restarts_spread, "starts that fit alike differ by {:.1f} se"),
    )
    for metric, limit, words in tests:
        value = numbers.get(metric)
        if value is not None and value > limit:
            yield _unidentified(fit, metric, value, limit, words.format(value))
    if not np.isfinite(fit.condition):  # no number, and the worst case of all
        limit = rules.max_condition_log10
        yield _unidentified(fit, "condition", None, limit, "a direction is exactly flat")


def _unidentified(
    fit: Fit, metric: str, value: float | None, limit: float, message: str
) -> Finding:
    return Finding(
        Kind.IDENTIFIABILITY,
        Cause.CALIBRATION,
        Severity.AMBER,
        fit.model,
        metric,
        CHAIN,
        value,
        limit,
        message,
    )


def _drift(
    model: str, numbers: Numbers, use: ModelUse, rules: JudgementRules, drift: DriftRules
) -> Iterator[Finding]:
    for score in numbers.scopes("change_score"):
        if abs(score.value) <= 1.0:
            continue
        headline = score.scope.removeprefix("headline:")
        now, usual = numbers.get(headline), numbers.usual(headline, drift)
        if is_explained(headline, now, numbers, drift):
            continue
        severity = None
        if use.pages:
            lasting = numbers.streak(Kind.DRIFT, "change_score", score.scope) + LEAST
            # A jump of structure has no size in vol: it stays amber unless the error grows too.
            rise = _rise(headline, numbers, drift)
            material = rise is not None and rise >= rules.material_iv
            settled = score.n >= drift.settled_nights
            red = settled and material and lasting >= rules.persistent_nights
            severity = Severity.RED if red else Severity.AMBER
        message = f"{_moved(headline, now, usual, numbers)}: {score.value:+.1f} limits"
        if headline.endswith("_iv"):
            message += where("misfit_change_block", numbers).replace(" of it", " of the change")
        yield Finding(
            Kind.DRIFT,
            Cause.MISSPECIFICATION,
            severity,
            model,
            "change_score",
            score.scope,
            score.value,
            1.0,
            message,
            numbers.get("book_misfit_gross_usd"),
        )


def _moved(headline: str, now: float | None, usual: float | None, numbers: Numbers) -> str:
    """Return what has moved, in words."""
    if now is not None and usual is not None:
        return f"{headline} {now:.4g}, usually {usual:.4g}"
    away = numbers.scopes("structure_away")
    if headline != "structure_shift" or not away:
        return headline
    most = max(away, key=lambda v: abs(v.value))
    name = most.scope.removeprefix("param:")
    return f"structure is not where it was, {name} {most.value:+.1f} deviations off"


def _misfit(
    model: str, numbers: Numbers, use: ModelUse, rules: JudgementRules
) -> Iterator[Finding]:
    if (numbers.get("rmse_z_spread") or 0.0) <= 1.0:
        # Within the spread all over: whatever the size in vol, the quotes do not contradict it.
        return
    rmse, inside = numbers.get("rmse_iv"), numbers.get("inside_share")
    if use.max_rmse_iv is not None and rmse is not None and rmse > use.max_rmse_iv:
        words = f"RMSE {100 * rmse:.2f} vol points, tolerance {100 * use.max_rmse_iv:.2f}"
        yield _beyond(model, "rmse_iv", rmse, use.max_rmse_iv, words, numbers, use, rules)
    if use.min_inside_share is not None and inside is not None and inside < use.min_inside_share:
        words = f"{inside:.0%} inside bid-ask, tolerance {use.min_inside_share:.0%}"
        limit = use.min_inside_share
        yield _beyond(model, "inside_share", inside, limit, words, numbers, use, rules)


def _beyond(
    model: str,
    metric: str,
    value: float,
    limit: float,
    words: str,
    numbers: Numbers,
    use: ModelUse,
    rules: JudgementRules,
) -> Finding:
    nights = numbers.streak(Kind.MISFIT, metric) + 1
    standing = numbers.standing(Kind.MISFIT, metric, rules.standing_share)
    news = not standing and nights >= rules.persistent_nights
    since = ", as usual" if standing else f", night {nights}"
    return Finding(
        Kind.MISFIT,
        Cause.MISSPECIFICATION,
        Severity.RED if news and use.pages else None,
        model,
        metric,
        CHAIN,
        value,
        limit,
        words + since + where("misfit_block", numbers),
        numbers.get("book_misfit_gross_usd"),
    )


def _level(numbers: Numbers, use: ModelUse) -> str:
    rmse, inside = numbers.get("rmse_iv"), numbers.get("inside_share")
    parts = []
    if rmse is not None:
        limit = f" of {100 * use.max_rmse_iv:.2f}" if use.max_rmse_iv is not None else ""
        parts.append(f"RMSE {100 * rmse:.2f}{limit} vol points")
    if inside is not None:
        parts.append(f"{inside:.0%} inside bid-ask")
    return ", ".join(parts)
