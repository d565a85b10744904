"""Runs migrations on the connection that dao.index.database.migrate gives."""

from alembic import context

from dao.index.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
