"""Serves what a resident changes at /me: answers, channels and their order, tests, away, purposes, withdrawing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from aiohttp import web

from services.registry.model.answer_words import LEVELS, VALUES, YES
from services.registry.model.answers import those
from services.registry.model.given import ANSWERS, CONTACT_KINDS, QUESTIONS, ConsentIn, StayIn
from services.registry.people.records import TEXTS
from services.registry.people.rows import ContactRow, by_position
from services.registry.people.update import Changes, said, update_person
from services.registry.resident import view
from services.registry.resident.access import CHANNELS, SealedContact, betrays, entry_of
from services.registry.resident.base import Ask, MeBase, Seated
from services.registry.store import register
from services.registry.store.resident_tables import notice
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound, Refused
from services.shared.i18n import language, t

NOTICE_VERSION = "1"
TESTS_A_DAY = 5
TEST_S = 1800.0
LONGEST_AWAY = 366
TESTED = {**CHANNELS["self"], "email": "email", "push": "push", "im": "chat"}  # kind of contact > channel of its test
FIXED = those(ANSWERS, "fixed")  # about safety: the person decides, nobody for an adult


class MeChange(MeBase):
    """The handlers that change."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/me/answer, /me/text, /me/channels, /me/away, /me/not-mine, /me/purposes, /me/withdraw."""
        return (
            web.get("/me/answer/{name}", self.answer),
            web.post("/me/answer/{name}", self.answered),
            web.get("/me/text/{part}", self.text),
            web.post("/me/text/{part}", self.texted),
            web.get("/me/channels", self.channels),
            web.post("/me/channels/{contact_id}", self.channel),
            web.get("/me/away", self.away),
            web.post("/me/away", self.gone),
            web.get("/me/not-mine", self.not_mine),
            web.post("/me/not-mine", self.is_not_mine),
            web.get("/me/purposes", self.purposes),
            web.get("/me/purposes/{purpose}", self.purpose),
            web.post("/me/purposes/{purpose}", self.decided),
            web.get("/me/withdraw", self.withdraw),
            web.post("/me/withdraw", self.withdrawn),
        )

    # answers

    def _checked(self, request: web.Request, who: Seated, name: str) -> None:
        if name not in QUESTIONS:
            raise NotFound("there is no such question", field="name", given=name[:40])
        if name in FIXED:
            self.decides(request, who)
        self.may_answer(request, who, name)

    async def answer(self, request: web.Request) -> web.Response:
        """One question, with what is stored filled in."""
        who, name = await self.seated(request), request.match_info["name"]
        self._checked(request, who, name)
        return self._answer(request, who, name)

    def _answer(self, request: web.Request, who: Seated, name: str, problem: str = "") -> web.Response:
        q = QUESTIONS[name]
        title, now = t(q.answer.ask), who.record.facts.answers.get(name)
        if q.kind == "number":
            limits = {"min": str(q.least), "max": str(q.most)}
            asks = [Ask("number", "value", title, "" if now is None else now, attributes=limits)]
        else:
            choices = [(str(v), t(VALUES[v])) for v in q.values]
            if q.kind == "level":
                choices = [(str(n), t(word)) for n, word in LEVELS.items() if n != 9]
            elif q.kind == "yes":
                choices = [(word, t(YES[word == "yes"])) for word in ("yes", "no")]
            kind = "check" if q.kind == "several" else "radio"
            stored: object = {True: "yes", False: "no"}.get(now, now) if isinstance(now, bool) else now
            value = (
                [str(v) for v in stored] if isinstance(stored, list | tuple) else "" if stored is None else str(stored)
            )
            asks = [Ask(kind, "value", title, value, choices)]
        return self.question(request, title, asks, problem=problem, back="/me/stored")

    async def answered(self, request: web.Request) -> web.Response:
        """Keeps the answer as the person's own word (a guardian's as a guardian's). What another source says stays
        visible as a conflict."""
        who, name = await self.seated(request), request.match_info["name"]
        self._checked(request, who, name)
        form = await request.post()
        q, given = QUESTIONS[name], [str(v)[:20] for v in form.getall("value", [])]
        value: object = None
        if q.kind == "number":
            text = given[0].strip() if given else ""
            if not text.lstrip("-").isdecimal() or not q.least <= int(text) <= q.most:
                problem = self.w("number_between", least=q.least, most=q.most)
                return self._answer(request, who, name, problem)
            value = int(text)
        elif q.kind == "several":
            value = [v for v in q.values if v in given]
        else:
            allowed = {"level": ("1", "2", "3", "4"), "yes": ("yes", "no")}.get(q.kind, q.values)
            if len(given) != 1 or given[0] not in allowed:
                return self._answer(request, who, name, self.w("choose_one"))
            value = given[0] == "yes" if q.kind == "yes" else given[0]
            if q.kind == "level" or q.whole:
                value = int(value)
        revision = await self.change(who, Changes({name: value}), "own page")
        raise web.HTTPSeeOther(f"/me/stored?saved={2 if name in revision.lost else 1}")

    async def text(self, request: web.Request) -> web.Response:
        return await self._text(request, await self.seated(request))

    async def _text(self, request: web.Request, who: Seated) -> web.Response:
        part = request.match_info["part"]
        if part not in TEXTS:
            raise NotFound("there is no such text", field="part", given=part[:40])
        self.may_answer(request, who, f"sealed:{part}")
        title = self.w(f"text_{part}")
        asks = [Ask("text", "value", title, attributes={"maxlength": "300", "autocomplete": "off"})]
        return self.question(request, title, asks, hint=self.w("text_hint"), back="/me/stored")

    async def texted(self, request: web.Request) -> web.Response:
        """Sealed at once."""
        who, part = await self.seated(request), request.match_info["part"]
        value = " ".join(str((await request.post()).get("value", "")).split())[:300]
        if part not in TEXTS or not value:
            return await self._text(request, who)
        self.may_answer(request, who, f"sealed:{part}")
        await self.change(who, Changes(texts={part: value}), "own page")
        raise web.HTTPSeeOther("/me/stored?saved=1")

    # channels

    async def channels(self, request: web.Request) -> web.Response:
        """Shows the person's channels in order, each with what may be done, and what came of its last test."""
        who = await self.seated(request)
        async with self._platform.database.read() as db:
            tests = await view.last_tests(db, who.record.person_id)
        contacts = view.contacts_of(who.record)
        testable = {c["id"]: not betrays(who.record, c["safe"]) and c["kind"] in TESTED for c in contacts}
        offset = self._platform.settings.offset_at
        told = request.query.get("said", "")
        return self.show(
            request, "me_channels.html", contacts=contacts, tests=tests, testable=testable, offset=offset,
            said=told if told in ("test_sent", "test_budget", "no_test") else "",
        )  # fmt: skip

    async def channel(self, request: web.Request) -> web.Response:
        """no, yes, up or test for one of them."""
        who, contact_id = await self.seated(request), request.match_info["contact_id"]
        row = who.record.contacts.get(contact_id)
        do = str((await request.post()).get("do", ""))
        if row is None or do not in ("no", "yes", "up", "test"):
            raise NotFound("there is no such channel: open the page again", field="contact_id", given=contact_id[:32])
        if do == "test":
            raise web.HTTPSeeOther(f"/me/channels?said={await self._test(who, row)}")
        self.decides(request, who)
        if do == "up":
            await self.change(who, Changes({"own_channels": _earlier(who, row["kind"])}), "own order")
        else:
            await self.change(who, Changes(channel={contact_id: {"said_no": do == "no"}}), "own choice")
        raise web.HTTPSeeOther("/me/channels?saved=1")

    async def _test(self, who: Seated, row: ContactRow) -> str:
        """Asks channels for a test of this channel, unless it could betray the person or was asked too often; what to
        say."""
        channel = TESTED.get(row["kind"], "")
        if not channel or betrays(who.record, row["safe"]) or row["why_not"] in ("not_hers", "not_safe"):
            return "no_test"
        person_id, notice_id = who.record.person_id, new_id()
        async with self._platform.database.write() as tx:
            if await asked_today(tx, person_id, "channel_test") >= TESTS_A_DAY:
                return "test_budget"
            stored = sa.select(*columns(SealedContact, register.contact)).where(
                register.contact.c.contact_id == row["contact_id"]
            )
            (contact,) = await rows_of(tx, SealedContact, stored)
            await keep_notice(tx, notice_id, person_id, "channel_test", contact.contact_id)
            message = self._access.notice(
                notice_id, "channel_test", person_id, entry_of(contact), channel, language(), TEST_S
            )
            await publish(tx, [message])
        self._platform.bus.wake()
        return "test_sent"

    # away

    async def away(self, request: web.Request) -> web.Response:
        return self._away(request, await self.seated(request))

    def _away(self, request: web.Request, who: Seated, problem: str = "") -> web.Response:
        until = next((row["until"] for row in who.record.stays.values() if row["kind"] == "away"), "")
        hint = self.w("away_hint")
        if until:
            hint = f"{self.w('away_now', until=until)} {hint}"
        title = self.w("away_ask")
        return self.question(request, title, [Ask("date", "until", title, until)], hint=hint, problem=problem)

    async def gone(self, request: web.Request) -> web.Response:
        """Away from today to a day; empty ends it."""
        who = await self.seated(request)
        until = str((await request.post()).get("until", "")).strip()
        if not until:
            await self.change(who, Changes(no_stays=["away"]), "back home")
            raise web.HTTPSeeOther("/me/home?saved=1")
        now = self._platform.clock.now()
        here = datetime.fromtimestamp(now, UTC) + timedelta(minutes=self._platform.settings.offset_at(now))
        try:
            last = datetime.strptime(until, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError:
            return self._away(request, who, self.w("away_wrong"))
        if not here.date() <= last <= here.date() + timedelta(days=LONGEST_AWAY):
            return self._away(request, who, self.w("away_wrong"))
        stay = StayIn(kind="away", since=here.date().isoformat(), until=last.isoformat())
        await self.change(who, Changes(stays=[stay]), "away")
        raise web.HTTPSeeOther("/me/home?saved=1")

    # not theirs

    async def not_mine(self, request: web.Request) -> web.Response:
        """Also for a stranger who got an old number: nothing of the person is shown."""
        if await self._access.session(request) is None:
            raise web.HTTPSeeOther("/me")
        return self.question(
            request, self.w("not_mine_ask"), [], hint=self.w("not_mine_text"), danger=True,
            button=self.w("not_mine_yes"), back="/me",
        )  # fmt: skip

    async def is_not_mine(self, request: web.Request) -> web.Response:
        """The number is used no more for whoever had it, on each use it was given for."""
        session = await self._access.session(request)
        if session is None:
            raise web.HTTPSeeOther("/me")
        async with self._platform.database.read() as db:
            mine = register.contact.c.address_key == session.address_key
            rows = (
                await db.execute(sa.select(register.contact.c.contact_id, register.contact.c.owner_id).where(mine))
            ).all()
            people = {row.person_id for row in await self._access.seats(db, session.address_key) if row.role == "self"}
        for person_id in sorted(people & ({session.person_id} if session.person_id else people)):
            ids = [row.contact_id for row in rows if row.owner_id == person_id]
            await self._take_off(person_id, ids)
        response = self.show(request, "me_done.html", text=self.w("not_mine_done"))
        await self._access.leave(request, response)
        return response

    async def _take_off(self, person_id: str, contact_ids: list[str]) -> None:
        async with self._platform.database.write() as tx:
            changes = Changes(channel={one: {"not_hers": True} for one in contact_ids})
            await update_person(
                tx, self._platform.keys, person_id, changes, said("proxy", "phone's owner"), reason="not my number"
            )

    # purposes

    async def purposes(self, request: web.Request) -> web.Response:
        who = await self.seated(request)
        async with self._platform.database.read() as db:
            consents = await view.consents_of(db, who.record.person_id)
        return self.show(request, "me_purposes.html", consents=consents)

    async def purpose(self, request: web.Request) -> web.Response:
        return await self._purpose(request, await self.seated(request))

    async def _purpose(self, request: web.Request, who: Seated, problem: str = "") -> web.Response:
        purpose = request.match_info["purpose"]
        if purpose not in view.PURPOSES:
            raise NotFound("there is no such purpose", field="purpose", given=purpose[:40])
        self.decides(request, who)
        async with self._platform.database.read() as db:
            now = (await view.consents_of(db, who.record.person_id))[purpose]
        title = self.w(f"p_{purpose}")
        choices = [(word, self.w(word)) for word in ("given", "refused")]
        asks = [Ask("radio", "decision", title, "refused" if now == "withdrawn" else now, choices)]
        return self.question(request, title, asks, hint=self.w("purposes_hint"), problem=problem, back="/me/purposes")

    async def decided(self, request: web.Request) -> web.Response:
        """Keeps a yes or no; a no after a yes is a withdrawal. Nothing is taken for a yes."""
        who = await self.seated(request)
        self.decides(request, who)
        purpose, decision = request.match_info["purpose"], str((await request.post()).get("decision", ""))
        if purpose not in view.PURPOSES or decision not in ("given", "refused"):
            return await self._purpose(request, who, self.w("choose_one"))
        async with self._platform.database.read() as db:
            before = (await view.consents_of(db, who.record.person_id))[purpose]
        guardian = who.seat.role == "guardian"
        values = {
            "purpose": purpose, "decision": "withdrawn" if (before, decision) == ("given", "refused") else decision,
            "basis": "guardian_consent" if guardian else "consent", "by": "guardian" if guardian else "self",
            "method": "online", "notice_version": NOTICE_VERSION,
        }  # fmt: skip
        await self.change(who, Changes(consents=[ConsentIn.model_validate(values)]), "own choice")
        raise web.HTTPSeeOther("/me/purposes?saved=1")

    # withdrawing

    async def withdraw(self, request: web.Request) -> web.Response:
        who = await self.seated(request)
        self.decides(request, who)
        return self.question(
            request, self.w("withdraw_ask"), [], hint=self.w("withdraw_text"), danger=True,
            button=self.w("withdraw_yes"), hidden=[("sure", "yes")],
        )  # fmt: skip

    async def withdrawn(self, request: web.Request) -> web.Response:
        """Deletes at once what is said there; nobody is told, helpers least of all."""
        who = await self.seated(request)
        self.decides(request, who)
        if str((await request.post()).get("sure", "")) != "yes":
            raise Refused("open the page and say it there", field="sure", rule="required")
        await self.change(who, Changes({"status": "withdrawn"}), "withdrew on the own page")
        response = self.show(request, "me_done.html", text=self.w("withdraw_done"))
        await self._access.leave(request, response)
        return response


def _earlier(who: Seated, kind: str) -> list[str]:
    """The person's order with this kind of channel one place earlier."""
    kinds = list(dict.fromkeys(row["kind"] for row in by_position(who.record.contacts)))
    at = kinds.index(kind)
    if at:
        kinds[at - 1], kinds[at] = kinds[at], kinds[at - 1]
    return [k for k in kinds if k in CONTACT_KINDS]


async def asked_today(tx: Connection, person_id: str, kind: str) -> int:
    """How many messages of this kind the person asked for within a day."""
    mine = (notice.c.person_id == person_id, notice.c.kind == kind, notice.c.asked_at > wall() - 86_400)
    return int(await tx.scalar(sa.select(sa.func.count()).select_from(notice).where(*mine)) or 0)


async def keep_notice(tx: Connection, notice_id: str, person_id: str, kind: str, contact_id: str) -> None:
    """Notes one, for its budget and for what came of it."""
    row = {"notice_id": notice_id, "person_id": person_id, "kind": kind, "contact_id": contact_id, "asked_at": wall()}
    await tx.execute(sa.insert(notice).values(**row))
