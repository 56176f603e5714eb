"""The memory: every run, for ever, on SQLite or PostgreSQL.

`open_store` gives a `Store`; `writer` puts a whole run into it in one transaction, `reader` gives
a pass what it may know and a person what was found, `desk` records what people did. Tables are in
`schema`, their migrations, the published views and the named queries under ``sql/``.

Imports incidents and below, SQLAlchemy, Alembic, and pandas in the readers. *Refused:* an
object-relational mapper, which hides the one thing that matters here, the transaction and its
queries; one database a venue, whose questions across venues nobody can ask.
"""

from monitor.store.base import Store as Store
from monitor.store.base import open_store as open_store
from monitor.store.migrate import SchemaState as SchemaState
