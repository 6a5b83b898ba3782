"""Authorises: API keys with a grant, and cookies that name a key.

A key is 256 random bits, shown once and stored as SHA-256. A console's cookie is 128 random bits and carries no grant:
whose sign-in it is and what they may do is read from the database each time, so that no process can make one up.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from msgspec import structs

from services.shared.accounts.standing import below, who_of
from services.shared.accounts.tables import account, authority, person_id, plain_name, superior
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id
from services.shared.clock import iso, wall
from services.shared.database.batches import insert_new
from services.shared.database.engine import Connection, Database, Id, metadata
from services.shared.database.rows import columns, rows_of
from services.shared.errors import Conflict, NotFound, Refused
from services.shared.powers.who import ACTIONS, Who
from services.shared.tiers import Tier
from services.shared.web import sessions

grant = sa.Table(
    "auth_grant",
    metadata,
    sa.Column("grant_id", Id, primary_key=True),
    sa.Column("authority_id", Id, sa.ForeignKey("authority.authority_id"), nullable=False),
    sa.Column("actions", sa.JSON, nullable=False),
    sa.Column("max_tier", sa.SmallInteger, nullable=False),
    sa.Column(
        "alone",
        sa.SmallInteger,
        nullable=False,
        comment="the highest tier that one person drafts and sends; 0 for none",
    ),
    sa.Column("area", sa.Text, nullable=False, server_default="", comment="GeoJSON; empty for anywhere"),
    sa.Column("senders", sa.JSON, nullable=False, server_default="[]", comment="CAP senders; empty for any"),
    sa.Column("events", sa.JSON, nullable=False, server_default="[]", comment="hazards or event codes; empty for any"),
    sa.Column(
        "names", sa.JSON, nullable=False, server_default="[]", comment="what texts may name as source; empty for any"
    ),
)
api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("key_id", Id, primary_key=True),
    sa.Column("grant_id", Id, sa.ForeignKey("auth_grant.grant_id"), nullable=False),
    sa.Column("label", sa.String(80), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("public_key", sa.String(64), nullable=False, server_default="", comment="Ed25519, hex: it signs requests"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
    sa.Column("expires_at", sa.Float, comment="wall; empty for never"),
    sa.Column("owner", sa.String(80), nullable=False, server_default="", comment="who answers for it"),
    sa.Column("person", Id, nullable=False, server_default="", comment="the owner's id; empty for nobody"),
    sa.Index(
        "uq_api_key_label_in_force", "label", unique=True, sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    ),
)  # fmt: skip


async def create_key(
    database: Database,
    *,
    name: str,
    label: str,
    actions: Sequence[str],
    max_tier: Tier,
    alone: Tier | None,
    area: str = "",
    senders: Sequence[str] = (),
    events: Sequence[str] = (),
    names: Sequence[str] = (),
    owner: str = "",
    expires_at: float | None = None,
    public_key: bytes = b"",
) -> str:
    """Makes authority and grant where missing and a new key; returns the key, which is not stored; with `public_key` its id,
    as its holder signs requests and the key opens nothing.

    Without `names` a key bound to an area speaks in its authority's own name alone. `expires_at`: wall. `alone`: the highest
    tier that whoever holds it may both draft and send; above it takes two persons. Conflict where a key in force has that
    label, or ever one of another authority: the audit log tells keys apart by it. Keys of one owner act as one person.
    """
    unknown = sorted(set(actions) - set(ACTIONS))
    if unknown:
        raise Refused(f"there is no action {unknown[0]!r}: use {', '.join(ACTIONS)}", field="actions", given=unknown[0])
    key = f"toc_{secrets.token_urlsafe(32)}"
    authority_id = id_of("authority", name)
    async with database.write() as tx:
        await _free_label(tx, label, authority_id)
        await insert_new(tx, authority, [{"authority_id": authority_id, "name": name}])
        grant_id = new_id()
        await tx.execute(
            sa.insert(grant).values(
                grant_id=grant_id,
                authority_id=authority_id,
                actions=sorted(set(actions)),
                max_tier=int(max_tier),
                alone=int(alone or 0),
                area=area,
                senders=list(senders),
                events=list(events),
                names=list(names) or ([name] if area else []),
            )
        )
        key_id = new_id()
        await tx.execute(
            sa.insert(api_key).values(
                key_id=key_id,
                grant_id=grant_id,
                label=label,
                sha256=_hash(key),
                public_key=public_key.hex(),
                created_at=wall(),
                expires_at=expires_at,
                owner=plain_name(owner),
                person=person_id(owner),
            )
        )
        detail = {
            "actions": sorted(set(actions)), "max_tier": max_tier.word, "alone": alone.word if alone else "none",
            "owner": owner, "expires": iso(expires_at) if expires_at is not None else "never",
        }  # fmt: skip
        await trail.record(tx, "command line", "create_key", key_id, f"{label} of {name}", detail)
    return key_id if public_key else key


async def _free_label(tx: Connection, label: str, authority_id: str) -> None:
    """A key of the same authority that has expired gives its label up."""
    rows = await tx.execute(
        sa.select(api_key.c.key_id, api_key.c.revoked_at, api_key.c.expires_at, grant.c.authority_id)
        .join(grant, grant.c.grant_id == api_key.c.grant_id)
        .where(api_key.c.label == label)
    )
    now = wall()
    if await tx.scalar(sa.select(account.c.person).where(account.c.person == person_id(label))) is not None:
        raise Conflict(
            f"{label!r} is the name of a person here: choose another label, and name them as its owner", field="label",
            rule="unique", given=label,
        )  # fmt: skip
    for row in rows.all():
        over = row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)
        if not over or row.authority_id != authority_id:
            raise Conflict(
                f"there is a key {label!r} already: choose another label, the audit log names keys by it",
                field="label", rule="unique", given=label,
            )  # fmt: skip
        if row.revoked_at is None:
            await tx.execute(sa.update(api_key).where(api_key.c.key_id == row.key_id).values(revoked_at=row.expires_at))


class GrantedKey(NamedTuple):
    """A key, its authority (`name`) and what it may do."""

    key_id: str
    name: str
    label: str
    created_at: float
    revoked_at: float | None
    expires_at: float | None
    owner: str
    actions: list[str]
    max_tier: int
    alone: int
    senders: list[str]
    events: list[str]
    names: list[str]
    area: str


async def all_keys(db: Connection) -> list[GrantedKey]:
    """Every key with its authority (`name`) and grant, those in force first; of the key itself nothing is stored."""
    return await rows_of(
        db,
        GrantedKey,
        sa.select(*columns(GrantedKey, api_key, grant, authority))
        .join(grant, grant.c.grant_id == api_key.c.grant_id)
        .join(authority, authority.c.authority_id == grant.c.authority_id)
        .order_by(api_key.c.revoked_at.is_not(None), authority.c.name, api_key.c.label, api_key.c.created_at),
    )


async def revoke_key(database: Database, key_id: str, *, actor: str, reason: str) -> str:
    """From now on it opens nothing, nor does a cookie made of it; its label. NotFound, Conflict where it was done before."""
    async with database.write() as tx:
        row = (await tx.execute(sa.select(api_key).where(api_key.c.key_id == key_id).with_for_update())).first()
        if row is None:
            raise NotFound(f"there is no key {key_id}: see tocsin key list", field="key_id", given=key_id)
        if row.revoked_at is not None:
            raise Conflict(f"the key {row.label!r} was revoked at {iso(row.revoked_at)}", field="key_id", given=key_id)
        await tx.execute(sa.update(api_key).where(api_key.c.key_id == key_id).values(revoked_at=wall()))
        await trail.record(tx, actor, "revoke_key", key_id, reason, {"label": row.label})
    return str(row.label)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def who_is(db: Connection, key: str) -> Who | None:
    """The caller a key belongs to, or None."""
    if not key:
        return None
    return await _who(db, api_key.c.sha256 == _hash(key))


async def who_signs(db: Connection, key_id: str) -> tuple[Who, bytes] | None:
    """The caller who signs with that key, and its public half; None where it signs nothing, or is over."""
    public = await db.scalar(sa.select(api_key.c.public_key).where(api_key.c.key_id == key_id))
    who = await _who(db, api_key.c.key_id == key_id) if public else None
    return (who, bytes.fromhex(public)) if who is not None and public else None


async def who_has(db: Connection, label: str) -> Who | None:
    """The valid key of that label, for what we do ourselves under an authority's grant: it acts for no person."""
    who = await _who(db, api_key.c.label == label, machine=True)
    return who and structs.replace(who, label=label, person="")


