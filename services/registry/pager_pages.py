"""Serves the page on which whoever may decide says where they are paged: a number, kept sealed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from aiohttp import web
from phonenumbers import PhoneNumberType

from services.shared.audit import trail
from services.shared.bus.outbox import id_of, publish
from services.shared.clock import wall
from services.shared.crypto.sealing import Sealer, address_key, page_key
from services.shared.database.engine import Connection
from services.shared.errors import NotAllowed, TooMany
from services.shared.i18n import offered, t
from services.shared.people.phone_numbers import never, normal, read_kind
from services.shared.powers.pagers import Pager, pager, pager_of
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.asking import asks, what_is_found
from services.shared.web.html import page

LAST = 99
TEST_S = 600.0  # of a test message, warning time
MOST_TRIED = 5  # numbers of one person, within an hour


class PagerPages:
    """The handlers of /people/pager."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._tried: dict[str, deque[float]] = {}  # who > when, monotonic

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The page, and its form."""
        return (web.get("/people/pager", self.pager_form), web.post("/people/pager", self.pager))

    @asks(Power.SEE, what_is_found)
    async def pager_form(self, request: web.Request, who: Who) -> web.Response:
        return await self._pager_form(who)

    async def _pager_form(self, who: Who, problem: str = "", given: Mapping[str, str] | None = None) -> web.Response:
        async with self._platform.database.read() as db:
            mine = await pager_of(db, who.actor)
        return page(
            "pager.html", status=422 if problem else 200, who=who, mine=mine, problem=problem, given=given or {},
            languages=offered(), plane=self._platform.settings.plane,
        )  # fmt: skip

    @asks(Power.SEE, what_is_found)
    async def pager(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Keeps a number sealed, and sends a test to it; without one it changes place and language of the one there is."""
        if not {"send", "cancel"} & set(who.actions):
            raise NotAllowed(
                f"{who.label} decides on no warning, and nobody would page them: whoever may send gives their own number",
                field="Authorization", rule="grant.actions", given="read",
            )  # fmt: skip
        form = {name: str(value) for name, value in (await request.post()).items()}
        if form.get("act") == "remove":
            async with self._platform.database.write() as tx:
                await tx.execute(sa.delete(pager).where(pager.c.actor == who.actor))
                await trail.record(tx, who.label, "pager", who.actor, "paged no more")
            raise web.HTTPSeeOther("/people/pager")
        typed, place = form.get("phone", "").strip(), form.get("place", "").strip()
        if not place.isdecimal() or not 1 <= int(place) <= LAST:
            return await self._pager_form(who, t("Give a place between 1 and 99: 1 is paged first."), form)
        if form.get("language", "") not in offered():
            return await self._pager_form(who, t("Choose the language of the message."), form)
        region = self._platform.settings.country
        number, kind = normal(typed, region), read_kind(typed, region)
        if typed and (not number or (kind is not None and kind[1] == PhoneNumberType.UNKNOWN)):
            problem = t(
                "{typed} is no phone number: write it with + and the country, like +86 138 0013 8000.", typed=typed
            )
            return await self._pager_form(who, problem, form)
        if number and never(number):
            problem = t(
                "{typed} is never dialled, for what it costs or whom it reaches: give another number.", typed=typed
            )
            return await self._pager_form(who, problem, form)
        if number:
            self._count(who)
        async with self._platform.database.write() as tx:
            if not number and await pager_of(tx, who.actor) is None:
                problem = t("Give the number you are paged at.")
            else:
                problem = ""
                await self._keep(tx, who, number, int(place), form["language"])
                await trail.record(
                    tx, who.label, "pager", who.actor, "a number to be paged at" if number else "its place"
                )
        if problem:
            return await self._pager_form(who, problem, form)
        self._platform.bus.wake()
        self._platform.wake.channels.set()
        raise web.HTTPSeeOther("/people/pager")

    def _count(self, who: Who) -> None:
        """TooMany where they had so many numbers tried within an hour: each is texted and called, whosever it is."""
        now, mine = time.monotonic(), self._tried.setdefault(who.actor, deque(maxlen=MOST_TRIED))
        if len(mine) == MOST_TRIED and (left := mine[0] + 3600.0 - now) > 0:
            raise TooMany(
                "too many numbers were tried: wait an hour, or keep the one you gave", retry_after=int(left) + 1
            )
        mine.append(now)

    async def _keep(self, tx: Connection, who: Who, number: str, place: int, language: str) -> None:
        """An empty number stays as it is."""
        mine = pager.c.actor == who.actor
        if not number:
            await tx.execute(sa.update(pager).where(mine).values(place=place, language=language))
            return
        sealer = Sealer(self._platform.keys.public)
        contact_id = id_of("pager", who.actor, sealer.key_id)
        one = Pager(
            who.actor, place, language, "…" + number[-3:], contact_id,
            address_key(self._platform.keys.index, "sms", number), sealer.seal(number.encode(), contact_id), sealer.key_id,
            read_kind(number) is not None,
        )  # fmt: skip
        await tx.execute(sa.delete(pager).where(mine))
        await tx.execute(sa.insert(page_key).values(sealer.row()))
        await tx.execute(sa.insert(pager).values(one._asdict() | {"given_at": wall()}))
        expires = self._platform.clock.now() + TEST_S
        plane = self._platform.settings.plane
        await publish(tx, one.pages("channel_test", plane=plane, tier=int(Tier.BLUE), expires=expires))
