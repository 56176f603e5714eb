"""The market moves and the model is still right: vol jumps by 40 %, structure stays."""

from monitor.sandbox.worlds.base import WORLDS, Break, Regime, World

VOL_FACTOR = 1.4


def _regime(night: float) -> Regime:
    return Regime(state_factor=VOL_FACTOR**2) if night >= 0 else Regime()


WORLDS.add(
    "vol-up-40",
    World(
        "vol-up-40",
        "Heston throughout; spot vol rises by 40 % in a night and stays up: no misspecification",
        (
            Break(
                night=0,
                what="spot variance times 1.96; kappa, theta_v, xi and rho unchanged",
                cause="market",
                tenors="short",
                pages=False,
            ),
        ),
        _regime,
    ),
)
