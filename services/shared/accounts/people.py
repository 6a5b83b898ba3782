"""Keeps people of the authorities: invites them by a link, says what each may do, and ends it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from services.shared.accounts import hours as on_duty
from services.shared.accounts.tables import (
    account,
    account_grant,
    authority,
    credential,
    invitation,
    person_id,
    plain_name,
)
from services.shared.audit import trail
from services.shared.bus.outbox import id_of
from services.shared.clock import iso, wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, Database
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.powers.roles import actions_of
from services.shared.tiers import Tier

INVITED_S = 3 * 86400.0  # how long a link of invitation opens
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,79}")


class Granted(NamedTuple):
    """What somebody may do, and how far: as `Who` has it, by roles, within hours. `zone`: whose hours."""

    roles: Sequence[str]
    max_tier: int
    alone: int = 0
    area: str = ""
    senders: Sequence[str] = ()
    events: Sequence[str] = ()
    names: Sequence[str] = ()
    hours: str = ""
    zone: str = "UTC"
    expires_at: float | None = None

    def checked(self) -> Granted:
        """Refused where a role is none, nothing is given, or the hours are not understood."""
        actions_of(self.roles)
        on_duty.read(self.hours)
        return self._replace(roles=sorted(set(self.roles)))


class Account(NamedTuple):
    """Somebody's account with what is granted to them; `ways`: how many passkeys and so on they sign in with."""

    person: str
    name: str
    login: str
    authority: str
    created_at: float
    ended_at: float | None
    roles: list[str]
    max_tier: int
    alone: int
    area: str
    senders: list[str]
    events: list[str]
    names: list[str]
    hours: str
    zone: str
    expires_at: float | None
    ways: int

    @property
    def grant(self) -> Granted:
        """What is granted to them."""
        return Granted(*(getattr(self, name) for name in Granted._fields))


class Invited(NamedTuple):
    """Whom a link invites."""

    invitation_id: str
    person: str
    name: str
    login: str
    authority: str
    made_by: str
    roles: list[str]


_WAYS = (
    sa.select(sa.func.count())
    .select_from(credential)
    .where(credential.c.person == account.c.person, credential.c.used_at.is_(None) | (credential.c.kind != "paper"))
    .scalar_subquery()
    .label("ways")
)
_ALL = (
    sa.select(
        account.c.person, account.c.name, account.c.login, authority.c.name.label("authority"), account.c.created_at,
        account.c.ended_at, *columns(Granted, account_grant), _WAYS,
    )
    .join(authority, authority.c.authority_id == account.c.authority_id)
    .join(account_grant, account_grant.c.person == account.c.person)
)  # fmt: skip


def login_of(typed: str) -> str:
    """A sign-in name as it is kept: without blanks around it, in small letters."""
    return typed.strip().casefold()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def invite(
    database: Database, *, name: str, login: str, of: str, grant: Granted, by: str, reason: str = "invited"
) -> str:
    """Makes somebody's account and the secret of the link that opens it once; the authority too, where it is new.

    Conflict where somebody has that name or sign-in name; whose account was ended comes back to their authority under both.
    """
    name, login, grant = plain_name(name), login_of(login), grant.checked()
    if not 2 <= len(name) <= 80:
        raise Refused("name: give the person's name, as colleagues know them", field="name", rule="length", given=name)
    if not _LOGIN.fullmatch(login):
        raise Refused(
            "login: give 2 to 80 small letters, digits, dots, dashes or underscores",
            field="login",
            rule="login",
            given=login,
        )
    person, authority_id, now = person_id(name), id_of("authority", of), wall()
    async with database.write() as tx:
        await insert_new(tx, authority, [{"authority_id": authority_id, "name": of}])
        there = (
            await tx.execute(sa.select(account).where((account.c.person == person) | (account.c.login == login)))
        ).all()
        back = [
            row
            for row in there
            if (row.person, row.login, row.authority_id) == (person, login, authority_id) and row.ended_at is not None
        ]
        if len(there) > len(back):
            field, rule = ("login", "unique") if there[0].person != person else ("name", "unique")
            raise Conflict(
                f"there is {there[0].name} ({there[0].login}) already: choose a {field} that tells them apart",
                field=field, rule=rule, given=login if field == "login" else name,
            )  # fmt: skip
        if back:
            await tx.execute(sa.update(account).where(account.c.person == person).values(ended_at=None, back_at=now))
        else:
            row = {"person": person, "authority_id": authority_id, "name": name, "login": login, "created_at": now}
            await tx.execute(sa.insert(account).values(row))
        await _put(tx, person, grant)
        await trail.record(tx, by, "invite", person, reason, _said(name, grant))
        return await _link(tx, person, by)


async def invite_again(database: Database, person: str, *, by: str, reason: str) -> str:
    """A new link for somebody who cannot sign in any more; what they signed in with goes when they have used it."""
    async with database.write() as tx:
        row = await _in_force(tx, person)
        await trail.record(tx, by, "invite_again", person, reason, {"name": row.name})
        return await _link(tx, person, by)


