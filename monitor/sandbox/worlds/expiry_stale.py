"""One expiry's quotes stand still for two nights while its forward moves on."""

from monitor.sandbox.worlds.base import AtExpiry, Break, Regime, from_break, register

DAYS, NIGHTS = 45.0, 2.0

register(
    "expiry-stale",
    "for two nights bids and asks of the expiry in six weeks are those of the evening before",
    Break(
        night=0,
        what="one expiry's bids and asks repeat the evening before",
        cause="data",
        expiry_days=DAYS,
        within=1,
    ),
    from_break(Regime(stale=AtExpiry(DAYS, 0.0)), nights=NIGHTS),
)
