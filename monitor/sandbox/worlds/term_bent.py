"""A hump in the term structure: one reversion of variance makes slopes, not humps."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

BEND = 0.025

register(
    "term-bent",
    "from the break on, 2.5 vol points more at two months, nothing at a week and beyond a year",
    Break(
        night=0,
        what="the term structure has a hump of 2.5 vol points at two months",
        cause="misspecification",
        tenors="middle",
    ),
    from_break(Regime(bend=BEND)),
)
