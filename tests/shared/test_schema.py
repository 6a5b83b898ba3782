"""The one migration history makes exactly the tables the code uses, on a new database and on one that is there."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services import migrations
from services.migrations.tables import metadata


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    """Nothing is missing, nothing is left over; running twice changes nothing."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    migrations.upgrade(url)
    migrations.upgrade(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, metadata)
    engine.dispose()


def test_tables_are_named_by_their_owner() -> None:
    """A service's own tables carry its name; the rest is shared."""
    shared = {
        "instance", "outbox", "inbox", "dead_letter", "page_key", "audit_log", "audit_checkpoint", "sealing_key", "message_part",
        "authority", "auth_grant", "api_key",
        "warning_state", "warning_text", "delivery", "delivery_cover", "attempt", "answer_log", "road",
    }  # fmt: skip
    owned = {name for name in metadata.tables if name.startswith(("gateway_", "registry_", "router_", "channels_"))}
    assert shared == set(metadata.tables) - owned
