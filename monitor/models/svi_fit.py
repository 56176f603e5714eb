r"""The search for SVI's five parameters: two dimensions, many slices at once.

With x = k - m, r the root of x^2 + s^2, the slopes of the two wings, L = b (1 - rho) and
R = b (1 + rho), and the value A at the vertex,

.. math:: w = A + \tfrac L2 (r - s - x) + \tfrac R2 (r - s + x)

is linear in (A, L, R), and \|rho\| <= 1, b >= 0 and Lee's moment bound b (1 + \|rho\|) <= 2 are the
box 0 <= L, R <= 2. At given vertex m and width s the three are solved for exactly within the box;
Levenberg-Marquardt moves m and ln s on what remains (variable projection), which has neither
the valleys nor the degenerate corners of the five dimensions. The residuals are those of implied
vol throughout: w is linear, its square root is linearised anew in every step.

References
----------
.. [1] De Marco, S. and Martini, C. (2009). Quasi-explicit calibration of Gatheral's SVI model.
   Zeliade white paper.
.. [2] Golub, G. and Pereyra, V. (2003). Separable nonlinear least squares: the variable projection
   method and its applications. Inverse Problems 19.
.. [3] Lee, R. (2004). The moment formula for implied volatility at extreme strikes. Mathematical
   Finance 14(3).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.numerics.least_squares import Ending, Solution, Tolerances

SLOPE_MAX = 2.0
_DAMPING_START, _DAMPING_MIN, _DAMPING_MAX = 0.1, 1e-9, 1e9
_ACCEPT = 1e-4  # actual over predicted reduction above which a step is taken
_SLOPE = 1e-4  # cosine above which an optimum is not one, whatever the damping
# After so many evaluations, less than this of the cost to gain is an optimum: a parameter within a
# seventieth of its standard error.
_PATIENCE, _NOTHING = 16, 1e-4
_TINY = 1e-300


@dataclass(frozen=True)
class Smiles:
    """B slices of l quotes, and where the vertex and the logarithm of the width may lie.

    Attributes
    ----------
    k, iv, precision : ndarray of shape (B, l)
        `precision` is one over the noise of `iv`, 0 where a place only fills a row.
    tau : ndarray of shape (B, 1)
    lower, upper : ndarray of shape (B, 2)
    reach : ndarray of shape (B, 2)
        The longest step of either that a quadratic can be trusted with.
    """

    k: FloatArray
    iv: FloatArray
    precision: FloatArray
    tau: FloatArray
    lower: FloatArray
    upper: FloatArray
    reach: FloatArray


@dataclass
class _State:
    """The slices still under way, A of them, at their best point so far."""

    at: IntArray  # (A,), numbers of the problems
    theta: FloatArray  # (A, 2): m, ln s
    beta: FloatArray  # (A, 3): A, L, R
    vol: FloatArray  # (A, l)
    cost: FloatArray  # (A,)
    g: FloatArray  # (A, 5), gradient of the cost by A, L, R, m, ln s
    H: FloatArray  # (A, 5, 5), the part of its Hessian that is convex whatever the residuals
    bend: FloatArray  # (A, 5, 2), the rest, by m and ln s
    damping: FloatArray
    growth: FloatArray

    def keep(self, mask: BoolArray) -> None:
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name)[mask])

    def move(self, taken: BoolArray, new: _Point) -> None:
        for f in fields(new):
            value = getattr(new, f.name)
            if not taken.all():
                mask = taken.reshape((-1,) + (1,) * (value.ndim - 1))
                value = np.where(mask, value, getattr(self, f.name))
            setattr(self, f.name, value)


@dataclass
class _Point:
    """What is known at vertices and log widths: see `_State`."""

    theta: FloatArray
    beta: FloatArray
    vol: FloatArray
    cost: FloatArray
    g: FloatArray
    H: FloatArray
    bend: FloatArray


def solve_smiles(smiles: Smiles, theta: FloatArray, tol: Tolerances) -> Solution:
    """Return the least-squares smiles from vertices and log widths `theta`, shape (B, 2).

    The solution's `x` has shape (B, 5), ``a, b, rho, m, s``. Infinite cost where no step was found
    from a start without a vol at some quote.
    """
    n_all = len(smiles.k)
    out = Solution(
        np.full((n_all, 5), np.nan),
        np.full(n_all, np.inf),
        np.full(n_all, int(Ending.NOT_FINITE), np.int64),
        np.ones(n_all, np.int64),
        np.full(n_all, np.inf),
    )
    if n_all == 0:
        return out
    with np.errstate(all="ignore"):
        theta = np.clip(theta, smiles.lower, smiles.upper)
        # The market's own vols are the first point of linearisation.
        point = _best_at(theta, smiles, smiles.iv)
        damping, growth = np.full(n_all, _DAMPING_START), np.full(n_all, 4.0)
        state = _State(np.arange(n_all), **vars(point), damping=damping, growth=growth)
        finite = np.isfinite(point.cost)
        state.keep(finite)
        here = smiles if finite.all() else _part(smiles, finite)
        while len(state.at):
            staying = _iterate(state, here, tol, out)
            if not staying.all():
                state.keep(staying)
                here = _part(here, staying)
    return out


def _iterate(s: _State, smiles: Smiles, tol: Tolerances, out: Solution) -> BoolArray:
    """Take or refuse a step in every slice under way; return which go on."""
    H, g, scale, inner = _reduced(s)
    step, blocked = _bounded_step(
        H,
        g,
        s.damping[:, None] * scale,
        np.maximum(smiles.lower - s.theta, -smiles.reach),
        np.minimum(smiles.upper - s.theta, smiles.reach),
    )
    promise = inner - _dot(g + 0.5 * (H @ step[:, :, None])[:, :, 0], step)
    trial = np.minimum(np.maximum(s.theta + step, smiles.lower), smiles.upper)
    point = _best_at(trial, smiles, s.vol)
    out.evaluations[s.at] += 1

    actual = s.cost - point.cost
    taken = (actual > 0.0) & (actual >= _ACCEPT * promise)
    cosine = np.where(blocked, 0.0, np.abs(g) / (np.sqrt(scale) + _TINY)).max(axis=1)
    cosine /= np.sqrt(2.0 * s.cost + _TINY)
    # A promise held small by damping says nothing of an optimum.
    unhurried = (s.damping <= 1.0) | (cosine <= _SLOPE)
    done = (np.abs(actual) <= tol.cost * s.cost) & (promise <= tol.cost * s.cost) & unhurried
    # A smile ruled by noise lets vertex and width crawl for ever; what is left to gain says when
    # that no longer concerns the data.
    crawling = out.evaluations[s.at] >= _PATIENCE
    if crawling.any():
        left = inner + _gain(H, np.where(blocked, 0.0, g))
        done |= crawling & (left <= _NOTHING) & (np.abs(actual) <= _NOTHING)
    done |= s.cost <= 0.5 * tol.residual**2 * smiles.k.shape[1]

    quality = actual / np.maximum(promise, _TINY)
    factor = np.where(quality > 0.75, 0.1, np.where(quality < 0.25, 4.0, 0.5))
    s.damping = np.maximum(s.damping * np.where(taken, factor, s.growth), _DAMPING_MIN)
    s.growth = np.where(taken, 4.0, 2.0 * s.growth)
    s.move(taken, point)

    stuck = s.damping > _DAMPING_MAX
    leaving = done | stuck | (out.evaluations[s.at] >= tol.max_evaluations)
    if leaving.any():
        at = s.at[leaving]
        out.x[at], out.cost[at] = _raw(s.theta[leaving], s.beta[leaving]), s.cost[leaving]
        out.gradient[at] = cosine[leaving]
        ending = np.where(stuck, Ending.STALLED, Ending.MAX_EVALUATIONS)
        out.ending[at] = np.where(done, Ending.CONVERGED, ending)[leaving]
    going: BoolArray = ~leaving
    return going


def _best_at(theta: FloatArray, smiles: Smiles, vol: FloatArray) -> _Point:
    """Return the best coefficients at vertices and log widths, linearised at vols `vol`."""
    s = np.exp(theta[:, 1:])
    x = smiles.k - theta[:, :1]
    inverse = 1.0 / np.sqrt(x * x + s * s)
    sine = x * inverse
    curve = x * sine / (1.0 + s * inverse)
    columns = np.empty((len(theta), 5, x.shape[1]))
    columns[:, 0] = 1.0
    np.subtract(curve, x, out=columns[:, 1])
    np.add(curve, x, out=columns[:, 2])
    columns[:, 1:3] *= 0.5
    weight = smiles.precision / (2.0 * vol * smiles.tau)
    basis = columns[:, :3] * weight[:, None]
    # The square root of w, linear at `vol`, meets the market at this w.
    target = (smiles.tau * weight * vol) * (2.0 * smiles.iv - vol)
    beta = _boxed(basis @ basis.transpose(0, 2, 1), (basis @ target[:, :, None])[:, :, 0])
    vol = np.sqrt((beta[:, None] @ columns[:, :3])[:, 0] / smiles.tau)

    r = (vol - smiles.iv) * smiles.precision
    cost = 0.5 * _dot(r, r)
    mean, tilt = 0.5 * (beta[:, 1:2] + beta[:, 2:]), 0.5 * (beta[:, 2:] - beta[:, 1:2])
    np.multiply(-mean, sine, out=columns[:, 3])
    columns[:, 3] -= tilt
    np.multiply(mean * s, s * inverse - 1.0, out=columns[:, 4])
    slope = smiles.precision / (2.0 * vol * smiles.tau)  # dr/dw
    pull = r * slope
    g = (columns @ pull[:, :, None])[:, :, 0]
    # The root's own curvature, -r / (2 w) dr/dw, and the square of dr/dw: positive together.
    convex = slope * slope * (smiles.iv / vol)
    H = (columns * convex[:, None]) @ columns.transpose(0, 2, 1)
    bend = _bend(s, mean, sine, inverse, pull)
    return _Point(theta, beta, vol, np.where(np.isfinite(cost), cost, np.inf), g, H, bend)


def _bend(
    s: FloatArray, mean: FloatArray, sine: FloatArray, inverse: FloatArray, pull: FloatArray
) -> FloatArray:
    """Return second derivatives of w by all five and (m, ln s), summed with weights `pull`."""
    cube = (s * inverse) ** 2 * pull
    all_ = pull.sum(axis=1)
    right = _dot(pull, sine)
    narrow = s[:, 0] * (s[:, 0] * _dot(pull, inverse) - all_)
    s, mean = s[:, 0], mean[:, 0]
    out = np.zeros((len(s), 5, 2))
    out[:, 1, 0] = 0.5 * (all_ - right)
    out[:, 2, 0] = -0.5 * (all_ + right)
    out[:, 1:3, 1] = 0.5 * narrow[:, None]
    sharp = _dot(cube, inverse)
    out[:, 3, 0] = mean * sharp
    out[:, 3, 1] = out[:, 4, 0] = mean * _dot(cube, sine)
    out[:, 4, 1] = mean * (2.0 * narrow + s * all_ - s * s * sharp)
    return out


def _boxed(G: FloatArray, h: FloatArray) -> FloatArray:
    """Return the minimum of b'Gb/2 - h'b with the last two of three coefficients in the box."""
    base = G[:, 0, 0] + _TINY
    P = G[:, 1:, 1:] - G[:, 1:, :1] * G[:, :1, 1:] / base[:, None, None]
    q = h[:, 1:] - G[:, 1:, 0] * (h[:, 0] / base)[:, None]
    one, two, cross = P[:, 0, 0] + _TINY, P[:, 1, 1] + _TINY, P[:, 0, 1]
    det = one * two - cross * cross
    left = (two * q[:, 0] - cross * q[:, 1]) / det
    right = (one * q[:, 1] - cross * q[:, 0]) / det
    out = ~((left >= 0.0) & (right >= 0.0) & (left <= SLOPE_MAX) & (right <= SLOPE_MAX))
    if out.any():
        # A convex quadratic with its minimum outside a box has it on one of the four sides.
        one, two, cross, q = one[out], two[out], cross[out], q[out]
        ends = np.array([0.0, SLOPE_MAX])[:, None]
        along_right = np.clip((q[:, 1] - cross * ends) / two, 0.0, SLOPE_MAX)
        along_left = np.clip((q[:, 0] - cross * ends) / one, 0.0, SLOPE_MAX)
        fixed = np.broadcast_to(ends, along_left.shape)
        a, b = np.concatenate([fixed, along_left]), np.concatenate([along_right, fixed])
        value = 0.5 * (one * a * a + two * b * b) + cross * a * b - q[:, 0] * a - q[:, 1] * b
        best = np.argmin(value, axis=0), np.arange(len(one))
        left[out], right[out] = a[best], b[best]
    level = (h[:, 0] - G[:, 0, 1] * left - G[:, 0, 2] * right) / base
    return np.stack([level, left, right], axis=1)


def _reduced(s: _State) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return Hessian and gradient by vertex and log width with the linear coefficients at best.

    Also the scale of each, the diagonal of what is convex; and half of what the linear coefficients
    themselves have to gain.
    """
    free = (s.beta > 0.0) & (s.beta < SLOPE_MAX)
    free[:, 0] = True
    inner = np.where(free[:, :, None] & free[:, None, :], s.H[:, :3, :3], 0.0)
    # A slope with no derivative at all, far from every quote, is no direction; nor is a held one.
    diagonal = np.einsum("bii->bi", inner)
    diagonal += np.where(free, 1e-14 * diagonal + _TINY, 1.0)
    right = np.empty((len(free), 3, 5))
    right[:, :, :2] = s.H[:, :3, 3:]
    np.add(s.H[:, :3, 3:], s.bend[:, :3], out=right[:, :, 2:4])
    right[:, :, 4] = s.g[:, :3]
    right *= free[:, :, None]
    share = np.linalg.solve(inner, right)
    lost = right.transpose(0, 2, 1) @ share
    convex = s.H[:, 3:, 3:] - lost[:, :2, :2]
    scale = np.maximum(np.einsum("bii->bi", convex), 0.0)
    H = s.H[:, 3:, 3:] + s.bend[:, 3:] - lost[:, 2:4, 2:4]
    # Newton's Hessian where it is convex enough to trust, Gauss and Newton's elsewhere.
    own = np.einsum("bii->bi", H)
    det = own[:, 0] * own[:, 1] - H[:, 0, 1] ** 2
    newton = (own > 0.1 * scale).all(axis=1) & (det > 0.01 * own[:, 0] * own[:, 1])
    H = np.where(newton[:, None, None], H, convex)
    g = s.g[:, 3:] - np.where(newton[:, None], lost[:, 2:4, 4], lost[:, :2, 4])
    return H, g, scale, 0.5 * lost[:, 4, 4]


