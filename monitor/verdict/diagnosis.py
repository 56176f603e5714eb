"""Why a model is wrong, in words: what it lacks, whether it can be trusted, who does better.

Diagnoses stand last in the argument and change none of it: they carry no severity, open nothing
and move no status. What they find is put behind the sentence of the finding that does, so that who
is told that a model is wrong is told why in the same line. An assumption that failed on most
nights before is said to fail as usual: it is how the model is, not what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitor.diagnostics.base import CHAIN, MetricValue
from monitor.diagnostics.flatness import UNIDENTIFIED
from monitor.diagnostics.overfitting import MAX_HELDOUT_RATIO, MAX_SATURATION
from monitor.diagnostics.rivals import told_apart_beyond
from monitor.verdict.base import Cause, Finding, Kind, Status, Verdict
from monitor.verdict.numbers import Numbers

# What a model lacks, in a trader's words.
ASSUMPTIONS = {
    "jumps": "jumps, or jumps of another kind",
    "second_factor": "a second variance factor",
    "vol_of_vol_term": "vol of vol that varies with tenor",
    "correlation_term": "correlation that varies with tenor",
    "stochastic_variance": "variance that moves",
    "leverage": "variance that moves with the coin",
    "skew": "a skew for each expiry",
    "curvature": "another bend of each expiry's smile",
    "put_wing": "another put wing in each expiry",
    "call_wing": "another call wing in each expiry",
    "forward": "another forward",
}
_USUAL, _LEAST_NIGHTS = 0.5, 5  # share of nights before, and how many make a usage
_MOST_NAMED = 3  # rivals in a line
_LEAST_NAMED = 0.1  # share of a misfit: what is beyond chance and explains less is for the record
# Numbers in which models are held against each other.
_FORETOLD = ("effective_parameters", "rmse_iv", "refreshed_rmse_iv")
COMPARED = ("behind_best", *_FORETOLD)
# A finding for the record, and the words put behind what is told; empty: the record alone.
Diagnosis = tuple[Finding, str]


def diagnosed(
    verdict: Verdict, numbers: Numbers, metrics: Sequence[MetricValue], *, per_expiry: bool
) -> Verdict:
    """Return the verdict on a model with its diagnosis; unchanged where it could not be judged.

    Parameters
    ----------
    verdict : Verdict
    numbers : Numbers
        The model's.
    metrics : sequence of MetricValue
        Tonight's of all models, `COMPARED` among them: who else describes the chain.
    per_expiry : bool
        Whether the model has parameters for each expiry: what a slice's five numbers leave open
        does its smile no harm, and it is not called unidentified.
    """
    if verdict.status is Status.INCONCLUSIVE and any(
        f.kind in (Kind.DATA, Kind.NUMERICAL) for f in verdict.findings
    ):
        return verdict
    is_change = any(f.kind is Kind.DRIFT for f in verdict.findings)
    found = [
        *_failed(numbers),
        *_gave_way(numbers, is_change),
        *_overfit(numbers, metrics),
        *(() if per_expiry else _unidentified(numbers)),
        *_rivals(verdict.model, metrics),
    ]
    clause = "; ".join(words for _, words in found if words)
    told = tuple(_with(f, clause) for f in verdict.findings)
    said = {f.message: t.message for f, t in zip(verdict.findings, told, strict=True)}
    reason = said.get(verdict.reason, verdict.reason)
    return replace(verdict, reason=reason, findings=(*told, *(f for f, _ in found)))


def _with(finding: Finding, clause: str) -> Finding:
    if not clause or finding.kind not in (Kind.DRIFT, Kind.MISFIT):
        return finding
    return replace(finding, message=f"{finding.message}; {clause}")


def _failed(numbers: Numbers) -> Iterator[Diagnosis]:
    """Yield the assumption that failed tonight."""
    for value in numbers.scopes("failed_assumption"):
        name = value.scope.removeprefix("assumption:")
        usual = ", as usual" if _is_usual(numbers, value) else ""
        words = f"lacks {ASSUMPTIONS.get(name, name)} ({value.value:.0%} of the misfit{usual})"
        yield _finding(value, words), words


def _is_usual(numbers: Numbers, value: MetricValue) -> bool:
    """Return whether the same assumption failed on most of the nights before on which one did."""
    kind = f"{Kind.DIAGNOSIS}/{value.metric}/"
    before = [b for night in numbers.past for b in night.beyond if b.startswith(kind)]
    return len(before) >= _LEAST_NIGHTS and before.count(kind + value.scope) >= _USUAL * len(before)


def _gave_way(numbers: Numbers, is_change: bool) -> Iterator[Diagnosis]:
    """Yield the constant of last night's structure that does not hold tonight."""
    for value in numbers.scopes("failed_constant"):
        name = value.scope.removeprefix("assumption:")
        words = f"{name} is not what it was last night ({value.value:.0%} of what has changed)"
        told = is_change and value.value >= _LEAST_NAMED
        yield _finding(value, words), words if told else ""


