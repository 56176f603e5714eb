"""From nights lived through to operating characteristics: one row a world."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.conventions import MS_PER_DAY, expiry_label, to_ms
from monitor.proving.nights import Lived, Span
from monitor.proving.seen import Seen, Told
from monitor.sandbox.generate import DEFAULT_START
from monitor.sandbox.scene import expiry_meant
from monitor.sandbox.worlds import WORLDS, AtExpiry, Break
from monitor.verdict.base import Severity

NOTHING = "none"
# What tenors a break names, in days.
_TENORS = {"short": (0.0, 10.0), "middle": (14.0, 190.0), "long": (190.0, 400.0)}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WING = re.compile(r"\b(put|call|centre)\b(?=[ :]*(wing|side)|\W|$)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one break was met in one run.

    Attributes
    ----------
    found, seen : int or None
        Night on which a red page, or anything amber or worse, of the right cause came; 1 is the
        break's own night.
    finders : tuple of str
        Who found it: models with a red finding of the right cause that night.
    placed : bool or None
        Whether the right place was named on the night that it was found, or first seen, by what
        was told or by a finding of the same cause that stands behind it; None where it was neither
        found nor seen, or no place is right.
    called : str
        Cause of the gravest thing told, the first among equals; ``none`` where nothing was.
    """

    found: int | None
    seen: int | None
    finders: tuple[str, ...]
    placed: bool | None
    called: str


def outcome_of(lived: Lived, span: Span) -> Outcome:
    """Return how the break of a world was met."""
    (happens,) = WORLDS[lived.world].breaks
    nights = [s for s in lived.nights if s.night >= 0]
    found = _first(nights, happens.cause, Severity.RED)
    seen = _first(nights, happens.cause, Severity.AMBER)
    at = found or seen
    return Outcome(
        None if found is None else found.night + 1,
        None if seen is None else seen.night + 1,
        () if found is None else _finders(found, happens.cause),
        None if at is None else _placed(at, happens, span),
        called(nights),
    )


def called(nights: Iterable[Seen]) -> str:
    """Return the cause of the gravest thing told, the first among equals."""
    told = [t for s in nights for t in s.told]
    if not told:
        return NOTHING
    return max(told, key=lambda t: Severity(t.severity).rank).cause


def _first(nights: Sequence[Seen], cause: str, least: Severity) -> Seen | None:
    """Return the first night on which something of a cause was found that stands so high."""
    for seen in nights:
        if any(t.cause == cause and Severity(t.severity).rank >= least.rank for t in seen.told):
            return seen
    return None


def _finders(seen: Seen, cause: str) -> tuple[str, ...]:
    reds = {f.model for f in seen.findings if f.cause == cause and f.pages}
    # An incident can turn red by lasting, without a red finding of its own.
    return tuple(sorted(reds or {t.model for t in seen.pages if t.cause == cause}))


def _placed(seen: Seen, happens: Break, span: Span) -> bool | None:
    """Return whether the incident, as it stood that night, names a place where the break is."""
    if not happens.wings and happens.expiry_days is None and happens.tenors == "all":
        return None
    said = [t for t in (*seen.told, *seen.findings) if t.cause == happens.cause]
    wings, expiries = places_named(said)
    if happens.expiry_days is not None:
        return expiry_of(happens, span) in expiries
    if happens.wings:
        return bool(set(happens.wings) & wings)
    low, high = _TENORS[happens.tenors]
    now_ms = break_ms(span) + seen.night * MS_PER_DAY
    days = [(_label_ms(label) - now_ms) / MS_PER_DAY for label in expiries]
    return any(low <= d <= high for d in days)


def places_named(told: Iterable[Told]) -> tuple[set[str], set[str]]:
    """Return the wings and the expiries that scopes and messages name."""
    wings: set[str] = set()
    expiries: set[str] = set()
    for t in told:
        text = f"{t.scope} {t.message}"
        wings |= {m.group(1) for m in _WING.finditer(text)}
        expiries |= set(_DATE.findall(text))
    return wings, expiries


def expiry_of(happens: Break, span: Span) -> str:
    """Return the one expiry that a break concerns, as scopes name it."""
    assert happens.expiry_days is not None
    at = AtExpiry(happens.expiry_days, 0.0)
    return expiry_label(expiry_meant(at, break_ms(span)))


def break_ms(span: Span) -> int:
    """Return the midnight at which worlds break."""
    return to_ms(DEFAULT_START) + span.learnt * MS_PER_DAY


def _label_ms(label: str) -> float:
    days = (np.datetime64(label) - np.datetime64("1970-01-01")).astype(int)
    return float(days * MS_PER_DAY + 8 * 3_600_000)


def falsely_paged(lived: Lived) -> list[tuple[Seen, Told]]:
    """Return the red pages that nothing in the world explains.

    Before the break, and in worlds where nothing happens, every one; after it, in a world whose
    event is no reason to page, every one of another cause than the event's.
    """
    breaks = WORLDS[lived.world].breaks
    excused = {b.cause for b in breaks}
    pages = any(b.pages for b in breaks)
    return [
        (seen, told)
        for seen in lived.nights
        for told in seen.pages
        if seen.night < 0 or not (pages or told.cause in excused)
    ]


def ambers(lived: Lived) -> list[tuple[Seen, Told]]:
    """Return what was told as amber."""
    return [(s, t) for s in lived.nights for t in s.told if t.severity == Severity.AMBER]


def counts_of(told: Iterable[Told]) -> str:
    """Return things told by cause and model, the most frequent first, in a line."""
    by = Counter(f"{t.cause} ({t.model})" for t in told)
    return ", ".join(f"{n} {what}" for what, n in by.most_common())