def _bounded_step(
    H: FloatArray, g: FloatArray, damping: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Return the damped step in two dimensions within [low, high], and which may not move."""
    blocked = ((low >= 0.0) & (g >= 0.0)) | ((high <= 0.0) & (g <= 0.0))
    diagonal = np.maximum(np.einsum("bii->bi", H), 0.0) + damping + _TINY
    cross = np.where(blocked.any(axis=1), 0.0, H[:, 0, 1])[:, None]
    det = diagonal[:, :1] * diagonal[:, 1:] - cross * cross
    step = np.where(blocked, 0.0, (cross * g[:, ::-1] - diagonal[:, ::-1] * g) / det)
    held = np.minimum(np.maximum(step, low), high)
    hit = held != step
    if hit.any():
        # What meets a side stays there; the other is solved for again.
        again = -(g + cross * held[:, ::-1]) / diagonal
        again = np.minimum(np.maximum(again, low), high)
        held = np.where(hit[:, ::-1] & ~hit & ~blocked, again, held)
    return held, blocked


def _gain(H: FloatArray, g: FloatArray) -> FloatArray:
    """Return half of g' H^-1 g: what a full step would gain."""
    det = H[:, 0, 0] * H[:, 1, 1] - H[:, 0, 1] ** 2
    gain = H[:, 1, 1] * g[:, 0] ** 2 + H[:, 0, 0] * g[:, 1] ** 2
    gain -= 2.0 * H[:, 0, 1] * g[:, 0] * g[:, 1]
    return 0.5 * gain / np.maximum(det, _TINY)


def _raw(theta: FloatArray, beta: FloatArray) -> FloatArray:
    """Return a, b, rho, m, s."""
    s = np.exp(theta[:, 1])
    b = 0.5 * (beta[:, 1] + beta[:, 2])
    rho = np.where(b > 0.0, 0.5 * (beta[:, 2] - beta[:, 1]) / np.where(b > 0.0, b, 1.0), 0.0)
    return np.stack([beta[:, 0] - b * s, b, rho, theta[:, 0], s], axis=1)


def _part(smiles: Smiles, mask: BoolArray) -> Smiles:
    return Smiles(*(getattr(smiles, f.name)[mask] for f in fields(smiles)))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = np.einsum("ij,ij->i", a, b)
    return product


def scan_smiles(
    k: FloatArray, w: FloatArray, weight: FloatArray, m: FloatArray, s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the best coefficients in weighted total variance at given vertices and widths.

    Parameters
    ----------
    k, w, weight : ndarray of shape (B, l)
    m, s : ndarray of shape (B, q)

    Returns
    -------
    beta : ndarray of shape (B, q, 3)
    cost : ndarray of shape (B, q)
        Half the sum of squares.
    """
    B, q = m.shape
    x = k[:, None, :] - m[:, :, None]
    root = np.sqrt(x * x + (s * s)[:, :, None])
    curve = x * x / (root + s[:, :, None])
    columns = np.empty((B, q, 4, k.shape[1]))
    columns[:, :, 0] = 1.0
    np.subtract(curve, x, out=columns[:, :, 1])
    np.add(curve, x, out=columns[:, :, 2])
    columns[:, :, 1:3] *= 0.5
    columns[:, :, 3] = w[:, None]
    columns *= weight[:, None, None]
    gram = (columns @ columns.transpose(0, 1, 3, 2)).reshape(B * q, 4, 4)
    beta = _boxed(gram[:, :3, :3], gram[:, :3, 3])
    full = np.concatenate([beta, -np.ones((B * q, 1))], axis=1)
    cost = 0.5 * _dot(full, (gram @ full[:, :, None])[:, :, 0])
    return beta.reshape(B, q, 3), cost.reshape(B, q)


def raw_above(theta: FloatArray, beta: FloatArray, k: FloatArray, floor: FloatArray) -> FloatArray:
    """Return ``a, b, rho, m, s``, shape (B, 5), lifted to at least `floor`, (B,), at every `k`."""
    raw = _raw(theta, beta)
    x = k - theta[:, :1]
    s = np.exp(theta[:, 1:])
    w = raw[:, :1] + raw[:, 1:2] * (raw[:, 2:3] * x + np.sqrt(x * x + s * s))
    raw[:, 0] += np.maximum(floor - w.min(axis=1), 0.0)
    return raw
