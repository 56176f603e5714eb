"""The market moves and the model is still right: vol jumps by 40 %, structure stays."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

VOL_FACTOR = 1.4

register(
    "vol-up-40",
    "spot vol rises by 40 % in a night and stays up, structure kept: no misspecification",
    Break(
        night=0,
        what="spot variance times 1.96; kappa, theta_v, xi and rho unchanged",
        cause="market",
        tenors="short",
        pages=False,
    ),
    from_break(Regime(state_factor=VOL_FACTOR**2)),
)
