"""The numbers an incident's life turns on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """How long a trouble must be gone before it is over.

    Attributes
    ----------
    resolve_after_runs : int
        Runs in a row without the finding that resolve an incident.
    reopen_within_runs : int
        A finding that returns within so many runs after the resolution reopens the incident.
    blind_nights_red : int
        Nights in a row without a verdict after which a data incident turns red.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    resolve_after_runs: int = 3
    reopen_within_runs: int = 7
    blind_nights_red: int = 3
