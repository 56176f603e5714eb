"""The desk's tables: incidents, what is told of them and to whom, what people say.

`monitor.store.schema` names them all; it stands apart only for its length.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text

from monitor.store.columns import flag, int_, key_, narrow, real, run_key, small, table, text_

# What routes and silences may match an incident by.
MATCHED = ("incident", "severity", "cause", "venue", "underlying", "model", "owner")

incidents = table(
    "incidents",
    key_(),
    text_("id", unique=True),
    int_("stream_key", ForeignKey("streams.key"), index=True),
    text_("trouble"),
    text_("cause"),
    text_("opened_at"),
)

# Append-only. A machine's event belongs to a run (or, for cause job, to none) and carries the
# whole state after it; a desk's has an author and stands after the machine's of its slot.
incident_events = table(
    "incident_events",
    key_(),
    int_("incident_key", ForeignKey("incidents.key")),
    text_("event"),
    run_key(nullable=True, index=True),
    text_("slot"),
    text_("wall"),
    text_("author", nullable=True),
    text_("note", nullable=True),
    text_("state"),
    text_("severity"),
    text_("model", nullable=True),
    text_("metric"),
    text_("scope"),
    text_("last_seen"),
    text_("resolved_at", nullable=True),
    real("value"),
    real("threshold"),
    real("usd"),
    text_("message"),
    text_("run_id"),
    flag("escalated"),
    int_("runs_seen"),
    int_("runs_quiet"),
    int_("reopenings"),
    text_("models"),  # every model it has concerned, with a space between
    text_("verdict", nullable=True),  # the desk's word on it: true, false or known
    Index(None, "incident_key", "slot", "key"),
)

# The numbers behind an incident as they stood after a run's event.
incident_members = narrow(
    "incident_members",
    run_key(primary_key=True),
    int_("incident_key", ForeignKey("incidents.key"), primary_key=True),
    small("i", primary_key=True),
    text_("model", nullable=True),
    text_("metric"),
    text_("scope"),
    real("value"),
    real("threshold"),
    flag("is_floor"),
    flag("is_found"),
    int_("runs_calm"),
)

# What the desk is to be told, queued in the transaction that found it and gathered into one
# message a night and receiver. `silenced`: kept from the desk by its own wish.
news = table(
    "news",
    key_(),
    int_("incident_key", ForeignKey("incidents.key")),
    run_key(nullable=True),
    text_("slot"),
    text_("event"),
    text_("severity"),
    text_("queued_wall"),
    text_("state"),
    text_("told_wall", nullable=True),
    CheckConstraint("state IN ('waiting', 'told', 'silenced')", name="state"),
    UniqueConstraint("incident_key", "slot", "event"),
    Index(
        "ix_news_waiting",
        "key",
        sqlite_where=text("state <> 'told'"),
        postgresql_where=text("state <> 'told'"),
    ),
)

# A matcher: an empty field matches everything. Silences change what is told, never what is stored.
silences = table(
    "silences",
    key_(),
    text_("id", unique=True),
    *(text_(name, nullable=True) for name in MATCHED),
    text_("author"),
    text_("reason"),
    text_("created_wall"),
    text_("until_wall"),
    text_("ended_wall", nullable=True),  # taken back before its time
    text_("ended_by", nullable=True),
)

# What an expert said, and for which nights: `since` and `until` are the venue's time.
judgements = table(
    "judgements",
    key_(),
    text_("id", unique=True),
    text_("kind"),
    text_("venue", nullable=True),
    text_("underlying", nullable=True),
    text_("model", nullable=True),
    text_("subject"),
    real("value"),
    real("spread"),
    text_("since"),
    text_("until"),
    text_("author"),
    text_("reason"),
    text_("incident", nullable=True),
    text_("created_wall"),
)

# The end of one before its time; the earliest counts.
judgement_ends = table(
    "judgement_ends",
    key_(),
    int_("judgement_key", ForeignKey("judgements.key"), index=True),
    text_("until"),
    text_("author"),
    text_("reason"),
    text_("wall"),
)

# Since when the watchdog expects a job to answer for a place.
heartbeats = narrow(
    "heartbeats",
    text_("job", primary_key=True),
    text_("venue", primary_key=True),
    text_("underlying", primary_key=True),
    text_("since_wall"),
)

# Test messages that somebody is to say they have read.
receipts = narrow(
    "receipts",
    text_("code", primary_key=True),
    text_("message_key"),
    text_("asked_wall"),
    text_("author", nullable=True),
    text_("received_wall", nullable=True),
)

outbox = table(
    "outbox",
    key_(),
    text_("message_key", unique=True),
    run_key(nullable=True),
    text_("severity"),
    text_("title"),
    text_("body"),
    text_("html", nullable=True),
    text_("receivers", nullable=True),  # names, a line each; NULL: the route of the severity
    text_("queued_wall"),
    text_("state"),
    int_("attempts"),
    text_("next_attempt_wall"),
    text_("claimed_until_wall", nullable=True),
    text_("last_error", nullable=True),
    text_("sent_wall", nullable=True),
    CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
    Index(
        "ix_outbox_pending",
        "next_attempt_wall",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

# How each receiver of a message fared; `target` names it without its secrets.
deliveries = narrow(
    "deliveries",
    int_("outbox_key", ForeignKey("outbox.key"), primary_key=True),
    text_("target", primary_key=True),
    text_("state"),
    int_("attempts"),
    text_("last_error", nullable=True),
    text_("sent_wall", nullable=True),
    CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
)
