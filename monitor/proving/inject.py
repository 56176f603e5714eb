"""Known errors put into recorded chains: what would have been found, by whom, how soon.

A wing or an expiry is lifted by so many vol points from a night on, in bids, asks and marks alike,
and the pass goes on from what it knew. What the chain as recorded would have raised anyway does
not count. There is no pass mark: the table says where the meter is blind on real chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np

from monitor.archive import list_snapshots, read_refs, select
from monitor.arrays import FloatArray
from monitor.assess import assess
from monitor.assessment import Assessment, Rules, Stream
from monitor.conventions import MS_PER_DAY, from_ms, tenor
from monitor.errors import UsageError
from monitor.market.cleaning import tick_size
from monitor.market.snapshot import Snapshot
from monitor.pricing.black import black_price
from monitor.proving.seen import Seen, Told, seen_of
from monitor.recollect import NO_MEMORY, Memory, remember
from monitor.sandbox.truth import put_wing_share

PLACES = ("put wing", "call wing", "expiry")
SIZES = (0.01, 0.02, 0.04)
# The expiry that is nearest to so many days on the first night: a month or two out, well quoted.
EXPIRY_DAYS = 45.0

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Injection:
    """One error.

    Attributes
    ----------
    place : str
        One of `PLACES`.
    size : float
        Vol, a decimal; in full from one deviation out in a wing, everywhere in an expiry.
    expiry_ms : int
        Where the place is an expiry.
    """

    place: str
    size: float
    expiry_ms: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One error from one night on.

    Attributes
    ----------
    underlying : str
    place : str
    size : float
    onset : str
        Date of the first night.
    nights : tuple of Seen
        0 is the first.
    untouched : tuple of Seen
        The same nights as recorded.
    """

    underlying: str
    place: str
    size: float
    onset: str
    nights: tuple[Seen, ...]
    untouched: tuple[Seen, ...]


@dataclass(frozen=True)
class Trials:
    """What is tried on one underlying of an archive.

    Attributes
    ----------
    archive : tuple of Path
    underlying : str
    first, every : int
        Nights before the first onset, and between onsets.
    nights : int
        How long each error lasts.
    """

    archive: tuple[Path, ...]
    underlying: str
    first: int = 70
    every: int = 8
    nights: int = 10


def injected(snapshot: Snapshot, injection: Injection) -> Snapshot:
    """Return the chain with the error in it: prices moved by what the lift is worth, on ticks.

    Options without a mark vol are left alone: nobody knows what the lift is worth there.
    """
    tau = tenor(snapshot.as_of_ms, snapshot.expiry_ms)
    known = np.isfinite(snapshot.mark_iv) & (snapshot.mark_iv > 0) & (tau > 0)
    iv = np.where(known, snapshot.mark_iv, 1.0)
    tau = np.maximum(tau, 1e-9)
    k = np.log(snapshot.strike / snapshot.forward)
    lift = np.where(known, _lift(snapshot, injection, k / (iv * np.sqrt(tau))), 0.0)
    sign = np.where(snapshot.is_call, 1.0, -1.0)
    worth = black_price(k, (iv + lift) ** 2 * tau, sign) - black_price(k, iv**2 * tau, sign)
    if snapshot.price_unit != "coin":
        worth = worth * snapshot.forward
    chance = _chance(snapshot)
    mark = np.where(lift > 0, snapshot.mark + worth, snapshot.mark)
    return replace(
        snapshot,
        bid=_on_tick(snapshot.bid, worth, chance, snapshot.price_unit),
        ask=_on_tick(snapshot.ask, worth, chance, snapshot.price_unit),
        mark=mark,
        mark_iv=snapshot.mark_iv + lift,
    )


def _lift(snapshot: Snapshot, injection: Injection, x: FloatArray) -> FloatArray:
    if injection.place == "expiry":
        return np.where(snapshot.expiry_ms == injection.expiry_ms, injection.size, 0.0)
    return injection.size * put_wing_share(x if injection.place == "put wing" else -x)


def _on_tick(price: FloatArray, worth: FloatArray, chance: FloatArray, unit: str) -> FloatArray:
    moved = price + worth
    tick = tick_size(moved, unit)
    # Up or down by chance, so that lifts of less than a tick come out right on the average.
    steps = np.maximum(np.floor(moved / tick + chance), 1.0)
    return np.where(worth > 0, np.round(steps * tick, 4), price)


