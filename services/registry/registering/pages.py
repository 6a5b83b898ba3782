"""Serves /register: a resident, or somebody for them, one question a page, without sign-in and without script.

A number that is in the register and one that is not are answered alike, in the same time: the page says that a code is on
its way, and a code goes to either. Only who has the phone in their hand learns more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from aiohttp import web

from services.registry.model.given import ConsentIn
from services.registry.people import repository
from services.registry.people.records import PersonRecord
from services.registry.people.update import Changes, said, today, update_person
from services.registry.registering import questions
from services.registry.registering.entering import MOST_BY_ONE_PHONE, NOTICE, PURPOSES, needed, put_in
from services.registry.registering.half_filled import HalfFilled, HalfFilledStore
from services.registry.registering.questions import Circumstances, Problem
from services.registry.registering.villages import must_be_some, some_villages, spot_in, village_of
from services.registry.registering.words import words
from services.registry.resident.access import Access, Seat, Session
from services.registry.resident.base import Ask, mask
from services.registry.store.resident_tables import notice
from services.shared.errors import NotFound, Refused
from services.shared.i18n import language
from services.shared.ledger.channels import LOG_DRIVER, channel
from services.shared.service import Platform
from services.shared.text.invisible_signs import plain_signs
from services.shared.web.html import page

HOWS = ("self", "other", "visit", "beside", "place")


class RegisterBase:
    """What the pages of a resident and of a worker beside them share."""

    base = "/register"
    beside = False

    def __init__(self, platform: Platform, access: Access) -> None:
        self._platform = platform
        self._access = access
        self._store = HalfFilledStore(platform, beside=self.beside)

    def w(self, key: str, **values: object) -> str:
        """One sentence of these pages."""
        return words(key, hotline=self._platform.settings.hotline, **values)

    def show(self, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
        """A page in the language that was chosen."""
        shared = {"w": self.w, "path": request.path, "base": self.base, "beside": self.beside}
        return page(template, status=status, plane=self._platform.settings.plane, **shared, **values)

    async def circumstances(self) -> Circumstances:
        """As they are now."""
        settings = self._platform.settings
        async with self._platform.database.read() as db:
            there = await db.scalars(sa.select(channel.c.channel).where(channel.c.driver != LOG_DRIVER))
            channels = frozenset(there)
        year = datetime.fromtimestamp(self._platform.clock.now(), UTC).year
        return Circumstances(settings.country, year, channels, settings.hotline, self.beside)

    async def under_way(self, request: web.Request) -> HalfFilled:
        """What this browser has filled in; back to the first page where that is nothing or over."""
        half = await self._store.find(request)
        if half is None:
            raise web.HTTPSeeOther(self.base)
        return half

    async def first(self, request: web.Request) -> web.Response:
        """What registering is and is not, before anything is asked."""
        half = await self._store.find(request)
        async with self._platform.database.read() as db:
            await must_be_some(db)
        return self.show(
            request, "register_first.html", under_way=half is not None, stopped="stopped" in request.query,
            following=questions.following(half or HalfFilled(), self.beside),
        )  # fmt: skip

    async def ask(self, request: web.Request) -> web.Response:
        """One question, with what was answered filled in."""
        step = request.match_info["step"]
        half = await self._store.find(request) or HalfFilled()
        if step == "check":
            return await self._check(request, half)
        if step not in questions.steps(half, self.beside):
            raise web.HTTPSeeOther(self.base)
        return await self._ask(request, step, half)

    async def _ask(
        self, request: web.Request, step: str, half: HalfFilled, problem: Problem | None = None
    ) -> web.Response:
        part = plain_signs(request.query.get("part", "")).strip()[:60]
        villages, more, lines = [], False, []
        if step == "where":
            async with self._platform.database.read() as db:
                found, more = await some_villages(db, part)
                chosen = await village_of(db, half.village) if half.village else None
            villages = [*found] + ([chosen] if chosen is not None and chosen not in found else [])
            lines = [self.w("found_none")] if part and not found else []
        asked = questions.question(step, half, await self.circumstances(), villages)
        order = questions.steps(half, self.beside)
        at = order.index(step)
        return self.show(
            request, "register_question.html", status=422 if problem else 200, title=asked.title, asks=asked.asks,
            hint=asked.hint, lines=[*asked.lines, *lines], skips=asked.skips, problem=problem.said if problem else "",
            wrong=problem.field if problem else "", find=part if step == "where" and (more or part) else None, again=False,
            before=f"{self.base}/{order[at - 1]}" if at else self.base,
        )  # fmt: skip

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Keeps one answer and leads to the next question that nobody has answered."""
        step = request.match_info["step"]
        half = await self._store.find(request)
        if half is None and step != questions.steps(HalfFilled(), self.beside)[0]:
            raise web.HTTPSeeOther(self.base)
        half = half or HalfFilled()
        if step not in questions.steps(half, self.beside):
            raise web.HTTPSeeOther(self.base)
        form = await request.post()
        if step == "agree" and form.get("agree") == "no":
            return await self.stop(request)
        async with self._platform.database.read() as db:
            village = await village_of(db, plain_signs(str(form.get("village", "")))[:250]) if step == "where" else None
        problem = questions.answered(step, half, form, await self.circumstances(), village)
        if problem is not None:
            return await self._ask(request, step, half, problem)
        half.proven, half.challenge_id = "", ""  # whatever was proven, another number may stand there now
        response = web.HTTPSeeOther(f"{self.base}/{questions.following(half, self.beside)}")
        await self._store.keep(request, response, half, self._access.origin(request))
        raise response

    async def _check(self, request: web.Request, half: HalfFilled, problem: str = "") -> web.Response:
        if (step := questions.following(half, self.beside)) != "check":
            raise web.HTTPSeeOther(f"{self.base}/{step}")
        async with self._platform.database.read() as db:
            village = await village_of(db, half.village) if half.village else None
        rows = questions.rows(half, self.beside, village)
        return self.show(request, "register_check.html", status=422 if problem else 200, rows=rows, problem=problem)

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """Deletes what was typed."""
        response = web.HTTPSeeOther(f"{self.base}?stopped")
        await self._store.drop(request, response)
        raise response

    async def done(self, request: web.Request) -> web.Response:
        how = request.query.get("how", "")
        if how not in HOWS:
            raise web.HTTPSeeOther(self.base)
        return self.show(request, "register_done.html", how=how)

    async def whole(self, request: web.Request) -> HalfFilled:
        """What is filled in, where nothing is left to be asked."""
        half = await self.under_way(request)
        if (step := questions.following(half, self.beside)) != "check":
            raise web.HTTPSeeOther(f"{self.base}/{step}")
        return half


