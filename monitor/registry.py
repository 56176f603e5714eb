"""Registration by the module itself: a new model, metric, venue or world is one file.

A package's `__init__` calls `Registry.discover` on itself; each module in it registers what it
defines when it is imported. *Refused:* a central list of members, which every addition must edit;
entry points, which need an installation step to be seen.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Generic, TypeVar

from monitor.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name, in the order of their names.

    Examples
    --------
    >>> colours: Registry[int] = Registry("colour")
    >>> colours.add("red", 0xFF0000)
    >>> colours["red"]
    16711680
    >>> colours["blue"]
    Traceback (most recent call last):
    ...
    monitor.errors.UnknownNameError: no colour is named 'blue'. Known: red
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}
        self._sorted: list[tuple[str, T]] = []

    def add(self, name: str, member: T) -> None:
        """Register `member`; a second member of the same name is a programming error."""
        if name in self._members and self._members[name] is not member:
            raise RuntimeError(f"two {self.kind}s are named {name!r}")
        self._members[name] = member
        self._sorted = []

    def exchange(self, name: str, member: T) -> None:
        """Put `member` in the place of the one registered: for instruments around it."""
        self[name]
        self._members[name], self._sorted = member, []

    def __getitem__(self, name: str) -> T:
        try:
            return self._members[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._members) from None

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._members))

    def __len__(self) -> int:
        return len(self._members)

    def items(self) -> list[tuple[str, T]]:
        """Return the members with their names, sorted by name."""
        if not self._sorted:
            self._sorted = sorted(self._members.items())
        return list(self._sorted)

    @staticmethod
    def discover(package: ModuleType) -> None:
        """Import every module of `package`, so that each can register what it defines."""
        for info in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{info.name}")
