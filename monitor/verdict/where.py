"""Where on the surface a misfit sits, in words that a trader would use."""

from __future__ import annotations

from monitor.verdict.numbers import Numbers


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
