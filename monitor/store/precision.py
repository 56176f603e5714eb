"""How the desk is served: pages against budget, how many were right, how soon somebody came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from monitor.incidents.base import Event
from monitor.incidents.digest import REMINDED
from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import moment

_n, _i, _e = schema.news.c, schema.incidents.c, schema.incident_events.c
_LOUD = (Event.OPENED, Event.REOPENED, Event.ESCALATED)


@dataclass(frozen=True, slots=True)
class Page:
    """One red telling: what a desk is woken by."""

    incident: str
    told: datetime
    acknowledged: datetime | None
    verdict: str | None


@dataclass(frozen=True)
class Quarter:
    """One quarter of the desk's life.

    Attributes
    ----------
    name : str
        ``2026-Q1``.
    days : float
        Of it that have passed since the first live pass.
    pages, true, false, known, unjudged : int
        Red tellings, and what the desk said of them.
    budget : float
        False pages that the configuration allows in so many days.
    ambers : int
        Told in amber.
    reminders : int
    hours_to_acknowledge : float or None
        Median.
    """

    name: str
    days: float
    pages: int
    true: int
    false: int
    known: int
    unjudged: int
    budget: float
    ambers: int
    reminders: int
    hours_to_acknowledge: float | None

    @property
    def precision(self) -> float | None:
        """Share of the judged pages that were right; None where none was judged."""
        judged = self.true + self.known + self.false
        return (self.true + self.known) / judged if judged else None


@dataclass
class _Tally:
    pages: list[Page] = field(default_factory=list)
    ambers: int = 0
    reminders: int = 0


def quarters(
    store: Store, *, nights_between_false_pages: float, now: datetime
) -> tuple[Quarter, ...]:
    """Return how the desk was served, quarter by quarter, oldest first.

    From the first live pass on, quarters without a page among them: silence is served too.

    Parameters
    ----------
    nights_between_false_pages : float
        The desk's budget.
    now : datetime
        The desk's time.
    """
    a = schema.answers.c
    with store.reading() as connection:
        tallies = _tallies(connection)
        live = connection.scalar(select(func.min(a.known_wall)).where(a.source == "live"))
        told = connection.scalar(select(func.min(_n.told_wall)))
    firsts = [moment(at) for at in (live, told) if at is not None]
    if not firsts:
        return ()
    first = min(firsts)
    return tuple(
        _quarter(name, tallies.get(name, _Tally()), nights_between_false_pages, first, now)
        for name in _names(first, now)
    )


def _tallies(connection: Connection) -> dict[str, _Tally]:
    words = _words(connection)
    told = (
        select(_i.id, _n.event, _n.severity, _n.told_wall)
        .join(schema.incidents, _i.key == _n.incident_key)
        .where(_n.state == "told")
        .order_by(_n.key)
    )
    tallies: dict[str, _Tally] = {}
    for id_, event, severity, at in connection.execute(told):
        tally = tallies.setdefault(_name(moment(at)), _Tally())
        if event == REMINDED:
            tally.reminders += 1
        elif event in _LOUD and severity == "red":
            tally.pages.append(_page(id_, moment(at), words.get(id_, ())))
        elif event in _LOUD:
            tally.ambers += 1
    return tallies


def _words(connection: Connection) -> dict[str, list[tuple[datetime, str | None]]]:
    """Return what the desk did with each incident: when, and its verdict."""
    wanted = (
        select(_i.id, _e.wall, _e.verdict)
        .join(schema.incidents, _i.key == _e.incident_key)
        .where(_e.author.is_not(None))
        .order_by(_e.key)
    )
    words: dict[str, list[tuple[datetime, str | None]]] = {}
    for id_, wall, verdict in connection.execute(wanted):
        words.setdefault(id_, []).append((moment(wall), verdict))
    return words


def _page(id_: str, told: datetime, words: Iterable[tuple[datetime, str | None]]) -> Page:
    since = [(at, verdict) for at, verdict in words if at >= told]
    verdicts = [verdict for _, verdict in since if verdict]
    return Page(id_, told, since[0][0] if since else None, verdicts[-1] if verdicts else None)


def _quarter(name: str, tally: _Tally, nights: float, first: datetime, now: datetime) -> Quarter:
    start, end = _span(name, now)
    days = max((min(end, now) - max(start, first)) / timedelta(days=1), 0.0)
    said = [page.verdict for page in tally.pages]
    waits = [
        (page.acknowledged - page.told) / timedelta(hours=1)
        for page in tally.pages
        if page.acknowledged is not None
    ]
    return Quarter(
        name=name,
        days=days,
        pages=len(said),
        true=said.count("true"),
        false=said.count("false"),
        known=said.count("known"),
        unjudged=said.count(None),
        budget=days / nights,
        ambers=tally.ambers,
        reminders=tally.reminders,
        hours_to_acknowledge=median(waits) if waits else None,
    )


def _name(at: datetime) -> str:
    return f"{at.year}-Q{(at.month + 2) // 3}"


def _names(first: datetime, now: datetime) -> list[str]:
    """Return the quarters from one moment to another, both among them."""
    months = range(12 * first.year + first.month - 1, 12 * now.year + now.month)
    return list(dict.fromkeys(f"{m // 12}-Q{m % 12 // 3 + 1}" for m in months))


def _span(name: str, now: datetime) -> tuple[datetime, datetime]:
    year, quarter = int(name[:4]), int(name[-1])
    start = datetime(year, 3 * quarter - 2, 1, tzinfo=now.tzinfo)
    after = (year + 1, 1) if quarter == 4 else (year, 3 * quarter + 1)
    return start, datetime(*after, 1, tzinfo=now.tzinfo)
