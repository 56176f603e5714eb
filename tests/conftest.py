"""What every test may count on: no settings of this machine, only loopback, one thread."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Any

import pytest

# Before numpy and prefect are imported, for both read them then.
for _name in [n for n in os.environ if n.upper().startswith(("MISSPEC_", "PREFECT_"))]:
    del os.environ[_name]
os.environ |= {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PREFECT_HOME": tempfile.mkdtemp(prefix="misspec-prefect-"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _refuse_outside(address: Any) -> None:
    if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
        raise AssertionError(f"a test tried to reach {address}: only loopback is allowed")


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Any:
    def connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(address)
        return _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(address)
        return _connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect_ex)
        yield


@pytest.fixture(scope="session")
def world() -> Any:
    """A calm world that breaks on its fifth night, and never does."""
    from monitor.sandbox.generate import open_world

    return open_world("calm", break_night=4)


@pytest.fixture(scope="session")
def recorded(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An archive of the world's first four nights of BTC, at 22:30 UTC."""
    from monitor.archive import write_snapshot

    folder = tmp_path_factory.mktemp("recorded")
    for night in range(4):
        write_snapshot(folder, world.snapshot("BTC", evening_ms(night)))
    return folder


def evening_ms(night: int) -> int:
    """Return 22:30 UTC of a night of the world."""
    from datetime import timedelta

    from monitor.conventions import to_ms
    from monitor.sandbox.generate import DEFAULT_START

    return to_ms(DEFAULT_START + timedelta(days=night, hours=22, minutes=30))
