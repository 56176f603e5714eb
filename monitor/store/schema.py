"""The tables, once, for SQLite and PostgreSQL.

Every row of a result knows its run. What repeats is said once and keyed by a small integer
(`streams`, `series`, `models`), so that the tables that grow for ever stay narrow. Nothing is
updated in place but the state of deliveries. An absent number (NaN) is NULL.

Which run speaks for a slot is a matter of knowledge and can change: a re-run after a change of
code or rules is another run, and `answers` records from when on it is the one. Writing a run that
is stored already adds at most an answer, as when rules are tried out and taken back. A re-run that
found nothing to judge by is on record, and the run that could be judged goes on speaking.

`metrics` is keyed by series first: a year of one number lies together, at the price of touching
one page a series and run when writing. On PostgreSQL, whose tables lie in the order of writing,
the key carries the values. `quotes` and `residuals` are keyed by run first, since they
are asked a night at a time. These three have no foreign keys: they grow by thousands of rows a
run, each check would cost as much as the row, and one function writes them.

*Refused:* one wide table a metric family, which every new metric must migrate; documents (JSON)
for numbers, which cannot be asked.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)

from monitor.store.columns import (
    flag,
    int_,
    key_,
    model_key,
    narrow,
    real,
    run_key,
    small,
    table,
    text_,
)
from monitor.store.columns import metadata as metadata
from monitor.store.desk_schema import deliveries as deliveries
from monitor.store.desk_schema import heartbeats as heartbeats
from monitor.store.desk_schema import incident_events as incident_events
from monitor.store.desk_schema import incident_members as incident_members
from monitor.store.desk_schema import incidents as incidents
from monitor.store.desk_schema import judgement_ends as judgement_ends
from monitor.store.desk_schema import judgements as judgements
from monitor.store.desk_schema import news as news
from monitor.store.desk_schema import outbox as outbox
from monitor.store.desk_schema import receipts as receipts
from monitor.store.desk_schema import silences as silences

# --- what repeats -------------------------------------------------------------------------------

streams = table(
    "streams",
    key_(),
    text_("venue"),
    text_("underlying"),
    text_("cadence"),
    UniqueConstraint("venue", "underlying", "cadence"),
)

models = table("models", key_(), text_("name", unique=True))

# One number through time. `model` is '' for a number about the market: NULLs never equal one
# another, and a unique constraint would let them in twice.
series = table(
    "series",
    key_(),
    int_("stream_key", ForeignKey("streams.key")),
    text_("metric"),
    text_("model"),
    text_("scope"),
    text_("unit"),
    UniqueConstraint("stream_key", "metric", "scope", "model", "unit"),
    Index(None, "metric", "scope"),
)

# --- runs ---------------------------------------------------------------------------------------

snapshots = table(
    "snapshots",
    key_(),
    text_("digest", unique=True),
    text_("chain_digest"),
    text_("venue"),
    text_("underlying"),
    text_("as_of"),
    text_("price_unit"),
    int_("n_instruments"),
    int_("n_listed", nullable=True),
    real("index_price"),
    text_("venue_now", nullable=True),
    flag("simulated"),
)

runs = table(
    "runs",
    key_(),
    text_("id", unique=True),
    int_("stream_key", ForeignKey("streams.key")),
    text_("slot"),
    text_("as_of"),
    int_("snapshot_key", ForeignKey("snapshots.key")),
    text_("config"),
    text_("code"),
    text_("history"),
    int_("n_quotes", nullable=True),  # NULL: the chain could not be judged at all
    int_("n_selected", nullable=True),
    text_("written_wall"),
    Index(None, "stream_key", "slot"),
    Index(None, "stream_key", "as_of", "key", "id"),
    Index(None, "snapshot_key"),
)

# Which run speaks for a slot, since when. The latest by (known_wall, key) is the one.
answers = table(
    "answers",
    key_(),
    int_("stream_key", ForeignKey("streams.key")),
    text_("slot"),
    run_key(index=True),
    text_("known_wall"),
    text_("source"),
    CheckConstraint("source IN ('live', 'backfill')", name="source"),
    Index(None, "stream_key", "slot", "known_wall", "key", "run_key"),
)

# --- the chain and the models on it -------------------------------------------------------------

expiries = narrow(
    "expiries",
    run_key(primary_key=True),
    small("i", primary_key=True),
    text_("expiry"),
    real("tau", nullable=False),
    real("forward", nullable=False),
    real("discount", nullable=False),
    real("parity_low"),
    real("parity_high"),
)

quotes = narrow(
    "quotes",
    int_("run_key", primary_key=True),
    small("i", primary_key=True),
    small("expiry_i"),
    real("strike", nullable=False),
    small("sign"),
    real("k", nullable=False),
    real("iv_bid", nullable=False),
    real("iv_ask", nullable=False),
    real("iv", nullable=False),
    real("noise", nullable=False),
    real("vega", nullable=False),
    real("open_interest"),
)

residuals = narrow(
    "residuals",
    int_("run_key", primary_key=True),
    small("model_key", primary_key=True),
    small("i", primary_key=True),
    real("iv"),
    real("z"),
)

fits = narrow(
    "fits",
    run_key(primary_key=True),
    model_key(primary_key=True),
    text_("status"),
    text_("reason"),
    real("cost"),
    real("condition"),
    int_("evaluations"),
    small("restarts"),
    real("restarts_spread"),
)

parameters = narrow(
    "parameters",
    run_key(primary_key=True),
    model_key(primary_key=True),
    small("i", primary_key=True),
    text_("name"),
    real("value"),
    real("stderr"),
    small("at_bound"),
)

metrics = narrow(
    "metrics",
    int_("series_key"),
    int_("run_key", index=True),
    real("value", nullable=False),
    int_("n"),
    real("stderr"),
    PrimaryKeyConstraint("series_key", "run_key", postgresql_include=["value", "n", "stderr"]),
)

rejections = narrow(
    "rejections",
    run_key(primary_key=True),
    small("i", primary_key=True),
    text_("stage"),
    text_("reason"),
    text_("subject"),
    text_("detail"),
)

# --- the judgement ------------------------------------------------------------------------------

verdicts = narrow(
    "verdicts",
    run_key(primary_key=True),
    model_key(primary_key=True),
    text_("status"),
    text_("reason"),
)

findings = narrow(
    "findings",
    run_key(primary_key=True),
    model_key(primary_key=True),
    small("i", primary_key=True),
    text_("kind"),
    text_("cause"),
    text_("severity", nullable=True),
    text_("about", nullable=True),  # the model it is about; NULL: the chain
    text_("metric"),
    text_("scope"),
    real("value"),
    real("threshold"),
    real("usd"),
    text_("message"),
)

job_runs = table(
    "job_runs",
    key_(),
    text_("job"),
    int_("stream_key", ForeignKey("streams.key"), nullable=True),
    text_("slot"),
    text_("outcome"),
    text_("note"),
    text_("started_wall"),
    text_("ended_wall"),
    Index(None, "job", "slot"),
)

# What an upgrade left behind beside the tables: the digest of the published views.
facts = narrow("facts", text_("name", primary_key=True), text_("value"))
