"""Markets with known truth, one file each; see `monitor.sandbox.generate` for how they come alive.

A world names its truth, its breaks and what a monitor should say of each. It holds no generator
and no clock. Two worlds of one seed are the same market until the break.
"""

import sys

from monitor.registry import Registry
from monitor.sandbox.worlds.base import TRUTHS as TRUTHS
from monitor.sandbox.worlds.base import WORLDS as WORLDS
from monitor.sandbox.worlds.base import Break as Break
from monitor.sandbox.worlds.base import Jumps as Jumps
from monitor.sandbox.worlds.base import Regime as Regime
from monitor.sandbox.worlds.base import Truth as Truth
from monitor.sandbox.worlds.base import World as World

Registry.discover(sys.modules[__name__])
