"""Every exception of the client library as one of ours, at the edge and nowhere else.

The library's own tree cannot be used as it is: a malformed payload sits under what is worth a
retry, and an answer of 404 or 403 without JSON is called an exchange not available, so that a
wrong address would be asked for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from monitor.errors import VenueError, VenueMalformed, VenueRefused, VenueUnavailable

# Of the statuses that the library calls an exchange not available, those that mean: not like this.
_REFUSING_STATUS = re.compile(r"^\S+ [A-Z]+ \S+ (400|401|403|404|405|410|451) ")
_LONGEST = 400


@cache
def translations() -> Mapping[type[BaseException], type[VenueError]]:
    """Return our class for theirs; the nearest ancestor counts."""
    # Importing the library takes a second and 70 MB: only what talks to a venue pays.
    from ccxt.base import errors as theirs

    return {
        theirs.BaseError: VenueError,
        theirs.ExchangeError: VenueRefused,
        theirs.UnsubscribeError: VenueRefused,
        theirs.OperationFailed: VenueUnavailable,
        theirs.BadResponse: VenueMalformed,
        # Two clocks disagree or a book lost its order: asking again gives a fresh one.
        theirs.InvalidNonce: VenueUnavailable,
        # Nothing is cancelled here; it cannot be read as a venue that is down.
        theirs.CancelPending: VenueRefused,
    }


def translate(error: BaseException) -> VenueError:
    """Return `error` of the client library as one of ours, without raising it."""
    table = translations()
    kind = next(table[ancestor] for ancestor in type(error).__mro__ if ancestor in table)
    if kind is VenueUnavailable and _REFUSING_STATUS.match(str(error)):
        kind = VenueRefused
    # A body cut off in mid-air leaves the library as a refusal, its cause as the transport's.
    if type(error.__cause__).__name__ in ("ClientPayloadError", "ChunkedEncodingError"):
        kind = VenueUnavailable
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " …"
    return kind(f"{text} ({type(error).__name__})")


@contextmanager
def translated() -> Iterator[None]:
    """Let only our own errors out.

    Raises
    ------
    VenueError
        Of the class that says whether to ask again, its cause kept.
    """
    from ccxt.base.errors import BaseError

    try:
        yield
    except BaseError as error:
        raise translate(error) from error
    except (TimeoutError, ConnectionError, OSError) as error:
        raise VenueUnavailable(f"{type(error).__name__}: {error}") from error
