"""One expiry is out of line with its neighbours: what a surface model cannot follow."""

from monitor.sandbox.worlds.base import AtExpiry, Break, Regime, from_break, register

# The next expiry is a month later: the calendar keeps its order.
DAYS, SHIFT = 45.0, 0.02

register(
    "expiry-shifted",
    "from the break on, 2 vol points more on every strike of the expiry in six weeks",
    Break(
        night=0,
        what="one expiry lies 2 vol points above its place in the term structure",
        cause="misspecification",
        expiry_days=DAYS,
    ),
    from_break(Regime(shift=AtExpiry(DAYS, SHIFT))),
)
