"""Makers leave: half of the options have no market, and the truth is what it was."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

register(
    "quotes-halved",
    "from the break on, half of the options have neither bid nor ask: no misspecification",
    Break(night=0, what="half of the options lose both sides", cause="liquidity", pages=False),
    from_break(Regime(quoted=0.5)),
)
