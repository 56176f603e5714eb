"""A round of delivery: every message that is due, to every receiver that has not had it."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType

from monitor.channels.base import (
    DeliveryReport,
    Letter,
    Limits,
    Outbox,
    Sender,
)
from monitor.channels.secrets import redact, target_name
from monitor.channels.send import apprise_sender
from monitor.verdict.base import Severity

LOG = "log"  # the receiver of messages that have none
PENDING, SENT, DEAD = "pending", "sent", "dead"
NO_ADDRESSES: Mapping[str, str] = MappingProxyType({})
_logger = logging.getLogger("monitor.desk")
_LEVELS = {
    Severity.INFO: logging.INFO,
    Severity.AMBER: logging.WARNING,
    Severity.RED: logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class _Try:
    """How one message now stands with one receiver."""

    state: str
    reason: str = ""
    wait_s: float = 0.0
    asked: bool = True


def deliver_pending(
    outbox: Outbox,
    routes: Mapping[str, Sequence[str]],
    *,
    now: datetime,
    addresses: Mapping[str, str] = NO_ADDRESSES,
    sender: Sender = apprise_sender,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> DeliveryReport:
    """Send what is due, and commit what became of it, receiver by receiver.

    Parameters
    ----------
    outbox : Outbox
        Of a store.
    routes : mapping of severity to sequence of str
        Apprise addresses, for messages that name no receivers. A message of a severity without any
        goes to the log and counts as sent.
    now : datetime
        The desk's time as the round begins.
    addresses : mapping of name to address
        For messages that name their receivers. A name without an address is a receiver that the
        configuration has no more.
    sender : callable, optional
        Sends one message to one address and returns an `Outcome`; it does not raise.
    limits : Limits, optional

    Returns
    -------
    DeliveryReport

    Notes
    -----
    A message reaches a receiver twice only if this process dies between the receiver's answer and
    our commit; the second then bears the same key. A message that some receivers had and another
    cannot get waits for that one alone.
    """
    work = _Round(outbox, routes, addresses, now, sender, limits)
    ends: dict[str, list[str]] = {SENT: [], PENDING: [], DEAD: []}
    reasons: dict[str, str] = {}
    for message in outbox.due(now, limit=limits.batch):
        if not work.claim(message):
            continue  # another deliverer was faster
        state, reason = work.deliver(message)
        ends[state].append(message.key)
        if reason:
            reasons[message.key] = reason
    return DeliveryReport(tuple(ends[SENT]), tuple(ends[PENDING]), tuple(ends[DEAD]), reasons)


class _Round:
    """One call of `deliver_pending`: what its messages have in common."""

    def __init__(
        self,
        box: Outbox,
        routes: Mapping[str, Sequence[str]],
        addresses: Mapping[str, str],
        now: datetime,
        sender: Sender,
        limits: Limits,
    ) -> None:
        self._box, self._routes, self._addresses = box, routes, addresses
        self._sender, self._limits = sender, limits
        self._start, self._begun = now, time.monotonic()
        self._failures: Counter[str] = Counter()

    def now(self) -> datetime:
        """Return the desk's time: a round may take minutes, and claims run out."""
        return self._start + timedelta(seconds=time.monotonic() - self._begun)

    def claim(self, message: Letter) -> bool:
        at = self.now()
        until = at + timedelta(seconds=self._limits.claim_s)
        return self._box.claim(message.number, now=at, until=until)

    def deliver(self, message: Letter) -> tuple[str, str | None]:
        """Send to whoever has not had it, release the message, and return how it stands."""
        urls: dict[str, str | None]
        if message.receivers is None:
            urls = {target_name(url): url for url in self._routes.get(message.severity, ())}
        else:
            urls = {name: self._addresses.get(name) for name in message.receivers}
        tries = [self._try(message, name, url) for name, url in urls.items()]
        if not urls:
            tries = [self._log(message)]
        states = {t.state for t in tries}
        state = PENDING if PENDING in states else DEAD if DEAD in states else SENT
        reason = "; ".join(t.reason for t in tries if t.reason) or None
        at = self.now()
        wait = min((t.wait_s for t in tries if t.state == PENDING), default=0.0)
        self._box.settle(
            message.number,
            state=state,
            next_attempt=at + timedelta(seconds=wait),
            error=reason,
            now=at,
            attempted=any(t.asked for t in tries),
        )
        if state == DEAD:
            _logger.error("dead letter %s: %s (%s)", message.key, message.title, reason)
        return state, reason

    def _try(self, message: Letter, name: str, url: str | None) -> _Try:
        before = message.targets.get(name)
        attempts = before.attempts if before else 0
        if before and before.state != PENDING:
            reason = "" if before.state == SENT else f"{name}: given up earlier"
            return _Try(before.state, reason, asked=False)
        if url is None:
            reason = f"{name}: the configuration names this receiver no more"
            self._box.record(message.number, name, state=DEAD, error=reason, now=self.now())
            return _Try(DEAD, reason)
        if self._failures[name] >= self._limits.failures_a_round:
            wait = self._wait(message.key, attempts + 1)
            return _Try(PENDING, f"{name}: not asked, it failed before", wait, asked=False)
        outcome = self._sender(url, message, self._limits.timeout_s)
        if outcome.sent:
            self._box.record(message.number, name, state=SENT, error=None, now=self.now())
            return _Try(SENT)
        self._failures[name] += 1
        attempts += 1
        reason = f"{name}: {redact(outcome.reason, [url])}"
        if outcome.permanent:
            state = DEAD
        elif attempts >= self._limits.max_attempts:
            state, reason = DEAD, f"{reason} (gave up after {attempts} attempts)"
        else:
            state = PENDING
        self._box.record(message.number, name, state=state, error=reason, now=self.now())
        return _Try(state, reason, self._wait(message.key, attempts))

    def _wait(self, key: str, attempts: int) -> float:
        """Return the wait before the next attempt, seconds: doubling, and scattered by key."""
        limits = self._limits
        doubled = limits.first_wait_s * 2.0 ** min(attempts - 1, 30)
        # Many messages that failed together must not come back together.
        scatter = 1.0 + sha256(f"{key}/{attempts}".encode()).digest()[0] / 1024
        return min(doubled, limits.longest_wait_s) * scatter

    def _log(self, message: Letter) -> _Try:
        line = {"message": message.key, "severity": str(message.severity)}
        line |= {"title": message.title, "body": message.body}
        _logger.log(_LEVELS[message.severity], json.dumps(line, ensure_ascii=False))
        self._box.record(message.number, LOG, state=SENT, error=None, now=self.now())
        return _Try(SENT)
