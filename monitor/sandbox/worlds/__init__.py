"""Markets with known truth, one file each; see `monitor.sandbox.generate` for how they come alive.

A world names its truth, what happens in it and what a monitor should say of that. It holds no
generator and no clock. Worlds of one truth and one seed are the same market until something
happens.
"""

import sys

from monitor.registry import Registry
from monitor.sandbox.law import Jumps as Jumps
from monitor.sandbox.law import Truth as Truth
from monitor.sandbox.worlds.base import WORLDS as WORLDS
from monitor.sandbox.worlds.base import AtExpiry as AtExpiry
from monitor.sandbox.worlds.base import Break as Break
from monitor.sandbox.worlds.base import Regime as Regime
from monitor.sandbox.worlds.base import World as World

Registry.discover(sys.modules[__name__])
