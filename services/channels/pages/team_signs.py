"""Serves what whoever has a list says of themselves: a team that it is all right, the fire service that it has the names."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.channels.messages import list_links
from services.channels.pages import store
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id
from services.shared.database.engine import Connection
from services.shared.errors import NotAllowed, NotFound, Refused
from services.shared.ledger import team_signs
from services.shared.ledger.team_signs import SignKind, TeamStanding
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web.asking import asks, the_warning
from services.shared.web.cookies import LIST_COOKIE, cookie_of
from services.shared.web.html import page

TAPPED = {  # value of the button > what is kept
    "here": SignKind.HERE,
    "back": SignKind.BACK,
    "out": SignKind.OUT,
    "cannot": SignKind.CANNOT,
}
LEAST_NAME = 2  # characters


class TeamSignPages:
    """The handlers of signs, and of the fire service's word that it has its names."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.post("/l/{token}/sign", self.sign),
            web.post("/l/{token}/taken", self.taken),
            web.post("/channels/lists/{warning_id}/taken", self.taken_by_phone),
        )

    async def taken(self, request: web.Request) -> web.Response:
        """The fire service says on its list that it has the names that stand there now; `name` is who says so."""
        form, token, now = await request.post(), request.match_info["token"], self._platform.clock.now()
        async with self._platform.database.write() as tx:
            link = await list_links.valid_link(tx, self._platform.signer("links"), token, now)
            if link.slot != list_links.RESCUE:
                raise NotFound(
                    "this is no list of the fire service: a team notes each door", field="link", given=token[:40]
                )
            _must_be_open(link, request)
            await self._take(tx, link.warning_id, str(form.get("name", "")), "fire service", now)
        self._platform.wake.router.set()
        raise web.HTTPSeeOther(f"/l/{token}")

    @asks(Power.HANDLE, the_warning)
    async def taken_by_phone(self, request: web.Request, who: Who) -> web.Response:
        """The same, heard by telephone or radio; kept under who said it, and in the audit log under who wrote it down."""
        warning_id, form, now = request.match_info["warning_id"], await request.post(), self._platform.clock.now()
        async with self._platform.database.write() as tx:
            await self._take(tx, warning_id, str(form.get("name", "")), who.label, now)
        self._platform.wake.router.set()
        raise web.HTTPSeeOther(f"/channels/lists/{warning_id}#{list_links.RESCUE}")

    @staticmethod
    async def _take(tx: Connection, warning_id: str, given: str, by: str, now: float) -> None:
        name = " ".join(given.split())[:80]
        if len(name) < LEAST_NAME:
            raise Refused(
                "name: write who has the names, by name and office", field="name", rule="length", given=given[:80]
            )
        if await store.state_of(tx, warning_id) is None:
            raise NotFound("there is no such warning", field="warning_id", given=warning_id[:40])
        await team_signs.keep(tx, warning_id, list_links.RESCUE, SignKind.HERE, now, name, sign_id=new_id())
        await trail.record(tx, by, "names_taken", warning_id, name)

    async def sign(self, request: web.Request) -> web.Response:
        """One sign of the team whose list it is, on the phone that opened it; the same button sent twice is one. Whoever cannot
        go is asked once again, and for no reason."""
        form, token, now = await request.post(), request.match_info["token"], self._platform.clock.now()
        said = str(form.get("sign", ""))
        if said not in TAPPED:
            choices = ", ".join(TAPPED)
            raise Refused(f"sign: choose one of {choices}", field="sign", rule="closed_list", given=said)
        event = str(form.get("event", ""))[:32] or new_id()
        sure = said != "cannot" or form.get("sure") == "yes"
        async with self._platform.database.write() as tx:
            link = await list_links.valid_link(tx, self._platform.signer("links"), token, now)
            _must_be_open(link, request)
            if await store.state_of(tx, link.warning_id) is None:
                raise NotFound("there is no such list: ask your command post for a new link", field="link")
            if not sure:
                return page("list_cannot.html", token=token, event=event, plane=self._platform.settings.plane)
            # a page that is still there after Back may say so again half an hour later
            again = now if TAPPED[said] is SignKind.HERE else ""
            await keep_tapped(tx, link, said, f"{event} {said} {again}", now)
        self._platform.wake.router.set()
        raise web.HTTPSeeOther(f"/l/{token}")


async def keep_tapped(tx: Connection, link: list_links.ListLink, said: str, event: str, at: float) -> None:
    """What was tapped on a team's list at that time. NotFound where the list is of no team."""
    if link.slot == list_links.RESCUE:
        raise NotFound("this list is of no team: its people have their own radio", field="link", given=link.slot)
    kind, within = TAPPED[said], 0.0
    if kind is SignKind.OUT:
        team = await of_team(tx, link.slot, at)
        at, within = team_signs.goes_out_at(team, at), team.within_s
    sign_id = id_of(link.warning_id, link.slot, "list", event)
    if await team_signs.keep(tx, link.warning_id, link.slot, kind, at, "list", within_s=within, sign_id=sign_id):
        await trail.record(tx, f"officer:{link.slot}", "team_sign", link.warning_id, said)


async def of_team(db: Connection, slot: str, now: float) -> TeamStanding:
    """How it stands with the team of a list."""
    return (await team_signs.of_slots(db, [slot], now)).get(slot, TeamStanding(slot))


def _must_be_open(link: list_links.ListLink, request: web.Request) -> None:
    if not link.opens_on(cookie_of(request, LIST_COOKIE)):
        raise NotAllowed("this list is not open on this phone: open the list first", field="link", rule="link.device")
