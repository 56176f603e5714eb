"""The numbers an incident's life turns on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from monitor.errors import DomainError

LONGEST_MEMORY = 30  # runs back that a pass knows of: see `monitor.recollect`


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """When a trouble is told, when it is over, and when it is still the same one.

    A trouble opens at the level at which the rules of judgement find it, and is over only when each
    of its numbers has fallen below a share of that level: what hovers about a limit is one trouble.

    Attributes
    ----------
    open_after_runs : int
        Runs in a row that must find an amber trouble before it opens an incident; until then it is
        pending, a matter of the board alone. A red one has lasted by the rules of judgement, and a
        chain that cannot be judged is told at once.
    close_level : float
        Share of a tolerance below which a level counts as calm.
    close_change : float
        Share of a limit of change below which a change score counts as calm.
    resolve_after_runs : int
        Calm runs in a row that resolve an incident.
    reopen_within_runs : int
        A finding that returns within so many runs of the resolution reopens the incident.
    flapping_reopenings : int
        Reopenings from which on an incident counts as flapping.
    flapping_quiet_runs : int
        Calm runs in a row that resolve an incident that flaps.
    blind_nights_red : int
        Nights in a row without a verdict after which a data incident turns red.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    open_after_runs: int = 2
    close_level: float = 0.9
    close_change: float = 0.7
    resolve_after_runs: int = 3
    reopen_within_runs: int = 7
    flapping_reopenings: int = 2
    flapping_quiet_runs: int = 10
    blind_nights_red: int = 3

    def __post_init__(self) -> None:
        for name in ("close_level", "close_change"):
            if not 0 < getattr(self, name) <= 1:
                raise DomainError(f"{name} is a share of the opening level, above 0 and at most 1")
        if self.reopen_within_runs > LONGEST_MEMORY:
            raise DomainError(
                f"reopen_within_runs is at most {LONGEST_MEMORY}, was {self.reopen_within_runs}: "
                "a pass knows no more runs"
            )
