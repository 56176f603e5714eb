"""Nothing breaks: Heston is right and stays right, while spot variance wanders."""

from monitor.sandbox.recorded import HESTON
from monitor.sandbox.worlds.base import WORLDS, World

WORLDS.add(
    "calm",
    World("calm", "Heston is the truth; spot variance wanders, nothing breaks", HESTON, "heston"),
)