async def who_acts(db: Connection, actor: str) -> Who | None:
    """Whoever acts under that name, a person or a key, with what they may do now; None where that is over."""
    signed_in_now = await who_of(db, actor, wall())  # what they could do once they have signed in
    return signed_in_now or await _who(db, sa.or_(api_key.c.person == actor, api_key.c.key_id == actor))


async def _who(db: Connection, which: sa.ColumnElement[bool], *, machine: bool = False) -> Who | None:
    """`machine`: nobody holds the key in their hand, and a feed goes on when the person who answers for it has left."""
    row = (
        await db.execute(
            sa.select(
                api_key.c.key_id,
                api_key.c.label,
                api_key.c.expires_at,
                api_key.c.person,
                api_key.c.owner,
                grant,
                authority.c.name,
                api_key.c.created_at,
                account.c.ended_at,
                account.c.back_at,
                account.c.name.label("person_name"),
            )
            .join(grant, grant.c.grant_id == api_key.c.grant_id)
            .join(authority, authority.c.authority_id == grant.c.authority_id)
            .outerjoin(account, account.c.person == api_key.c.person)
            .where(which, api_key.c.revoked_at.is_(None))
            .where(sa.or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > wall()))
            .order_by(grant.c.max_tier.desc(), api_key.c.created_at)
        )
    ).first()
    if row is None:
        return None
    left = row.ended_at is not None or (row.back_at is not None and row.created_at < row.back_at)
    if left and not machine:
        return None
    return Who(
        row.key_id,
        row.person_name or row.owner or row.label,
        row.name,
        tuple(row.actions),
        row.max_tier,
        row.area,
        tuple(row.senders),
        tuple(row.events),
        await below(db, row.authority_id),
        row.alone,
        tuple(row.names),
        row.expires_at,
        row.person,
        row.label,
    )