class RegisterPages(RegisterBase):
    """The handlers of /register."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/register, its questions, the code, and the link of whoever was registered by somebody else."""
        return (
            web.get("/register", self.first),
            web.get("/register/done", self.done),
            web.post("/register/stop", self.stop),
            web.post("/register/send", self.send),
            web.get("/register/code", self.code),
            web.post("/register/code", self.coded),
            web.get("/register/known", self.known),
            web.post("/register/known", self.which),
            web.get("/register/told/{token}", self.told),
            web.post("/register/told/{token}", self.decided),
            web.get("/register/{step:[a-z]+}", self.ask),
            web.post("/register/{step:[a-z]+}", self.answer),
        )

    # ---- the code

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Asks for a code to what was typed, the same for every number; without one, somebody comes by."""
        half = await self.whole(request)
        if needed(half) == "not_proven":
            return await self._put_in(request, half)
        kind, address = _to_prove(half)
        half.challenge_id = await self._access.ask_to_register(kind, address, request, language())
        half.proven = ""
        response = web.HTTPSeeOther("/register/code")
        await self._store.keep(request, response, half, self._access.origin(request))
        raise response

    async def code(self, request: web.Request) -> web.Response:
        return self._code(request, await self.whole(request))

    def _code(self, request: web.Request, half: HalfFilled, problem: str = "") -> web.Response:
        attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "6"}
        _, address = _to_prove(half)
        shown = f"{address[:1]}…@{address.partition('@')[2]}" if "@" in address else f"…{address[-3:]}"
        return self.show(
            request, "register_question.html", status=422 if problem else 200, title=self.w("ask_code"),
            asks=[Ask("text", "code", self.w("ask_code"), attributes=attributes)], hint=self.w("code_hint", mask=shown),
            lines=(), skips=False, problem=problem, wrong="code", find=None, before="/register/check", again=True,
        )  # fmt: skip

    async def coded(self, request: web.Request) -> web.StreamResponse:
        """The right code proves the phone or mailbox; the same answer to a wrong code and an old one."""
        half = await self.whole(request)
        code = str((await request.post()).get("code", ""))[:12]
        key = await self._access.proves(half.challenge_id, code, *_to_prove(half)) if half.challenge_id else ""
        if not key:
            return self._code(request, half, self.w("code_wrong"))
        half.proven = key
        if half.whom == "self" and await self._own_seats(key):
            response = web.HTTPSeeOther("/register/known")
            await self._store.keep(request, response, half, self._access.origin(request))
            raise response
        return await self._put_in(request, half)

    async def _own_seats(self, key: str) -> list[tuple[Seat, PersonRecord]]:
        """Who is registered with this phone as their own."""
        async with self._platform.database.read() as db:
            seats = [seat for seat in await self._access.seats(db, key) if seat.role == "self"]
            people = await repository.load(db, [seat.person_id for seat in seats])
        return [(seat, people[seat.person_id]) for seat in seats if seat.person_id in people]

    async def known(self, request: web.Request) -> web.Response:
        return await self._known(request, await self._proven(request))

    async def _proven(self, request: web.Request) -> HalfFilled:
        half = await self.whole(request)
        if not half.proven:
            raise web.HTTPSeeOther("/register/check")
        return half

    async def _known(self, request: web.Request, half: HalfFilled, problem: str = "") -> web.Response:
        choices = [
            (seat.person_id, self.w("known_self", mask=mask(record)))
            for seat, record in await self._own_seats(half.proven)
        ]
        asks = [Ask("radio", "who", self.w("known_ask"), choices=[*choices, ("new", self.w("known_new"))])]
        return self.show(
            request, "register_question.html", status=422 if problem else 200, title=self.w("known"), asks=asks,
            hint=self.w("known_hint"), lines=(), skips=False, problem=problem, wrong="who-new", find=None,
            before="/register/check", again=False,
        )  # fmt: skip

    async def which(self, request: web.Request) -> web.StreamResponse:
        """Who is there already goes to their own page; who shares the phone is registered."""
        half = await self._proven(request)
        who = str((await request.post()).get("who", ""))
        if who == "new":
            return await self._put_in(request, half)
        for seat, _ in await self._own_seats(half.proven):
            if seat.person_id == who:
                response = web.HTTPSeeOther("/me/home" if seat.proven else "/me/who")
                await self._store.drop(request, response)
                await self._access.give(request, response, Session(half.proven, who, "self"))
                raise response
        return await self._known(request, half, self.w("choose_one"))

    async def _put_in(self, request: web.Request, half: HalfFilled) -> web.StreamResponse:
        async with self._platform.database.read() as db:
            if half.proven and len(await self._access.seats(db, half.proven)) >= MOST_BY_ONE_PHONE:
                return await self._check(request, half, self.w("too_many"))
            spot = await spot_in(db, await village_of(db, half.village) if half.village else None)
        person_id = ""
        async with self._store.handed_in(request) as first:
            if first:
                person_id = await put_in(self._platform, self._access, half, spot, self._access.origin(request))
        waits = needed(half) in ("not_proven", "no_place")
        response = web.HTTPSeeOther(f"/register/done?how={'visit' if waits else half.whom}")
        await self._store.drop(request, response)
        async with self._platform.database.read() as db:
            seats = await self._access.seats(db, half.proven) if half.proven else ()
        for seat in seats:
            if seat.person_id == person_id:
                await self._access.give(request, response, Session(half.proven, person_id, seat.role))
                break
        raise response

    # ---- who was registered by somebody else

    async def told(self, request: web.Request) -> web.Response:
        """Two buttons, no sign-in: the link came to their own phone or mailbox."""
        await self._told(request)
        return self.show(request, "register_told.html", said="", token=request.match_info["token"])

    async def _told(self, request: web.Request) -> tuple[str, str]:
        """(person, contact) of the link; NotFound where they are gone."""
        person_id = self._platform.signer("residents").subject("told", request.match_info["token"])
        async with self._platform.database.read() as db:
            told = sa.select(notice.c.contact_id).where(
                notice.c.person_id == person_id, notice.c.kind == "registered_for_you"
            )
            contact_id = await db.scalar(told.limit(1))
            record = (await repository.load(db, [person_id])).get(person_id)
        if record is None or contact_id is None or contact_id not in record.contacts:
            raise self._over()
        if record.contacts[contact_id]["verified_on"]:
            raise self._over()
        return person_id, contact_id

    def _over(self) -> NotFound:
        return NotFound(
            f"this link is answered already, or over: sign in at /me with your phone, or call "
            f"{self._platform.settings.hotline}",
            field="link",
        )

    async def decided(self, request: web.Request) -> web.Response:
        """Their own yes proves the phone; their no deletes what is stored."""
        person_id, contact_id = await self._told(request)
        answer = str((await request.post()).get("answer", ""))
        if answer not in ("yes", "no"):
            raise Refused("choose yes or no", field="answer", rule="known", given=answer[:20])
        if answer == "no":
            changes = Changes({"status": "withdrawn"})
        else:
            decision = {"decision": "given", "by": "self", "method": "online", "notice_version": NOTICE}
            given = ConsentIn.model_validate({"purpose": PURPOSES[0], **decision})
            changes = Changes(channel={contact_id: {"verified_on": today()}}, consents=[given])
        async with self._platform.database.write() as tx:
            await update_person(
                tx, self._platform.keys, person_id, changes, said("self", "self"), reason="registered by somebody else"
            )
        return self.show(request, "register_told.html", said="kept" if answer == "yes" else "gone", token="")


def _to_prove(half: HalfFilled) -> tuple[str, str]:
    """(kind of contact, address) the code goes to: of whoever fills it in."""
    if half.whom == "other":
        return "sms", half.your_number
    return {"mobile": "sms", "landline": "voice_landline", "email": "email"}[half.reach], half.number
