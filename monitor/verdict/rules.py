"""The numbers that the ordered argument turns on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class JudgementRules:
    """Thresholds with a meaning of their own; limits of change are learnt, see `DriftRules`.

    Attributes
    ----------
    min_quotes : int
        Fewer usable quotes on the chain cannot be judged.
    max_age_s : float
        Oldest chain, by the venue's own clock.
    min_of_last_night : float
        Smallest share of last night's usable quotes: below it half a chain is missing.
    min_listed_share : float
        Smallest share of the venue's listing that the chain must hold.
    max_crossed_share : float
        Largest share of selected quotes with a bid above the ask: beyond it the feed is broken.
    max_rejected_share : float
        Largest share of selected quotes that cleaning may reject for want of a usable market.
    max_unit_factor : float
        Furthest, either way, that prices may lie from what mark vols say and forwards from the
        index, as a factor: half-way, in logarithms, to the least that confused units make of them.
    max_parity_gap : float
        Furthest the venue's forward may lie outside its parity bounds, as a share of it.
    max_future_gap : float
        Furthest the venue's forward may lie from the mark of its dated future, as a share of it.
    max_mark_z_spread : float
        Furthest the venue's marks may lie from its own book, root mean square in half-spreads.
    max_dvol_gap : float
        Furthest the book's own 30-day vol may lie from the venue's volatility index, in vol.
    max_butterfly_share : float
        Largest share of neighbouring strikes whose butterfly may be had for less than nothing.
    max_width_growth : float
        Median width over its usual one, beyond which the market is thin.
    max_rejected_growth : float
        Share of rejected quotes over its usual one, beyond which the market is thin.
    max_blind_vega : float
        Largest share of the listed vega that may be blind, see the metric, where a model is called
        adequate.
    max_condition_log10 : float
        Condition beyond which a direction counts as flat.
    max_restarts_spread : float
        Distance, in standard errors, beyond which starts that fit alike disagree.
    persistent_nights : int
        Nights in a row beyond a tolerance or a limit before a finding is red.
    standing_share : float
        A tolerance crossed on at least this share of the judged nights before is no news.
    material_iv : float
        Smallest rise of the error, in vol, that is worth a red page.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_quotes: int = 40
    max_age_s: float = 900.0
    min_of_last_night: float = 0.5
    min_listed_share: float = 0.8
    max_crossed_share: float = 0.02
    max_rejected_share: float = 0.60
    max_unit_factor: float = 3.0
    max_parity_gap: float = 0.0003
    max_future_gap: float = 0.001
    max_mark_z_spread: float = 4.0
    max_dvol_gap: float = 0.05
    max_butterfly_share: float = 0.02
    max_width_growth: float = 1.75
    max_rejected_growth: float = 0.20
    max_blind_vega: float = 0.5
    max_condition_log10: float = 4.0
    max_restarts_spread: float = 3.0
    persistent_nights: int = 2
    standing_share: float = 0.5
    material_iv: float = 0.005
