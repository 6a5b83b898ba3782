"""One linear alembic history of the one database: expand first, contract a release later."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from services.shared.database.soundness import file_of, must_be_ours
from services.shared.errors import Broken

NOT_ALLOWED = "42501"  # PostgreSQL's insufficient_privilege


def config(url: str) -> Config:
    """Alembic's configuration without a file."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("sqlalchemy.url", _plain(url).replace("%", "%%"))
    return made


def _plain(url: str) -> str:
    """The URL with its asynchronous driver swapped for the plain one."""
    return url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg")


@cache
def revisions() -> tuple[str, ...]:
    """The schema revisions this program knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(config("sqlite://")).walk_revisions())


def upgrade(url: str) -> None:
    """Brings the database to the newest schema, whole or not at all; does nothing where it is there already.

    Broken where it is no database of ours, a damaged one, or one that a newer Tocsin has changed.
    """
    if (file := file_of(url)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        must_be_ours(file)
    stands = _stands_at(url)
    if stands and stands not in revisions():
        raise Broken(
            f"the database stands at {stands}, which this release does not know: start the newer Tocsin it belongs to"
        )
    if stands != revisions()[0]:
        try:
            command.upgrade(config(url), "head")
        except sa.exc.ProgrammingError as problem:
            if getattr(problem.orig, "sqlstate", "") != NOT_ALLOWED:
                raise
            raise Broken(
                f"the database stands at {stands or 'no schema'} and its user here may not change it: run tocsin migrate "
                "as its owner"
            ) from problem


def _stands_at(url: str) -> str:
    """The revision of the database, empty where it has none: asked first, as an upgrade loads every table there is."""
    engine = sa.create_engine(_plain(url))
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or "")
    finally:
        engine.dispose()
