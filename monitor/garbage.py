"""How often a process looks for garbage: a pass makes values by the thousand and no circles.

By its defaults Python looks after every 700 new objects, and through all that its imports left
behind every so often; a night's evidence spends a tenth of its time so. Called by the ways in, for
the process as a whole: it changes no number. *Refused:* no collector at all, for what others hold
in circles, a server's connections, would then stay.
"""

import gc

_NEW_OBJECTS = 50_000  # tens of megabytes of small values


def collect_seldom() -> None:
    """Set imports aside from the search for garbage, and search after many new objects only."""
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, middle, old)
