"""Makers step back: three times as wide, and the truth is what it was."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

register(
    "spreads-tripled",
    "from the break on, bid and ask lie three times as far apart: no misspecification",
    Break(night=0, what="every width times 3", cause="liquidity", pages=False),
    from_break(Regime(width=3.0)),
)
