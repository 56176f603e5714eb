"""What a world is: a truth, and what happens to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from monitor.registry import Registry
from monitor.sandbox.law import Jumps, Truth
from monitor.sandbox.recorded import HESTON, RICH

Cause = Literal["misspecification", "calibration", "market", "data", "liquidity", "none"]
# Long variance, per year, of the coin whose jumps a regime states.
JUMPS_AT = 0.25


@dataclass(frozen=True, slots=True)
class AtExpiry:
    """A quantity for one expiry: the one that on the night of the break is nearest to `days`."""

    days: float
    size: float


@dataclass(frozen=True, slots=True)
class Regime:
    """What differs from the truth at a moment.

    Attributes
    ----------
    state_factor : float
        Multiplies the spot variance v0, and nothing else.
    rho_factor, xi_factor : float
        Multiply correlation and vol of variance.
    jumps : Jumps or None
        Of a coin whose theta_v is `JUMPS_AT`, and as much larger for another as its deviation is.
        Present in prices and in the path; v0 and theta_v give up the variance that they add, so
        that the level stays and the shape changes.
    put_wing : float
        Vol added to out-of-the-money puts, a decimal, in full from one deviation below the forward.
    bend : float
        Vol added to tenors about two months, tapered to nothing at a week and beyond a year.
    shift : AtExpiry or None
        Vol added to every strike of one expiry.
    forward_off : AtExpiry or None
        The venue's forward of one expiry over the true one, less 1; its marks follow it, the book
        does not.
    marks_off : float
        Vol by which the venue's marks lie above the book.
    width : float
        Multiplies bid-ask widths.
    quoted : float
        Share of options that have a market; which, their names decide for as long as it lasts.
    listing : tuple of float
        Days to expiry, on the night of the break, of expiries listed beside the calendar; quoted at
        few strikes, three times as wide.
    frozen : bool
        The feed repeats the chain of the evening before the break, under the time of the day.
    stale : AtExpiry or None
        Bids and asks of one expiry are those of the evening before the break; its size counts for
        nothing.
    rows : float
        Share of the chain's rows that the feed gives.
    crossed : float
        Share of two-sided quotes whose bid and ask are exchanged.
    evaluations : int or None
        What the desk's optimiser is allowed: a fault of the desk, which no chain shows. The
        proving ground heeds it.
    """

    state_factor: float = 1.0
    rho_factor: float = 1.0
    xi_factor: float = 1.0
    jumps: Jumps | None = None
    put_wing: float = 0.0
    bend: float = 0.0
    shift: AtExpiry | None = None
    forward_off: AtExpiry | None = None
    marks_off: float = 0.0
    width: float = 1.0
    quoted: float = 1.0
    listing: tuple[float, ...] = ()
    frozen: bool = False
    stale: AtExpiry | None = None
    rows: float = 1.0
    crossed: float = 0.0
    evaluations: int | None = None

    def jumps_of(self, truth: Truth) -> Jumps | None:
        """Return the jumps that a coin of this truth has of the regime."""
        if self.jumps is None:
            return None
        return self.jumps.scaled((truth.theta_v / JUMPS_AT) ** 0.5)


QUIET = Regime()


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that happens, and what a monitor should say of it.

    Attributes
    ----------
    night : int
        Nights after the world's break at which it happens; 0 is the night of the break itself.
    what : str
        In words.
    cause : str
        Cause of the incident that it should raise; ``none`` where it should raise nothing.
    wings : tuple of str
        Where: ``put``, ``centre``, ``call``; empty where no wing is meant.
    tenors : {"short", "middle", "long", "all"}
        Which expiries show it most: up to ten days, two weeks to half a year, longer.
    expiry_days : float or None
        The one expiry that it concerns, by its days on the night of the break.
    pages : bool
        Whether a red page is right.
    within : int
        Nights, the break's own the first, in which a page is in time.
    """

    night: int
    what: str
    cause: Cause
    wings: tuple[str, ...] = ()
    tenors: Literal["short", "middle", "long", "all"] = "all"
    expiry_days: float | None = None
    pages: bool = True
    within: int = 5


RegimeAt = Callable[[float], Regime]


def _quiet(night: float) -> Regime:
    return QUIET


def from_break(regime: Regime, *, nights: float = float("inf")) -> RegimeAt:
    """Return what differs: nothing before the break, `regime` for so many nights from it on."""

    def at(night: float) -> Regime:
        return regime if 0 <= night < nights else QUIET

    return at


@dataclass(frozen=True)
class World:
    """A market whose truth is known.

    Attributes
    ----------
    name, summary : str
    truths : mapping
        Truth by underlying.
    rival : str or None
        The model that is the truth, moment by moment; None where no model on offer contains it.
    breaks : tuple of Break
        Empty where nothing happens.
    regime : callable
        From nights since the break (negative before it) to the regime.
    quiet : str
        The world in which nothing happens and all else is the same, to the last bit.
    same_as : str
        A world of another name that is this one; empty where there is none.
    """

    name: str
    summary: str
    truths: Mapping[str, Truth]
    rival: str | None = None
    breaks: tuple[Break, ...] = ()
    regime: RegimeAt = _quiet
    quiet: str = "calm"
    same_as: str = ""


WORLDS: Registry[World] = Registry("world")


def register(name: str, summary: str, happens: Break, regime: RegimeAt) -> None:
    """Register one thing that happens in two markets: as `name` and as `name` with ``-rich``.

    In the first Heston is the truth; the second is richer than every rival (`recorded.RICH`).
    """
    WORLDS.add(name, World(name, summary, HESTON, "heston", (happens,), regime))
    rich = f"{name}-rich"
    words = f"{summary}; truth richer than every rival"
    WORLDS.add(rich, World(rich, words, RICH, None, (happens,), regime, "calm-rich"))
