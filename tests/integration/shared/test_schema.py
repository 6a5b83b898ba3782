"""The one migration history makes exactly the tables the code uses, on a new database and on one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
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


def test_an_older_database_is_brought_up_and_the_newest_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From every revision there was; alembic, which loads every table, is not asked where nothing is to be done."""
    newest, *older = migrations.revisions()
    walks: list[str] = []
    walk = command.upgrade

    def walked(config: Config, to: str) -> None:
        walks.append(to)
        walk(config, to)

    monkeypatch.setattr(command, "upgrade", walked)
    for revision in older:
        url = f"sqlite:///{tmp_path / revision}.db"
        walk(migrations.config(url), revision)
        migrations.upgrade(url)
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert newest == connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        engine.dispose()
        assert ["head"] == walks
        walks.clear()
        migrations.upgrade(url)
        assert [] == walks


def test_tables_are_named_by_their_owner() -> None:
    """A service's own tables carry its name; the rest is shared."""
    shared = {
        "instance", "outbox", "inbox", "dead_letter", "page_key", "audit_log", "audit_checkpoint", "sealing_key", "message_part",
        "authority", "authority_superior", "account", "account_grant", "account_invitation", "account_credential",
        "account_spent", "account_attempt", "request_nonce",
            "auth_grant", "api_key", "sign_in", "alarm", "clock_beat",
        "warning_state", "warning_scope", "warning_text", "warning_preview", "policy_in_force",
                "warning_asked", "preapproval", "pager", "house_key", "house_key_process", "delivery", "delivery_cover",
            "batch", "flight", "attempt", "answer_log", "tally",
        "channel", "help_wanted", "opened_calls", "team_sign",
    }  # fmt: skip
    owned = {name for name in metadata.tables if name.startswith(("gateway_", "registry_", "router_", "channels_"))}
    assert shared == set(metadata.tables) - owned
