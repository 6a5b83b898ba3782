"""Alembic's entry: runs the history on the given database; `metadata` serves autogenerate and the drift test."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa
from alembic import context

from services.migrations.tables import metadata

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url") or "")
if engine.dialect.name == "sqlite":
    # the driver commits before each change of the schema: a process killed between two would leave a half that no start
    # could finish. We begin the transaction ourselves, and all of it is one.
    @sa.event.listens_for(engine, "connect")
    def _ours(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":  # several processes may start at once: one of them does it
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7401)"))
        context.run_migrations()
engine.dispose()