async def _link(tx: Connection, person: str, by: str) -> str:
    secret, now = secrets.token_urlsafe(24), wall()
    await tx.execute(sa.delete(invitation).where(invitation.c.person == person))
    row = {
        "invitation_id": _hash(secret),
        "person": person,
        "made_by": by,
        "made_at": now,
        "expires_at": now + INVITED_S,
    }
    await tx.execute(sa.insert(invitation).values(row))
    return secret


async def invited(db: Connection, secret: str) -> Invited | None:
    """Whom the link with that secret invites now; None where it was used, replaced or is over."""
    found = await rows_of(
        db,
        Invited,
        sa.select(
            invitation.c.invitation_id,
            account.c.person,
            account.c.name,
            account.c.login,
            authority.c.name.label("authority"),
            invitation.c.made_by,
            account_grant.c.roles,
        )
        .join(account, account.c.person == invitation.c.person)
        .join(account_grant, account_grant.c.person == account.c.person)
        .join(authority, authority.c.authority_id == account.c.authority_id)
        .where(
            invitation.c.invitation_id == _hash(secret), invitation.c.expires_at > wall(), account.c.ended_at.is_(None)
        ),
    )
    return found[0] if found else None


async def use(tx: Connection, one: Invited) -> None:
    """The link has done its work; what they signed in with before opens nothing. Conflict where it was used meanwhile."""
    gone = await tx.execute(sa.delete(invitation).where(invitation.c.invitation_id == one.invitation_id))
    if gone.rowcount != 1:
        raise Conflict("this link was used meanwhile: ask for another one", field="link", rule="once")
    await tx.execute(sa.delete(credential).where(credential.c.person == one.person))
    await trail.record(tx, one.name, "join", one.person, f"invited by {one.made_by}", {})


async def change_grant(database: Database, person: str, grant: Granted, *, by: str, reason: str) -> None:
    """From now on they may do this. NotFound, Conflict where they are not known, or their account was ended."""
    grant = grant.checked()
    async with database.write() as tx:
        row = await _in_force(tx, person)
        await _put(tx, person, grant)
        await trail.record(tx, by, "change_grant", person, reason, _said(row.name, grant))


async def end(database: Database, person: str, *, by: str, reason: str) -> str:
    """From now on nothing of theirs opens anything: sign-ins, passkeys, keys, and links to them or made by them. Their name."""
    async with database.write() as tx:
        row = await _in_force(tx, person)
        await tx.execute(sa.update(account).where(account.c.person == person).values(ended_at=wall()))
        for table in (invitation, credential):
            await tx.execute(sa.delete(table).where(table.c.person == person))
        await tx.execute(sa.delete(invitation).where(invitation.c.made_by == row.name))  # else they join as a colleague
        await trail.record(tx, by, "end_account", person, reason, {"name": row.name})
    return str(row.name)


async def _in_force(tx: Connection, person: str) -> sa.Row[tuple[object, ...]]:
    row = (await tx.execute(sa.select(account).where(account.c.person == person).with_for_update())).first()
    if row is None:
        raise NotFound("there is nobody of that name: see tocsin user list", field="person", given=person)
    if row.ended_at is not None:
        raise Conflict(f"the account of {row.name} was ended at {iso(row.ended_at)}", field="person", given=row.login)
    return row


async def _put(tx: Connection, person: str, grant: Granted) -> None:
    await tx.execute(sa.delete(account_grant).where(account_grant.c.person == person))
    values = {**grant._asdict(), "person": person}
    for name in ("roles", "senders", "events", "names"):
        values[name] = list(values[name])
    await tx.execute(sa.insert(account_grant).values(values))


def _said(name: str, grant: Granted) -> dict[str, object]:
    return {
        "name": name, "roles": list(grant.roles), "max_tier": Tier(grant.max_tier).word,
        "alone": Tier(grant.alone).word if grant.alone else "none", "bound": bool(grant.area),
        "senders": list(grant.senders), "events": list(grant.events), "hours": grant.hours,
        "expires": iso(grant.expires_at) if grant.expires_at is not None else "never",
    }  # fmt: skip


async def listed(db: Connection, authorities: Sequence[str] | None = None) -> list[Account]:
    """Everybody, or those of some authorities: who is in force first, by authority and name."""
    query = _ALL.order_by(account.c.ended_at.is_not(None), authority.c.name, account.c.name)
    if authorities is not None:
        query = query.where(authority.c.name.in_(authorities))
    return await rows_of(db, Account, query)


async def find(db: Connection, *, person: str = "", login: str = "") -> Account | None:
    """Somebody by id or by sign-in name."""
    which = account.c.person == person if person else account.c.login == login_of(login)
    found = await rows_of(db, Account, _ALL.where(which))
    return found[0] if found else None


async def anybody_signs_in(db: Connection) -> bool:
    """Whether there is one person, whose account is in force, who can sign in by themselves."""
    found = sa.select(account.c.person).join(credential, credential.c.person == account.c.person)
    return await db.scalar(found.where(account.c.ended_at.is_(None)).limit(1)) is not None
