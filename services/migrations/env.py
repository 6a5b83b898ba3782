"""Alembic's entry: runs the history on the given database; `metadata` serves autogenerate and the drift test."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from services.migrations.tables import metadata

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url") or "")
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":  # several processes may start at once: one of them does it
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7401)"))
        context.run_migrations()
engine.dispose()
