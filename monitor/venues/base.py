"""The one contract of every venue, and what they share that needs no network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from monitor.errors import (
    ConfigurationError,
    DomainError,
    VenueError,
    VenueMalformed,
    VenueRefused,
    VenueUnavailable,
)
from monitor.market.snapshot import Snapshot
from monitor.outcome import Rejection
from monitor.registry import Registry

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class VenueSettings:
    """How a venue is asked.

    Attributes
    ----------
    url : str or None
        Base of the venue's API, so that a loopback server can stand in; None for its own.
    timeout_s : float
        For one request.
    attempts : int
        Requests made at most for one answer, where a failure can heal.
    backoff_s, backoff_max_s : float
        Wait before the second attempt, and the longest; it doubles each time, and chance takes up
        to half of it off, so that two desks do not knock together.
    request_gap_ms : float
        Least time between two requests.
    min_listed_share : float
        Least share of the listed options that a chain must hold to be called whole.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    url: str | None = None
    timeout_s: float = 10.0
    attempts: int = 4
    backoff_s: float = 0.5
    backoff_max_s: float = 8.0
    request_gap_ms: float = 50.0
    min_listed_share: float = 0.5

    def __post_init__(self) -> None:
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"url must begin with http:// or https://, was {self.url!r}; leave it out for the "
                "venue's own"
            )
        if self.attempts < 1:
            raise ConfigurationError(f"attempts must be at least 1, was {self.attempts}")
        for name in ("timeout_s", "backoff_s", "backoff_max_s", "request_gap_ms"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{name} must be zero or more, was {value}")
        if not self.timeout_s > 0:
            raise ConfigurationError(f"timeout_s must be positive, was {self.timeout_s}")
        if not 0 <= self.min_listed_share <= 1:
            raise ConfigurationError(
                f"min_listed_share must lie in 0 to 1, was {self.min_listed_share}"
            )


class Venue(ABC):
    """Where chains come from. Use it as an asynchronous context manager, within one event loop."""

    name: str

    @abstractmethod
    async def fetch(self, underlying: str) -> Snapshot:
        """Return the chain of `underlying` as it is now by the venue's clock, with its context.

        Raises
        ------
        VenueUnavailable
            If it did not answer after all attempts.
        VenueRefused
            If it refuses, e.g. an underlying that it does not list.
        VenueMalformed
            If what came is no chain: HTML, empty, truncated, or too few of the listed options.
        """

    @abstractmethod
    async def now_ms(self) -> int:
        """Return the venue's clock.

        Raises
        ------
        VenueError
            As `fetch`.
        """

    def source_of(self, underlying: str) -> str:
        """Return the venue that a chain it gives was quoted on: itself, unless it only repeats."""
        return self.name

    async def aclose(self) -> None:  # noqa: B027  a venue without connections has none to close
        """Give back connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True)
class VenueKind:
    """A venue that can be opened.

    Attributes
    ----------
    name, summary : str
    settings : type
        Frozen dataclass of its settings, constructible without arguments.
    open : callable
        From settings, a generator for the jitter and a sleep to the venue.
    """

    name: str
    summary: str
    settings: type[Any]
    open: Callable[[Any, np.random.Generator, Sleep], Venue]


VENUES: Registry[VenueKind] = Registry("venue")


def open_venue(name: str, settings: Any = None, *, rng: np.random.Generator, sleep: Sleep) -> Venue:
    """Return the venue registered as `name`.

    Parameters
    ----------
    name : str
    settings : object, optional
        Of the venue's own type; its defaults where left out.
    rng : Generator
        For the jitter between attempts; it changes no number of a snapshot.
    sleep : callable
        ``asyncio.sleep``, or a stand-in in tests.

    Raises
    ------
    UnknownNameError
        If no venue is named so.
    """
    kind = VENUES[name]
    return kind.open(kind.settings() if settings is None else settings, rng, sleep)


@dataclass
class Missing:
    """What a fetch went without: collected while asking, recorded in the context."""

    rejections: list[Rejection] = field(default_factory=list)

    async def unless_missing(self, subject: str, answer: Awaitable[T]) -> T | None:
        """Return the answer, or None with the failure on record: a context never fails a chain."""
        try:
            return await answer
        except (VenueError, DomainError) as error:
            self.note(reason_of(error), subject, str(error))
            return None

    def note(self, reason: str, subject: str, detail: str) -> None:
        """Record that a part of the context is not there."""
        self.rejections.append(Rejection("context", reason, subject, detail[:300]))


def reason_of(error: Exception) -> str:
    """Return the word under which a failed question is recorded."""
    if isinstance(error, VenueUnavailable):
        return "unavailable"
    if isinstance(error, VenueRefused):
        return "refused"
    return "malformed"


def require_share_of_listed(n_rows: int, n_listed: int | None, min_share: float, what: str) -> None:
    """Refuse half a chain.

    Raises
    ------
    VenueMalformed
        With what was found and allowed.
    """
    if n_listed and n_rows < min_share * n_listed:
        raise VenueMalformed(
            f"{what}: half a chain, {n_rows} of {n_listed} listed options "
            f"({n_rows / n_listed:.0%}); at least {min_share:.0%} are needed. "
            "The next pass asks again; lower min_listed_share if the venue lists what it no longer "
            "quotes"
        )
