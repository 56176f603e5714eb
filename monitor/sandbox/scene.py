"""One chain of a world: from the truth of a moment to the rows that the venue shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.conventions import MS_PER_DAY, MS_PER_YEAR, from_ms
from monitor.market.instrument import Instrument, expiry_code
from monitor.market.snapshot import Snapshot
from monitor.pricing.black import black_price
from monitor.sandbox.calendar import Expiry, expiries
from monitor.sandbox.faults import chosen_names
from monitor.sandbox.quoting import HABITS, Mood, Quoted, interest, quote
from monitor.sandbox.recorded import MIDS
from monitor.sandbox.truth import TrueSmile, true_variance
from monitor.sandbox.worlds.base import AtExpiry, Regime

# How newly listed expiries are quoted: at every so many strikes, so many times as wide.
_NEW_EVERY, _NEW_WIDTH = 4, 3.0


@dataclass(frozen=True)
class Scene:
    """All that a chain is made from.

    Attributes
    ----------
    underlying : str
    as_of_ms : int
    index : float
        Dollars per coin.
    listed : tuple of Expiry
        In order; those a regime lists beside the calendar among them.
    forward : ndarray of shape (m,)
        Dollars per coin.
    ladders : tuple of ndarray
        Strikes of each expiry.
    smile : TrueSmile
    lasting, passing : callable
        From an expiry and deviations from the forward to how far its mids lie off, for many nights
        and at this moment.
    break_ms : int
        Of the world: what concerns one expiry is reckoned from there.
    """

    underlying: str
    as_of_ms: int
    index: float
    listed: tuple[Expiry, ...]
    forward: FloatArray
    ladders: tuple[FloatArray, ...]
    smile: TrueSmile
    lasting: Callable[[int, FloatArray], FloatArray]
    passing: Callable[[int, FloatArray], FloatArray]
    break_ms: int

    @property
    def regime(self) -> Regime:
        """What differs from the truth."""
        return self.smile.regime

    @property
    def tau(self) -> FloatArray:
        """Tenors in years, shape (m,)."""
        return np.array([(e.expiry_ms - self.as_of_ms) / MS_PER_YEAR for e in self.listed])

    def concerned(self, at: AtExpiry | None) -> BoolArray:
        """Return which expiry a regime means, shape (m,)."""
        if at is None:
            return np.zeros(len(self.listed), np.bool_)
        meant = expiry_meant(at, self.break_ms)
        return np.array([e.expiry_ms == meant for e in self.listed])


def expiry_meant(at: AtExpiry, break_ms: int) -> int:
    """Return the expiry that on the night of a break is nearest to the days told."""
    wanted = break_ms + at.days * MS_PER_DAY
    return min((e.expiry_ms for e in expiries(break_ms)), key=lambda e: abs(e - wanted))


def listed_at(now_ms: int, regime: Regime, break_ms: int) -> tuple[Expiry, ...]:
    """Return the expiries of the calendar and those that a regime lists beside it."""
    calendar = expiries(now_ms)
    known = {e.expiry_ms for e in calendar}
    eight = 8 * 3_600_000
    days = {break_ms + int(days) * MS_PER_DAY + eight for days in regime.listing}
    extra = [Expiry(ms, "week", break_ms) for ms in days - known if ms > now_ms]
    return tuple(sorted((*calendar, *extra)))


def chain_of(scene: Scene, rng: np.random.Generator) -> Snapshot:
    """Return the chain as the venue shows it."""
    which, strike = _rows(scene)
    k = np.log(strike / scene.forward[which])
    regime = scene.regime
    w = true_variance(scene.smile, scene.tau, which, k, scene.concerned(regime.shift))
    # Every strike has a put and a call.
    both = np.repeat(np.arange(len(strike)), 2)
    is_call = np.tile([False, True], len(strike))
    expiry_ms = np.array([e.expiry_ms for e in scene.listed])
    names = tuple(
        Instrument(scene.underlying, int(expiry_ms[which[i]]), float(strike[i]), bool(call)).name
        for i, call in zip(both, is_call, strict=True)
    )
    habits = HABITS[scene.underlying]
    tau = scene.tau[which]
    mood = _mood(scene, names, which[both], (k / np.sqrt(w))[both])
    quoted = quote(k[both], w[both], tau[both], is_call, habits, mood, rng)
    quoted = _marked(scene, quoted, which[both], strike[both], tau[both], is_call)
    open_interest, volume = interest(names, scene.as_of_ms // MS_PER_DAY)
    sources = [_priced_off(scene.underlying, e, scene.listed) for e in scene.listed]
    return Snapshot(
        venue="deribit",
        underlying=scene.underlying,
        as_of_ms=scene.as_of_ms,
        price_unit="coin",
        instrument=names,
        underlying_index=tuple(sources[j] for j in which[both]),
        expiry_ms=expiry_ms[which[both]],
        is_call=is_call,
        strike=strike[both],
        forward=_shown_forward(scene)[which[both]],
        bid=quoted.bid,
        ask=quoted.ask,
        mark=quoted.mark,
        mark_iv=quoted.mark_iv,
        open_interest=open_interest,
        volume=volume,
        index_price=round(scene.index, 2),
    )


def _is_new(scene: Scene) -> BoolArray:
    """Return which expiries a regime has listed beside the calendar, shape (m,)."""
    calendar = {e.expiry_ms for e in expiries(scene.as_of_ms)}
    return np.array([e.expiry_ms not in calendar for e in scene.listed])


def _rows(scene: Scene) -> tuple[IntArray, FloatArray]:
    """Return expiry and strike of each row."""
    new = _is_new(scene)
    ladders = [
        ladder[::_NEW_EVERY] if is_new else ladder
        for ladder, is_new in zip(scene.ladders, new, strict=True)
    ]
    counts = [len(ladder) for ladder in ladders]
    return np.repeat(np.arange(len(ladders), dtype=np.int64), counts), np.concatenate(ladders)


def _mood(scene: Scene, names: tuple[str, ...], which: IntArray, x: FloatArray) -> Mood:
    habits, smooth = MIDS[scene.underlying], np.empty(len(x))
    parts = np.sqrt([habits.lasting, habits.passing])
    for j, expiry in enumerate(scene.listed):
        here = which == j
        strays = [f(expiry.expiry_ms, x[here]) for f in (scene.lasting, scene.passing)]
        smooth[here] = parts @ np.array(strays)
    width = scene.regime.width * np.where(_is_new(scene), _NEW_WIDTH, 1.0)
    has_market = chosen_names(names, scene.regime.quoted)
    own = 1.0 - habits.lasting - habits.passing
    return Mood(smooth, own, habits.spread, width[which], has_market)


def _shown_forward(scene: Scene) -> FloatArray:
    off = scene.regime.forward_off
    if off is None:
        return scene.forward
    return np.round(scene.forward * (1.0 + off.size * scene.concerned(off)), 2)


def _marked(
    scene: Scene,
    quoted: Quoted,
    which: IntArray,
    strike: FloatArray,
    tau: FloatArray,
    is_call: BoolArray,
) -> Quoted:
    """Return quotes whose marks are as wrong as the regime says; the book is left alone."""
    regime = scene.regime
    if regime.forward_off is None and not regime.marks_off:
        return quoted
    k = np.log(strike / _shown_forward(scene)[which])
    mark_iv = np.round(quoted.mark_iv + regime.marks_off, 4)
    mark = np.round(black_price(k, mark_iv**2 * tau, np.where(is_call, 1.0, -1.0)), 6)
    wrong = scene.concerned(regime.forward_off)[which] | (regime.marks_off != 0.0)
    return replace(quoted, mark=np.where(wrong, mark, quoted.mark), mark_iv=mark_iv)


def _priced_off(underlying: str, expiry: Expiry, listed: tuple[Expiry, ...]) -> str:
    """Return the future that an expiry is priced off; a synthetic one where none is listed."""
    synthetic = f"SYN.{underlying}-{expiry_code(expiry.expiry_ms)}"
    return future_of(underlying, expiry, listed) or synthetic


def future_of(underlying: str, expiry: Expiry, listed: tuple[Expiry, ...]) -> str | None:
    """Return the name of an expiry's dated future; None where none is listed."""
    weeks = [e for e in listed if from_ms(e.expiry_ms).weekday() == 4][:2]
    months = [e for e in listed if e.series == "month"][:2]
    has_future = expiry.series == "quarter" or expiry in weeks or expiry in months
    return f"{underlying}-{expiry_code(expiry.expiry_ms)}" if has_future else None
