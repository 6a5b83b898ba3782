"""One linear alembic history of the one database: expand first, contract a release later."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def config(url: str) -> Config:
    """Alembic's configuration without a file; the URL's async driver is swapped for its plain one."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option(
        "sqlalchemy.url", url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg").replace("%", "%%")
    )
    return made


def revisions() -> list[str]:
    """The schema revisions this program knows, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(config("sqlite://")).walk_revisions()]


def upgrade(url: str) -> None:
    """Brings the database to the newest schema; does nothing where it is there already."""
    if url.startswith("sqlite"):
        Path(url.partition(":///")[2]).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(config(url), "head")
