"""Calls become dear and puts cheap: the correlation of price and variance changes sign."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

register(
    "correlation-flip",
    "from the break on, the correlation of price and variance has the other sign",
    Break(
        night=0,
        what="rho times -1: every skew turns over",
        cause="misspecification",
        wings=("put", "call"),
    ),
    from_break(Regime(rho_factor=-1.0)),
)
