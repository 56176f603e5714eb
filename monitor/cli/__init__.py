"""The command line: arguments in, one question or one job out, in words people and programs read.

One file a group of commands. Imports everything below, each command what it needs when it is
called, so that help comes at once. Data goes to stdout and nothing else does; progress and
messages go to stderr. *Refused:* logic here, which a flow or a test could then not use.
"""

from __future__ import annotations

import os

# Results must not depend on the number of cores, and a job on a desk's machine reports to nobody.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Prefect gives its own temporary server 20 seconds, which a busy machine can take to start.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


def main() -> None:
    """Run one command and leave with its exit code."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # before the libraries that read them are loaded
    from monitor.cli.app import run
    from monitor.garbage import collect_seldom

    collect_seldom()
    run()
