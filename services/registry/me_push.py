"""/me/device: messages on this device. The one page with a script, since a browser lets only a script subscribe.

The script and the worker are two files of our own, served here; on every other page none runs. A browser without push,
or without scripts, is told so in plain words and loses nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa
from aiohttp import web

from services.registry.given import ContactIn
from services.registry.me_base import MeBase, Seated
from services.registry.revise import Changes
from services.shared import subscription
from services.shared.errors import NotFound, Refused
from services.shared.ledger import road
from services.shared.reach import PushReach, check_push_service
from services.shared.web import SCRIPTED

FOLDER = Path(__file__).parent / "static"
SCRIPTS = ("device.js", "device-worker.js")


class MePush(MeBase):
    """The handlers of one device."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/me/device, and its script and worker."""
        return (
            web.get("/me/device", self.device),
            web.post("/me/device", self.chosen),
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
            works = bool(await db.scalar(sa.select(road.c.working).where(road.c.road == "push")))
        chosen = any(row["kind"] == "push" for row in who.record.contacts.values())
        response = self.show(
            request, "me_device.html", status=422 if problem else 200, works=works, chosen=chosen, problem=problem
        )
        response.headers["Content-Security-Policy"] = SCRIPTED
        return response

    async def chosen(self, request: web.Request) -> web.Response:
        """Her device's subscription, sealed at once; it takes the place of one that she chose before. Or: no device."""
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
            device = subscription.read(str(form.get("subscription", ""))[:3000])
            check_push_service(device.endpoint, private=PushReach().private)
        except Refused as wrong:
            return await self._device(request, who, f"{self.w(request, 'device_wrong')} ({wrong.message})")
        own = ContactIn(kind="push", address=device.as_text(), given_by="self", verified=True)
        await self.change(who, Changes(contacts=[own], drop_contacts=before), "messages on this device")
        raise web.HTTPSeeOther("/me/device?saved=1")
