"""The model inventory: what each model is used for, and how wrong it may be for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model's entry in the inventory.

    Attributes
    ----------
    purpose : {"marking", "hedging", "benchmark"}
        A benchmark is measured and never pages.
    max_rmse_iv : float or None
        Largest root mean square error over the chain, in vol (a decimal).
    min_inside_share : float or None
        Smallest share of model values inside bid–ask.
    owner : str
        Who answers for the model; routes may name owners.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    purpose: Literal["marking", "hedging", "benchmark"] = "benchmark"
    max_rmse_iv: float | None = None
    min_inside_share: float | None = None
    owner: str = ""

    @property
    def pages(self) -> bool:
        """Whether a finding about this model may open an incident."""
        return self.purpose != "benchmark"


# A mark may be off by a vol point, about the median bid–ask width of Deribit's out-of-the-money
# options (1.26 points, 30 Dec 2025 – 31 May 2026). A delta hedge tolerates more: at six vol points
# the delta of a 30-day 25-delta option is off by about 0.02 coin, a twentieth of a daily move's
# gamma effect.
DEFAULT_INVENTORY: dict[str, ModelUse] = {
    "black": ModelUse("benchmark"),
    "adhoc": ModelUse("benchmark"),
    "svi": ModelUse("marking", max_rmse_iv=0.01, min_inside_share=0.85),
    "ssvi": ModelUse("benchmark"),
    "sabr": ModelUse("benchmark"),
    "heston": ModelUse("hedging", max_rmse_iv=0.06),
    "bates": ModelUse("benchmark"),
    "merton": ModelUse("benchmark"),
    "kou": ModelUse("benchmark"),
    "variance_gamma": ModelUse("benchmark"),
    "svcj": ModelUse("benchmark"),
}
