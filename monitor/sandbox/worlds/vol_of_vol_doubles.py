"""Structure jumps where the model can follow: the fit stays good and its parameters do not."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

register(
    "vol-of-vol-doubles",
    "from the break on, twice the vol of variance",
    Break(
        night=0,
        what="xi times 2: skews double and both wings lift",
        cause="misspecification",
        wings=("put", "call"),
    ),
    from_break(Regime(xi_factor=2.0)),
)
