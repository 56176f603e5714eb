"""Names for the arrays that travel between modules, and the one way to make them read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.errors import DomainError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def frozen_floats(values: ArrayLike) -> FloatArray:
    """Return `values` as a contiguous read-only float64 array; the caller's array is untouched."""
    return _freeze(np.array(values, dtype=np.float64, order="C", copy=True))


def frozen_ints(values: ArrayLike) -> IntArray:
    """Return `values` as a contiguous read-only int64 array; the caller's array is untouched."""
    return _freeze(np.array(values, dtype=np.int64, order="C", copy=True))


def frozen_bools(values: ArrayLike) -> BoolArray:
    """Return `values` as a contiguous read-only bool array; the caller's array is untouched."""
    return _freeze(np.array(values, dtype=np.bool_, order="C", copy=True))


def digest_of(parts: Iterable[object]) -> str:
    """Return the SHA-256 of `parts`, arrays by their bytes and all else by its `repr`.

    Every part is preceded by its type and shape, so that moving a boundary changes the digest;
    NaN is written in one form, -0.0 as 0.0 and a numpy scalar as Python's, so that equal content
    has one digest, whichever route it took.

    Raises
    ------
    DomainError
        If a part is an array of objects: its bytes are addresses, not content.
    """
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            array = part
            if array.dtype.hasobject:
                raise DomainError("an array of objects has no content to digest: pass a tuple")
            if array.dtype.kind == "f":
                array = array + 0.0
                array[np.isnan(array)] = np.nan
            sha.update(f"|{array.dtype.str}{array.shape}|".encode())
            sha.update(np.ascontiguousarray(array).tobytes())
        else:
            plain = part.item() if isinstance(part, np.generic) else part
            plain = plain + 0.0 if isinstance(plain, float) else plain
            text = repr(plain).encode()
            sha.update(f"|{type(plain).__name__}{len(text)}|".encode())
            sha.update(text)
    return sha.hexdigest()


def _freeze(array: NDArray) -> NDArray:  # type: ignore[type-arg]
    array.setflags(write=False)
    return array
