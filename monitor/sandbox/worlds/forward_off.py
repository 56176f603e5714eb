"""The venue prices one expiry off a wrong forward: the book is right, and parity says so."""

from monitor.sandbox.worlds.base import AtExpiry, Break, Regime, from_break, register

DAYS, OFF = 45.0, 0.002

register(
    "forward-off-20bp",
    "from the break on, the venue's forward of the expiry in six weeks is 20 bp too high",
    Break(
        night=0,
        what="one forward is 20 bp too high, and the venue's marks with it",
        cause="data",
        within=1,
        expiry_days=DAYS,
    ),
    from_break(Regime(forward_off=AtExpiry(DAYS, OFF))),
)
