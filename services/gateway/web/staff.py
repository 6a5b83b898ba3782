"""Serves an administrator's pages: whom there is, what each may do, inviting them, and ending it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import web

from services.gateway.web.join import browser_of
from services.gateway.web.staff_form import Form, grant_of, no_more_than
from services.shared.accounts import people
from services.shared.accounts.people import Account, Granted
from services.shared.audit import trail
from services.shared.errors import NotAllowed, NotFound, Refused
from services.shared.i18n import mark, told
from services.shared.powers.may import Thing, must
from services.shared.powers.power import Power
from services.shared.powers.roles import ROLE_WORDS
from services.shared.powers.warnings import NOBODY
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web import sessions
from services.shared.web.asking import asks, what_is_found, what_is_sent
from services.shared.web.edge import PLATFORM_DATABASE
from services.shared.web.html import Written, page

MISSING = mark("there is nobody of that name: open them from the list of people")


def _thing(authority: str, grant: Granted) -> Thing:
    """A person as what an act is about: whose they are, and how far they reach."""
    shapes = (grant.area,) if grant.area else ()
    return Thing(missing=MISSING, field="person", owner=authority, shapes=shapes, tier=grant.max_tier)


async def the_person(request: web.Request, who: Who) -> Thing:
    """The person: they stand in the address."""
    async with request.app[PLATFORM_DATABASE].read() as db:
        one = await people.find(db, person=request.match_info["person"])
    return _thing(one.authority, one.grant) if one is not None else Thing(missing=MISSING, field="person", owner=NOBODY)


class StaffPages:
    """The handlers of /console/people."""

    def __init__(self, platform: Platform, origin: str) -> None:
        """`origin`: where people open the console."""
        self._platform = platform
        self._origin = origin

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """People of an authority."""
        return (
            web.get("/console/people", self.listed),
            web.get("/console/people/new", self.new),
            web.post("/console/people", self.invite),
            web.get("/console/people/{person}", self.person),
            web.post("/console/people/{person}/grant", self.grant),
            web.post("/console/people/{person}/link", self.link),
            web.post("/console/people/{person}/end", self.end),
            web.post("/console/people/{person}/sign-ins", self.end_sign_ins),
        )

    @property
    def _plane(self) -> str:
        return self._platform.settings.plane

    @asks(Power.SEE_STAFF, what_is_found)
    async def listed(self, request: web.Request, who: Who) -> web.Response:
        async with self._platform.database.read() as db:
            found = await people.listed(db, [who.authority, *who.over])
        return page("people.html", who=who, plane=self._plane, people=found, words=ROLE_WORDS)

    @asks(Power.ADMINISTER, what_is_sent)
    async def new(self, request: web.Request, who: Who) -> web.Response:
        return self._form(who, None)

    def _form(
        self, who: Who, one: Account | None, form: Form | None = None, fault: Refused | None = None, **more: object
    ) -> web.Response:
        """The form of an invitation, or of a change; keeps what was typed where it was refused."""
        given: dict[str, object] = {}
        if form is not None:
            given = {name: Written(str(value)) for name, value in form.items()} | {"roles": form.getall("roles", [])}
        elif one is not None:
            given = {
                "roles": one.roles, "max_tier": one.max_tier, "alone": one.alone, "hours": one.hours, "where": "as before",
                **{name: ", ".join(getattr(one, name)) for name in ("events", "senders", "names")},
            }  # fmt: skip
        return page(
            "person.html" if one is not None else "person_new.html", status=fault.status if fault else 200, who=who,
            plane=self._plane, one=one, given=given, words=ROLE_WORDS, authorities=[who.authority, *who.over],
            problem=told(fault.message) if fault else "", field=fault.field if fault else "",
            offset=self._platform.settings.offset_at, itself=one is not None and one.person == who.person,
            **({"signed": ()} | more),
        )  # fmt: skip

    @asks(Power.ADMINISTER, what_is_sent)
    async def invite(self, request: web.Request, who: Who) -> web.StreamResponse:
        form = await request.post()
        authority = str(form.get("authority", who.authority))
        try:
            grant = await asyncio.to_thread(grant_of, form, who, self._platform.settings)
            must(who, Power.ADMINISTER, _thing(authority, grant))
            secret = await people.invite(
                self._platform.database, name=str(form.get("name", "")), login=str(form.get("login", "")), of=authority,
                grant=grant, by=who.label,
            )  # fmt: skip
        except Refused as fault:
            return self._form(who, None, form, fault)
        return self._link(who, " ".join(str(form.get("name", "")).split()), secret)

    def _link(self, who: Who, name: str, secret: str) -> web.Response:
        link = f"{self._origin}/console/invited/{secret}"
        return page("person_link.html", who=who, plane=self._plane, name=name, link=link)

    async def _one(self, request: web.Request) -> Account:
        async with self._platform.database.read() as db:
            one = await people.find(db, person=request.match_info["person"])
        if one is None:
            raise NotFound(
                "there is nobody of that name: open them from the list of people", field="person", rule="known"
            )
        return one

    async def _other(self, request: web.Request, who: Who) -> Account:
        """Whom an act is about: never whoever does it, who could give themselves everything, nor whoever may do more."""
        one = await self._one(request)
        if one.person == who.person:
            raise NotAllowed(
                "another administrator changes your own account, or whoever runs the server (tocsin user)", field="person",
                rule="oneself",
            )  # fmt: skip
        no_more_than(who, one.grant)
        return one

    @asks(Power.SEE_STAFF, the_person)
    async def person(self, request: web.Request, who: Who) -> web.Response:
        return await self._person(request, who, await self._one(request))

    async def _person(
        self, request: web.Request, who: Who, one: Account, form: Form | None = None, fault: Refused | None = None
    ) -> web.Response:
        async with self._platform.database.read() as db:
            signed = [(s, browser_of(s.agent)) for s in await sessions.of_person(db, one.person)]
        return self._form(who, one, form, fault, signed=signed)

    @asks(Power.ADMINISTER, the_person)
    async def grant(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Other roles, tiers, places, events or hours, from now on."""
        one = await self._other(request, who)
        form = await request.post()
        try:
            reason = _reason(form)
            grant = await asyncio.to_thread(grant_of, form, who, self._platform.settings, one.grant)
            must(who, Power.ADMINISTER, _thing(one.authority, grant))
            await people.change_grant(self._platform.database, one.person, grant, by=who.label, reason=reason)
        except Refused as fault:
            return await self._person(request, who, one, form, fault)
        raise web.HTTPSeeOther(f"/console/people/{one.person}")

    @asks(Power.ADMINISTER, the_person)
    async def link(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A new link for somebody who lost what they signed in with."""
        one = await self._other(request, who)
        form = await request.post()
        try:
            secret = await people.invite_again(self._platform.database, one.person, by=who.label, reason=_reason(form))
        except Refused as fault:
            return await self._person(request, who, one, None, fault)
        return self._link(who, one.name, secret)

    @asks(Power.ADMINISTER, the_person)
    async def end(self, request: web.Request, who: Who) -> web.StreamResponse:
        """From now on nothing of theirs opens anything."""
        one = await self._other(request, who)
        form = await request.post()
        try:
            await people.end(self._platform.database, one.person, by=who.label, reason=_reason(form))
        except Refused as fault:
            return await self._person(request, who, one, None, fault)
        raise web.HTTPSeeOther("/console/people")

    @asks(Power.SEE_STAFF, the_person)
    async def end_sign_ins(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Everywhere they are signed in, at once: a phone was stolen. They may sign in again."""
        one = await self._one(request)
        async with self._platform.database.write() as tx:
            done = await sessions.end_of_person(tx, one.person)
            await trail.record(tx, who.label, "end_sign_ins", one.person, "by an administrator", {"sign_ins": done})
        raise web.HTTPSeeOther(f"/console/people/{one.person}")


def _reason(form: Form) -> str:
    """Why, for the log."""
    reason = str(form.get("reason", "")).strip()
    if len(reason) < 2:
        raise Refused("reason: say in a few words why; it is kept in the log", field="reason", rule="required")
    return reason[:400]
