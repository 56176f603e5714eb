"""Nothing breaks in a market that no rival describes: misfit is standing, and no news."""

from monitor.sandbox.recorded import RICH
from monitor.sandbox.worlds.base import WORLDS, World

WORLDS.add(
    "calm-rich",
    World(
        "calm-rich",
        "jumps, wandering structure and a residual surface as on recorded chains; nothing breaks",
        RICH,
        quiet="calm-rich",
    ),
)
