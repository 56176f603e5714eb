"""What drift is judged by: the budget of false pages and the life of a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, slots=True)
class DriftRules:
    """What the desk accepts in false pages, and how long a reference is.

    Attributes
    ----------
    nights_between_false_pages : float
        Over all models and underlyings of the desk together.
    streams : int or None
        Who shares that budget. None: as many as the configuration has, see
        `monitor.assessment.streams_of`; rules that belong to no configuration share with nobody.
    learning_nights, settled_nights : int
        Below the first, change is not judged; below the second it is amber at most.
    reference_nights, horizon_nights : int
        Longest reference; adequate nights between its renewals.
    sample_nights : int
        Latest nights whose distribution is compared with the reference's.
    sample_size : float
        Chance that such a comparison exceeds its limit where nothing has changed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    nights_between_false_pages: float = 365.0
    streams: int | None = None
    learning_nights: int = 20
    settled_nights: int = 60
    reference_nights: int = 120
    horizon_nights: int = 91
    sample_nights: int = 30
    sample_size: float = 0.01

    @property
    def false_alarm_probability(self) -> float:
        """Each stream's share: of an alarm of any of its headlines within the horizon, unchanged.

        Bonferroni over streams: their own correlation is not used, and can only make false pages
        rarer than accepted. Within a stream, limits are joint (`monitor.numerics.limits`).
        """
        return float(-np.expm1(-self.horizon_nights / self.nights_between_a_streams))

    @property
    def nights_between_a_streams(self) -> float:
        """Nights between false pages that one stream is allowed."""
        return self.nights_between_false_pages * (self.streams or 1)
