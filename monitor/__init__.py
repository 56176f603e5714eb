"""misspec: says every night whether option models still describe the market.

Imports run one way only; `tests/architecture` holds the table. From the ways in to the ground:
cli; flows, dashboard, proving; rehearsal, report; backfill, validation; jobs, replay; pipeline,
health, questions; config;
venues, sandbox, store, channels; archive; recollect, scaleout; assess; assessment; incidents;
verdict; diagnostics; replication, stress; calibration; market, models; pricing; numerics;
conventions; registry, outcome, arrays; errors.
"""

__version__ = "0.1.0"

# The Python interface, found when asked for: importing `monitor` alone loads nothing.
_QUESTIONS = dict.fromkeys(
    ("history", "status", "surface", "parameters", "compare"), "monitor.questions"
) | {"ranking": "monitor.validation.asked"}


def __getattr__(name: str) -> object:
    if name not in _QUESTIONS:
        raise AttributeError(f"module 'monitor' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_QUESTIONS[name]), name)
