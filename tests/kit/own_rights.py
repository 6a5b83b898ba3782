"""Gives each service its role in a test's database and its user on the test's broker."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from services.commands.deploy import columns
from services.rights import broker_definitions, role_of, roles_sql
from services.roles import ROLES
from tools.servers.postgres import Postgres
from tools.servers.rabbit import Rabbit

PASSWORD = "of this test"
HASH = base64.b64encode(b"salt" + hashlib.sha256(b"salt" + PASSWORD.encode()).digest()).decode()


def as_service(url: str, service: str) -> str:
    """The same address, for a service's own role or user."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role_of(service)}:{PASSWORD.replace(' ', '%20')}@{host}").geturl()


def give_rights(server: Postgres, url: str) -> None:
    """Runs what `tocsin deploy roles` prints; on a server of ours, whose superuser we are."""
    with server.as_superuser(url) as db:
        db.execute(roles_sql(columns(), dict.fromkeys(ROLES, PASSWORD)))


def signed_in(server: Postgres, url: str, service: str) -> psycopg.Connection[object]:
    """A connection as that service, autocommit."""
    return psycopg.connect(as_service(url, service).replace("+asyncpg", ""), autocommit=True)


def give_users(node: Rabbit, url: str, folder: Path, plane: str) -> None:
    """Loads what `tocsin deploy broker` prints, into the vhost of this address instead of the plane's usual one."""
    made = json.loads(broker_definitions(plane, dict.fromkeys(("admin", *ROLES), HASH)))
    vhost = urlsplit(url).path.lstrip("/")
    file = folder / "definitions.json"
    file.write_text(json.dumps(made).replace(f'"tocsin-{plane}"', json.dumps(vhost)))
    file.chmod(0o644)
    node.ctl("import_definitions", str(file))
