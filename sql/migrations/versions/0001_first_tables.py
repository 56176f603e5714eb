"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Compared as bytes on both databases.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics",
        sa.Column("series_key", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("stderr", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("series_key", "run_key", name="pk_metrics"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_metrics_run_key", "metrics", ["run_key"], unique=False)
    op.create_table(
        "models",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_models"),
        sa.UniqueConstraint("name", name="uq_models_name"),
    )
    op.create_table(
        "quotes",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("expiry_i", sa.SmallInteger(), nullable=False),
        sa.Column("strike", sa.Double(), nullable=False),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
        sa.Column("k", sa.Double(), nullable=False),
        sa.Column("iv_bid", sa.Double(), nullable=False),
        sa.Column("iv_ask", sa.Double(), nullable=False),
        sa.Column("iv", sa.Double(), nullable=False),
        sa.Column("noise", sa.Double(), nullable=False),
        sa.Column("vega", sa.Double(), nullable=False),
        sa.Column("open_interest", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("run_key", "i", name="pk_quotes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "residuals",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.SmallInteger(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("iv", sa.Double(), nullable=True),
        sa.Column("z", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("run_key", "model_key", "i", name="pk_residuals"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("chain_digest", TEXT, nullable=False),
        sa.Column("venue", TEXT, nullable=False),
        sa.Column("underlying", TEXT, nullable=False),
        sa.Column("as_of", TEXT, nullable=False),
        sa.Column("price_unit", TEXT, nullable=False),
        sa.Column("n_instruments", sa.Integer(), nullable=False),
        sa.Column("n_listed", sa.Integer(), nullable=True),
        sa.Column("index_price", sa.Double(), nullable=True),
        sa.Column("venue_now", TEXT, nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_snapshots"),
        sa.UniqueConstraint("digest", name="uq_snapshots_digest"),
    )
    op.create_table(
        "streams",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("venue", TEXT, nullable=False),
        sa.Column("underlying", TEXT, nullable=False),
        sa.Column("cadence", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_streams"),
        sa.UniqueConstraint(
            "venue", "underlying", "cadence", name="uq_streams_venue_underlying_cadence"
        ),
    )
    op.create_table(
        "incidents",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("stream_key", sa.Integer(), nullable=False),
        sa.Column("trouble", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("opened_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["stream_key"], ["streams.key"], name="fk_incidents_stream_key"),
        sa.PrimaryKeyConstraint("key", name="pk_incidents"),
        sa.UniqueConstraint("id", name="uq_incidents_id"),
    )
    op.create_index("ix_incidents_stream_key", "incidents", ["stream_key"], unique=False)
    op.create_table(
        "job_runs",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("job", TEXT, nullable=False),
        sa.Column("stream_key", sa.Integer(), nullable=True),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("started_wall", TEXT, nullable=False),
        sa.Column("ended_wall", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["stream_key"], ["streams.key"], name="fk_job_runs_stream_key"),
        sa.PrimaryKeyConstraint("key", name="pk_job_runs"),
    )
    op.create_index("ix_job_runs_job_slot", "job_runs", ["job", "slot"], unique=False)
    op.create_table(
        "runs",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("stream_key", sa.Integer(), nullable=False),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("as_of", TEXT, nullable=False),
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("config", TEXT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("history", TEXT, nullable=False),
        sa.Column("n_quotes", sa.Integer(), nullable=True),
        sa.Column("n_selected", sa.Integer(), nullable=True),
        sa.Column("written_wall", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["snapshot_key"], ["snapshots.key"], name="fk_runs_snapshot_key"),
        sa.ForeignKeyConstraint(["stream_key"], ["streams.key"], name="fk_runs_stream_key"),
        sa.PrimaryKeyConstraint("key", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_snapshot_key", "runs", ["snapshot_key"], unique=False)
    op.create_index("ix_runs_stream_key_slot", "runs", ["stream_key", "slot"], unique=False)
    op.create_table(
        "series",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("stream_key", sa.Integer(), nullable=False),
        sa.Column("metric", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("unit", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["stream_key"], ["streams.key"], name="fk_series_stream_key"),
        sa.PrimaryKeyConstraint("key", name="pk_series"),
        sa.UniqueConstraint(
            "stream_key",
            "metric",
            "scope",
            "model",
            "unit",
            name="uq_series_stream_key_metric_scope_model_unit",
        ),
    )
    op.create_index("ix_series_metric_scope", "series", ["metric", "scope"], unique=False)
    op.create_table(
        "answers",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("stream_key", sa.Integer(), nullable=False),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("known_wall", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.CheckConstraint("source IN ('live', 'backfill')", name="source"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_answers_run_key"),
        sa.ForeignKeyConstraint(["stream_key"], ["streams.key"], name="fk_answers_stream_key"),
        sa.PrimaryKeyConstraint("key", name="pk_answers"),
    )
    op.create_index("ix_answers_run_key", "answers", ["run_key"], unique=False)
    op.create_index(
        "ix_answers_stream_key_slot_known_wall_key",
        "answers",
        ["stream_key", "slot", "known_wall", "key"],
        unique=False,
    )
    op.create_table(
        "expiries",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("expiry", TEXT, nullable=False),
        sa.Column("tau", sa.Double(), nullable=False),
        sa.Column("forward", sa.Double(), nullable=False),
        sa.Column("discount", sa.Double(), nullable=False),
        sa.Column("parity_low", sa.Double(), nullable=True),
        sa.Column("parity_high", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_expiries_run_key"),
        sa.PrimaryKeyConstraint("run_key", "i", name="pk_expiries"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "findings",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.SmallInteger(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=True),
        sa.Column("about", TEXT, nullable=True),
        sa.Column("metric", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("usd", sa.Double(), nullable=True),
        sa.Column("message", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_findings_model_key"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_findings_run_key"),
        sa.PrimaryKeyConstraint("run_key", "model_key", "i", name="pk_findings"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fits",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.SmallInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("condition", sa.Double(), nullable=True),
        sa.Column("evaluations", sa.Integer(), nullable=False),
        sa.Column("restarts", sa.SmallInteger(), nullable=False),
        sa.Column("restarts_spread", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_fits_model_key"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_fits_run_key"),
        sa.PrimaryKeyConstraint("run_key", "model_key", name="pk_fits"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incident_events",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("incident_key", sa.Integer(), nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("run_key", sa.Integer(), nullable=True),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("wall", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=True),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("metric", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("last_seen", TEXT, nullable=False),
        sa.Column("resolved_at", TEXT, nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("usd", sa.Double(), nullable=True),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("runs_seen", sa.Integer(), nullable=False),
        sa.Column("runs_quiet", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_key"], ["incidents.key"], name="fk_incident_events_incident_key"
        ),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_incident_events_run_key"),
        sa.PrimaryKeyConstraint("key", name="pk_incident_events"),
    )
    op.create_index(
        "ix_incident_events_incident_key_slot_key",
        "incident_events",
        ["incident_key", "slot", "key"],
        unique=False,
    )
    op.create_index("ix_incident_events_run_key", "incident_events", ["run_key"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("message_key", TEXT, nullable=False),
        sa.Column("run_key", sa.Integer(), nullable=True),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("queued_wall", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_wall", TEXT, nullable=False),
        sa.Column("claimed_until_wall", TEXT, nullable=True),
        sa.Column("last_error", TEXT, nullable=True),
        sa.Column("sent_wall", TEXT, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_outbox_run_key"),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
        sa.UniqueConstraint("message_key", name="uq_outbox_message_key"),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["next_attempt_wall"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "parameters",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.SmallInteger(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("stderr", sa.Double(), nullable=True),
        sa.Column("at_bound", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_parameters_model_key"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_parameters_run_key"),
        sa.PrimaryKeyConstraint("run_key", "model_key", "i", name="pk_parameters"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejections",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_rejections_run_key"),
        sa.PrimaryKeyConstraint("run_key", "i", name="pk_rejections"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdicts",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("model_key", sa.SmallInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["model_key"], ["models.key"], name="fk_verdicts_model_key"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_verdicts_run_key"),
        sa.PrimaryKeyConstraint("run_key", "model_key", name="pk_verdicts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deliveries",
        sa.Column("outbox_key", sa.Integer(), nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", TEXT, nullable=True),
        sa.Column("sent_wall", TEXT, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'sent', 'dead')", name="state"),
        sa.ForeignKeyConstraint(["outbox_key"], ["outbox.key"], name="fk_deliveries_outbox_key"),
        sa.PrimaryKeyConstraint("outbox_key", "target", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError(
        "history is not thrown away: restore a backup made before the upgrade"
    )
