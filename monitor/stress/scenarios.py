"""The inner cells of the venue's portfolio margin: spot moves, each with vol down, same and up.

Deribit publishes, for options with d days left and p = 0.30 below 30 days, else 0.13,

    up:   max(sigma (1 + 0.50 (30/d)^p), 0.50)
    down: max(sigma (1 - 0.25 (30/d)^p), 0)

and moves of spot up to 16 % (BTC's numbers as published in 2026, read on 22 November 2026; the
venue changes them without notice). They are applied to every underlying: one yardstick for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.arrays import FloatArray

REFERENCE_DAYS = 30.0  # tenor at which the venue states its moves of vol
VolMove = Literal["down", "same", "up"]
VOL_MOVES: tuple[VolMove, ...] = ("down", "same", "up")


@dataclass(frozen=True, slots=True)
class VolRule:
    """How far vol moves, by tenor.

    Attributes
    ----------
    up, down : float
        Relative moves at 30 days.
    floor_up : float
        Vol is at least this after a move up.
    power_short, power_long : float
        Decay of the moves with tenor, below 30 days and from there.
    """

    up: float = 0.50
    down: float = 0.25
    floor_up: float = 0.50
    power_short: float = 0.30
    power_long: float = 0.13

    def moved(self, iv: FloatArray, tau: FloatArray, move: VolMove) -> FloatArray:
        """Return vols after the move.

        Parameters
        ----------
        iv, tau : ndarray
            Vols and tenors in years, broadcast against each other.
        move : {"down", "same", "up"}
        """
        iv = np.asarray(iv, dtype=np.float64)
        if move == "same":
            return iv
        days = 365.0 * np.asarray(tau, dtype=np.float64)
        power = np.where(days < REFERENCE_DAYS, self.power_short, self.power_long)
        factor = (REFERENCE_DAYS / days) ** power
        if move == "up":
            return np.maximum(iv * (1.0 + self.up * factor), self.floor_up)
        return np.maximum(iv * (1.0 - self.down * factor), 0.0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One cell.

    Attributes
    ----------
    spot : float
        Relative move of every forward, -0.16 for 16 % down.
    vol : {"down", "same", "up"}
    """

    spot: float
    vol: VolMove

    @property
    def name(self) -> str:
        """Return the cell's name in scopes: ``spot-16/vol-up``."""
        move = f"{100.0 * self.spot:+.0f}" if self.spot else "0"
        return f"spot{move}/vol-{self.vol}"


PORTFOLIO_MARGIN = VolRule()
SPOT_MOVES = (-0.16, 0.0, 0.16)
SCENARIOS = tuple(Scenario(spot, vol) for spot in SPOT_MOVES for vol in VOL_MOVES)
UNMOVED = Scenario(0.0, "same")
