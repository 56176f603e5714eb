"""Who watches: was every job done, did every message arrive, does anybody read?

Imports telling and below: the database and the channels, and neither venue nor engine, so that it
runs where the scheduler does not (a line of cron or systemd: ``misspec watchdog``). What it finds
becomes incidents of cause ``job`` within one period, told at once. If the database itself does not
answer or takes nothing more, it says so to the red receivers directly, under one key a day.
*Refused:* a watchdog within the job it watches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from monitor.arrays import digest_of
from monitor.assessment import PULSE
from monitor.channels import DeliveryReport, Limits, Sender, apprise_sender, target_name
from monitor.config import Config
from monitor.conventions import to_ms
from monitor.errors import StoreError
from monitor.incidents.base import EVERYWHERE, Event, Incident, Message, Transition
from monitor.incidents.cron import parse_cron
from monitor.incidents.lifecycle import advance
from monitor.incidents.watch import (
    DELIVERY,
    NIGHTLY,
    RECEIPT,
    WEEKLY,
    WatchRules,
    missed,
    undelivered,
    unread,
)
from monitor.store import Store
from monitor.store import watch as kept
from monitor.store.outbox import QueuedMessage
from monitor.store.writer import record_job
from monitor.telling import CADENCE, open_database, tell
from monitor.verdict.base import Cause, Finding, Severity, Status, Verdict
from monitor.verdict.market import MARKET

WATCHDOG = "watchdog"
# A night is about to gather its own news: the watchdog tells what is left lying.
_LEFT_LYING = timedelta(minutes=15)
_HINDSIGHT = timedelta(days=32)  # back to the run before the latest, for a monthly schedule
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # of codes that people read aloud


@dataclass(frozen=True)
class Watch:
    """What the watchdog found.

    Attributes
    ----------
    troubles : tuple of str
        One line each; empty where all is well.
    transitions : tuple of Transition
        What happened to incidents of cause ``job``.
    delivered : DeliveryReport or None
        None where the database did not answer.
    """

    troubles: tuple[str, ...] = ()
    transitions: tuple[Transition, ...] = ()
    delivered: DeliveryReport | None = None


def watch(
    config: Config,
    *,
    now: datetime,
    rules: WatchRules = WatchRules(),  # noqa: B008 (frozen)
    sender: Sender = apprise_sender,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> Watch:
    """Look whether all was done that was due, record and tell what was not.

    Parameters
    ----------
    config : Config
    now : datetime
        The desk's time.
    rules : WatchRules
    sender : callable
    limits : Limits
    """
    try:
        with open_database(config) as store:
            findings = look(store, config, now=now, rules=rules)
            transitions = _record(store, findings, config, now)
            _send_test(store, config, now)
            told = tell(
                store, config, now=now, older_than=_LEFT_LYING, sender=sender, limits=limits
            )
    except StoreError as error:
        trouble = f"the database does not do its work: {error}"
        unheard = _cry(config, trouble, now, sender, limits)
        return Watch(troubles=(trouble, *unheard))
    troubles = [f.message for f in findings.values() if f]
    troubles += [f"not delivered now: {reason}" for reason in dict.fromkeys(told.reasons.values())]
    return Watch(tuple(troubles), transitions, told)


def look(
    store: Store, config: Config, *, now: datetime, rules: WatchRules
) -> dict[str, Finding | None]:
    """Return what is wrong with each job that is watched; None where nothing is."""
    # Recorded chains are judged when somebody asks for them; nobody waits for them.
    venues = [v for v in config.venues.active if v != "recorded"]
    places = [(v, u) for v in venues for u in config.underlyings]
    explained = [
        (i.venue, u)
        for i in kept.incidents_now(store)
        if i.cause in (Cause.DATA, Cause.LIQUIDITY) and i.cadence == CADENCE
        for u in (config.underlyings if i.underlying == EVERYWHERE else (i.underlying,))
    ]

    def begun(job: str, cron: str, back: timedelta) -> Finding | None:
        """Watch a job that not every desk runs: from the first run on."""
        if not cron:
            return None
        return missed(
            parse_cron(cron),
            kept.expected(store, job, places),
            kept.beats_since(store, job, now - back),
            now=now,
            rules=rules,
            explained=places,
            job=job,
        )

    return {
        PULSE: begun(PULSE, config.schedule.pulse, timedelta(days=1)),
        WEEKLY: begun(WEEKLY, config.schedule.weekly, _HINDSIGHT),
        NIGHTLY: missed(
            parse_cron(config.schedule.nightly),
            kept.expect(store, NIGHTLY, places, wall=now),
            kept.beats_since(store, NIGHTLY, now - _HINDSIGHT),
            now=now,
            rules=rules,
            explained=explained,
            measured=kept.measured_last(store, CADENCE),
            models=config.models,
        ),
        DELIVERY: undelivered(kept.undelivered(store, now - rules.dead_for), now=now, rules=rules),
        RECEIPT: unread(
            kept.unread_since(store),
            now=now,
            within=timedelta(days=config.alerts.receipt_within_days),
        ),
    }


def _record(
    store: Store, findings: dict[str, Finding | None], config: Config, now: datetime
) -> tuple[Transition, ...]:
    """Store what happens to the jobs' incidents, and that the watchdog was here."""
    now = now.replace(second=0, microsecond=0)  # two watchdogs at once open the same incident
    standing = [i for i in kept.incidents_now(store) if i.cause is Cause.JOB]
    transitions: list[Transition] = []
    for job, finding in findings.items():
        mine = [i for i in standing if i.cadence == job and not _is_long_over(i, config, now)]
        for t in _advance(job, finding, mine, config, now):
            before = next((i for i in mine if i.id == t.incident.id), None)
            if not _is_same(t, before):
                transitions.append(t)
    troubles = [f.message for f in findings.values() if f]
    record_job(
        store,
        job=WATCHDOG,
        stream=None,
        slot=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        outcome="trouble" if troubles else "done",
        note="; ".join(troubles),
        started_wall=now,
        ended_wall=now,
        transitions=transitions,
    )
    return tuple(transitions)


