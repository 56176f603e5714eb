"""What a world is: a truth, and what breaks in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from monitor.registry import Registry


@dataclass(frozen=True, slots=True)
class Truth:
    """One underlying's law under the pricing measure: Heston's, in the symbols of the models.

    Attributes
    ----------
    spot : float
        Dollars per coin at the world's start.
    v0 : float
        Median of the wandering spot variance, per year.
    kappa, theta_v, xi, rho : float
        Constant for ever unless a world says otherwise.
    """

    spot: float
    v0: float
    kappa: float
    theta_v: float
    xi: float
    rho: float


@dataclass(frozen=True, slots=True)
class Jumps:
    """Compound-Poisson jumps of the log price: intensity a year, mean, deviation."""

    lam: float
    mu_j: float
    sigma_j: float

    @property
    def variance(self) -> float:
        """Variance that they add, per year."""
        return self.lam * (self.mu_j**2 + self.sigma_j**2)


@dataclass(frozen=True, slots=True)
class Regime:
    """What differs from the truth at a moment.

    Attributes
    ----------
    state_factor : float
        Multiplies the spot variance v0, and nothing else.
    jumps : Jumps or None
        Present in prices and in the path; v0 and theta_v give up the variance that they add, so
        that the level stays and the shape changes.
    put_wing : float
        Vol added to out-of-the-money puts, a decimal, in full from one deviation below the forward.
    """

    state_factor: float = 1.0
    jumps: Jumps | None = None
    put_wing: float = 0.0


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that changes for good, and what a monitor should say of it.

    Attributes
    ----------
    night : int
        Nights after the world's break at which it happens; 0 is the night of the break itself.
    what : str
        In words.
    cause : str
        Incident cause expected for a Heston user: ``misspecification`` or ``market``.
    wings : tuple of str
        Where: ``put``, ``centre``, ``call``; empty for everywhere.
    tenors : {"short", "long", "all"}
        Which expiries show it most.
    pages : bool
        Whether a red page is right.
    """

    night: int
    what: str
    cause: Literal["misspecification", "market"]
    wings: tuple[str, ...] = ()
    tenors: Literal["short", "long", "all"] = "all"
    pages: bool = True


# Fits of Heston to recorded nightly chains, 15 January to 10 May 2026, tenors above 12 hours:
# BTC v0 .11-.35, kappa 5-32, theta_v .25-.35, xi 2.7-7.9, rho -.23 to -.37; ETH v0 .20-.59,
# kappa 4-50, theta_v .43-.62, xi 3-12, rho -.14 to -.29.
TRUTHS: Mapping[str, Truth] = {
    "BTC": Truth(70_000.0, 0.20, 7.0, 0.25, 3.0, -0.30),
    "ETH": Truth(2_100.0, 0.40, 8.0, 0.46, 4.0, -0.20),
}


def _quiet(night: float) -> Regime:
    return Regime()


@dataclass(frozen=True)
class World:
    """A market whose truth is known.

    Attributes
    ----------
    name, summary : str
    breaks : tuple of Break
        Empty where nothing breaks.
    regime : callable
        From nights since the break (negative before it) to the regime.
    truths : mapping
        Truth by underlying.
    """

    name: str
    summary: str
    breaks: tuple[Break, ...] = ()
    regime: Callable[[float], Regime] = _quiet
    truths: Mapping[str, Truth] = field(default_factory=lambda: TRUTHS)


WORLDS: Registry[World] = Registry("world")
