"""Every exception that this package raises on purpose, as one tree.

::

    MonitorError
    ├── UsageError                  what the caller asked for cannot be done (exit code 2)
    │   ├── ConfigurationError      a configuration key or value is not one of those allowed
    │   └── UnknownNameError        no metric, model, venue, world … of that name
    ├── DomainError                 a number outside the range in which a function is defined
    ├── ArchiveError                a snapshot file that cannot be read, or is not what it says
    ├── VenueError                  the venue did not give what was asked
    │   ├── VenueUnavailable        it may heal: time-out, 5xx, rate limit, maintenance
    │   ├── VenueRefused            it will not heal by asking again: bad request, no permission
    │   └── VenueMalformed          it answered, but not with an answer: HTML, empty, truncated
    ├── StoreError                  the database did not do what was asked
    │   ├── StoreUnavailable        locked, unreachable, read-only, full
    │   └── SchemaMismatch          the database is older or newer than the code
    └── DeliveryError               a message did not reach its receiver

Raise the narrowest class. A message says what was found, what was allowed, and what to do.
What is expected to go wrong for one quote, fit or metric is no exception: see `monitor.outcome`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class MonitorError(Exception):
    """Any failure that this package raises on purpose."""


class UsageError(MonitorError):
    """What the caller asked for cannot be done as asked."""


class ConfigurationError(UsageError):
    """A configuration key or value is not one of those allowed."""


class UnknownNameError(UsageError):
    """No registered thing bears that name; the message lists those that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        near = get_close_matches(name, self.known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"no {kind} is named {name!r}.{hint} Known: {', '.join(self.known)}")

    def __reduce__(self) -> tuple[type, tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.kind, self.name, self.known)


class DomainError(MonitorError, ValueError):
    """A number lies outside the range in which a function is defined."""


class ArchiveError(MonitorError):
    """A snapshot file cannot be read, or is not what it says it is."""


class VenueError(MonitorError):
    """The venue did not give what was asked."""


class VenueUnavailable(VenueError):
    """The venue does not answer now and may later: worth a retry."""


class VenueRefused(VenueError):
    """The venue refuses this request and will go on refusing it: not worth a retry."""


class VenueMalformed(VenueError):
    """The venue answered with something that is not an answer."""


class StoreError(MonitorError):
    """The database did not do what was asked."""


class StoreUnavailable(StoreError):
    """The database is locked, unreachable, read-only or full."""


class SchemaMismatch(StoreError):
    """The database's schema is older or newer than this code."""


class DeliveryError(MonitorError):
    """A message did not reach its receiver."""