def _is_long_over(incident: Incident, config: Config, now: datetime) -> bool:
    """Return whether a trouble that returned now would be another one: a job's run is a day."""
    if incident.resolved_at_ms is None:
        return False
    days = (to_ms(now) - incident.resolved_at_ms) / 86_400_000
    return days > config.incidents.reopen_within_runs


def _advance(
    job: str, finding: Finding | None, mine: Sequence[Incident], config: Config, now: datetime
) -> tuple[Transition, ...]:
    found = () if finding is None else (finding,)
    return advance(
        [Verdict(MARKET, Status.WATCH if found else Status.ADEQUATE, "", found)],
        mine,
        venue=EVERYWHERE,
        underlying=EVERYWHERE,
        cadence=job,
        as_of_ms=to_ms(now),
        run_id="",
        rules=config.incidents,
    )


def _is_same(transition: Transition, before: Incident | None) -> bool:
    """Return whether nothing new was seen: an hourly look need not be stored each hour."""
    seen = transition.event is Event.SEEN and before is not None
    return seen and before.message == transition.incident.message  # type: ignore[union-attr]


# --- test messages ------------------------------------------------------------------------------


def _send_test(store: Store, config: Config, now: datetime) -> None:
    """Queue the test message that is due, along every route, with the code of its receipt."""
    names = tuple(target_name(url) for url in config.alerts.urls)
    due = parse_cron(config.schedule.test_message).before(now)
    last = kept.last_test(store)
    if not names or due is None or now - due > timedelta(days=1) or (last and last >= due):
        return
    code = code_of(due)
    asked = bool(config.alerts.receipt_within_days)
    body = "This is a test. If you read it, this route works; nothing is wrong.\n" + (
        f"To confirm that somebody reads:  misspec alerts receipt {code}\n" if asked else ""
    )
    message = Message(
        key=digest_of(["test", due])[:16],
        severity=Severity.INFO,
        title=f"[TEST] {due:%Y-%m-%d} misspec reaches you",
        body=body,
        receivers=names,
    )
    kept.queue_test(store, code, [message], wall=now)


def code_of(due: datetime) -> str:
    """Return the code by which a test message is confirmed: four letters that cannot be misread.

    Examples
    --------
    >>> from datetime import UTC
    >>> len(code_of(datetime(2026, 3, 2, 9, tzinfo=UTC)))
    4
    """
    digits = sha256(due.isoformat().encode()).digest()
    return "".join(_ALPHABET[d % len(_ALPHABET)] for d in digits[:4])


# --- the last resort ----------------------------------------------------------------------------


def _cry(config: Config, trouble: str, now: datetime, sender: Sender, limits: Limits) -> list[str]:
    """Tell the red receivers directly, under one key all day; return who could not be told."""
    letter = QueuedMessage(
        number=0,
        key=f"watchdog-{now:%Y-%m-%d}",
        severity=Severity.RED,
        title=f"[RED] {now:%Y-%m-%d} misspec: job, the database does not do its work",
        body=f"{trouble}\nNothing can be stored or looked up until it does: misspec doctor\n",
        html=None,
        receivers=None,
        targets={},
    )
    answers = {
        target_name(url): sender(url, letter, limits.timeout_s) for url in config.alerts.routes.red
    }
    unheard = [f"{name} could not be told: {a.reason}" for name, a in answers.items() if not a.sent]
    return unheard if answers else ["alerts.routes.red names nobody who could be told"]
