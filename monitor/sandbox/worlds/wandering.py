"""Structure moves every night as it is seen to, and never leaves its ways: Heston is right."""

from monitor.sandbox.recorded import WANDERING
from monitor.sandbox.worlds.base import WORLDS, World

WORLDS.add(
    "wandering",
    World(
        "wandering",
        "Heston's structure wanders as risk reversals and butterflies do on recorded chains",
        WANDERING,
        "heston",
        quiet="wandering",
    ),
)