def _overfit(numbers: Numbers, metrics: Sequence[MetricValue]) -> Iterator[Diagnosis]:
    """Yield that a fit describes noise: too few quotes, or it fits best and failed on new ones."""
    used = numbers.found("saturation")
    ratio = numbers.found("heldout_ratio")
    if used is not None and used.value >= MAX_SATURATION:
        words = f"overfit where quotes are fewest: {used.value:.2f} parameters a quote"
        yield _finding(used, words, MAX_SATURATION), words
    elif ratio is not None and ratio.value > MAX_HELDOUT_RATIO:
        better = _foretold_better(numbers, metrics)
        if better:
            words = (
                f"overfit: held-out strikes missed by {ratio.value:.1f} times the error in sample, "
                f"and tonight foretold better by {better}, which is simpler and fits worse"
            )
            yield _finding(ratio, words, MAX_HELDOUT_RATIO), words


def _foretold_better(numbers: Numbers, metrics: Sequence[MetricValue]) -> str | None:
    """Return the model that beats this one on new quotes alone, with fewer parameters."""
    table: dict[str, dict[str, float]] = {}
    for m in metrics:
        if m.metric in _FORETOLD and m.scope == CHAIN and m.model is not None:
            table.setdefault(m.model, {})[m.metric] = m.value
    mine = table.get(numbers.model or "", {})
    rivals = {name: row for name, row in table.items() if len(row) == len(_FORETOLD)}
    if len(mine) < len(_FORETOLD):
        return None
    simpler, fit, ahead = _FORETOLD
    beaten = [
        (row[ahead], name)
        for name, row in rivals.items()
        if row[simpler] < mine[simpler] and row[fit] > mine[fit] and row[ahead] < mine[ahead]
    ]
    return min(beaten)[1] if beaten else None


def _unidentified(numbers: Numbers) -> Iterator[Diagnosis]:
    """Yield which parameters the quotes do not tell."""
    for value in numbers.scopes("weakest_direction"):
        if value.value > UNIDENTIFIED:
            names = value.scope.removeprefix("direction:").replace("/", ", ")
            words = f"unidentified: tonight's quotes do not tell {names}"
            yield _finding(value, words, UNIDENTIFIED), words
    for refused in numbers.rejections:
        about = f"weakest_direction/{numbers.model}"
        if refused.reason == "flat_direction" and refused.subject == about:
            words = f"unidentified: {refused.detail}"
            flat = MetricValue("weakest_direction", numbers.model, CHAIN, 0.0, "", 0)
            yield replace(_finding(flat, words, UNIDENTIFIED), value=None), words


def _rivals(model: str, metrics: Sequence[MetricValue]) -> Iterator[Diagnosis]:
    """Yield who cannot be told from the best of tonight."""
    found = {m.model: m for m in metrics if m.metric == "behind_best" and m.model is not None}
    if model not in found:
        return
    limit = told_apart_beyond(len(found) - 1)
    alike = sorted((m.value, name) for name, m in found.items() if m.value <= limit)
    names = [name for _, name in alike]
    others = [name for name in names if name != model]
    shown = ", ".join(others[:_MOST_NAMED]) + " and others" * (len(others) > _MOST_NAMED)
    if model in names:
        words = f"not told from tonight's best: {shown}" if others else "best of tonight, alone"
    else:
        words = f"best of tonight: {shown}"
    yield _finding(found[model], words, limit), words


def _finding(value: MetricValue, message: str, threshold: float | None = None) -> Finding:
    return Finding(
        Kind.DIAGNOSIS,
        Cause.MISSPECIFICATION,
        None,
        value.model,
        value.metric,
        value.scope,
        value.value,
        threshold,
        message,
    )