def _chance(snapshot: Snapshot) -> FloatArray:
    """Return a number between 0 and 1 a strike, by its name and the day.

    Put and call of a strike are lifted by the same worth and rounded alike: parity stays.
    """
    day = snapshot.as_of_ms // MS_PER_DAY
    strikes = (name.rsplit("-", 1)[0] for name in snapshot.instrument)
    return np.array([crc32(f"{day}{strike}".encode()) / 2.0**32 for strike in strikes])


def recorded_nights(archive: Sequence[Path], underlying: str) -> list[Snapshot]:
    """Return the last snapshot of each day.

    Raises
    ------
    UsageError
        If the archive holds none of the underlying.
    """
    refs = select(list_snapshots(archive), underlying=underlying, every="day")
    if not refs:
        raise UsageError(f"the archive holds no chain of {underlying}")
    return list(read_refs(refs))


def run_trials(trials: Trials, rules: Rules, tick: Tick) -> Iterator[Trial]:
    """Yield every error of every onset, tried."""
    snapshots = recorded_nights(trials.archive, trials.underlying)
    onsets = onsets_of(len(snapshots), trials)
    before: dict[int, Memory] = {}
    memory, untouched = NO_MEMORY, []
    for night, snapshot in enumerate(snapshots):
        if night in onsets:
            before[night] = memory
        found, memory = _pass(snapshot, memory, rules)
        untouched.append(seen_of(found, night, settled=night >= rules.drift.settled_nights))
        tick()
    for onset in onsets:
        expiry_ms = _expiry_near(snapshots[onset])
        span = slice(onset, onset + trials.nights)
        for place in PLACES:
            for size in SIZES:
                error = Injection(place, size, expiry_ms if place == "expiry" else 0)
                memory, nights = before[onset], []
                for i, snapshot in enumerate(snapshots[span]):
                    found, memory = _pass(injected(snapshot, error), memory, rules)
                    nights.append(seen_of(found, i, settled=True))
                    tick()
                yield Trial(
                    trials.underlying,
                    place,
                    size,
                    f"{snapshots[onset].as_of:%Y-%m-%d}",
                    tuple(nights),
                    tuple(untouched[span]),
                )


def try_all(rules: Rules, trials: Trials, tick: Tick) -> list[Trial]:
    """Return every error tried; arguments in the order that suits a pool."""
    return list(run_trials(trials, rules, tick))


def onsets_of(nights: int, trials: Trials) -> range:
    """Return the nights from which errors are tried, each with its whole length recorded."""
    return range(trials.first, nights - trials.nights + 1, trials.every)


def count_of(nights: int, trials: Trials) -> int:
    """Return the nights to be judged."""
    return nights + len(onsets_of(nights, trials)) * len(PLACES) * len(SIZES) * trials.nights


def night_found(trial: Trial, who: str, *, red: bool) -> int | None:
    """Return the night, 1 the first, on which `who` found what the untouched chain did not show.

    `who` is a model, ``market`` for the smile without a model, or ``any``. Found is a red finding,
    or an amber one where `red` is false.
    """
    for seen, plain in zip(trial.nights, trial.untouched, strict=True):
        if _said(seen, who, red) - _said(plain, who, red):
            return seen.night + 1
    return None


def _said(seen: Seen, who: str, red: bool) -> set[str]:
    return {f"{f.model}/{f.metric}/{f.scope}" for f in seen.findings if _counts(f, who, red)}


def _counts(finding: Told, who: str, red: bool) -> bool:
    if who not in ("any", finding.model) or finding.cause != "misspecification":
        return False
    return finding.pages or (not red and finding.severity == "amber")


def _pass(snapshot: Snapshot, memory: Memory, rules: Rules) -> tuple[Assessment, Memory]:
    stream = Stream(snapshot.venue, snapshot.underlying)
    slot = f"{from_ms(snapshot.as_of_ms):%Y-%m-%d}"
    found = assess(snapshot, memory.past, rules, stream=stream, slot=slot)
    return found, remember(memory, found)


def _expiry_near(snapshot: Snapshot) -> int:
    wanted = snapshot.as_of_ms + EXPIRY_DAYS * MS_PER_DAY
    expiries = np.unique(snapshot.expiry_ms)
    return int(expiries[np.argmin(np.abs(expiries - wanted))])
