"""What `misspec doctor` looks at: each thing that a night needs, tried for itself.

Imports config and below. A check never raises: what it found, and what to do, is its answer.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from monitor.archive import list_snapshots
from monitor.archive.places import noted_places
from monitor.channels import Limits, apprise_sender, target_name
from monitor.channels.base import Tried
from monitor.config import Config
from monitor.conventions import from_ms, to_ms
from monitor.errors import ArchiveError, MonitorError
from monitor.store import SchemaState, open_store
from monitor.store.soundness import soundness
from monitor.venues import open_venue
from monitor.verdict.base import Severity

# The venue's clock and the desk's may differ by the way of a request and a badly kept clock; more
# than this makes "late" and "stale" mean different things on the two sides.
MAX_CLOCK_GAP_S = 60.0

Outcome = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    what : str
    outcome : {"ok", "warning", "error"}
        A warning does not keep a night from being judged.
    found : str
    advice : str
        What to do; empty where all is well.
    """

    what: str
    outcome: Outcome
    found: str
    advice: str = ""


def examine(config: Config) -> Iterator[Check]:
    """Yield every check, each as soon as it is done."""
    yield Check("configuration", "ok", f"rules {config.rules().digest()[:12]}")
    yield _guarded("home", lambda: _home(config))
    yield _guarded("database", lambda: _database(config))
    yield _guarded("archive", lambda: _archive(config))
    for name in config.venues.active:
        yield _guarded(f"venue {name}", lambda name=name: _venue(config, name))  # type: ignore[misc]
    yield _guarded("channels", lambda: _channels(config))


@dataclass(frozen=True, slots=True)
class _TestMessage:
    """A message that never was in the outbox."""

    severity: Severity
    number: int = 0
    key: str = "test"
    title: str = "misspec: test message"
    body: str = "If you read this, this route works. Nothing is wrong."
    html: str | None = None
    receivers: tuple[str, ...] | None = None
    targets: Mapping[str, Tried] = field(default_factory=dict)


def try_routes(config: Config, severities: Sequence[Severity]) -> Iterator[Check]:
    """Send a test message to each receiver of each severity, and yield what became of it."""
    for severity in severities:
        urls = config.alerts.routes.of(severity)
        if not urls:
            yield Check(str(severity), "warning", "no receiver: messages stay in the log")
        yield from (_tried(str(severity), url, severity) for url in urls)
    for rule in config.alerts.rules:
        meant = [s for s in severities if str(s) in (rule.severity or [str(s)])]
        if meant:
            yield from (_tried(str(rule.matcher), url, meant[-1]) for url in rule.to)


def _tried(what: str, url: str, severity: Severity) -> Check:
    answer = apprise_sender(url, _TestMessage(severity), Limits().timeout_s)
    if answer.sent:
        return Check(what, "ok", f"{target_name(url)} took it")
    advice = "correct alerts in the configuration, or look at the receiver's own log"
    return Check(what, "error", answer.reason, advice)


def _guarded(what: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except MonitorError as error:
        return Check(what, "error", str(error))


def _home(config: Config) -> Check:
    folder = config.home
    while not folder.exists():  # the first job makes what is missing
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "give write permission, or another place in MISSPEC_HOME"
        return Check("home", "error", f"{config.home}: {error.strerror}", advice)
    made = "" if config.home.exists() else ", made by the first job"
    return Check("home", "ok", f"{config.home}{made}")


def _database(config: Config) -> Check:
    with open_store(config.database, readonly=True) as store:
        state = store.check()
        found = f"{store.address}: schema {state}"
        sound = soundness(store) if state is SchemaState.CURRENT else None
    if state is SchemaState.EMPTY:
        return Check("database", "ok", f"{found}, made by the first job")
    if state is SchemaState.OTHER_VIEWS:
        found = f"{store.address}: the views are another version's"
        return Check("database", "warning", found, "the next job replaces them, or `db upgrade`")
    if state is SchemaState.OLDER:
        return Check("database", "error", found, "make a backup and run `misspec db upgrade`")
    if state is SchemaState.NEWER:
        return Check("database", "error", found, "install the version of misspec that upgraded it")
    assert sound is not None  # it is current
    if sound.damage:
        found += f", but its file is damaged: {sound.damage}"
        return Check("database", "error", found, "restore it from a backup; backfill what is newer")
    if sound.broken:
        found += f", but these runs are not whole: {', '.join(sound.broken)}"
        return Check("database", "error", found, "restore a backup; only misspec may write there")
    found += f", {sound.n_runs:,} runs, the latest {sound.n_checked} whole"
    return Check("database", "ok", found)


def _archive(config: Config) -> Check:
    try:
        refs = list_snapshots(config.archive) if config.archive.exists() else ()
    except ArchiveError as error:
        if any(config.archive.rglob("*.parquet")):
            advice = "move the file out of the archive, or restore it"
            return Check("archive", "error", str(error), advice)
        refs = ()
    elsewhere = noted_places(config.archive)
    gone = [str(place) for place in elsewhere if not place.exists()]
    if gone:
        found = f"chains that a backfill read are gone: {', '.join(gone)}"
        advice = "put them back, or name where they are to `replay --archive`"
        return Check("archive", "warning", found, advice)
    also = f"; chains of {len(elsewhere)} other places are known" if elsewhere else ""
    if not refs:
        return Check("archive", "ok", f"{config.archive}: empty{also}")
    last = from_ms(refs[-1].as_of_ms)
    found = f"{len(refs):,} snapshots, the last of {last:%Y-%m-%d %H:%M} UTC{also}"
    return Check("archive", "ok", found)


def _venue(config: Config, name: str) -> Check:
    what = f"venue {name}"
    venue_ms = asyncio.run(_clock(config, name))
    gap_s = (venue_ms - to_ms(datetime.now(UTC))) / 1000
    found = f"answers; its clock is {from_ms(venue_ms):%Y-%m-%d %H:%M:%S} UTC"
    if abs(gap_s) > MAX_CLOCK_GAP_S:
        return Check(
            what,
            "warning",
            f"{found}, {abs(gap_s):,.0f} s {'ahead of' if gap_s > 0 else 'behind'} this machine's",
            "set this machine's clock (NTP), unless the venue is a sandbox with a clock of its own",
        )
    return Check(what, "ok", found)


async def _clock(config: Config, name: str) -> int:
    rng = np.random.default_rng()
    async with open_venue(name, config.venue(name), rng=rng, sleep=asyncio.sleep) as venue:
        return await venue.now_ms()


def _channels(config: Config) -> Check:
    routes = {s.value: len(config.alerts.routes.of(s)) for s in Severity}
    if not config.alerts.urls:
        advice = "set alerts.routes to Apprise URLs, then `misspec alerts test`"
        return Check("channels", "warning", "no receiver: incidents stay in the log", advice)
    said = ", ".join(f"{name}: {n}" for name, n in routes.items())
    if config.alerts.rules:
        said += f", rules: {len(config.alerts.rules)}"
    advice = "" if routes["red"] else "name a receiver of red incidents in alerts.routes.red"
    return Check("channels", "ok" if routes["red"] else "warning", f"receivers {said}", advice)
