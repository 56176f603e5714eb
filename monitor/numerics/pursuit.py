"""Which few of many overlapping causes explain a vector, in parts that add up exactly.

Causes that overlap (a row, a column, a cell of a table) share what they explain, and any fixed
order of taking them out gives the first what is the others'. Orthogonal matching pursuit takes
next whichever explains most of what is left, so that one cause alone gets all it explains; the
parts are orthogonal, and their squares sum to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

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
    products, along, b = atoms.T @ atoms, atoms.T @ target, atoms.shape[1]
    length, loud = np.diagonal(products).copy(), np.diagonal(noise).copy()
    least = np.maximum(_SAME * length, 0.0)
    # Of each atom taken, u: all atoms' parts along what of it was new; and k, by which the noise
    # that is left of their products is noise - u k' - k u', summed.
    taken = np.zeros((b, 2, b))
    picked: list[int] = []
    for t in range(b):
        gain = np.divide(along * along, length, out=np.zeros(b), where=length > least)
        best = int(np.argmax(gain >= _EQUAL * gain.max()))
        # Of an atom that those before it make up, rounding may leave less than no noise.
        if not gain[best] * length[best] > limit * max(loud[best], 0.0):
            break
        picked.append(best)
        root = sqrt(length[best])
        u = (products[best] - taken[:t, 0, best] @ taken[:t, 0]) / root
        left = noise[best] - taken[:t, ::-1, best].reshape(-1) @ taken[:t].reshape(-1, b)
        k = (left - (0.5 * loud[best] / root) * u) / root
        taken[t, 0], taken[t, 1] = u, k
        along = along - u * (along[best] / root)
        length = length - u * u
        loud = loud - 2.0 * u * k
        length[best] = 0.0
    # Products of near-equal atoms lose digits that the atoms themselves still have.
    basis = np.linalg.qr(atoms[:, picked])[0]
    explained = basis.T @ target
    rest = target - basis @ explained
    return Parts(np.array(picked, dtype=np.int64), explained**2, float(rest @ rest))
