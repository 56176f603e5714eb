"""How far a venue's clock stood from the desk's when it was last heard."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from monitor.store import schema
from monitor.store.base import Store
from monitor.store.times import moment


def venue_clock_gap(store: Store, venue: str) -> timedelta | None:
    """Return a venue's clock less the desk's, as of its latest live chain; None without one.

    A venue that gives no time of its own is then asked by no other clock than its own, kept up by
    ours: a simulated one may stand months away.
    """
    s, r, a = schema.snapshots.c, schema.runs.c, schema.answers.c
    latest = (
        select(s.venue_now, r.written_wall)
        .join(schema.runs, r.snapshot_key == s.key)
        .join(schema.answers, a.run_key == r.key)
        .where(s.venue == venue, a.source == "live", s.venue_now.is_not(None))
        .order_by(r.key.desc())
        .limit(1)
    )
    with store.reading() as connection:
        row = connection.execute(latest).one_or_none()
    return None if row is None else moment(row.venue_now) - moment(row.written_wall)
