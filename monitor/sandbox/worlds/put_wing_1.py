"""Puts become dear by 1 vol point: a wing that no Heston parameter lifts by itself."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

WING = 0.01

register(
    "put-wing-1",
    "from the break on, 1 vol point more on out-of-the-money puts of every expiry",
    Break(
        night=0,
        what="the put wing lifts by 1 vol point, tapered to nothing at the money",
        cause="misspecification",
        wings=("put",),
    ),
    from_break(Regime(put_wing=WING)),
)
