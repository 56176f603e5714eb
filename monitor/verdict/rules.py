"""The numbers that the ordered argument turns on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class JudgementRules:
    """Thresholds with a meaning of their own; limits of change are learnt, see `limits`.

    Attributes
    ----------
    min_quotes : int
        Fewer usable quotes on the chain cannot be judged.
    max_age_s : float
        Oldest chain, by the venue's own clock.
    max_rejected_share : float
        Largest share of selected quotes that cleaning may reject.
    nights_between_false_pages : float
        What the desk accepts, over all models and underlyings together.
    streams : int
        Model × underlying pairs that share that budget.
    learning_nights, settled_nights : int
        Below the first, change is not judged; below the second it is amber at most.
    reference_nights : int
        Longest window a limit is learnt from.
    persistent_nights : int
        Nights in a row beyond a tolerance or a limit before the finding is red.
    max_condition : float
        Condition number beyond which a direction counts as flat.
    max_restarts_spread : float
        Distance, in standard errors, beyond which starts that fit alike disagree.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_quotes: int = 40
    max_age_s: float = 900.0
    max_rejected_share: float = 0.60
    nights_between_false_pages: float = 365.0
    streams: int = 8
    learning_nights: int = 20
    settled_nights: int = 60
    reference_nights: int = 120
    persistent_nights: int = 2
    max_condition: float = 1e4
    max_restarts_spread: float = 3.0
