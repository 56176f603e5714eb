"""Reading what JSON brought: numbers that may be text, absent or nonsense."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from monitor.arrays import FloatArray
from monitor.errors import VenueMalformed


def envelope(answer: Any, path: str) -> Any:
    """Return the ``result`` of a JSON-RPC answer.

    Raises
    ------
    VenueMalformed
        If the answer is no JSON (HTML, empty, truncated), or has no result.
    """
    if not isinstance(answer, Mapping):
        text = answer if isinstance(answer, str) else type(answer).__name__
        found = f"{len(text)} characters beginning {text[:60]!r}" if text else "an empty body"
        raise VenueMalformed(
            f"{path}: no JSON object but {found}; a proxy's page, a truncated or an empty answer. "
            "Look at the address in a browser"
        )
    if answer.get("result") is None:
        raise VenueMalformed(
            f"{path}: no result in the answer, keys {sorted(answer)}; the venue answered, but not "
            "the question"
        )
    return answer["result"]


def rows_of(answer: Any, path: str) -> list[Mapping[str, Any]]:
    """Return the result of an answer that must be a list of objects.

    Raises
    ------
    VenueMalformed
        If it is something else.
    """
    result = envelope(answer, path)
    if not isinstance(result, list) or not all(isinstance(row, Mapping) for row in result):
        raise VenueMalformed(f"{path}: a list of rows was due, came {type(result).__name__}")
    return result


def number(value: Any, what: str) -> float:
    """Return a number from a number or its text; NaN for None and the empty string.

    Raises
    ------
    VenueMalformed
        If the text is no number, or infinite.
    """
    if value is None or value == "":
        return math.nan
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise VenueMalformed(f"{what} must be a number, was {str(value)[:40]!r}") from None
    if math.isinf(found):
        raise VenueMalformed(f"{what} must be finite, was {found}")
    return found


def numbers(rows: Iterable[Mapping[str, Any]], key: str) -> FloatArray:
    """Return one column of rows; NaN = absent."""
    return np.array([number(row.get(key), key) for row in rows], dtype=np.float64)


def required_number(value: Any, what: str) -> float:
    """Return a number that must be there.

    Raises
    ------
    VenueMalformed
        If it is absent or no number.
    """
    found = number(value, what)
    if math.isnan(found):
        raise VenueMalformed(f"{what} is absent")
    return found


def key_of(result: Any, key: str) -> Any:
    """Return one value of an object, None where it has no such key or is no object."""
    return result.get(key) if isinstance(result, Mapping) else None
