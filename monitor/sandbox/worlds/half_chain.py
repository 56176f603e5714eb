"""The feed gives four rows in ten for two nights: what is there is right."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

ROWS, NIGHTS = 0.4, 2.0

register(
    "half-chain",
    "for two nights the feed gives four rows in ten: no misspecification",
    Break(night=0, what="six rows in ten are missing", cause="data", pages=False),
    from_break(Regime(rows=ROWS), nights=NIGHTS),
)
