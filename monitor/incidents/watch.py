"""Was everything done that was due? Expected heartbeats against those that came.

Pure: from schedules, heartbeats and the desk's time to findings of cause ``job``, which live the
life of any other. All that is wrong with one job is one finding, and so one incident.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.incidents.cron import Cron
from monitor.incidents.words import counted
from monitor.verdict.base import Cause, Finding, Kind, Severity

NIGHTLY, WEEKLY, DELIVERY, RECEIPT = "nightly", "weekly", "delivery", "receipt"
_DONE, _EMPTY = "done", "no usable data"
_SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class WatchRules:
    """How patient the watchdog is.

    Attributes
    ----------
    grace : timedelta
        How long after its time a job may end before it is late.
    undelivered_for : timedelta
        How long a message may wait for its receiver.
    dead_for : timedelta
        How long a message in dead-letter is a trouble of today.
    min_coverage : float
        Smallest share of the listed vega that a run must have measured.
    """

    grace: timedelta = timedelta(minutes=45)
    undelivered_for: timedelta = timedelta(hours=1)
    dead_for: timedelta = timedelta(days=2)
    min_coverage: float = 0.5


@dataclass(frozen=True, slots=True)
class Expectation:
    """That a job answers for a place, and since when that is expected."""

    venue: str
    underlying: str
    since: datetime

    @property
    def place(self) -> str:
        """Venue and underlying."""
        return f"{self.venue} {self.underlying}"


@dataclass(frozen=True, slots=True)
class Beat:
    """How one run of a job for one place ended, by the desk's time."""

    venue: str
    underlying: str
    started: datetime
    ended: datetime
    outcome: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the latest run of a place measured.

    Attributes
    ----------
    venue, underlying : str
    models : frozenset of str
        Those it judged.
    coverage : float or None
    """

    venue: str
    underlying: str
    models: frozenset[str]
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that has not reached all its receivers; `reason` without secrets."""

    title: str
    queued: datetime
    is_dead: bool
    reason: str


def missed(
    cron: Cron,
    expected: Sequence[Expectation],
    beats: Iterable[Beat],
    *,
    now: datetime,
    rules: WatchRules,
    explained: Collection[tuple[str, str]] = (),
    measured: Iterable[Measured] = (),
    models: Collection[str] = (),
    job: str = NIGHTLY,
) -> Finding | None:
    """Return what is wrong with the latest run of a job; None where nothing is.

    Parameters
    ----------
    cron : Cron
    expected : sequence of Expectation
    beats : iterable of Beat
    now : datetime
    rules : WatchRules
    explained : collection of (venue, underlying)
        Where an incident of data or liquidity says already why there was nothing to judge by.
    measured : iterable of Measured
    models : collection of str
        Those that a run is to judge.
    job : str
        Of another than the nightly one a missing run is never red: the next is soon due.
    """
    due = cron.before(now - rules.grace)
    if due is None:
        return None
    one_before = cron.before(due - timedelta(seconds=1))
    came = list(beats)
    found = {(m.venue, m.underlying): m for m in measured}
    troubles: list[str] = []
    severity = Severity.AMBER
    watched = [e for e in expected if e.since <= due]
    for place in watched:
        mine = [b for b in came if (b.venue, b.underlying) == (place.venue, place.underlying)]
        answer = _answer(mine, due)
        if answer is None:
            troubles.append(f"{place.place} missing{_skipped(mine, due)}")
            twice = one_before is not None and place.since <= one_before
            if twice and _answer(mine, one_before) is None:  # type: ignore[arg-type]
                # A whole period has passed without it.
                severity = Severity.RED if job == NIGHTLY else severity
        else:
            key = (place.venue, place.underlying)
            wrong = _wrong(answer, due, rules, key in explained, found.get(key), models)
            if wrong:
                troubles.append(f"{place.place} {wrong}")
    if not troubles:
        return None
    said = f"due {due:%Y-%m-%d %H:%M} UTC: " + "; ".join(troubles)
    if len(troubles) > 1:
        said = f"{len(troubles)} of {len(watched)} passes, {said}"
    return _finding(job, severity, said)


def _answer(beats: list[Beat], due: datetime) -> Beat | None:
    """Return the run that answers for a time, the slot being its own until the next.

    The first that was done; where none was, the latest: what failed may be run again by hand.
    """
    answers = [b for b in beats if b.ended >= due and b.outcome != _SKIPPED]
    done = [b for b in answers if b.outcome == _DONE]
    return (
        min(done, key=lambda b: b.ended)
        if done
        else max(answers, key=lambda b: b.ended, default=None)
    )


def _skipped(beats: list[Beat], due: datetime) -> str:
    notes = [b.note for b in beats if b.ended >= due and b.outcome == _SKIPPED]
    return f" ({notes[-1]})" if notes else ""


def _wrong(
    answer: Beat,
    due: datetime,
    rules: WatchRules,
    is_explained: bool,
    measured: Measured | None,
    models: Collection[str],
) -> str | None:
    if answer.outcome == _EMPTY:
        return None if is_explained else f"empty: {answer.note}"
    if answer.outcome != _DONE:
        return f"{answer.outcome}: {answer.note}"
    late = answer.ended - due - rules.grace
    if late > timedelta():
        return f"late: ended {answer.ended:%Y-%m-%d %H:%M} UTC"
    if measured is None or is_explained:
        return None
    without = sorted(set(models) - measured.models)
    if without:
        return f"partial: {', '.join(without)} not judged"
    if measured.coverage is not None and measured.coverage < rules.min_coverage:
        return f"partial: {measured.coverage:.0%} of the listed vega measured"
    return None


def undelivered(
    messages: Iterable[Undelivered], *, now: datetime, rules: WatchRules
) -> Finding | None:
    """Return what is wrong with delivery; None where every message arrived or still may."""
    stuck = [
        m
        for m in messages
        if (m.is_dead and now - m.queued <= rules.dead_for)
        or (not m.is_dead and now - m.queued >= rules.undelivered_for)
    ]
    if not stuck:
        return None
    oldest = min(stuck, key=lambda m: m.queued)
    dead = sum(m.is_dead for m in stuck)
    words = [f"{dead} given up"] * bool(dead) + [f"{len(stuck) - dead} waiting"] * (
        dead < len(stuck)
    )
    said = (
        f"{counted(len(stuck), 'message')} undelivered ({', '.join(words)}) since "
        f"{oldest.queued:%Y-%m-%d %H:%M} UTC, {oldest.title!r}: {oldest.reason or 'never tried'}"
    )
    return _finding(DELIVERY, Severity.RED if dead else Severity.AMBER, said)


def unread(asked: datetime | None, *, now: datetime, within: timedelta) -> Finding | None:
    """Return that nobody has said to have read the oldest test message without a receipt."""
    if asked is None or not within or now - asked < within:
        return None
    said = (
        f"nobody has confirmed the test message of {asked:%Y-%m-%d}: is anybody reading? "
        "It says how; alerts.receipt_within_days = 0 asks no more"
    )
    return _finding(RECEIPT, Severity.AMBER, said)


def _finding(job: str, severity: Severity, message: str) -> Finding:
    return Finding(
        Kind.DATA, Cause.JOB, severity, None, "heartbeat", f"job:{job}", None, None, message
    )
