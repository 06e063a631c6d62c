"""What Alembic runs: the migrations, on the connection it was given, in that connection's transaction.

For a new migration: ``headwater db revision`` is not there on purpose. Write the next file of
``versions/`` by hand, after the last one, and set ``headwater.storage.version.HEAD``; a test compares the
tables that the migrations make with those that the code declares.
"""

from __future__ import annotations

from alembic import context

import headwater.channels.sql_store  # noqa: F401  # declares its tables
from headwater.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
