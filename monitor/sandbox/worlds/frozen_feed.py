"""The feed repeats itself for two nights under fresh times, then goes on."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

NIGHTS = 2.0

register(
    "frozen-feed",
    "for two nights the feed repeats the evening before, then goes on: no misspecification",
    Break(night=0, what="the chain of the evening before, twice more", cause="data", pages=False),
    from_break(Regime(frozen=True), nights=NIGHTS),
)
