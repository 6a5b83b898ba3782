"""The four roles a process may play, and the keys each of them needs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from services.shared.crypto import channels_keys, house_keys
from services.shared.crypto.sealing import USES, Keys, Use
from services.shared.database.engine import Database
from services.shared.database.instance import stamp
from services.shared.errors import Broken, Refused
from services.shared.settings import Settings

ROLES = ("gateway", "registry", "router", "channels")
HOLDERS: dict[Use, frozenset[str]] = {  # of each key that signs: who makes what it signs, or checks it
    "links": frozenset({"channels"}),  # answers, lists of doors, calls for volunteers
    "callbacks": frozenset({"channels"}),  # from providers and devices
    "cookies": frozenset({"registry"}),  # of residents who signed in
    "residents": frozenset({"registry", "channels"}),  # one-time codes, invitations of helpers
    "orders": frozenset({"registry", "channels"}),  # to open what is sealed; which key it is sealed for
}


def uses_of(roles: Sequence[str]) -> tuple[Use, ...]:
    """The keys that sign which these roles hold."""
    return tuple(use for use in USES if HOLDERS[use] & set(roles))


def check_roles(roles: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The roles in one order; Refused where one is unknown or others could not be reached."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise Refused(f"there is no service {unknown[0]!r}: use {', '.join(ROLES)}", field="service", given=unknown[0])
    chosen = tuple(r for r in ROLES if not roles or r in roles)
    sqlite = settings.resolved_database_url.startswith("sqlite")
    if sqlite and chosen != ROLES:
        raise Refused(
            "SQLite serves one process that plays all four: set TOCSIN_DATABASE_URL to a PostgreSQL, or name no service",
            field="TOCSIN_DATABASE_URL",
        )
    if chosen != ROLES and not settings.amqp_url:
        raise Refused("several processes need a broker between them: set TOCSIN_AMQP_URL", field="TOCSIN_AMQP_URL")
    return chosen


def read_keys(settings: Settings, roles: Sequence[str]) -> Keys:
    """The keys these roles use, read now: a start tells of a missing or foreign one, not the first warning.

    Only a process that is alone, or plays all roles, makes what is missing; the others are to be given the same keys.
    """
    alone = settings.resolved_database_url.startswith("sqlite") or tuple(roles) == ROLES
    keys = Keys(settings.keys_dir, make=alone, uses=uses_of(roles))
    for use in keys.uses:
        keys.ring(use)
    if "gateway" in roles:
        _ = keys.audit
    if "channels" in roles:
        _ = keys.private, keys.index, keys.public
    if "registry" in roles:
        _ = keys.public, keys.index
    return keys


async def check_keys(database: Database, keys: Keys, roles: Sequence[str]) -> None:
    """Every process of an installation holds the same keys: with others, links and addresses would open nowhere."""
    await house_keys.begin(database, keys, uses_of(roles))
    held = {}
    if "gateway" in roles:
        held["audit"] = keys.audit
    if {"channels", "registry"} & set(roles):
        held["index"] = keys.index
        if not await channels_keys.check(database, keys, opens="channels" in roles):
            held["public"] = keys.public
    for name, key in held.items():
        mark = hashlib.sha256(f"tocsin {name} key".encode() + key).hexdigest()[:32]
        if await stamp(database, f"key_{name}", mark) != mark:
            raise Broken(
                f"the {name} key here is not the one this database was begun with: give this process the same keys "
                "as the others, or restore them from your key backup"
            )
