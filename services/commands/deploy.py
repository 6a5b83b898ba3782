"""`tocsin deploy`: what each service may do, for a PostgreSQL and a RabbitMQ that know them by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from services.commands.kit import checked, fail, on_sqlite, settings
from services.migrations.tables import metadata
from services.rights import broker_definitions, roles_sql
from services.roles import ROLES
from services.shared.audit.shown import VIEWS
from services.shared.errors import Refused
from services.shared.settings import Settings

app = typer.Typer(no_args_is_help=True)


def columns() -> Mapping[str, list[str]]:
    """Table or view > its columns."""
    return {name: [column.name for column in table.columns] for name, table in metadata.tables.items()} | VIEWS


def give_roles(chosen: Settings, folder: Path) -> None:
    """Gives each service's role its rights and its password. Refused where a password is missing, or on SQLite."""
    if on_sqlite(chosen):
        raise Refused("SQLite knows no roles: leave --roles out", field="--roles")
    passwords = {}
    for service in ROLES:
        file = folder / f"postgres_{service}"
        try:
            passwords[service] = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise Refused(f"{file}: cannot be read ({type(problem).__name__})", field="--roles") from problem
        if not passwords[service]:
            raise Refused(f"{file}: is empty; give the password of the role of {service}", field="--roles")
    engine = sa.create_engine(
        chosen.resolved_database_url.replace("+asyncpg", "+psycopg"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(roles_sql(columns(), passwords))
    finally:
        engine.dispose()


@app.command("roles")
def deploy_roles() -> None:
    """Print the SQL that gives each service's role what it needs and takes all else. Passwords are set by your administrator."""
    typer.echo(roles_sql(columns(), {}), nl=False)


@app.command("broker")
def deploy_broker(
    hashes: Annotated[
        str, typer.Option(help="name=hash, joined by commas: of the password of admin and of each service.")
    ] = "",
) -> None:
    """Print the definitions a RabbitMQ loads at its start: users, rights, exchanges. Without hashes their places stand open."""
    given = dict(one.partition("=")[::2] for one in hashes.split(",") if one)
    if unknown := sorted(given.keys() - {"admin", *ROLES}):
        raise fail(f"--hashes: there is no {unknown[0]}: give admin, {', '.join(ROLES)}")
    places = {name: given.get(name, f"@{name}@") for name in ("admin", *ROLES)}
    typer.echo(checked(lambda: broker_definitions(settings().plane, places)), nl=False)
