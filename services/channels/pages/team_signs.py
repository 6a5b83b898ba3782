"""Serves /l/TOKEN/sign: a team says on its list that it is all right, or back in safety."""

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
from services.shared.service import Platform
from services.shared.web.cookies import LIST_COOKIE, cookie_of
from services.shared.web.html import page

TAPPED = {  # value of the button > what is kept
    "here": SignKind.HERE,
    "back": SignKind.BACK,
    "out": SignKind.OUT,
    "cannot": SignKind.CANNOT,
}


class TeamSignPages:
    """The handler of /l/TOKEN/sign."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (web.post("/l/{token}/sign", self.sign),)

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
            if link.slot == list_links.RESCUE:
                raise NotFound(
                    "this list is of no team: its people have their own radio", field="link", given=token[:40]
                )
            if not link.opens_on(cookie_of(request, LIST_COOKIE)):
                raise NotAllowed(
                    "this list is not open on this phone: open the list first", field="link", rule="link.device"
                )
            if await store.state_of(tx, link.warning_id) is None:
                raise NotFound("there is no such list: ask your command post for a new link", field="link")
            if not sure:
                return page("list_cannot.html", token=token, event=event, plane=self._platform.settings.plane)
            kind, at, within = TAPPED[said], now, 0.0
            if kind is SignKind.OUT:
                team = await of_team(tx, link.slot, now)
                at, within = team_signs.goes_out_at(team, now), team.within_s
            # a page that is still there after Back may say so again half an hour later
            again = now if kind is SignKind.HERE else None
            sign_id = id_of(link.warning_id, link.slot, "list", event, said, again)
            await team_signs.keep(tx, link.warning_id, link.slot, kind, at, "list", within_s=within, sign_id=sign_id)
            await trail.record(tx, f"officer:{link.slot}", "team_sign", link.warning_id, said)
        self._platform.wake.router.set()
        raise web.HTTPSeeOther(f"/l/{token}")


async def of_team(db: Connection, slot: str, now: float) -> TeamStanding:
    """How it stands with the team of a list."""
    return (await team_signs.of_slots(db, [slot], now)).get(slot, TeamStanding(slot))
