"""The demonstration's story: a world, its quiet past, its nights, and what a desk saw of them.

Imports jobs, the sandbox and below. The truth is known, so the end can say whether it was found.
*Refused:* a scripted demonstration, which would say the same if the monitor were blind.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import pandas as pd

from monitor.archive import write_snapshot
from monitor.backfill import Progress, backfill
from monitor.config import Config, load_config
from monitor.conventions import to_ms
from monitor.errors import UsageError
from monitor.jobs import Target
from monitor.sandbox import Sandbox, VirtualClock
from monitor.sandbox.generate import DEFAULT_START, GeneratedMarket, open_world
from monitor.store import Store, open_store
from monitor.store.frames import alerts_frame, status_frame

QUIET_NIGHTS = 60
UNDERLYING = "BTC"  # one is enough to see the whole way, in half the time
MODELS = ("black", "adhoc", "svi", "heston")  # rivals enough to see, in a third of the time
TIME_OF_NIGHT = timedelta(hours=22, minutes=30)
Standing = tuple[str, str, str]  # severity, state, cause of an incident
_MARK = "misspec-demo"  # a folder with this file is ours to begin afresh


@dataclass(frozen=True, slots=True)
class Night:
    """One night through the exchange.

    Attributes
    ----------
    number : int
        From 1.
    at : datetime
        The venue's time.
    broken : bool
        Whether the world's break had happened.
    news : str
        What the desk saw, in a line.
    risen : tuple of (str, str, str)
        Incidents that opened, came back or got worse this night: id, severity, cause.
    """

    number: int
    at: datetime
    broken: bool
    news: str = ""
    risen: tuple[tuple[str, str, str], ...] = ()

    @property
    def reds(self) -> tuple[str, ...]:
        """Incidents among them that are red."""
        return tuple(id_ for id_, severity, _ in self.risen if severity == "red")

    @property
    def label(self) -> str:
        """Which night it is."""
        return f"night {self.number}, {self.at:%Y-%m-%d}{', after the break' * self.broken}"


class Rehearsal:
    """One demonstration in its own home.

    Parameters
    ----------
    home : Path
        Begun afresh each time.
    world : str
    seed, nights : int
        The break comes after half of the nights.
    quiet : int
        Nights learnt before them.
    """

    def __init__(
        self, home: Path, world: str, *, seed: int, nights: int, quiet: int = QUIET_NIGHTS
    ) -> None:
        self.home, self.nights, self.quiet = home, nights, quiet
        self.break_night = quiet + nights // 2
        self.market: GeneratedMarket = open_world(world, seed=seed, break_night=self.break_night)
        self.config_path = home / "misspec.toml"
        self.targets = (Target("deribit", UNDERLYING),)
        self.seen: list[Night] = []
        self._standing: dict[str, Standing] = {}  # incidents as of the night before
        self._early_reds = 0

    def prepare(self) -> None:
        """Empty the home and write its configuration.

        Raises
        ------
        UsageError
            If the folder holds something that is not a demonstration's.
        """
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / _MARK).exists():
            raise UsageError(
                f"{self.home} exists and is no demonstration's: move it away, or set MISSPEC_HOME"
            )
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        (self.home / _MARK).touch()
        self._configure(url=None)

    @cached_property
    def config(self) -> Config:
        """The demonstration's own configuration."""
        return load_config(self.config_path)

    def record_past(self) -> None:
        """Write the quiet nights to the archive, as if they had been fetched."""
        for night in range(self.quiet):
            snapshot = self.market.snapshot(UNDERLYING, to_ms(_evening(night)))
            write_snapshot(self.config.archive, snapshot)

    def learn(self) -> Iterator[Progress]:
        """Judge the quiet nights, as a backfill does."""
        yield from backfill(self.config, self.config.rules(), [self.config.archive])
        self._standing = self._standing_now()
        self._early_reds = sum(severity == "red" for severity, _, _ in self._standing.values())

    def live(self) -> Iterator[Night]:
        """Yield each night with the exchange running and its clock set; the caller judges it."""
        clock = VirtualClock(_evening(self.quiet))
        with Sandbox(self.market, clock) as exchange:
            self._configure(url=exchange.url)
            for i in range(self.nights):
                at = _evening(self.quiet + i)
                clock.set(at)
                yield Night(i + 1, at, self.quiet + i >= self.break_night)

    def look(self, night: Night, said: str) -> Night:
        """Return the night with what the desk sees after it, and remember it."""
        odd = [f"{r.model} {r.status}" for r in self.board().itertuples() if r.status != "adequate"]
        news = [said] if said.startswith("no usable data") else [", ".join(odd) or "all adequate"]
        standing = self._standing_now()
        risen = []
        for id_, (severity, state, cause) in sorted(standing.items()):
            word = _change(self._standing.get(id_), (severity, state, cause))
            if word:
                news.append(f"{severity.upper()} {cause} {word} ({id_})")
            if word not in (None, "resolved"):
                risen.append((id_, severity, cause))
        self._standing = standing
        night = replace(night, news="; ".join(news), risen=tuple(risen))
        self.seen.append(night)
        return night

    def board(self) -> pd.DataFrame:
        """Return the verdict board."""
        with self._store() as store:
            return status_frame(store)

    def alerts(self) -> pd.DataFrame:
        """Return every incident."""
        with self._store() as store:
            return alerts_frame(store, all=True)

    def story(self) -> list[str]:
        """Return in words what was broken, and whether and when it was found."""
        quiet = [n for n in self.seen if not n.broken]
        early = self._early_reds + sum(len(n.reds) for n in quiet)
        nights = self.quiet + len(quiet)
        opened = pd.to_datetime(self.alerts()["opened_at"], utc=True)
        n = int((opened < _evening(self.break_night)).sum())
        lines = [
            f"Before the break: {_counted(nights, 'night')}, {_counted(n, 'incident')}, {early} red"
            f"{'' if early == 0 else ': FALSE, nothing was wrong'}."
        ]
        breaks = self.market.world.breaks
        if not breaks:
            after = sum(len(n.reds) for n in self.seen if n.broken)
            said = "nothing was broken and nothing was called broken"
            return [*lines, f"{said}." if after == 0 else f"nothing was broken: {after} FALSE reds"]
        first = next(n for n in self.seen if n.broken)
        lines += [f"What was broken, on night {first.number}: {b.what}." for b in breaks]
        return [*lines, self._verdict(breaks[0].pages, breaks[0].cause, first.number)]

    def _verdict(self, pages: bool, cause: str, since: int) -> str:
        messages = {r["id"]: r["message"] for r in self.alerts().to_dict("records")}
        after = [(n, *rise) for n in self.seen if n.broken for rise in n.risen]
        reds = [(n, id_, why) for n, id_, severity, why in after if severity == "red"]
        if not pages:
            if not reds:
                return "The models still describe it: no red incident, as it should be."
            night, id_, _ = reds[0]
            return f"FALSE red on night {night.number}: {messages[id_]}."
        for night, id_, why in reds:
            if why == cause:
                return (
                    f"Found on night {night.number}, {_after(night.number - since)}: "
                    f"{id_}, {cause}, {messages[id_]}."
                )
        nights = _counted(len(self.seen) - since + 1, "night")
        for night, id_, _, why in after:
            if why == cause:
                return (
                    f"Seen on night {night.number}, {_after(night.number - since)}, as amber: "
                    f"{id_}, {cause}, {messages[id_]}. NOT red within {nights}."
                )
        return f"NOT found as {cause} within {nights}."

    def _configure(self, *, url: str | None) -> None:
        """Write the configuration: this home, one underlying, the exchange of the moment."""
        lines = [
            "# Written by `misspec demo`.",
            f"home = {json.dumps(str(self.home))}",
            f"database_url = {json.dumps(f'sqlite:///{self.home}/misspec.db')}",
            f'underlyings = ["{UNDERLYING}"]',
            f"models = {json.dumps(MODELS)}",
        ]
        if url is not None:
            lines += ["[venues.deribit]", f'url = "{url}"']
        self.config_path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _standing_now(self) -> dict[str, Standing]:
        keys = ("severity", "state", "cause")
        return {r["id"]: tuple(r[k] for k in keys) for r in self.alerts().to_dict("records")}

    def _store(self) -> Store:
        return open_store(self.config.database, readonly=True)


def _change(before: Standing | None, now: Standing) -> str | None:
    """Return in a word what happened to an incident since the night before."""
    if before is None:
        return "opened"
    if before[:2] == now[:2]:
        return None
    if now[1] == "resolved":
        return "resolved"
    return "is back" if before[1] == "resolved" else "got worse"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _after(nights: int) -> str:
    return "the same night" if nights == 0 else f"{_counted(nights, 'night')} after"


def _evening(night: int) -> datetime:
    return DEFAULT_START + timedelta(days=night) + TIME_OF_NIGHT
