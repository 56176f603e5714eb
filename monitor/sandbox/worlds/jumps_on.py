"""The price begins to jump: what Heston cannot have, at a level that does not move."""

from monitor.sandbox.law import Jumps
from monitor.sandbox.worlds.base import Break, Regime, from_break, register

# Bates fitted to recorded chains sits at 30-60 jumps a year of -.01; rarer and larger ones are
# what a desk fears. Together .054 a year of variance, a quarter of BTC's and of ETH's whole: a
# wilder coin has larger jumps, and not a smaller share of them.
JUMPS = Jumps(lam=12.0, mu_j=-0.045, sigma_j=0.05)

register(
    "jumps-on",
    "from the break on, 12 jumps a year of -4.5 % on average (ETH -6.1 %), level kept",
    Break(
        night=0,
        what="jumps are priced: short puts lift, short calls fall, the level stays",
        cause="misspecification",
        wings=("put", "call"),
        tenors="short",
    ),
    from_break(Regime(jumps=JUMPS)),
)
