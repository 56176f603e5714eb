"""The outbox: messages waiting for delivery, and how each receiver of each fared.

What to send and to whom is the business of `monitor.channels`; here stands only what must survive
a crash. A message is claimed before it is sent, so that two deliverers never send it at once, and
each receiver's answer is committed before the next is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select, update

from monitor.errors import UnknownNameError
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.bulk import insert_or_nothing
from monitor.store.times import iso
from monitor.verdict.base import Severity

_o, _d = schema.outbox.c, schema.deliveries.c
_LETTER = "key message_key severity title body html receivers".split()


@dataclass(frozen=True, slots=True)
class TargetState:
    """How one receiver of one message has fared: pending, sent or dead, after how many tries."""

    state: str
    attempts: int


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message as the outbox holds it.

    Attributes
    ----------
    number : int
        Its place in the outbox.
    key : str
        Its name for ever.
    severity : Severity
    title, body : str
    html : str or None
    receivers : tuple of str or None
        Names of the receivers; None: the route of the severity.
    targets : mapping of str to TargetState
        Receivers tried so far.
    """

    number: int
    key: str
    severity: Severity
    title: str
    body: str
    html: str | None
    receivers: tuple[str, ...] | None
    targets: Mapping[str, TargetState]


class Outbox:
    """The messages of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def due(self, now: datetime, *, limit: int) -> list[QueuedMessage]:
        """Return messages whose time has come and that nobody is sending, the loudest first."""
        at = iso(now)
        rank = case({str(s): s.rank for s in Severity}, value=_o.severity)
        wanted = (
            select(*(_o[name] for name in _LETTER))
            .where(
                _o.state == "pending",
                _o.next_attempt_wall <= at,
                or_(_o.claimed_until_wall.is_(None), _o.claimed_until_wall <= at),
            )
            .order_by(rank.desc(), _o.key)
            .limit(limit)
        )
        with self._store.reading() as connection:
            found = connection.execute(wanted).all()
            tried = select(_d.outbox_key, _d.target, _d.state, _d.attempts).where(
                _d.outbox_key.in_([row.key for row in found])
            )
            targets: dict[int, dict[str, TargetState]] = {}
            for number, target, state, attempts in connection.execute(tried):
                targets.setdefault(number, {})[target] = TargetState(state, attempts)
        return [
            QueuedMessage(
                row.key,
                row.message_key,
                Severity(row.severity),
                row.title,
                row.body,
                row.html,
                None if row.receivers is None else tuple(row.receivers.splitlines()),
                targets.get(row.key, {}),
            )
            for row in found
        ]

    def claim(self, number: int, *, now: datetime, until: datetime) -> bool:
        """Take a message for sending until then; False if somebody else has it or is done with it.

        A claim outlives its holder's crash: the message is sent again once it has run out.
        """
        at = iso(now)
        taken = (
            update(schema.outbox)
            .where(
                _o.key == number,
                _o.state == "pending",
                or_(_o.claimed_until_wall.is_(None), _o.claimed_until_wall <= at),
            )
            .values(claimed_until_wall=iso(until))
        )
        with self._store.writing() as connection:
            return connection.execute(taken).rowcount == 1

    def record(
        self, number: int, target: str, *, state: str, error: str | None, now: datetime
    ) -> None:
        """Record one attempt at one receiver: ``sent``, ``dead``, or ``pending`` for a failure.

        Parameters
        ----------
        target : str
            The receiver's name without its secrets.
        error : str or None
            Why not, without secrets.
        """
        sent = iso(now) if state == "sent" else None
        with self._store.writing() as connection:
            connection.execute(
                insert_or_nothing(connection, schema.deliveries).values(
                    outbox_key=number, target=target, state="pending", attempts=0
                )
            )
            connection.execute(
                update(schema.deliveries)
                .where(_d.outbox_key == number, _d.target == target)
                .values(state=state, attempts=_d.attempts + 1, last_error=error, sent_wall=sent)
            )

    def settle(
        self,
        number: int,
        *,
        state: str,
        next_attempt: datetime,
        error: str | None,
        now: datetime,
        attempted: bool,
    ) -> None:
        """Release a message after a round of attempts: done, dead, or due again later."""
        with self._store.writing() as connection:
            connection.execute(
                update(schema.outbox)
                .where(_o.key == number)
                .values(
                    state=state,
                    attempts=_o.attempts + int(attempted),
                    next_attempt_wall=iso(next_attempt),
                    claimed_until_wall=None,
                    last_error=error,
                    sent_wall=iso(now) if state == "sent" else None,
                )
            )

    def counts(self) -> dict[str, int]:
        """Return how many messages are pending, sent and dead."""
        counted = select(_o.state, func.count()).group_by(_o.state)
        with self._store.reading() as connection:
            found = dict(connection.execute(counted).tuples().all())
        return {state: found.get(state, 0) for state in ("pending", "sent", "dead")}

    def revive(self, key: str, *, now: datetime) -> None:
        """Take a dead message out of dead-letter: its failed receivers are tried anew.

        Raises
        ------
        UnknownNameError
            If no dead message has that key; lists those that are.
        """
        with self._store.writing() as connection:
            dead = dict(
                connection.execute(select(_o.message_key, _o.key).where(_o.state == "dead"))
                .tuples()
                .all()
            )
            if key not in dead:
                raise UnknownNameError("dead message", key, dead)
            connection.execute(
                update(schema.deliveries)
                .where(_d.outbox_key == dead[key], _d.state == "dead")
                .values(state="pending", attempts=0)
            )
            connection.execute(
                update(schema.outbox)
                .where(_o.key == dead[key])
                .values(state="pending", next_attempt_wall=iso(now), claimed_until_wall=None)
            )
