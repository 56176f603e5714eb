"""What delivery needs of an outbox, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from monitor.verdict.base import Severity


class Tried(Protocol):
    """How one receiver of one message has fared."""

    @property
    def state(self) -> str:
        """``pending``, ``sent`` or ``dead``."""

    @property
    def attempts(self) -> int:
        """How often it was tried."""


class Letter(Protocol):
    """A message as the outbox holds it."""

    @property
    def number(self) -> int:
        """Its place in the outbox."""

    @property
    def key(self) -> str:
        """Its name for ever: a receiver that has seen it may drop it."""

    @property
    def severity(self) -> Severity:
        """Chooses the route."""

    @property
    def title(self) -> str:
        """One line."""

    @property
    def body(self) -> str:
        """Plain text."""

    @property
    def html(self) -> str | None:
        """The body for receivers that show it; None: the text serves all."""

    @property
    def receivers(self) -> tuple[str, ...] | None:
        """Names of the receivers; None: the route of the severity."""

    @property
    def targets(self) -> Mapping[str, Tried]:
        """Receivers tried so far, by name."""


class Outbox(Protocol):
    """Where messages wait; see `monitor.store.outbox` for the meaning of each."""

    def due(self, now: datetime, *, limit: int) -> Sequence[Letter]:
        """Return messages whose time has come."""

    def claim(self, number: int, *, now: datetime, until: datetime) -> bool:
        """Take a message for sending."""

    def record(
        self, number: int, target: str, *, state: str, error: str | None, now: datetime
    ) -> None:
        """Record one attempt at one receiver."""

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
        """Release a message after a round of attempts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient delivery is.

    Attributes
    ----------
    max_attempts : int
        Tries of one receiver before the message lies in dead-letter.
    first_wait_s, longest_wait_s : float
        Wait after the first failure; it doubles with each, up to the longest.
    timeout_s : float
        For a receiver to connect, and to answer.
    claim_s : float
        How long a message stays claimed by a deliverer that may have crashed.
    failures_a_round : int
        A receiver that failed this often in one round is not asked again in it.
    batch : int
        Messages a round.
    """

    max_attempts: int = 8
    first_wait_s: float = 30.0
    longest_wait_s: float = 3600.0
    timeout_s: float = 10.0
    claim_s: float = 180.0
    failures_a_round: int = 2
    batch: int = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receiver made of a message.

    Attributes
    ----------
    sent : bool
    reason : str
        Why not; without secrets.
    permanent : bool
        Whether trying again cannot help: the address itself is wrong.
    """

    sent: bool
    reason: str = ""
    permanent: bool = False


Sender = Callable[[str, Letter, float], Outcome]  # address, message, time-out in seconds


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of one round, by message key.

    Attributes
    ----------
    sent, waiting, dead : tuple of str
        Delivered to all; due again later; given up for at least one receiver.
    reasons : mapping of str to str
        Why a message is waiting or dead; without secrets.
    """

    sent: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
