"""Four nights of few makers, as over a holiday, then all as before."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

NIGHTS = 4.0

register(
    "thin-holiday",
    "for four nights widths double and a third of the options have no market",
    Break(night=0, what="twice as wide, a third without a market", cause="liquidity", pages=False),
    from_break(Regime(width=2.0, quoted=0.67), nights=NIGHTS),
)
