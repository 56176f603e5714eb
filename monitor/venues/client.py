"""One connection to one venue: the client library's implicit calls, translated and asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.venues.base import Sleep, VenueSettings
from monitor.venues.errors import translated
from monitor.venues.retry import retried


class Client:
    """The asynchronous client of one venue.

    Parameters
    ----------
    exchange : str
        Name of the venue in the client library.
    url_key : str
        Name of the base address that `VenueSettings.url` replaces there.
    settings, rng, sleep
        See `monitor.venues.base`.
    """

    def __init__(
        self,
        exchange: str,
        url_key: str,
        settings: VenueSettings,
        rng: np.random.Generator,
        sleep: Sleep,
    ) -> None:
        self._exchange, self._url_key = exchange, url_key
        self._settings, self._rng, self._sleep = settings, rng, sleep
        self._client: Any = None

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return what the venue answers to an implicit method, decoded where it is JSON.

        Numbers arrive as their own text, so that no digit is lost on the way.

        Raises
        ------
        VenueError
            See `monitor.venues.errors`.
        """

        async def once() -> Any:
            with translated():
                return await getattr(self._opened(), method)(dict(params or {}))

        return await retried(once, self._settings, self._rng, self._sleep)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _opened(self) -> Any:
        # Importing the library takes two seconds: the command line's help must not wait for it.
        # The client binds itself to the running event loop, so it is made on the first question.
        if self._client is None:
            import ccxt.async_support as library

            settings = self._settings
            config: dict[str, Any] = {
                "timeout": int(1000 * settings.timeout_s),
                "rateLimit": settings.request_gap_ms,
                "enableRateLimit": settings.request_gap_ms > 0,
            }
            if settings.url is not None:
                config["urls"] = {"api": {self._url_key: settings.url.rstrip("/")}}
            client = getattr(library, self._exchange)(config)
            if settings.url is not None and settings.url.startswith("http://"):
                # A quarter second that lets TLS connections say goodbye.
                client.timeout_on_exit = 0
            self._client = client
        return self._client
