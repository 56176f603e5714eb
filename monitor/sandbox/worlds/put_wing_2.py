"""Puts become dear by 2 vol points: a wing that no Heston parameter lifts by itself."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

WING = 0.02

register(
    "put-wing-2",
    "from the break on, 2 vol points more on out-of-the-money puts of every expiry",
    Break(
        night=0,
        what="the put wing lifts by 2 vol points, tapered to nothing at the money",
        cause="misspecification",
        within=2,
        wings=("put",),
    ),
    from_break(Regime(put_wing=WING)),
)
