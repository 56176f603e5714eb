"""Work for other processes: by name, and without the whole package behind it."""

from __future__ import annotations

import os
import time


def square(n, tick):
    """Return the square, with a tick for each unit."""
    for _ in range(n):
        tick()
    return n * n


def refuse(n, tick):
    """Fail on the third task."""
    if n == 3:
        raise ValueError("three is too many")
    return n


def refuse_or_last(path, n, tick):
    """Fail on the first task; else go on until told to stop, and leave a note if never told."""
    if n == 1:
        raise ValueError("one is too many")
    for _ in range(1_000):
        tick()
        time.sleep(0.01)
    path.touch()
    return n


def wait_for_ever(folder, name, tick):
    """Leave the number of this process and wait to be ended."""
    (folder / f"{name}.pid").write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)
