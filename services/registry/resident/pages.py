"""Serves signing in, and what a resident sees at /me: all that is stored, who looked, their plan."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.registry.people import repository
from services.registry.resident import view
from services.registry.resident.access import Session
from services.registry.resident.base import Ask, MeBase, mask
from services.shared.errors import Refused, TooMany
from services.shared.i18n import language


class MePages(MeBase):
    """The handlers that show."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/me, /me/start, /me/code, /me/who, /me/home, /me/stored, /me/looks, /me/plan, /me/out."""
        return (
            web.get("/me", self.first),
            web.get("/me/start", self.start),
            web.post("/me/start", self.started),
            web.get("/me/code", self.code),
            web.post("/me/code", self.coded),
            web.get("/me/who", self.who),
            web.post("/me/who", self.chosen),
            web.get("/me/home", self.home),
            web.post("/me/out", self.out),
            web.get("/me/stored", self.stored),
            web.get("/me/looks", self.looks),
            web.get("/me/plan", self.plan),
        )

    async def first(self, request: web.Request) -> web.Response:
        """What registering is and is not, before anything is asked."""
        session = await self._access.session(request)
        return self.show(request, "me_first.html", inside=session is not None and bool(session.person_id))

    async def start(self, request: web.Request) -> web.Response:
        return self._number(request)

    def _number(self, request: web.Request, problem: str = "") -> web.Response:
        asks = [Ask("tel", "number", self.w("ask_number"), attributes={"autocomplete": "tel"})]
        return self.question(
            request, self.w("ask_number"), asks, hint=self.w("number_hint"), problem=problem,
            button=self.w("send_code"), back="/me",
        )  # fmt: skip

    async def started(self, request: web.Request) -> web.Response:
        """Writes a challenge, the same for every number. The next page says that a code comes if the number is known."""
        number = str((await request.post()).get("number", ""))[:40]
        try:
            challenge_id = await self._access.ask(number, request, language())
        except TooMany:
            raise
        except Refused:
            return self._number(request, self.w("number_wrong"))
        raise web.HTTPSeeOther(f"/me/code?c={challenge_id}")

    async def code(self, request: web.Request) -> web.Response:
        return self._code(request, request.query.get("c", ""))

    def _code(self, request: web.Request, challenge_id: str, problem: str = "") -> web.Response:
        attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": "6"}
        asks = [Ask("text", "code", self.w("ask_code"), attributes=attributes)]
        return self.question(
            request, self.w("ask_code"), asks, hint=self.w("code_hint"), problem=problem,
            button=self.w("go_on"), back="/me/start", hidden=[("c", challenge_id[:32])],
        )  # fmt: skip

    async def coded(self, request: web.Request) -> web.Response:
        """The same answer to a wrong code, an old one, and a number nobody has."""
        form = await request.post()
        challenge_id, code = str(form.get("c", ""))[:32], str(form.get("code", ""))[:12]
        seats = await self._access.answer(challenge_id, code)
        if not seats:
            return self._code(request, challenge_id, self.w("code_wrong"))
        response = web.HTTPSeeOther("/me/who")
        await self._access.give(request, response, Session(await self._access.key_of(challenge_id)))
        raise response

    async def who(self, request: web.Request) -> web.Response:
        """Several people may share a phone: for whom? And what a stranger with an old number would not know."""
        return await self._who(request)

    async def _who(self, request: web.Request, problem: str = "") -> web.Response:
        session = await self._access.session(request)
        if session is None:
            raise web.HTTPSeeOther("/me")
        async with self._platform.database.read() as db:
            seats = await self._access.seats(db, session.address_key)
            people = await repository.load(db, [seat.person_id for seat in seats])
        seats = [seat for seat in seats if seat.person_id in people]
        if not seats:
            raise web.HTTPSeeOther("/me")
        if session.person_id and session.person_id not in people:  # who sat here has withdrawn, in another browser
            response = web.HTTPSeeOther("/me")
            await self._access.leave(request, response)
            raise response
        if session.person_id:  # chosen, and the phone is not proven yet
            if people[session.person_id].facts.answers.get("birth_year") is None:
                return self.show(request, "me_not_proven.html")
            attributes = {"min": "1900", "max": "2100"}
            asks = [Ask("number", "birth", self.w("birth"), attributes=attributes)]
            return self.question(
                request, self.w("birth"), asks, hint=self.w("birth_hint"), problem=problem,
                button=self.w("go_on"), back="/me",
            )  # fmt: skip
        if len(seats) == 1:
            return await self._sit(request, session, seats[0].person_id, seats[0].role, seats[0].proven)
        choices = [
            (f"{seat.role}-{seat.person_id}", self.w(f"who_{seat.role}", mask=mask(people[seat.person_id])))
            for seat in seats
        ]
        asks = [Ask("radio", "who", self.w("who"), choices=choices)]
        return self.question(
            request, self.w("who"), asks, hint=self.w("who_hint"), button=self.w("go_on"),
            back="/me", problem=problem,
        )  # fmt: skip

    async def chosen(self, request: web.Request) -> web.Response:
        session = await self._access.session(request)
        if session is None:
            raise web.HTTPSeeOther("/me")
        form = await request.post()
        if session.person_id:
            return await self._prove(request, session, str(form.get("birth", ""))[:8])
        role, _, person_id = str(form.get("who", "")).partition("-")
        async with self._platform.database.read() as db:
            for seat in await self._access.seats(db, session.address_key):
                if (seat.role, seat.person_id) == (role, person_id):
                    return await self._sit(request, session, person_id, role, seat.proven)
        return await self._who(request, self.w("choose_one"))

    async def _sit(
        self, request: web.Request, session: Session, person_id: str, role: str, proven: bool
    ) -> web.Response:
        response = web.HTTPSeeOther(("/me/helping" if role == "helper" else "/me/home") if proven else "/me/who")
        await self._access.give(request, response, Session(session.address_key, person_id, role))
        raise response

    async def _prove(self, request: web.Request, session: Session, birth: str) -> web.Response:
        async with self._platform.database.write() as tx:
            seat = await self._access.seated(tx, session)
            if seat is None:
                raise web.HTTPSeeOther("/me")
            record = await repository.load_one(tx, session.person_id)
            right = birth.strip() == str(record.facts.answers.get("birth_year", "no"))
            right = seat.proven or (right and await self._access.may_guess(tx, session))
            if right and not seat.proven:
                await self._access.prove(tx, seat)
            elif not right:
                await self._access.guessed(tx, session)
        if right:
            raise web.HTTPSeeOther("/me/home")
        return await self._who(request, self.w("birth_wrong"))

    async def home(self, request: web.Request) -> web.Response:
        who = await self.seated(request)
        return self.show(request, "me_home.html", guardian=who.seat.role == "guardian", mask=mask(who.record))

    async def out(self, request: web.Request) -> web.Response:
        response = web.HTTPSeeOther("/me")
        await self._access.leave(request, response)
        raise response

    async def stored(self, request: web.Request) -> web.Response:
        """Everything, with who said it and when; numbers by their end; what is locked by its name."""
        who = await self.seated(request)
        async with self._platform.database.read() as db:
            consents = await view.consents_of(db, who.record.person_id)
        return self.show(
            request, "me_stored.html", answers=view.answers_of(who.record), consents=consents,
            contacts=view.contacts_of(who.record), helpers=view.helpers_of(who.record),
            missing=view.missing(who.record),
        )  # fmt: skip

    async def looks(self, request: web.Request) -> web.Response:
        """Who looked, by role, when and why: from the audit log."""
        who = await self.seated(request)
        async with self._platform.database.read() as db:
            found = await view.looks_at(db, who.record.person_id)
        offset = self._platform.settings.offset_at
        return self.show(request, "me_looks.html", looks=found, offset=offset)

    async def plan(self, request: web.Request) -> web.Response:
        """Shows who comes, what they bring, and where the person goes."""
        who = await self.seated(request)
        async with self._platform.database.read() as db:
            place = await view.place_for(db, who.record)
        return self.show(
            request, "me_plan.html", helpers=view.helpers_of(who.record), place=place,
            bring=view.bring(who.record),
        )  # fmt: skip
