"""New expiries appear about a month out, thin and wide: the same surface at more places."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

DAYS = (27.5, 31.5, 36.5, 66.5)

register(
    "listing-day",
    "on the break four more expiries are listed, thinly and widely quoted: no misspecification",
    Break(night=0, what="four expiries are listed beside the calendar", cause="none", pages=False),
    from_break(Regime(listing=DAYS)),
)
