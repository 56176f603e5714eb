"""A Prefect server of our own, for a machine on which none is configured.

The server that Prefect starts by itself beside a flow runs no scheduler: nothing served on it would
ever fire. This one does; it listens on loopback and keeps its database under our home.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errors import MonitorError

READY_WITHIN_S = 90.0  # 12 s on an idle machine


@contextmanager
def own_server(folder: Path) -> Iterator[str]:
    """Yield the address of a server that runs until the block is left.

    Parameters
    ----------
    folder : Path
        Its database, settings and log.

    Raises
    ------
    MonitorError
        If it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    own = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    keep = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=keep | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(process, url, folder)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise MonitorError(f"the Prefect server did not come up; its log is {folder / 'server.log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
