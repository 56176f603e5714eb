"""Worlds lived through in memory: a quiet past once a seed, every break branching off it.

Worlds of one truth and one seed are the same market until something happens, so their quiet nights
are judged once; each world then goes on from the same memory. What is counted over worlds of one
seed is not independent of each other: intervals over seeds are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from monitor.assess import assess
from monitor.assessment import Rules, Stream
from monitor.conventions import MS_PER_DAY, from_ms
from monitor.proving.seen import Seen, seen_of
from monitor.recollect import NO_MEMORY, Memory, remember
from monitor.sandbox.generate import GeneratedMarket, open_world
from monitor.sandbox.worlds import WORLDS, Regime

TIME_OF_NIGHT = timedelta(hours=22, minutes=30)
EVENING_MS = int(TIME_OF_NIGHT.total_seconds() * 1000)

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Span:
    """How long everything lasts, in nights.

    Attributes
    ----------
    learnt : int
        Before the break.
    broken : int
        From the break on, in worlds where something happens.
    quiet : int
        The same in worlds where nothing does.
    """

    learnt: int = 64
    broken: int = 10
    quiet: int = 96


@dataclass(frozen=True, slots=True)
class Lived:
    """One world of one seed, lived through.

    Attributes
    ----------
    world : str
    seed : int
    underlying : str
    nights : tuple of Seen
        From the break on; in quiet worlds, from the first night on.
    """

    world: str
    seed: int
    underlying: str
    nights: tuple[Seen, ...]


@dataclass(frozen=True)
class Family:
    """Worlds that share their quiet nights, of one seed.

    Attributes
    ----------
    quiet : str
        The world in which nothing happens.
    worlds : tuple of str
        Those asked for, itself among them or not.
    seed : int
    underlying : str
    """

    quiet: str
    worlds: tuple[str, ...]
    seed: int
    underlying: str

    def count(self, span: Span) -> int:
        """Return the nights to be judged."""
        return span.learnt + sum(
            span.quiet if name == self.quiet else span.broken for name in self.worlds
        )


def families(worlds: Sequence[str], seeds: Sequence[int], underlying: str) -> tuple[Family, ...]:
    """Return worlds by what they share, seed by seed.

    Raises
    ------
    UnknownNameError
        If a world is not registered.
    """
    by_quiet: dict[str, list[str]] = {}
    for name in worlds:
        by_quiet.setdefault(WORLDS[name].quiet, []).append(name)
    return tuple(
        Family(quiet, tuple(names), seed, underlying)
        for seed in seeds
        for quiet, names in sorted(by_quiet.items())
    )


def default_worlds() -> tuple[str, ...]:
    """Return every world that is not another one by a second name."""
    return tuple(name for name, world in WORLDS.items() if not world.same_as)


def live(family: Family, span: Span, rules: Rules, tick: Tick) -> Iterator[Lived]:
    """Yield each world of a family, lived through.

    Parameters
    ----------
    family : Family
    span : Span
    rules : Rules
    tick : callable
        Called after each night.
    """
    quiet = open_world(family.quiet, seed=family.seed, break_night=span.learnt)
    memory, past = NO_MEMORY, []
    for night in range(span.learnt):
        memory, seen = _step(memory, quiet, family.underlying, night, span, rules)
        past.append(seen)
        tick()
    for name in family.worlds:
        market = open_world(name, seed=family.seed, break_night=span.learnt)
        nights = list(past) if name == family.quiet else []
        now = memory
        for night in range(span.quiet if name == family.quiet else span.broken):
            now, seen = _step(now, market, family.underlying, span.learnt + night, span, rules)
            nights.append(seen)
            tick()
        yield Lived(name, family.seed, family.underlying, tuple(nights))


def live_all(span: Span, rules: Rules, family: Family, tick: Tick) -> list[Lived]:
    """Return every world of a family, lived through; arguments in the order that suits a pool."""
    return list(live(family, span, rules, tick))


def _step(
    memory: Memory,
    market: GeneratedMarket,
    underlying: str,
    night: int,
    span: Span,
    rules: Rules,
) -> tuple[Memory, Seen]:
    now_ms = market.start_ms + night * MS_PER_DAY + EVENING_MS
    snapshot = market.snapshot(underlying, now_ms, brief=True)
    stream = Stream(snapshot.venue, underlying)
    slot = f"{from_ms(now_ms):%Y-%m-%d}"
    rules = _on_the_desk(rules, market.regime(now_ms))
    found = assess(snapshot, memory.past, rules, stream=stream, slot=slot)
    settled = night >= rules.drift.settled_nights
    return remember(memory, found), seen_of(found, night - span.learnt, settled=settled)


def _on_the_desk(rules: Rules, regime: Regime) -> Rules:
    """Return the rules under what is wrong on the desk itself tonight."""
    if regime.evaluations is None:
        return rules
    starved = replace(rules.calibration, max_evaluations=regime.evaluations)
    return replace(rules, calibration=starved)
