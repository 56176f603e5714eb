"""What is expected to go wrong in a batch, as a value.

A quote without a bid, a fit that did not converge, a metric that needs a history not there yet:
each is recorded as a `Rejection` and stored beside what worked. It is never an exception, and
never a large number, a zero or a NaN in a result's place.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """One thing that was left out, and why.

    Attributes
    ----------
    stage : str
        Where it was left out: ``quote``, ``expiry``, ``fit`` or ``metric``.
    reason : str
        A word from the stage's own list, the same for every case of its kind (``no_bid``).
    subject : str
        What was left out: an instrument, an expiry, a model, a metric.
    detail : str
        The numbers: what was found, what was allowed.
    """

    stage: str
    reason: str
    subject: str
    detail: str = ""
