"""Serves /me/device, messages on this device; the one page with a script, as only a script subscribes a browser.

The script and the worker are two files of our own, served here; on every other page none runs. A browser without push,
or without scripts, is told so in plain words and loses nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

import msgspec
import sqlalchemy as sa
import structlog
from aiohttp import web

from services.registry.model.given import ContactIn
from services.registry.people import repository
from services.registry.people.update import Changes, said, update_person
from services.registry.resident.access import Access
from services.registry.resident.base import MeBase, Seated
from services.registry.store import register
from services.shared.bus.outbox import id_of
from services.shared.clock import wall
from services.shared.crypto.sealing import address_key
from services.shared.errors import NotFound, Refused, TooMany
from services.shared.i18n import told
from services.shared.ledger.channels import channel
from services.shared.people import push_subscription
from services.shared.service import Platform
from services.shared.web.edge import SCRIPTED
from services.shared.web.outgoing_addresses import check_push_service

FOLDER = Path(__file__).parent / "static"
SCRIPTS = ("device.js", "device-worker.js")
A_DAY = 10  # renewals of one person's device
A_MINUTE = 600  # renewals asked for at this process, by anybody
log = structlog.get_logger("push")


class Renewal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device's worker says: the subscription it had, and the one it has now."""

    before: push_subscription.Subscription
    now: push_subscription.Subscription


class MePush(MeBase):
    """The handlers of one device."""

    def __init__(self, platform: Platform, access: Access) -> None:
        super().__init__(platform, access)
        self._asked: deque[float] = deque()  # wall, of the last minute
        self._renewed: dict[str, list[float]] = {}  # person > wall, of the last day

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/me/device, and its script and worker."""
        return (
            web.get("/me/device", self.device),
            web.post("/me/device", self.chosen),
            web.post("/me/device/renew", self.renewed),
            *(web.get(f"/me/{name}", self.script) for name in SCRIPTS),
        )

    async def script(self, request: web.Request) -> web.StreamResponse:
        """One of the two files; beside the page, so that the worker may serve /me and nothing else."""
        return web.FileResponse(FOLDER / request.path.rpartition("/")[2], headers={"Cache-Control": "max-age=3600"})

    async def device(self, request: web.Request) -> web.Response:
        return await self._device(request, await self.seated(request))

    async def _device(self, request: web.Request, who: Seated, problem: str = "") -> web.Response:
        self.decides(request, who)
        async with self._platform.database.read() as db:
            works = bool(await db.scalar(sa.select(channel.c.working).where(channel.c.channel == "push")))
        chosen = any(row["kind"] == "push" for row in who.record.contacts.values())
        response = self.show(
            request, "me_device.html", status=422 if problem else 200, works=works, chosen=chosen, problem=problem
        )
        response.headers["Content-Security-Policy"] = SCRIPTED
        return response

    async def chosen(self, request: web.Request) -> web.Response:
        """Keeps a device's subscription, sealed at once, in place of one chosen before. Or: no device."""
        who = await self.seated(request)
        self.decides(request, who)
        form = await request.post()
        before = [one for one, row in who.record.contacts.items() if row["kind"] == "push"]
        if form.get("do") == "stop":
            if not before:
                raise NotFound("no device of yours gets messages", field="do", rule="known", given="stop")
            await self.change(who, Changes(drop_contacts=before), "no messages on a device")
            raise web.HTTPSeeOther("/me/device?saved=1")
        try:
            device = push_subscription.read(str(form.get("subscription", ""))[:3000])
            check_push_service(device.endpoint, private=self._platform.settings.push_private)
        except Refused as wrong:
            return await self._device(request, who, f"{self.w('device_wrong')} ({told(wrong.message)})")
        own = ContactIn(kind="push", address=device.as_text(), given_by="self", verified=True)
        await self.change(who, Changes(contacts=[own], drop_contacts=before), "messages on this device")
        raise web.HTTPSeeOther("/me/device?saved=1")

    async def renewed(self, request: web.Request) -> web.Response:
        """Puts the subscription that a browser has renewed by itself in the old one's place, for everybody whose it
        is.

        No sign-in: nobody is there. Who has the whole old one, its secret of 16 bytes among it, is that device. What is
        not known is the same 404, whatever is wrong; TooMany beyond a bound.
        """
        self._bound()
        try:
            said_now = msgspec.json.decode((await request.read())[:8000], type=Renewal)
        except msgspec.MsgspecError as wrong:
            raise push_subscription.wrong_part("before, now", "json", "two push subscriptions are wanted") from wrong
        before, now = push_subscription.read(said_now.before.as_text()), push_subscription.read(said_now.now.as_text())
        check_push_service(now.endpoint, private=self._platform.settings.push_private)
        key = address_key(self._platform.keys.index, "push", before.as_text())
        mine = sa.select(register.contact.c.owner_id).where(
            register.contact.c.address_key == key, register.contact.c.kind == "push"
        )
        async with self._platform.database.read() as db:
            owners = sorted(set((await db.scalars(mine)).all()))
        if before == now:
            return web.Response(status=204)
        if not owners:
            raise NotFound("no device with that subscription gets messages", field="before", rule="known")
        for owner in owners:
            await self._replace(owner, key, now)
        return web.Response(status=204)

    async def _replace(self, person_id: str, key: str, now: push_subscription.Subscription) -> None:
        """Replaces one person's device; what was said of it (that they want none, whose word it is) stays said."""
        day = [at for at in self._renewed.get(person_id, ()) if wall() - 86400 < at]
        if len(day) >= A_DAY:
            raise TooMany("this device changed its subscription too often today", retry_after=86400)
        async with self._platform.database.write() as tx:
            await repository.alone(tx)
            record = await repository.load_one(tx, person_id)
            old = next((row for row in record.contacts.values() if row["address_key"] == key), None)
            if old is None:
                return
            new = ContactIn(
                kind="push", address=now.as_text(), given_by=old["given_by"], verified=True, order=old["position"],
                hours=old["hours"], safe=old["safe"], household=old["household"],
            )  # fmt: skip
            made = id_of("contact", person_id, "push", address_key(self._platform.keys.index, "push", new.address))
            how: dict[str, object] = {"order": old["position"]}
            if old["why_not"] in ("said_no", "not_hers"):
                how[old["why_not"]] = True
            changes = Changes(contacts=[new], channel={made: how}, drop_contacts=[old["contact_id"]])
            await update_person(
                tx, self._platform.keys, person_id, changes, said("self", "device"), reason="their device renewed it"
            )
        self._renewed[person_id] = [*day, wall()]
        if len(self._renewed) > 10_000:
            self._renewed = {who: at for who, at in self._renewed.items() if wall() - 86400 < at[-1]}
        log.info("push_renewed")

    def _bound(self) -> None:
        while self._asked and self._asked[0] < wall() - 60:
            self._asked.popleft()
        if len(self._asked) >= A_MINUTE:
            raise TooMany("too many devices change their subscription just now: try again in a minute", retry_after=60)
        self._asked.append(wall())
