"""Work for other processes: by name, and without the whole package behind it."""

from __future__ import annotations


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
