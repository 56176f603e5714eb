"""The put wing of `put-wing-2` by the name that demonstrations know it by."""

from monitor.sandbox.recorded import HESTON
from monitor.sandbox.worlds.base import WORLDS, Break, Regime, World, from_break

WING = 0.02

WORLDS.add(
    "left-wing-up",
    World(
        "left-wing-up",
        "Heston until the break, then 2 vol points more on out-of-the-money puts of every expiry",
        HESTON,
        "heston",
        (
            Break(
                night=0,
                what="the put wing lifts by 2 vol points, tapered to nothing at the money",
                cause="misspecification",
                within=2,
                wings=("put",),
            ),
        ),
        from_break(Regime(put_wing=WING)),
        same_as="put-wing-2",
    ),
)
