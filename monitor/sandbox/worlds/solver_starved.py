"""The desk's optimiser stops long before it is done: the market is as it was."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

EVALUATIONS = 3

register(
    "solver-starved",
    "from the break on the desk's optimiser may evaluate a model three times (proving ground only)",
    Break(night=0, what="fits stop half-way; the chain is right", cause="calibration", pages=False),
    from_break(Regime(evaluations=EVALUATIONS)),
)
