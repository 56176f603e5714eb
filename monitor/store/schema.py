"""The tables, once, for SQLite and PostgreSQL.

Every row of a result knows its run. What repeats is said once and keyed by a small integer
(`streams`, `series`, `models`), so that the tables that grow for ever stay narrow. Nothing is
updated in place but the state of deliveries. An absent number (NaN) is NULL.

Which run speaks for a slot is a matter of knowledge and can change: a re-run after a change of
code or rules is another run, and `answers` records from when on it is the one. Writing a run that
is stored already adds at most an answer, as when rules are tried out and taken back.

`metrics` is keyed by series first: a year of one number lies together, at the price of touching
one page a series and run when writing. `quotes` and `residuals` are keyed by run first, since they
are asked a night at a time. These three have no foreign keys: they grow by thousands of rows a
run, each check would cost as much as the row, and one function writes them.

*Refused:* one wide table a metric family, which every new metric must migrate; documents (JSON)
for numbers, which cannot be asked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Names, digests and instants are compared as bytes on both databases: an operating system's
# collation would make PostgreSQL sort slots by its own taste, and index them slower.
_Text = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    return Column(name, _Text, *args, nullable=nullable, **kw)


def _int(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    return Column(name, Integer, *args, nullable=nullable, **kw)


def _small(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    return Column(name, SmallInteger, *args, nullable=nullable, **kw)


def _real(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, Double, nullable=nullable)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False)


def _key() -> Column[Any]:
    return Column("key", Integer, primary_key=True)


def _run(*, nullable: bool = False, **kw: Any) -> Column[Any]:
    return _int("run_key", ForeignKey("runs.key"), nullable=nullable, **kw)


def _model(**kw: Any) -> Column[Any]:
    return _small("model_key", ForeignKey("models.key"), **kw)


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts)


def _narrow(name: str, *parts: Any) -> Table:
    """Return a table that SQLite stores in the order of its primary key."""
    return Table(name, metadata, *parts, sqlite_with_rowid=False)


# --- what repeats -------------------------------------------------------------------------------

streams = _table(
    "streams",
    _key(),
    _text("venue"),
    _text("underlying"),
    _text("cadence"),
    UniqueConstraint("venue", "underlying", "cadence"),
)

models = _table("models", _key(), _text("name", unique=True))

# One number through time. `model` is '' for a number about the market: NULLs never equal one
# another, and a unique constraint would let them in twice.
series = _table(
    "series",
    _key(),
    _int("stream_key", ForeignKey("streams.key")),
    _text("metric"),
    _text("model"),
    _text("scope"),
    _text("unit"),
    UniqueConstraint("stream_key", "metric", "scope", "model", "unit"),
    Index(None, "metric", "scope"),
)

# --- runs ---------------------------------------------------------------------------------------

snapshots = _table(
    "snapshots",
    _key(),
    _text("digest", unique=True),
    _text("chain_digest"),
    _text("venue"),
    _text("underlying"),
    _text("as_of"),
    _text("price_unit"),
    _int("n_instruments"),
    _int("n_listed", nullable=True),
    _real("index_price"),
    _text("venue_now", nullable=True),
    _flag("simulated"),
)

runs = _table(
    "runs",
    _key(),
    _text("id", unique=True),
    _int("stream_key", ForeignKey("streams.key")),
    _text("slot"),
    _text("as_of"),
    _int("snapshot_key", ForeignKey("snapshots.key")),
    _text("config"),
    _text("code"),
    _text("history"),
    _int("n_quotes", nullable=True),  # NULL: the chain could not be judged at all
    _int("n_selected", nullable=True),
    _text("written_wall"),
    Index(None, "stream_key", "slot"),
    Index(None, "snapshot_key"),
)

# Which run speaks for a slot, since when. The latest by (known_wall, key) is the one.
answers = _table(
    "answers",
    _key(),
    _int("stream_key", ForeignKey("streams.key")),
    _text("slot"),
    _run(index=True),
    _text("known_wall"),
    _text("source"),
    CheckConstraint("source IN ('live', 'backfill')", name="source"),
    Index(None, "stream_key", "slot", "known_wall", "key"),
)

# --- the chain and the models on it -------------------------------------------------------------

expiries = _narrow(
    "expiries",
    _run(primary_key=True),
    _small("i", primary_key=True),
    _text("expiry"),
    _real("tau", nullable=False),
    _real("forward", nullable=False),
    _real("discount", nullable=False),
    _real("parity_low"),
    _real("parity_high"),
)

quotes = _narrow(
    "quotes",
    _int("run_key", primary_key=True),
    _small("i", primary_key=True),
    _small("expiry_i"),
    _real("strike", nullable=False),
    _small("sign"),
    _real("k", nullable=False),
    _real("iv_bid", nullable=False),
    _real("iv_ask", nullable=False),
    _real("iv", nullable=False),
    _real("noise", nullable=False),
    _real("vega", nullable=False),
    _real("open_interest"),
)

residuals = _narrow(
    "residuals",
    _int("run_key", primary_key=True),
    _small("model_key", primary_key=True),
    _small("i", primary_key=True),
    _real("iv"),
    _real("z"),
)

fits = _narrow(
    "fits",
    _run(primary_key=True),
    _model(primary_key=True),
    _text("status"),
    _text("reason"),
    _real("cost"),
    _real("condition"),
    _int("evaluations"),
    _small("restarts"),
    _real("restarts_spread"),
)

parameters = _narrow(
    "parameters",
    _run(primary_key=True),
    _model(primary_key=True),
    _small("i", primary_key=True),
    _text("name"),
    _real("value"),
    _real("stderr"),
    _small("at_bound"),
)

metrics = _narrow(
    "metrics",
    _int("series_key", primary_key=True),
    _int("run_key", primary_key=True, index=True),
    _real("value", nullable=False),
    _int("n"),
    _real("stderr"),
)

rejections = _narrow(
    "rejections",
    _run(primary_key=True),
    _small("i", primary_key=True),
    _text("stage"),
    _text("reason"),
    _text("subject"),
    _text("detail"),
)

# --- the judgement ------------------------------------------------------------------------------

verdicts = _narrow(
    "verdicts",
    _run(primary_key=True),
    _model(primary_key=True),
    _text("status"),
    _text("reason"),
)

findings = _narrow(
    "findings",
    _run(primary_key=True),
    _model(primary_key=True),
    _small("i", primary_key=True),
    _text("kind"),
    _text("cause"),
    _text("severity", nullable=True),
    _text("about", nullable=True),  # the model it is about; NULL: the chain
    _text("metric"),
    _text("scope"),
    _real("value"),
    _real("threshold"),
    _real("usd"),
    _text("message"),
)

# --- the desk -----------------------------------------------------------------------------------

incidents = _table(
    "incidents",
    _key(),
    _text("id", unique=True),
    _int("stream_key", ForeignKey("streams.key"), index=True),
    _text("trouble"),
    _text("cause"),
    _text("opened_at"),
)

# Append-only. A machine's event belongs to a run (or, for cause job, to none) and carries the
# whole state after it; a desk's has an author and stands after the machine's of its slot.
incident_events = _table(
    "incident_events",
    _key(),
    _int("incident_key", ForeignKey("incidents.key")),
    _text("event"),
    _run(nullable=True, index=True),
    _text("slot"),
    _text("wall"),
    _text("author", nullable=True),
    _text("note", nullable=True),
    _text("state"),
    _text("severity"),
    _text("model", nullable=True),
    _text("metric"),
    _text("scope"),
    _text("last_seen"),
    _text("resolved_at", nullable=True),
    _real("value"),
    _real("threshold"),
    _real("usd"),
    _text("message"),
    _text("run_id"),
    _flag("escalated"),
    _int("runs_seen"),
    _int("runs_quiet"),
    Index(None, "incident_key", "slot", "key"),
)

outbox = _table(
    "outbox",
    _key(),
    _text("message_key", unique=True),
    _run(nullable=True),
    _text("severity"),
    _text("title"),
    _text("body"),
    _text("queued_wall"),
    _text("state"),
    _int("attempts"),
    _text("next_attempt_wall"),
    _text("claimed_until_wall", nullable=True),
    _text("last_error", nullable=True),
    _text("sent_wall", nullable=True),
    CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
    Index(
        "ix_outbox_pending",
        "next_attempt_wall",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

# How each receiver of a message fared; `target` names it without its secrets.
deliveries = _narrow(
    "deliveries",
    _int("outbox_key", ForeignKey("outbox.key"), primary_key=True),
    _text("target", primary_key=True),
    _text("state"),
    _int("attempts"),
    _text("last_error", nullable=True),
    _text("sent_wall", nullable=True),
    CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
)

job_runs = _table(
    "job_runs",
    _key(),
    _text("job"),
    _int("stream_key", ForeignKey("streams.key"), nullable=True),
    _text("slot"),
    _text("outcome"),
    _text("note"),
    _text("started_wall"),
    _text("ended_wall"),
    Index(None, "job", "slot"),
)

# What an upgrade left behind beside the tables: the digest of the published views.
facts = _narrow("facts", _text("name", primary_key=True), _text("value"))
