"""Rival descriptions of the volatility surface, one file each.

A model is stateless: it declares parameters, bounds and starts, and gives total variance with its
gradient for a parameter vector. It imports pricing, numerics and the ground floor; it never sees
a quote's price, a spread or a calendar date. *Refused:* models that hold their estimates and are
mutated by the optimiser.
"""

import sys

from monitor.models.base import MODELS as MODELS
from monitor.models.base import Grid as Grid
from monitor.models.base import Model as Model
from monitor.models.base import Parameter as Parameter
from monitor.registry import Registry

Registry.discover(sys.modules[__name__])
