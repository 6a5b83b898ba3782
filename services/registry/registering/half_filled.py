"""Keeps a registration under way, sealed by a key that only the browser of whoever fills it in holds.

A row without its cookie is noise. It is deleted with the last answer, when somebody stops, and two hours after the newest.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import sqlalchemy as sa
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.registry.store.resident_tables import half_filled
from services.shared.bus.outbox import new_id
from services.shared.clock import wall
from services.shared.database.engine import Connection, Database
from services.shared.errors import TooMany
from services.shared.service import Platform
from services.shared.web.cookies import REGISTER_COOKIE, cookie_of, lay_cookie, take_cookie

KEPT_S = 2 * 3600.0
PER_ORIGIN = 60  # begun within an hour from one network address


class HalfFilled(msgspec.Struct):
    """What was answered so far; `said` names the steps that were, also by "I would rather not say"."""

    whom: str = "self"  # self, other
    your_name: str = ""  # of whoever registers somebody else, with relation and mobile (E.164)
    relation: str = ""
    your_number: str = ""
    name: str = ""
    village: str = ""  # Village.key; empty: none of those there are
    address: str = ""
    born: str = ""
    needs: list[str] = []
    languages: list[str] = []
    reach: str = "none"  # mobile, landline, email, none
    number: str = ""  # E.164, or the mailbox
    helper_name: str = ""
    helper_number: str = ""
    helper_relation: str = ""
    agreed: list[str] = []  # purposes
    method: str = "online"  # how they said yes
    said: list[str] = []
    challenge_id: str = ""
    proven: str = ""  # address key of the phone or mailbox that a code has proven
    beside: bool = False  # a worker asks: nothing of it may go on without one, nor the other way round


class HalfFilledStore:
    """Opens, keeps and deletes them."""

    def __init__(self, platform: Platform, *, beside: bool = False) -> None:
        self._platform = platform
        self._beside = beside

    async def find(self, request: web.Request) -> HalfFilled | None:
        """The one of this browser; None where it has none, it is over, or was begun on the other pages."""
        half_id, key = self._cookie(request)
        if not half_id:
            return None
        async with self._platform.database.read() as db:
            fresh = half_filled.c.changed_at > wall() - KEPT_S
            body = await db.scalar(sa.select(half_filled.c.body).where(half_filled.c.half_id == half_id, fresh))
        if body is None:
            return None
        try:
            half = msgspec.msgpack.decode(AESGCM(key).decrypt(body[:12], body[12:], half_id.encode()), type=HalfFilled)
        except (InvalidTag, msgspec.MsgspecError):
            return None
        return half if half.beside == self._beside else None

    async def keep(self, request: web.Request, response: web.StreamResponse, half: HalfFilled, origin: str) -> None:
        """Keeps the newest answers, under a new id where there was none. TooMany where too many were begun."""
        half_id, key = self._cookie(request)
        half.beside, now = self._beside, wall()
        async with self._platform.database.write() as tx:
            if half_id:
                sealed = _sealed(half, half_id, key)
                mine = sa.update(half_filled).where(
                    half_filled.c.half_id == half_id, half_filled.c.changed_at > now - KEPT_S
                )
                if (await tx.execute(mine.values(body=sealed, changed_at=now))).rowcount:
                    return
            await self._bound(tx, origin)
            half_id, key = new_id(), os.urandom(32)
            row = {"half_id": half_id, "body": _sealed(half, half_id, key), "origin": origin}
            await tx.execute(sa.insert(half_filled).values(row | {"began_at": now, "changed_at": now}))
        cookie = f"{half_id}.{urlsafe_b64encode(key).decode().rstrip('=')}"
        lay_cookie(response, REGISTER_COOKIE, cookie, seconds=KEPT_S, https=self._platform.https)

    async def drop(self, request: web.Request, response: web.StreamResponse) -> None:
        """Deletes the one of this browser."""
        half_id, _ = self._cookie(request)
        if half_id:
            async with self._platform.database.write() as tx:
                await tx.execute(sa.delete(half_filled).where(half_filled.c.half_id == half_id))
        take_cookie(response, REGISTER_COOKIE, https=self._platform.https)

    @asynccontextmanager
    async def handed_in(self, request: web.Request) -> AsyncIterator[bool]:
        """Takes the one of this browser away while it is put into the register: a button that is pressed twice puts in one
        person. False where it was taken already; it is back where the block fails."""
        half_id, _ = self._cookie(request)
        async with self._platform.database.write() as tx:
            mine = sa.delete(half_filled).where(half_filled.c.half_id == half_id).returning(half_filled)
            row = (await tx.execute(mine)).mappings().one_or_none()
        try:
            yield row is not None
        except BaseException:
            if row is not None:
                async with self._platform.database.write() as tx:
                    await tx.execute(sa.insert(half_filled).values(**row))
            raise

    @staticmethod
    async def _bound(tx: Connection, origin: str) -> None:
        mine = (half_filled.c.origin == origin, half_filled.c.began_at > wall() - 3600)
        begun = await tx.scalar(sa.select(sa.func.count()).select_from(half_filled).where(*mine))
        if int(begun or 0) >= PER_ORIGIN:
            raise TooMany(
                "too many registrations were begun within an hour: go on with the one you have, or wait an hour",
                retry_after=3600,
            )

    def _cookie(self, request: web.Request) -> tuple[str, bytes]:
        half_id, _, key = cookie_of(request, REGISTER_COOKIE).partition(".")
        try:
            found = urlsafe_b64decode(key + "=" * (-len(key) % 4))
        except ValueError:
            return "", b""
        return (half_id, found) if len(half_id) == 32 and len(found) == 32 else ("", b"")


def _sealed(half: HalfFilled, half_id: str, key: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, msgspec.msgpack.encode(half), half_id.encode())


async def forget_old(database: Database) -> None:
    """Deletes those that nobody went on with."""
    old = half_filled.c.changed_at <= wall() - KEPT_S
    async with database.read() as db:
        if await db.scalar(sa.select(half_filled.c.half_id).where(old).limit(1)) is None:
            return
    async with database.write() as tx:
        await tx.execute(sa.delete(half_filled).where(old))
