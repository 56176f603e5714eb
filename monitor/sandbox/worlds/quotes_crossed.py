"""Bids above asks on one quote in twenty, for two nights: two feeds mixed, or a sign lost."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

CROSSED, NIGHTS = 0.05, 2.0

register(
    "quotes-crossed",
    "for two nights bid and ask are exchanged on one quote in twenty: no misspecification",
    Break(night=0, what="one quote in twenty has its sides exchanged", cause="data", pages=False),
    from_break(Regime(crossed=CROSSED), nights=NIGHTS),
)
