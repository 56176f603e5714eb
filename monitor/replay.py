"""A stored run, computed again: from its chain, by its rules, knowing what was known then.

Imports pipeline and below. The same run on the same platform is the same numbers to the last bit;
what is not, is named. With other rules, it says what would have been judged and told that night.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.archive import find_snapshot
from monitor.assess import assess
from monitor.assessment import Assessment, Past, Rules, code_digest
from monitor.config import Config
from monitor.errors import UsageError
from monitor.models import MODELS
from monitor.pipeline import in_force, past_of
from monitor.store import Store
from monitor.store.content import (
    PERISHABLE,
    Content,
    Place,
    StoredRun,
    content_of,
    differences,
    find_run,
    n_values,
    read_content,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that did not come out as it is stored.

    Attributes
    ----------
    part : str
        ``metrics``, ``parameters``, ``quotes``, …
    place : str
        Which row of it.
    column : str
    stored, replayed : Any
    """

    part: str
    place: str
    column: str
    stored: Any
    replayed: Any


@dataclass(frozen=True, eq=False)
class Replay:
    """A run and its replay.

    Attributes
    ----------
    run : StoredRun
    found : Assessment
        What was computed now.
    n_compared : int
        Values set side by side.
    differences : tuple of Difference
    remarks : tuple of str
        What is not the same about the two: the code, the past that could be restored, parts no
        longer kept. Empty where they must be the same to the last bit.
    """

    run: StoredRun
    found: Assessment
    n_compared: int
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What other rules would have said differently.

    Attributes
    ----------
    subject : str
        A model, ``market``, or an incident's trouble.
    what : str
        ``status``, ``finding …`` or ``incident``.
    stored, replayed : str
        Empty where there was none.
    """

    subject: str
    what: str
    stored: str
    replayed: str


def rules_of(store: Store, config: Config, run: StoredRun) -> Rules:
    """Return the rules a run was judged by, made again from a configuration.

    Expert judgements that were on record then are laid over them.

    A run may have been asked for some of the configured models only.

    Raises
    ------
    UsageError
        If the configuration gives other rules.
    """
    rules = config.rules()
    some = tuple(m for m in config.models if m in run.models)
    registered = tuple(m for m in MODELS if m in run.models)
    for models in (config.models, some, registered):
        tried = replace(rules, models=models)
        tried = in_force(store, tried, run.stream, run.as_of_ms, as_known=run.known)
        if tried.digest() == run.config:
            return tried
    raise UsageError(
        f"run {run.id} was judged by other rules (digest {run.config[:12]}) than the configuration "
        f"gives (digest {rules.digest()[:12]}): {_way_back(run)}, or ask with --with-config FILE "
        "what the rules of a file would have said"
    )


def _way_back(run: StoredRun) -> str:
    if run.code == code_digest():
        return "name the file it was run with by --config"
    return (
        f"it was made by other code ({run.code[:12]}, now {code_digest()[:12]}), whose defaults "
        "may have been others. Replay it with that version, name its own file by --config"
    )


def replay(store: Store, config: Config, run_id: str, *, archive: Sequence[Path] = ()) -> Replay:
    """Compute a stored run again and hold every stored value against it.

    Parameters
    ----------
    store : Store
    config : Config
        Its rules must be the run's.
    run_id : str
        Or as much of its beginning as tells it from others.
    archive : sequence of Path
        Where else its chain may lie.

    Raises
    ------
    UnknownNameError
        If there is no such run.
    UsageError
        If the rules are others.
    ArchiveError
        If its chain is not to be found, or was damaged.
    """
    run = find_run(store, run_id)
    rules = rules_of(store, config, run)
    found, past = _again(store, config, run, rules, archive)
    stored, computed = read_content(store, run.id), content_of(found)
    gone = [p for p in PERISHABLE if computed[p] and not stored[p]]
    compared = {p: rows for p, rows in computed.items() if p not in gone}
    return Replay(
        run,
        found,
        n_values(compared),
        tuple(_difference(*d) for d in differences(stored, compared)),
        tuple(_remarks(run, past, gone)),
    )


def what_if(
    store: Store,
    config: Config,
    rules: Rules,
    run_id: str,
    *,
    archive: Sequence[Path] = (),
    without: Collection[str] = (),
) -> tuple[Replay, tuple[Change, ...]]:
    """Return what other rules would have said of a stored run's night, given the same past.

    The nights before it stay as they were judged: a rule that looks back sees what was stored.
    Expert judgements that were on record then hold, but for those whose ids are in `without`.

    Raises
    ------
    UnknownNameError, ArchiveError
        As `replay`.
    """
    run = find_run(store, run_id)
    rules = in_force(store, rules, run.stream, run.as_of_ms, as_known=run.known, without=without)
    found, past = _again(store, config, run, rules, archive)
    stored, computed = read_content(store, run.id), content_of(found)
    remarks = tuple(_remarks(run, past, []))
    return Replay(run, found, 0, (), remarks), tuple(_changes(stored, computed))


def _again(
    store: Store, config: Config, run: StoredRun, rules: Rules, archive: Sequence[Path]
) -> tuple[Assessment, Past]:
    snapshot = find_snapshot(
        config.archive,
        venue=run.stream.venue,
        underlying=run.stream.underlying,
        as_of_ms=run.as_of_ms,
        digest=run.snapshot,
        also=archive,
    )
    past = past_of(store, run.stream, run.slot, as_known=run.known)
    return assess(snapshot, past, rules, stream=run.stream, slot=run.slot), past


def _remarks(run: StoredRun, past: Past, gone: Sequence[str]) -> list[str]:
    remarks = []
    if run.code != code_digest():
        remarks.append(
            f"the run was made by other code ({run.code[:12]}, now {code_digest()[:12]})"
        )
    if past.digest() != run.history:
        remarks.append(
            "the past that the run knew cannot be restored "
            f"(digest {run.history[:12]}, found {past.digest()[:12]}): it, too, was made by other "
            "code, or rows of earlier nights are no longer kept"
        )
    remarks += [f"its {part} are no longer kept" for part in gone]
    return remarks


def _difference(part: str, place: Place, column: str, stored: Any, replayed: Any) -> Difference:
    return Difference(part, "/".join(map(str, place)), column, stored, replayed)


def _changes(stored: Content, computed: Content) -> list[Change]:
    changes = []
    was, now = stored["verdicts"], computed["verdicts"]
    for (model,) in sorted(was.keys() | now.keys()):
        before = was.get((model,), {}).get("status", "")
        after = now.get((model,), {}).get("status", "")
        if before != after:
            changes.append(Change(model, "status", before, after))
    for what, name in ((_finding, "finding"), (_event, "incident")):
        before_all, after_all = what(stored), what(computed)
        for key in sorted(before_all.keys() | after_all.keys()):
            before, after = before_all.get(key, ""), after_all.get(key, "")
            if before != after:
                changes.append(Change(key[0], " ".join([name, *key[1:]]), before, after))
    return changes


def _finding(content: Content) -> dict[tuple[str, ...], str]:
    return {
        (model, str(f["kind"]), f["metric"], f["scope"]): f"{f['severity'] or 'note'}: "
        f"{f['message']}"
        for (model, _), f in content["findings"].items()
    }


def _event(content: Content) -> dict[tuple[str, ...], str]:
    told = {}
    for (_, event), e in content["events"].items():
        # Not by its id: other rules make another run, and a new incident is named after its run.
        told[(e["model"] or "market", e["metric"], e["scope"], event)] = (
            f"{e['severity']}: {e['message']}"
        )
    return told
