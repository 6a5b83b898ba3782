"""Serves helpers at /me: a resident names one, the helper says yes or no, either may end it.

A helper's page shows the first letter of a name and nothing else: no address, no need. Nobody is told of an end.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from aiohttp import web

from services.registry.model.given import SupporterIn, mobile
from services.registry.people import repository
from services.registry.people.update import Changes, said, today, update_person
from services.registry.resident import view
from services.registry.resident.access import Access, SealedContact, entry_of
from services.registry.resident.base import Ask, MeBase, Seated, mask
from services.registry.resident.changes import asked_today, keep_notice
from services.registry.resident.own_numbers import own_mobile
from services.registry.store import register
from services.registry.store.resident_tables import notice
from services.shared.bus.outbox import new_id, publish
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.database.rows import columns, rows_of
from services.shared.errors import NotFound
from services.shared.i18n import language

RELATIONS = ("family", "neighbour", "peer", "paid_carer", "guardian")
PLACES = ("with_me", "near", "far")
STEPS = ("name", "number", "relation", "place")
INVITES_A_DAY = 5
INVITED_A_DAY = 10  # to one phone, whoever names it
INVITE_S = 7 * 86_400.0


class MeHelpers(MeBase):
    """The handlers about helpers."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """/me/helpers, /me/helpers/add, /me/helper/<token> (from the invitation), /me/helping."""
        return (
            web.get("/me/helpers", self.helpers),
            web.get("/me/helpers/add", self.add),
            web.post("/me/helpers/add", self.step),
            web.post("/me/helpers/{supporter_id:[0-9a-f]{32}}", self.drop),
            web.get("/me/helper/{token}", self.invited),
            web.post("/me/helper/{token}", self.decided),
            web.get("/me/helping", self.helping),
            web.post("/me/helping", self.stop),
        )

    async def helpers(self, request: web.Request) -> web.Response:
        who = await self.seated(request)
        told = request.query.get("said", "")
        return self.show(
            request, "me_helpers.html", helpers=view.helpers_of(who.record),
            said=told if told in ("invited", "invite_budget") else "",
        )  # fmt: skip

    async def add(self, request: web.Request) -> web.Response:
        who = await self.seated(request)
        self.decides(request, who)
        return self._step(request, "name", {})

    def _step(self, request: web.Request, step: str, given: dict[str, str], problem: str = "") -> web.Response:
        """One question; what was answered before travels along."""
        title = self.w(f"ask_helper_{step}")
        if step == "relation":
            choices = [(word, self.w(f"rel_{word}")) for word in RELATIONS]
            ask = Ask("radio", step, title, given.get(step, ""), choices)
        elif step == "place":
            choices = [(word, self.w(f"helper_{word}")) for word in PLACES]
            ask = Ask("radio", step, title, given.get(step, ""), choices)
        elif step == "number":
            ask = Ask("tel", step, title, given.get(step, ""), attributes={"autocomplete": "off"})
        else:
            ask = Ask("text", step, title, given.get(step, ""), attributes={"maxlength": "80", "autocomplete": "off"})
        before = [(name, given[name]) for name in STEPS if name in given and name != step]
        hint = self.w("helpers_hint") if step == "name" else ""
        if step == "number":
            hint = self.w("number_hint")
        return self.question(
            request, title, [ask], hint=hint, problem=problem, back="/me/helpers", hidden=[*before, ("step", step)],
            button=self.w("go_on"),
        )  # fmt: skip

    async def step(self, request: web.Request) -> web.Response:
        """Takes one answer and asks the next; after the last the helper is asked."""
        who = await self.seated(request)
        self.decides(request, who)
        form = await request.post()
        given = {name: " ".join(str(form[name]).split())[:80] for name in STEPS if name in form}
        at = str(form.get("step", "name"))
        if at not in STEPS:
            at = "name"
        if problem := self._wrong(request, at, given.get(at, "")):
            return self._step(request, at, given, problem)
        following = next((name for name in STEPS if not given.get(name)), None)
        if following is not None:
            return self._step(request, following, given)
        for name in STEPS:  # nothing that travelled along was altered on the way
            if problem := self._wrong(request, name, given[name]):
                return self._step(request, name, given, problem)
        raise web.HTTPSeeOther(f"/me/helpers?said={await self._invite(request, who, given)}")

    def _wrong(self, request: web.Request, step: str, value: str) -> str:
        if step == "number":
            return "" if self._mobile(value) else self.w("invite_wrong")
        allowed = {"relation": RELATIONS, "place": PLACES}.get(step)
        if not value or (allowed is not None and value not in allowed):
            return self.w("choose_one" if allowed else "ask_helper_name")
        return ""

    def _mobile(self, value: str) -> str:
        return own_mobile(value, self._platform.settings.country)

    async def _invite(self, request: web.Request, who: Seated, given: dict[str, str]) -> str:
        """Stores the helper as not accepted and asks channels for the invitation; what to say."""
        number, person_id = self._mobile(given["number"]), who.record.person_id
        one = SupporterIn.model_validate(
            {
                "name": given["name"], "relation": given["relation"], "outside_zone": given["place"] == "far",
                "at_home": given["place"] == "with_me",
                "contacts": [c.model_dump() for c in mobile(number, given_by="proxy")], "language": language(),
            }
        )  # fmt: skip
        async with self._platform.database.write() as tx:
            if await asked_today(tx, person_id, "supporter_invitation") >= INVITES_A_DAY:
                return "invite_budget"
            changes = Changes(supporters=[one])
            done = await update_person(
                tx, self._platform.keys, person_id, changes, self.by(who), reason="names a helper"
            )
            supporter_id = done.supporter_ids[0]
            await invite(tx, self._access, person_id, supporter_id)
        self._platform.bus.wake()
        return "invited"

    async def drop(self, request: web.Request) -> web.Response:
        """Takes one off; nobody tells him."""
        who = await self.seated(request)
        self.decides(request, who)
        changes = Changes(drop_supporters=[request.match_info["supporter_id"]])
        await self.change(who, changes, "takes a helper off")
        raise web.HTTPSeeOther("/me/helpers?saved=1")

    # the helper's side

    async def _asked(self, request: web.Request) -> tuple[str, str, str]:
        """(supporter, person, first letter) of an invitation; NotFound where it is not open any more, by a week's end too."""
        supporter_id = self._platform.signer("residents").subject("helper", request.match_info["token"])
        async with self._platform.database.read() as db:
            found = sa.select(register.supporter.c.person_id).where(register.supporter.c.supporter_id == supporter_id)
            person_id = await db.scalar(found)
            theirs = sa.select(register.contact.c.contact_id).where(register.contact.c.owner_id == supporter_id)
            invited = sa.select(notice.c.asked_at).where(
                notice.c.contact_id.in_(theirs), notice.c.kind == "supporter_invitation",
                notice.c.asked_at > wall() - INVITE_S,
            )  # fmt: skip
            if person_id is None or await db.scalar(invited.limit(1)) is None:
                raise NotFound(self.w("help_gone"), field="link")
            return supporter_id, person_id, mask(await repository.load_one(db, person_id))

    async def invited(self, request: web.Request) -> web.Response:
        """What a helper does and does not; two buttons, no sign-in."""
        _, _, letter = await self._asked(request)
        return self.show(request, "me_invited.html", mask=letter, token=request.match_info["token"])

    async def decided(self, request: web.Request) -> web.Response:
        """Yes, and the helper is used from now on; no, and the number is forgotten."""
        supporter_id, person_id, _ = await self._asked(request)
        yes = str((await request.post()).get("answer", "")) == "yes"
        await self._settle(person_id, supporter_id, yes)
        return self.show(request, "me_done.html", text=self.w("help_done_yes" if yes else "help_done_no"))

    async def _settle(self, person_id: str, supporter_id: str, yes: bool) -> None:
        changes = (
            Changes(helper={supporter_id: {"accepted_on": today()}}) if yes else Changes(drop_supporters=[supporter_id])
        )
        reason = "a helper agreed" if yes else "a helper said no"
        async with self._platform.database.write() as tx:
            await update_person(tx, self._platform.keys, person_id, changes, said("proxy", "supporter"), reason=reason)

    async def helping(self, request: web.Request) -> web.Response:
        """After the code: whom this phone helps, and how to stop."""
        who = await self.seated(request, helper=True)
        if who.seat.role != "helper":
            raise web.HTTPSeeOther("/me/home")
        accepted = who.record.supporters[who.seat.supporter_id]["accepted_on"]
        return self.show(request, "me_helping.html", mask=mask(who.record), accepted=bool(accepted))

    async def stop(self, request: web.Request) -> web.Response:
        """Yes or no by the phone that was proven."""
        who = await self.seated(request, helper=True)
        if who.seat.role != "helper":
            raise web.HTTPSeeOther("/me/home")
        yes = str((await request.post()).get("answer", "")) == "yes"
        await self._settle(who.record.person_id, who.seat.supporter_id, yes)
        return self.show(request, "me_done.html", text=self.w("help_done_yes" if yes else "help_done_no"))


async def invite(tx: Connection, access: Access, person_id: str, supporter_id: str) -> None:
    """Asks a helper by text whether they agree; nothing where they have no mobile, said that the number is not theirs,
    hide behind it, or were asked too often today."""
    notice_id = new_id()
    theirs = sa.select(*columns(SealedContact, register.contact)).where(
        register.contact.c.owner_id == supporter_id, register.contact.c.kind == "sms"
    )
    for contact in await rows_of(tx, SealedContact, theirs):
        await keep_notice(tx, notice_id, person_id, "supporter_invitation", contact.contact_id)
        if contact.why_not != "not_hers" and await access.may_write_unasked(tx, contact.address_key, INVITED_A_DAY):
            message = access.notice(
                notice_id,
                "supporter_invitation",
                supporter_id,
                entry_of(contact),
                "supporter_sms",
                language(),
                INVITE_S,
            )
            await publish(tx, [message])
        return
