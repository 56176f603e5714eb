"""Metrics: what can be said of a fit, of a chain, and of what changed since last night.

One function a metric; its only argument is an `Evidence`. Imports calibration and what lies
below. No clock, no file, no database: history arrives as values. *Refused:* detectors that keep
state between nights, which no replay could reproduce.
"""

import sys

from monitor.diagnostics.base import METRICS as METRICS
from monitor.diagnostics.base import Evidence as Evidence
from monitor.diagnostics.base import History as History
from monitor.diagnostics.base import MetricValue as MetricValue
from monitor.registry import Registry

Registry.discover(sys.modules[__name__])
