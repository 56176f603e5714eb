"""One real Prefect server on loopback for all tests of the flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.server import own_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of its API."""
    with own_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url
