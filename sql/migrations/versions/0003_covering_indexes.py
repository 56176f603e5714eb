"""A history is read from indexes alone.

A year of five-minute values of one number is a hundred thousand rows, each in a page of its own
where a table lies in the order of writing, as on PostgreSQL: the primary key carries the values,
and reading touches some hundred pages instead of thirty thousand. SQLite keeps that table in the
order of its key anyway. Which run speaks for a slot, and when its chain was taken, is read the
same way on both.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ANSWERS = "ix_answers_stream_key_slot_known_wall_key"


def upgrade() -> None:
    op.drop_index(ANSWERS, "answers")
    op.create_index(
        f"{ANSWERS}_run_key",
        "answers",
        ["stream_key", "slot", "known_wall", "key", "run_key"],
        unique=False,
    )
    op.create_index(
        "ix_runs_stream_key_as_of_key_id",
        "runs",
        ["stream_key", "as_of", "key", "id"],
        unique=False,
    )
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute(
        "ALTER TABLE metrics DROP CONSTRAINT pk_metrics, ADD CONSTRAINT pk_metrics "
        "PRIMARY KEY (series_key, run_key) INCLUDE (value, n, stderr)"
    )
    # An index alone can answer for pages that were vacuumed since they were written; the server's
    # own habit is to wait for a fifth of the table.
    op.execute("ALTER TABLE metrics SET (autovacuum_vacuum_insert_scale_factor = 0.01)")


def downgrade() -> None:
    raise NotImplementedError(
        "history is not thrown away: restore a backup made before the upgrade"
    )