async def authorities(db: Connection) -> list[str]:
    """Names of all authorities."""
    return list(await db.scalars(sa.select(authority.c.name).order_by(authority.c.name)))


async def name_superior(database: Database, name: str, superior_name: str, *, actor: str, reason: str) -> None:
    """From now on the superior may do with the authority's warnings and sources what their own grant allows.

    NotFound where one of them is not known; Conflict where the superior stands below the authority itself.
    """
    ids = {one: id_of("authority", one) for one in (name, superior_name)}
    async with database.write() as tx:
        known = set(await tx.scalars(sa.select(authority.c.name).where(authority.c.authority_id.in_(ids.values()))))
        for one in ids:
            if one not in known:
                raise NotFound(f"there is no authority {one!r}: see tocsin key list", field="authority", given=one)
        if name == superior_name or superior_name in await below(tx, ids[name]):
            raise Conflict(f"{superior_name} stands below {name} already", field="superior", given=superior_name)
        row = {"authority_id": ids[name], "superior_id": ids[superior_name]}
        await insert_new(tx, superior, [row])
        await trail.record(tx, actor, "name_superior", ids[name], reason, {"superior": superior_name})


async def signed_in(database: Database, cookie: str) -> Who | None:
    """The caller a console cookie stands for now. None where the sign-in has ended, its key or account is over, or it is
    not ours."""
    found = await sessions.found(database, cookie, ("console", "person"))
    if found is None:
        return None
    async with database.read() as db:
        if found.use == "person":
            back_at = await db.scalar(sa.select(account.c.back_at).where(account.c.person == found.subject))
            if back_at is not None and found.began_at < back_at:
                return None
            return await who_of(db, found.subject, found.proved_at)
        return await _who(db, api_key.c.key_id == found.subject)


async def sign_in_with(database: Database, who: Who) -> str:
    """A new sign-in of this key, as a cookie: 128 random bits, of which the database keeps the SHA-256."""
    async with database.write() as tx:
        nonce, _ = await sessions.begin(tx, "console", who.key_id)
    return nonce


async def sign_out(database: Database, cookie: str) -> None:
    """Ends the sign-in of a console cookie; one that is not ours ends nothing."""
    await sessions.end(database, cookie)
