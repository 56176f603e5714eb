"""What recorded chains taught: the truths that worlds are built on, and how mids stray from them.

Measured on the last snapshot of each UTC day, tenors above 12 hours, 15 February to 31 May 2026
(the crash of 5 February left out), by ``misspec prove --facts --archive PATH``, which prints these
numbers beside their recorded counterparts. No recorded datum is kept here, only medians and
deviations of fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.sandbox.law import Jumps, Surface, Truth, Wander

# Fits of Heston, medians and 10-90 % ranges: BTC v0 .19 (.11-.37), kappa 11 (5-21), theta_v .30
# (.25-.34), xi 4.6 (2.6-9.1), rho -.34 (-.39 to -.29); ETH v0 .44 (.18-.67), kappa 24 (9-50),
# theta_v .49 (.44-.60), xi 8.5 (4-14), rho -.20 (-.28 to -.16). Kept at the slow end, where the
# smile's means come out as recorded.
HESTON: Mapping[str, Truth] = {
    "BTC": Truth(70_000.0, 0.20, 7.0, 0.25, 3.0, -0.30),
    "ETH": Truth(2_100.0, 0.40, 8.0, 0.46, 4.0, -0.20),
}
# Nightly innovations of the 30-day risk reversal are 1.2 (BTC) and .9 (ETH) vol points, a third of
# their variance explained by the level; of the butterfly .19 and .18; persistence .8 to .9. In a
# rich market shapes that come and go carry a part of that.
WANDERING: Mapping[str, Truth] = {
    "BTC": replace(HESTON["BTC"], wander=Wander(0.85, 0.03, 0.005, xi=0.05, rho=0.055)),
    "ETH": replace(HESTON["ETH"], wander=Wander(0.85, 0.03, 0.005, xi=0.05, rho=0.040)),
}
_RICH_WANDERS = {
    "BTC": Wander(0.85, 0.03, 0.005, xi=0.05, rho=0.035),
    "ETH": Wander(0.85, 0.03, 0.005, xi=0.05, rho=0.025),
}
# What nightly Bates fits leave over, tenor by tenor: root mean square 2.8 vol points (BTC), 2.5
# (ETH), of which these five shapes explain half. Vol points, medians over nights; the curvature of
# BTC's short tenors holds as well what the milder jumps below leave over.
_DAYS = (1.0, 3.0, 8.0, 25.0, 80.0, 250.0)
_STANDING = {
    "BTC": (
        (-1.2, 1.2, 3.6, -1.0, 2.0),
        (-0.1, 0.3, 4.3, -2.4, 2.8),
        (1.4, 0.1, 2.4, -0.6, 2.3),
        (0.6, 0.5, 0.1, 1.3, 1.3),
        (-0.7, -0.2, -0.8, 0.2, 0.5),
        (0.4, 0.0, 0.9, 0.2, 0.4),
    ),
    "ETH": (
        (-0.3, -0.6, 0.6, 0.6, -0.5),
        (-0.4, -0.5, 0.8, 0.7, -0.5),
        (0.6, -0.1, -0.1, 0.4, -0.2),
        (0.4, -0.5, -0.7, -0.8, 1.2),
        (0.1, -1.5, 1.0, -1.8, 1.5),
        (0.9, -1.9, 2.9, -1.9, 0.1),
    ),
}
# Deviations over nights of the five shapes, and their autocorrelation (.2 to .5 of Bates', .3 to .7
# of Heston's residuals). Skews and levels are those that give the recorded innovations of risk
# reversals and at-the-money vols at 3, 7, 30 and 90 days, curvatures those of butterflies: fitted
# curvatures ride on the few far quotes.
_COMES_AND_GOES = (
    (5.0, 3.5, 2.5, 1.5, 1.5),
    (4.0, 3.5, 2.0, 1.2, 1.5),
    (2.0, 3.2, 1.2, 1.0, 1.2),
    (0.8, 2.0, 0.5, 0.6, 0.8),
    (0.4, 1.1, 0.4, 0.4, 0.5),
    (0.4, 0.8, 0.4, 0.4, 0.5),
)
_PERSISTENCE = 0.6


def _vol(points: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(p / 100.0 for p in row) for row in points)


def _rich(diffusion: Truth, jumps: Jumps, name: str) -> Truth:
    surface = Surface(_DAYS, _vol(_STANDING[name]), _vol(_COMES_AND_GOES), _PERSISTENCE)
    return replace(diffusion, wander=_RICH_WANDERS[name], jumps=jumps, surface=surface)


# Bates as its fits have it, at values that give the recorded means of the 30-day smile. BTC: risk
# reversal -6.1, butterfly .9; ETH: -4.4 and 1.4 vol points at 25 delta.
RICH: Mapping[str, Truth] = {
    "BTC": _rich(Truth(70_000.0, 0.16, 6.0, 0.24, 3.8, -0.38), Jumps(30.0, -0.013, 0.045), "BTC"),
    "ETH": _rich(Truth(2_100.0, 0.30, 9.0, 0.38, 4.8, -0.20), Jumps(20.0, -0.02, 0.075), "ETH"),
}


@dataclass(frozen=True, slots=True)
class Mids:
    """How far mids stray from what is fair, and how alike neighbours and nights are.

    Attributes
    ----------
    spread : float
        Deviation in half-widths, before rounding to ticks.
    lasting, passing : float
        Shares of the variance that are smooth across strikes: over `LASTING_KNOTS` deviations and
        for many nights; over `PASSING_KNOTS` and new every time. The rest is each strike's own.
    """

    spread: float
    lasting: float
    passing: float


# Mids against marks, in half-spreads: root mean square .47 (BTC) and .33 (ETH). Of the variance,
# .43 and .27 stay till the next night and .30 and .11 for ten; neighbouring strikes share .54 and
# .43, the fifth .26 and .13. Rounding to ticks, each strike's own, takes its part of what is here.
MIDS: Mapping[str, Mids] = {"BTC": Mids(1.00, 0.68, 0.13), "ETH": Mids(0.42, 0.34, 0.32)}
LASTING_PERSISTENCE = 0.96
# Deviations to expiry between knots: five strikes of a month are about 0.7.
LASTING_KNOTS, PASSING_KNOTS = 1.0, 0.4
