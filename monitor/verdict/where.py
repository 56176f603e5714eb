"""Where on the surface a misfit sits, in words that a trader would use."""

from __future__ import annotations

from scipy.special import ndtri

from monitor.diagnostics.headlines import CENTRES, EXPIRY_GAP
from monitor.diagnostics.points import GAP
from monitor.numerics.charts import LEAST, WINDOW
from monitor.verdict.numbers import Numbers

# That any place is named beside the likeliest where nothing has happened: shared by all places and
# onsets that are looked at.
_CHANCE = 0.01
# The step of a wing that pages, and of the other one.
_OTHER_WING = {"put_wing": ("wing:put", "wing:call"), "call_wing": ("wing:call", "wing:put")}


def where_bent(headline: str, numbers: Numbers) -> str:
    """Return where the smile has moved, beyond what the headline's own name says of it.

    Less level and slope, which come and go, a lifted put wing is much like a call wing that fell,
    and either chart may speak first: where the other wing's step is the larger one, it is named. A
    bend and a step of one tenor alone are rivals: each explains a part of what the other does,
    and the likelier one is named. A wing that has stepped beyond chance is named too: vol of vol
    and jumps bend term structure and wings together.
    """
    if headline == EXPIRY_GAP:
        expiry = out_of_line(numbers)
        return "" if expiry is None else f", {expiry}"
    steps = {v.scope: v.value for v in numbers.scopes("smile_step")}
    if headline in _OTHER_WING:
        own, other = (abs(steps.get(scope, 0.0)) for scope in _OTHER_WING[headline])
        return f", and more in {place_of(_OTHER_WING[headline][1])}" if other > own else ""
    tenors = [s for s in steps if not s.startswith("wing:")]
    if headline not in CENTRES or not tenors:
        return ""
    kind, _, expiry = max(tenors, key=lambda s: abs(steps[s])).partition(":")
    words = f", {'about' if kind == 'bend' else 'most at'} {expiry}"
    beyond = -float(ndtri(0.5 * _CHANCE / (len(steps) * (WINDOW - LEAST + 1))))
    wings = [s for s in steps if s.startswith("wing:") and abs(steps[s]) > beyond]
    if wings:
        most = max(wings, key=lambda s: abs(steps[s]))
        words += f", and {place_of(most)}"
    return words


def out_of_line(numbers: Numbers) -> str | None:
    """Return the expiry that lies furthest off the curve through the others."""
    gaps = [v for v in numbers.scopes(GAP) if v.scope.startswith("expiry:")]
    if not gaps:
        return None
    return max(gaps, key=lambda v: abs(v.value)).scope.removeprefix("expiry:")


def where(metric: str, numbers: Numbers) -> str:
    """Return the place that explains most, with its share: `", 42% of it in the put wing"`.

    Empty where no block explains a part worth naming.

    Parameters
    ----------
    metric : {"misfit_block", "misfit_change_block"}
    numbers : Numbers
    """
    blocks = numbers.scopes(metric)
    if not blocks:
        return ""
    most = max(blocks, key=lambda v: v.value)
    return f", {most.value:.0%} of it in {place_of(most.scope.removeprefix('block:'))}"


def place_of(scope: str) -> str:
    """Return a block's name in words.

    >>> place_of("bucket:2026-03-27/put")
    'the put wing of 2026-03-27'
    >>> place_of("wing:centre"), place_of("expiry:2026-03-27"), place_of("level")
    ('the centre', 'the expiry 2026-03-27', 'the level of the whole chain')
    """
    kind, _, name = scope.partition(":")
    if kind == "bucket":
        expiry, _, wing = name.partition("/")
        return f"{_wing(wing)} of {expiry}"
    if kind == "wing":
        return _wing(name)
    return f"the expiry {name}" if kind == "expiry" else "the level of the whole chain"


def _wing(name: str) -> str:
    return "the centre" if name == "centre" else f"the {name} wing"
