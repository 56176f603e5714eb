"""The desk: news, silences, expert judgement, heartbeats, receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Compared as bytes on both databases.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _widen()
    _members()
    _news()
    _people()
    _watch()


def downgrade() -> None:
    raise NotImplementedError(
        "history is not thrown away: restore a backup made before the upgrade"
    )


def _widen() -> None:
    # What was stored before had no reopening counted and named its models in the findings alone.
    op.add_column(
        "incident_events", sa.Column("reopenings", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("incident_events", sa.Column("models", TEXT, nullable=False, server_default=""))
    op.add_column("incident_events", sa.Column("verdict", TEXT, nullable=True))
    op.add_column("outbox", sa.Column("html", TEXT, nullable=True))
    op.add_column("outbox", sa.Column("receivers", TEXT, nullable=True))


def _members() -> None:
    op.create_table(
        "incident_members",
        sa.Column("run_key", sa.Integer(), nullable=False),
        sa.Column("incident_key", sa.Integer(), nullable=False),
        sa.Column("i", sa.SmallInteger(), nullable=False),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("metric", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("is_floor", sa.Boolean(), nullable=False),
        sa.Column("is_found", sa.Boolean(), nullable=False),
        sa.Column("runs_calm", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_key"], ["incidents.key"], name="fk_incident_members_incident_key"
        ),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_incident_members_run_key"),
        sa.PrimaryKeyConstraint("run_key", "incident_key", "i", name="pk_incident_members"),
        sqlite_with_rowid=False,
    )


def _news() -> None:
    op.create_table(
        "news",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("incident_key", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.Integer(), nullable=True),
        sa.Column("slot", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("queued_wall", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("told_wall", TEXT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'told', 'silenced')", name="state"),
        sa.ForeignKeyConstraint(["incident_key"], ["incidents.key"], name="fk_news_incident_key"),
        sa.ForeignKeyConstraint(["run_key"], ["runs.key"], name="fk_news_run_key"),
        sa.PrimaryKeyConstraint("key", name="pk_news"),
        sa.UniqueConstraint(
            "incident_key", "slot", "event", name="uq_news_incident_key_slot_event"
        ),
    )
    op.create_index(
        "ix_news_waiting",
        "news",
        ["key"],
        unique=False,
        sqlite_where=sa.text("state <> 'told'"),
        postgresql_where=sa.text("state <> 'told'"),
    )


def _people() -> None:
    matched = ("incident", "severity", "cause", "venue", "underlying", "model", "owner")
    op.create_table(
        "silences",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        *(sa.Column(name, TEXT, nullable=True) for name in matched),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("created_wall", TEXT, nullable=False),
        sa.Column("until_wall", TEXT, nullable=False),
        sa.Column("ended_wall", TEXT, nullable=True),
        sa.Column("ended_by", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_silences"),
        sa.UniqueConstraint("id", name="uq_silences_id"),
    )
    op.create_table(
        "judgements",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("venue", TEXT, nullable=True),
        sa.Column("underlying", TEXT, nullable=True),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("spread", sa.Double(), nullable=True),
        sa.Column("since", TEXT, nullable=False),
        sa.Column("until", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("incident", TEXT, nullable=True),
        sa.Column("created_wall", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_judgements"),
        sa.UniqueConstraint("id", name="uq_judgements_id"),
    )
    op.create_table(
        "judgement_ends",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("judgement_key", sa.Integer(), nullable=False),
        sa.Column("until", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("wall", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["judgement_key"], ["judgements.key"], name="fk_judgement_ends_judgement_key"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_judgement_ends"),
    )
    op.create_index(
        "ix_judgement_ends_judgement_key", "judgement_ends", ["judgement_key"], unique=False
    )


def _watch() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("job", TEXT, nullable=False),
        sa.Column("venue", TEXT, nullable=False),
        sa.Column("underlying", TEXT, nullable=False),
        sa.Column("since_wall", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("job", "venue", "underlying", name="pk_heartbeats"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receipts",
        sa.Column("code", TEXT, nullable=False),
        sa.Column("message_key", TEXT, nullable=False),
        sa.Column("asked_wall", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=True),
        sa.Column("received_wall", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("code", name="pk_receipts"),
        sqlite_with_rowid=False,
    )
