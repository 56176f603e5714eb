"""Puts become dear: a wing that no Heston parameter lifts by itself."""

from monitor.sandbox.worlds.base import WORLDS, Break, Regime, World

WING = 0.02


def _regime(night: float) -> Regime:
    return Regime(put_wing=WING) if night >= 0 else Regime()


WORLDS.add(
    "left-wing-up",
    World(
        "left-wing-up",
        "Heston until the break, then 2 vol points more on out-of-the-money puts of every expiry",
        (
            Break(
                night=0,
                what="the put wing lifts by 2 vol points, tapered to nothing at the money",
                cause="misspecification",
                wings=("put",),
            ),
        ),
        _regime,
    ),
)
