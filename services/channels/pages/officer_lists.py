"""Serves /l, an officer's list of doors: plain forms, no script, no sign-in to read.

Opening a list opens sealed dossiers: it is audited each time, with the list as its reason. The link names one warning and
one team. It opens on the device that opened it first, on another by the code that stands on the list, and shows nobody
once the warning is over or the link was taken back. Looking is no opening: programs look at links in messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from aiohttp import web

from services.channels.messages import list_links
from services.channels.messages.card_phrases import PHRASES, named, phrases_of
from services.channels.messages.message_facts import choose_language, of_place
from services.channels.messages.prepare import Preparer
from services.channels.pages import store
from services.channels.pages.at_the_door import OUTCOME_OF, OUTCOMES, UNDO, AtTheDoor
from services.channels.pages.team_signs import of_team
from services.shared.audit import trail
from services.shared.bus.outbox import id_of, new_id
from services.shared.clock import wall
from services.shared.crypto.sealing import Dossier
from services.shared.errors import NotFound
from services.shared.hazards.instructions import shown_at
from services.shared.i18n import language, mark, t
from services.shared.labels import ANSWERS as ANSWER_WORDS
from services.shared.labels import say
from services.shared.ledger import team_signs
from services.shared.ledger.help_wanted import HelpWanted, help_number, wanted_in_chain
from services.shared.ledger.params import Visit
from services.shared.ledger.tables import Delivery
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.cookies import LIST_COOKIE, cookie_of, lay_cookie
from services.shared.web.edge import SCRIPTED
from services.shared.web.html import page

DONE = store.MET
SKILLS = {  # what became of calling a volunteer out
    "coming": mark("A volunteer with the skill comes to this door. Do not wait for them."),
    "none": mark("No volunteer was found: take the written card."),
}
KEPT_S = 3 * 86400.0  # the cookie of a device
KEPT_UNTIL = "Tocsin-Kept-Until"  # wall: how long a phone may show its copy of a list where there is no network


class SeenVisit(TypedDict):
    """A visit as the list shows it."""

    id: str
    dossier: Dossier
    listed_at: float
    team: str
    skill: str
    buttons: list[tuple[str, str]]
    answer: str
    answer_at: float | None
    shown: str
    done: bool
    second_knock: bool
    turn_back: float | None
    event: str
    tapped: str
    wanted: HelpWanted | None
    call_back: str
    help_number: str


class OfficerLists:
    """The handlers of /l."""

    def __init__(self, platform: Platform, preparer: Preparer) -> None:
        self._platform = platform
        self._door = AtTheDoor(platform)
        self._preparer = preparer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/l/{token}", self.list_page),
            web.post("/l/{token}/open", self.open),
            web.post("/l/{token}/{delivery_id}", self.tap),
        )

    async def open(self, request: web.Request) -> web.Response:
        """The list opens on this device from now on."""
        token, now = request.match_info["token"], self._platform.clock.now()
        code = "".join(c for c in str((await request.post()).get("code", ""))[:20] if c.isdigit())
        device = cookie_of(request, LIST_COOKIE) or list_links.new_device()
        async with self._platform.database.write() as tx:
            link = await list_links.valid_link(tx, self._platform.signer("links"), token, now)
            opened = await list_links.bind(tx, self._platform.signer("links"), link, device, code, now)
            act = "bind_list" if opened else "list_code_wrong"
            await trail.record(tx, f"officer:{link.slot}", act, link.warning_id, "list of assigned visits")
            if opened and link.slot != list_links.RESCUE:
                sign_id = id_of(link.warning_id, link.slot, "list", new_id())
                kind = team_signs.SignKind.HERE
                await team_signs.keep(tx, link.warning_id, link.slot, kind, now, "list", sign_id=sign_id)
        if not opened:
            return self._closed(request, link, wrong=bool(code))
        response = web.HTTPSeeOther(f"/l/{token}")
        lay_cookie(response, LIST_COOKIE, device, seconds=KEPT_S, https=self._platform.https)
        raise response

    def _closed(
        self, request: web.Request, link: list_links.ListLink, *, wrong: bool = False, status: int = 200
    ) -> web.Response:
        """A list that is not open on this device, with what opens it; it names nobody."""
        response = page(
            "list_open.html",
            status=403 if wrong else status,
            token=request.match_info["token"],
            elsewhere=bool(link.devices),
            wrong=wrong,
            plane=self._platform.settings.plane,
        )
        response.headers["Content-Security-Policy"] = SCRIPTED
        return response

    async def list_page(self, request: web.Request) -> web.Response:
        """One officer's doors in walking order; a list that was begun is never put in another order."""
        now, signer = self._platform.clock.now(), self._platform.signer("links")
        async with self._platform.database.read() as db:
            link = await list_links.valid_link(db, signer, request.match_info["token"], now)
            warning_id, worker_id = link.warning_id, link.slot
            warning = await store.state_of(db, warning_id)
            rows = await store.visits(db, warning_id, worker_id)
        if warning is None:
            raise NotFound("there is no such list: ask your command post for a new link", field="link")
        over = warning.state != "active" or now > warning.expires_at + list_links.AFTERWARDS_S
        if not over and not link.opens_on(cookie_of(request, LIST_COOKIE)):
            return self._closed(request, link)
        if over:  # whom it named is shown to nobody any more
            done = sum(row.answer in DONE for row in rows)
            return await self._page(request, link, warning, [], over=True, to_do=len(rows) - done, total=len(rows))
        async with self._platform.database.write() as tx:
            await trail.record(
                tx, f"officer:{worker_id}", "open_list", warning_id, "list of assigned visits", {"rows": len(rows)}
            )
        async with self._platform.database.read() as db:
            wanted = await wanted_in_chain(db, warning_id, [row.person_id for row in rows])
            taps = await store.last_taps(db, [row.delivery_id for row in rows if row.answer])
        seen = [
            await self._visit(row, wanted.get(row.person_id), warning.chain_id, taps.get(row.delivery_id, ""))
            for row in rows
        ]
        shape = store.shape_of(warning, rows, now)
        to_do = sum(not v["done"] for v in seen)
        return await self._page(request, link, warning, seen, over=False, to_do=to_do, total=len(seen), shape=shape)

    async def _page(
        self,
        request: web.Request,
        link: list_links.ListLink,
        warning: store.ListedUnder,
        seen: Sequence[SeenVisit],
        *,
        over: bool,
        to_do: int,
        total: int,
        shape: str = "",
    ) -> web.Response:
        rescue = link.slot == list_links.RESCUE
        waits = warning.state == "active" and warning.doors == "ask" and not rescue
        undone = [v for v in seen if not v["done"]]
        back = [v["turn_back"] for v in undone or seen if v["turn_back"] is not None and not rescue]
        following = next((v for v in undone if not v["answer"]), undone[0] if undone else None)
        text = await self._preparer.warning(link.warning_id)
        async with self._platform.database.read() as db:
            team = await of_team(db, link.slot, self._platform.clock.now())
            taken = await team_signs.latest_in_chain(db, link.warning_id, link.slot) if rescue else None
        words_of = choose_language(language(), list(text.parts["languages"]), of_place(text.parts))
        now = self._platform.clock.now()
        kept_until = wall() + warning.expires_at + list_links.AFTERWARDS_S - now
        response = page(
            "list.html",
            shape=shape,
            kept_until=round(kept_until),
            policy=SCRIPTED,
            done_outcomes=" ".join(name for name, (answer, _) in OUTCOMES.items() if answer in DONE),
            warning=warning,
            part=text.parts[words_of],
            visits=seen,
            next_id=following["id"] if following else "",
            next_place=(following["dossier"].address or following["dossier"].call_name or t("(area)"))
            if following
            else "",
            rescue=rescue,
            team_out=team,
            taken=taken,
            untaken=sum(not v["done"] and (taken is None or v["listed_at"] > taken.at) for v in seen),
            sign_event=new_id(),
            plane=self._platform.settings.plane,
            to_do=to_do,
            total=total,
            token=request.match_info["token"],
            now=now,
            offset=self._platform.settings.offset_at,
            # the fire service decides for itself: the commander's "nobody may be sent" is what put the names there
            stopped=warning.state != "active" or (not rescue and warning.doors not in ("allowed", "forbidden", "ask")),
            over=over,
            waits=waits,
            back_at=min(back, default=None),
            hazard=str(text.parts.get("set", "")),
            drawn=shown_at(Tier(warning.tier), str(text.parts.get("instruction", ""))),
            card={tag: text.parts[tag]["action"] or text.parts[tag]["hazard"] for tag in text.parts["languages"]},
            phrases_of=phrases_of,
            phrase_keys=PHRASES,
            phrase_tags=named(),
            code=list_links.code_of(self._platform.signer("links"), link),
            newer=await self._newer(warning, link, cookie_of(request, LIST_COOKIE)),
        )
        response.headers["Content-Security-Policy"] = SCRIPTED
        if not over:
            response.headers[KEPT_UNTIL] = str(round(kept_until))
        return response

    async def _newer(self, warning: store.ListedUnder, link: list_links.ListLink, device: str) -> str | None:
        """The link to this team's list under the update that has replaced the warning; None where there is none. It
        opens at once on the device that the older one opens on. Empty for another device, and where a person made a
        link anew: they know whom they gave it to."""
        if warning.state != "superseded" or link.slot == list_links.RESCUE:  # its link is always made by a person
            return None
        signer, now = self._platform.signer("links"), self._platform.clock.now()
        async with self._platform.database.write() as tx:
            newest = await store.in_force(tx, warning.chain_id)
            if not newest:
                return None
            elsewhere = bool(link.devices) and not link.opens_on(device)
            if elsewhere or await list_links.newest_of(tx, newest, link.slot):
                return ""
            path = list_links.path_of(signer, newest, link.slot, 0)
            if link.opens_on(device):
                following = await list_links.find_link(tx, signer, path.removeprefix("/l/"), now)
                if following is not None and not following.devices:
                    await list_links.bind(tx, signer, following, device, "", now)
        return path

    async def _visit(self, row: Delivery, wanted: HelpWanted | None, chain_id: str, tapped: str) -> SeenVisit:
        visit = row.params if isinstance(row.params, Visit) else None
        dossier = (
            await self._preparer.dossier(row.dossier, row.person_id) if row.dossier is not None else Dossier("", "")
        )
        call_back = ""
        if wanted is not None and wanted.sealed:
            call_back = (await self._preparer.open(wanted.sealed, wanted.key_id, wanted.owner)).decode()
        seen_as = "safe_here"
        if visit is not None and visit.respond == "evacuate":
            seen_as = "can_go" if visit.closing == "default" else "moving"
        buttons = [seen_as, "gone", "help", "no_answer", "refused", "unsafe"]
        return {
            "id": row.delivery_id,
            "dossier": dossier,
            "listed_at": row.due_at,
            "team": visit.team if visit is not None else "officer",
            "skill": t(SKILLS[visit.skill]) if visit is not None and visit.skill in SKILLS else "",
            "buttons": [(name, t(OUTCOMES[name][1])) for name in buttons],
            "answer": row.answer,
            "answer_at": row.answer_at,
            "shown": t(OUTCOME_OF[row.answer])
            if row.answer in OUTCOME_OF
            else say(ANSWER_WORDS, row.answer)
            if row.answer
            else "",
            "done": row.answer in DONE,
            "second_knock": row.try_no > 1,
            "turn_back": visit.turn_back if visit is not None else None,
            "event": new_id(),
            "tapped": tapped,
            "wanted": wanted,
            "call_back": call_back,
            "help_number": help_number(chain_id, row.person_id) if wanted is not None else "",
        }

    async def tap(self, request: web.Request) -> web.Response:
        """One outcome; the same button sent twice is one event, and so is the same undo."""
        form = await request.post()
        async with self._platform.database.read() as db:
            now = self._platform.clock.now()
            link = await list_links.valid_link(db, self._platform.signer("links"), request.match_info["token"], now)
        if not link.opens_on(cookie_of(request, LIST_COOKIE)):
            return self._closed(request, link, status=403)
        outcome, delivery_id = str(form.get("outcome", "")), request.match_info["delivery_id"]
        if outcome == UNDO:
            await self._door.undo(link, delivery_id, now, str(form.get("of", ""))[:32])
        else:
            given = str(form.get("event", ""))[
                :32
            ]  # one page may be pressed twice, after Back: another word is another tap
            event = id_of(given, outcome) if given else new_id()
            await self._door.note(link, delivery_id, outcome, event, now, str(form.get("note", "")))
        raise web.HTTPSeeOther(f"/l/{request.match_info['token']}#v{delivery_id}")
