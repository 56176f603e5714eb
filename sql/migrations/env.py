"""Run the migrations on the connection handed over by the program; there is no other way in.

No address stands in a file here: the program has it from its configuration, and a password never
lies beside the code.
"""

from alembic import context

from monitor.store.migrate import VERSION_TABLE
from monitor.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite alters a table by copying it.
    render_as_batch=connection.dialect.name == "sqlite",
    # The program has begun a transaction on both databases: all steps, or none.
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
