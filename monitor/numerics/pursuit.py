"""Which few of many overlapping causes explain a vector, in parts that add up exactly.

Causes that overlap (a row, a column, a cell of a table) share what they explain, and any fixed
order of taking them out gives the first what is the others'. Orthogonal matching pursuit takes
next whichever explains most of what is left, so that one cause alone gets all it explains; the
parts are orthogonal, and their squares sum to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.arrays import FloatArray, IntArray

# An atom of which those before it leave less than this share of its squared length is one of them.
_SAME = 1e-8
# Of the largest gain: equal atoms differ by rounding, and of them the first is taken.
_EQUAL = 1.0 - 1e-9


@dataclass(frozen=True, eq=False)
class Parts:
    """A vector taken apart.

    Attributes
    ----------
    picked : ndarray of shape (q,)
        Atoms, in the order in which they were taken.
    gain : ndarray of shape (q,)
        Squared length that each explained of what those before had left.
    left : float
        Squared length of what none explains.
    """

    picked: IntArray
    gain: FloatArray
    left: float


def pursue(target: FloatArray, atoms: FloatArray, noise: FloatArray, limit: float) -> Parts:
    """Return a vector as orthogonal parts along the atoms that explain most, and the rest.

    Parameters
    ----------
    target : ndarray of shape (n,)
    atoms : ndarray of shape (n, b)
        One direction a column, of any length; of equal ones the first is taken.
    noise : ndarray of shape (b, b)
        Covariance of ``atoms.T @ target`` where there is nothing but noise.
    limit : float
        Variances that a part must explain to be taken; the first that does not ends it.

    Notes
    -----
    Pati, Rezaiifar and Krishnaprasad (1993). Orthogonal matching pursuit, on the products of the
    atoms: what is left of each after those taken is a Schur complement.
    """
    products, along, noise = atoms.T @ atoms, atoms.T @ target, np.array(noise)
    least = _SAME * np.diagonal(products)
    picked: list[int] = []
    for _ in range(atoms.shape[1]):
        length = np.diagonal(products)
        usable = length > np.maximum(least, 0.0)
        gain = np.divide(along**2, length, out=np.zeros(len(along)), where=usable)
        best = int(np.argmax(gain >= _EQUAL * np.max(gain)))
        if not gain[best] * length[best] > limit * noise[best, best]:
            break
        picked.append(best)
        share = products[:, best] / length[best]
        along = along - share * along[best]
        crossed = np.outer(share, noise[best])
        noise = noise - crossed - crossed.T + np.outer(share, share) * noise[best, best]
        products = products - np.outer(share, products[best])
        products[best], products[:, best] = 0.0, 0.0
    # Products of near-equal atoms lose digits that the atoms themselves still have.
    basis = np.linalg.qr(atoms[:, picked])[0]
    explained = basis.T @ target
    rest = target - basis @ explained
    return Parts(np.array(picked, dtype=np.int64), explained**2, float(rest @ rest))
