"""The price begins to jump: what Heston cannot have, at a level that does not move."""

from monitor.sandbox.worlds.base import WORLDS, Break, Jumps, Regime, World

# Bates fitted to recorded chains sits at 30-60 jumps a year of -.01; rarer and larger ones are
# what a desk fears. Together .054 a year of variance, a quarter of the whole.
JUMPS = Jumps(lam=12.0, mu_j=-0.045, sigma_j=0.05)


def _regime(night: float) -> Regime:
    return Regime(jumps=JUMPS) if night >= 0 else Regime()


WORLDS.add(
    "jumps-on",
    World(
        "jumps-on",
        "Heston until the break, then Bates: 12 jumps a year of -4.5 % on average, level kept",
        (
            Break(
                night=0,
                what="jumps are priced: short smiles steepen and lift in both wings",
                cause="misspecification",
                wings=("put", "call"),
                tenors="short",
            ),
        ),
        _regime,
    ),
)
