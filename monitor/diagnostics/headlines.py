r"""What may page: a few numbers of each model and of the smile, as their charts see them.

A model answers for its error, for its error out of sample, and for its structure: how far the
parameters it claims to be constant lie from where its reference has them, in the spread that
estimation error and usual motion gave them there. The smile answers for its two wings, for the
short and the middle part of its term structure, and for the expiry that is most out of line.

Wings and tenors move with the level every night, and most of a risk reversal's motion is its
neighbours'. What a step at one place does to all of them is known; how they usually move together
is learnt from the reference. The combination

.. math:: a_t = \frac{s^\top \Sigma^{-1} y_t}{s^\top \Sigma^{-1} s}

reads off the step s alone, in vol: usual motion, which :math:`\Sigma` is the covariance of, hardly
stirs it. On recorded chains a put wing lifted overnight by one vol point is 0.6 (BTC) and 0.8 (ETH)
deviations of the 30-day risk reversal, and 2.4 and 2.6 of this (February to May 2026). Spot acts
through the level: with its move beside the others the deviation falls from .36 to .34 (ETH).

What moves otherwise than usual is foretold the worse, and so is all of it at a level further from
the reference's than nine in ten of its own nights: how a shape answers to the level is known from
sixty nights alone. Without that a level up by 40 % pages within ten nights in 8 and 7 of 60 markets
(a rival's, a richer one's), so in 1 and 1; of 60 put wings off by one vol point it costs one.

*Refused:* the whole vector's Mahalanobis distance, which spreads one place's step over a dozen
directions and names none; principal components, whose number is a knob; leverage of the level
wherever it is, with which 55 of those 60 are found; a headline for the long end, which found
nothing in worlds that a rival describes that another had not found as soon (six seeds, both coins).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.points import (
    GAP,
    SMILE,
    SMILE_SCOPES,
    TERM,
    TERM_DAYS,
    TERM_SCOPES,
)
from monitor.diagnostics.reference import Reference
from monitor.models import MODELS, Model
from monitor.models.base import Parameter
from monitor.numerics.selfstart import FEWEST

Source = tuple[str, str]  # metric, scope


@dataclass(frozen=True, eq=False)
class Charted:
    """A headline as it is charted.

    Attributes
    ----------
    value : ndarray of shape (T,)
        Nights, oldest first, tonight last.
    inflation : ndarray of shape (T,)
        Factor of each night's predictive variance.
    lost : int
        Degrees of freedom that making it has cost.
    """

    value: FloatArray
    inflation: FloatArray
    lost: int = 0


Chart = Callable[[FloatArray, Reference], Charted]


@dataclass(frozen=True, eq=False)
class Headline:
    """A number that may page.

    Attributes
    ----------
    name : str
    sources : tuple of (metric, scope)
        The stored numbers it is made of.
    chart : callable
        Nights × sources and the reference in, what is charted out.
    two_sided : bool
        Whether a fall is news as well as a rise.
    fewest : int
        Shortest reference it can be made with.
    words : str
        What it is, in a sentence about it.
    pages : bool
        False for the level, which every model follows: news of the market.
    confirms : bool
        Whether a night confirms what the night before said. The expiry most out of line is out of
        line tomorrow, whatever the nights before taught of the largest gap: no jump is told of it.
    """

    name: str
    sources: tuple[Source, ...]
    chart: Chart
    two_sided: bool
    fewest: int = FEWEST
    words: str = ""
    pages: bool = True
    confirms: bool = True


def _size(y: FloatArray, reference: Reference) -> Charted:
    """Chart a size of errors by its logarithm; none at all is taken as 1e-8."""
    return Charted(np.log(np.maximum(y[:, 0], 1e-8)), np.ones(len(y)))


def _error(metric: str) -> Headline:
    return Headline(metric, ((metric, CHAIN),), _size, two_sided=False)


LEVEL = Headline("atm_iv", (("atm_iv", CHAIN),), _size, two_sided=True, pages=False)
_ERRORS = (_error("rmse_iv"), _error("refreshed_rmse_iv"))

# Wings and tenors ---------------------------------------------------------------------------------

# By what quotes may blur what is read off them.
BLUR: tuple[Source, ...] = (("width_iv", CHAIN), ("rejected_share", CHAIN))
# How much of a lifted wing each point of the mean smile feels: nothing at the money, all of it from
# one deviation out, smoothly between (25 delta lies 0.67 out).
_PUT, _CALL = (1.0, 0.747, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.747, 1.0)
# How much of a bent term structure each tenor feels: a front that fades within two weeks, a hump
# about two months.
_SHORT = (1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
_MIDDLE = tuple(np.exp(-0.5 * (np.log(np.array(TERM_DAYS) / 60.0) / 0.8) ** 2))
# Where each is bent most, in days.
CENTRES = {"short_term": 7.0, "middle_term": 60.0}
# Differences beyond so many robust deviations are drawn in before a covariance is made of them.
_FAR = 3.5


def _projection(y: FloatArray, shape: FloatArray, blur: FloatArray, at: Reference) -> Charted:
    """Return the step of one shape that nights show, usual motion removed."""
    moves = np.diff(y, axis=0, prepend=y[:1])
    usual = _covariance(np.diff(y[at.nights], axis=0))
    precision = np.linalg.inv(usual)
    weight = precision @ shape
    gain = float(shape @ weight)
    # What moves otherwise than usual is foretold the worse the further it goes: by the leverage of
    # the rest of the vector, and by quotes as wide and as few as tonight's.
    every = np.sum((moves @ precision) * moves, axis=1)
    rest = np.maximum(every - (moves @ weight) ** 2 / gain, 0.0)
    lost = y.shape[1] - 1
    # So is all of it where the level, what moves most, lies beyond where it was learnt.
    level = y @ np.linalg.eigh(usual)[1][:, -1]
    far = (level - level[at.nights].mean()) ** 2 / np.sum(np.diff(level[at.nights]) ** 2)
    far = np.maximum(far - np.quantile(far[at.nights], 0.9), 0.0)
    inflation = (1.0 + rest / (len(at) - 1 - lost) + far) * _blurred(blur, at) ** 2
    return Charted(y @ weight / gain, inflation, lost)


def _blurred(blur: FloatArray, at: Reference) -> FloatArray:
    """Return by what factor the errors of what is read off quotes have grown; 1 at least.

    Mids stray in proportion to the width of quotes, and what is read between them by the square of
    their distance, which is that of those listed over the share that is usable. What nine nights of
    ten were like is in what the reference teaches already.
    """
    width, usable = blur[:, 0], np.maximum(1.0 - blur[:, 1], 1e-2)
    wider = width / np.quantile(width[at.nights], 0.9)
    fewer = np.quantile(usable[at.nights], 0.1) / usable
    return np.asarray(np.maximum(wider, 1.0) * np.maximum(fewer, 1.0) ** 2)


def _covariance(moves: FloatArray) -> FloatArray:
    centre = np.median(moves, axis=0)
    robust = 1.4826 * np.median(np.abs(moves - centre), axis=0)
    drawn = np.clip(moves, centre - _FAR * robust, centre + _FAR * robust)
    covariance = np.cov(drawn.T)
    # A vector that hardly moves in some direction still has quotes of finite width.
    spread = np.diag(covariance)
    return np.asarray(covariance + np.diag(1e-6 * spread + 1e-16))


def _wing(name: str, shape: tuple[float, ...]) -> Headline:
    def chart(y: FloatArray, reference: Reference) -> Charted:
        # In vol at fixed deltas, where a skew stays put while the level moves.
        points, blur = np.split(y, [-len(BLUR)], axis=1)
        return _projection(points, np.array(shape), blur, reference)

    sources = (*((SMILE, scope) for scope in SMILE_SCOPES), *BLUR)
    fewest = FEWEST + 2 * len(SMILE_SCOPES)
    return Headline(f"{name}_wing", sources, chart, True, fewest, f"{name} wing")


def _tenors(name: str, shape: tuple[float, ...]) -> Headline:
    def chart(y: FloatArray, reference: Reference) -> Charted:
        # In variance, where every tenor's is a straight line in the spot variance's, and a jump of
        # it bends nothing; the shape is turned with it, so that steps come out in vol.
        vols, blur = np.split(y, [-len(BLUR)], axis=1)
        turned = 2.0 * np.median(vols[reference.nights], axis=0) * np.array(shape)
        return _projection(vols**2, turned, blur, reference)

    sources = (*((TERM, scope) for scope in TERM_SCOPES), *BLUR)
    fewest = FEWEST + len(TERM_SCOPES) + 3
    return Headline(f"{name}_term", sources, chart, True, fewest, f"{name} term structure")


def _out_of_line(y: FloatArray, reference: Reference) -> Charted:
    """Chart how far the expiry that lies furthest off the curve lies off it, by its cube root.

    The largest of a dozen errors has a long tail upwards: skewness .8 to .9 where they are normal
    (sandbox), 3.0 and 2.0 on recorded chains (BTC and ETH). Its cube root has none, or .5 and .4,
    and its logarithm one downwards, that hides an expiry out of line by one vol point. All errors
    grow as quotes blur.
    """
    return Charted(np.cbrt(y[:, 0] / _blurred(y[:, 1:], reference)), np.ones(len(y)))


EXPIRY_GAP = "expiry_gap"
_EXPIRY = Headline(
    EXPIRY_GAP,
    ((GAP, CHAIN), *BLUR),
    _out_of_line,
    two_sided=False,
    words="one expiry out of line",
    confirms=False,
)
SMILE_HEADLINES = (
    *(_wing("put", _PUT), _wing("call", _CALL)),
    *(_tenors("short", _SHORT), _tenors("middle", _MIDDLE), _EXPIRY),
)
# Each tenor by itself: where a bent term structure is bent. They attribute and do not page.
PLACES = tuple(
    _tenors(scope.removeprefix("tenor:"), tuple(np.eye(len(TERM_DAYS))[i]))
    for i, scope in enumerate(TERM_SCOPES)
)

# Structure ----------------------------------------------------------------------------------------


def structure(model: Model) -> tuple[Parameter, ...]:
    """Return the parameters that a model claims to be constant; none for one fitted by expiry."""
    if model.per_expiry:
        return ()
    return tuple(p for p in model.parameters if p.role == "structure")


def scaled(p: Parameter, value: FloatArray) -> FloatArray:
    """Return a parameter on the scale it is compared on: positive ones by their logarithm."""
    if p.lower < 0.0:
        return value
    return np.log(np.maximum(value, p.lower if p.lower > 0.0 else 1e-3 * p.upper))


def _structure(model: Model) -> Headline | None:
    parameters = structure(model)
    p = len(parameters)
    if not p:
        return None

    def chart(y: FloatArray, reference: Reference) -> Charted:
        theta = np.column_stack([scaled(q, y[:, i]) for i, q in enumerate(parameters)])
        taught = theta[reference.nights]
        # What never moved, a parameter at its bound, has no usual motion to be measured by.
        moves = np.ptp(taught, axis=0) > 1e-9
        if not moves.any():
            return Charted(np.zeros(len(y)), np.ones(len(y)))
        away = theta[:, moves] - np.median(taught[:, moves], axis=0)
        precision = np.linalg.inv(np.atleast_2d(_covariance(taught[:, moves])))
        distance = np.log(np.maximum(np.sum((away @ precision) * away, axis=1), 1e-8)) / 2.0
        # A night that helped to make centre and spread lies nearer to them than one that did not.
        n, k = len(reference), int(np.sum(moves))
        outside = np.log((n + 1.0) / (n - k - 2.0)) / 2.0
        inside = np.zeros(len(y), dtype=bool)
        inside[reference.nights] = True
        return Charted(np.where(inside, distance, distance - outside), np.ones(len(y)))

    sources = tuple(("param", f"param:{q.name}") for q in parameters)
    # Ten nights a parameter and more: from 40 nights of four parameters at phi = 0.8, half of all
    # references raise a false alarm within 91 nights.
    return Headline("structure_shift", sources, chart, False, FEWEST + 10 * p, "structure")


@cache
def headlines_of(model: str | None) -> tuple[Headline, ...]:
    """Return what may page of a model, or of the smile; in the order in which they are said."""
    if model is None:
        return SMILE_HEADLINES
    own = _structure(MODELS[model])
    return _ERRORS if own is None else (*_ERRORS, own)


def all_headlines() -> tuple[Headline, ...]:
    """Return the headlines of every model, of the smile and the level; models share names."""
    models = (h for m in MODELS for h in headlines_of(m))
    return (*dict.fromkeys(models), *SMILE_HEADLINES, LEVEL)


def sources() -> tuple[Source, ...]:
    """Return the stored numbers that headlines of any model are made of, each once."""
    every = [h for m in (None, *MODELS) for h in headlines_of(m)]
    return tuple(dict.fromkeys(s for h in (*every, LEVEL) for s in h.sources))


def nights_of(
    series: dict[Source, tuple[IntArray, FloatArray]], wanted: tuple[Source, ...]
) -> tuple[IntArray, FloatArray]:
    """Return the nights on which every source has a value, and the values, (T,) and (T, k)."""
    found = [series[s] for s in wanted if s in series]
    if len(found) < len(wanted):
        return np.empty(0, np.int64), np.empty((0, len(wanted)))
    nights = found[0][0]
    for times, _ in found[1:]:
        nights = nights if np.array_equal(nights, times) else np.intersect1d(nights, times)
    columns = [value[np.searchsorted(times, nights)] for times, value in found]
    return nights, np.column_stack(columns)
