"""The life of a reference: which of a stream's own nights tonight is set against.

A function of the stream's past alone, so that a replay gives the same answer. Below
`learning_nights` there is none; it is renewed at that many nights, half-way, and at
`settled_nights`, when it is settled. From then on it is renewed whenever `horizon_nights` more
adequate nights have passed, from the latest `reference_nights` of them: nights on which the stream
was not beyond its limits. What lasts beyond them does not become a reference by itself; an expert
says so (`misspec judge rebase`), whereupon nights before that are no past at all. Each is a
version: a digest of its nights and values, which every run stores and every verdict names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray, digest_of
from monitor.diagnostics.drift_rules import DriftRules

# A whole number that a double holds exactly.
_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Reference:
    """Which nights of a stream's past are its reference.

    Attributes
    ----------
    nights : ndarray of shape (n,)
        Their places in the past, oldest first.
    end : int
        Place of the first night that is set against them.
    """

    nights: IntArray
    end: int

    def __len__(self) -> int:
        return len(self.nights)


def current_reference(beyond: BoolArray, rules: DriftRules) -> Reference | None:
    """Return the reference after a past; None while learning.

    Parameters
    ----------
    beyond : ndarray of shape (T,)
        Of each night of the past, oldest first, whether the stream was beyond its limits.
    rules : DriftRules
    """
    adequate = ~np.asarray(beyond, dtype=bool)
    # What is not settled yet makes alarms more easily than it earns them.
    adequate[: rules.settled_nights] = True
    counted = np.flatnonzero(adequate)
    stage = _stage(len(counted), rules)
    if stage is None:
        return None
    nights = counted[max(0, stage - rules.reference_nights) : stage]
    return Reference(nights, int(nights[-1]) + 1)


def _stage(n: int, rules: DriftRules) -> int | None:
    """Return at how many adequate nights the latest renewal was; None before the first."""
    if n < rules.learning_nights:
        return None
    if n < rules.settled_nights:
        half = (rules.learning_nights + rules.settled_nights) // 2
        return half if n >= half else rules.learning_nights
    renewals = (n - rules.settled_nights) // rules.horizon_nights
    return rules.settled_nights + renewals * rules.horizon_nights


def reference_of(
    past: FloatArray, rules: DriftRules, beyond: BoolArray | None = None
) -> FloatArray:
    """Return the values of a stream's past that tonight is set against; all of them while learning.

    Parameters
    ----------
    past : ndarray of shape (T,)
        Of the nights before, oldest first.
    rules : DriftRules
    beyond : ndarray of shape (T,), optional
        As for `current_reference`; none of them if not given.
    """
    found = current_reference(np.zeros(len(past), bool) if beyond is None else beyond, rules)
    return past if found is None else past[found.nights]


def version_of(as_of_ms: IntArray, value: FloatArray) -> int:
    """Return the number by which a reference of these nights and values is known.

    Values count to nine digits: sums in another order are no other reference.
    """
    mantissa, exponent = np.frexp(value)
    return int(digest_of([as_of_ms, np.rint(mantissa * 2.0**30), exponent])[:_DIGITS], 16)


def date_number(as_of_ms: int) -> int:
    """Return a night's date as 20260228."""
    return int(str(np.datetime64(int(as_of_ms), "ms").astype("datetime64[D]")).replace("-", ""))
