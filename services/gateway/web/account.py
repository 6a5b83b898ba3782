"""Serves somebody's own account: what they sign in with, and where they are signed in."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from aiohttp import web

from services.gateway.accounts.joining import judged
from services.gateway.accounts.passwords import SHORTEST
from services.gateway.accounts.proofs import Proofs
from services.gateway.web.join import browser_of
from services.gateway.web.sign_in import SignInPages, scripted, ways_of
from services.shared.accounts.people import find
from services.shared.accounts.tables import credential
from services.shared.audit import trail
from services.shared.errors import Conflict, Fault, NotFound, Refused
from services.shared.i18n import mark, t, told
from services.shared.powers.power import Power
from services.shared.powers.roles import ROLE_WORDS
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web import sessions
from services.shared.web.asking import asks, the_installation
from services.shared.web.cookies import COOKIE, cookie_of
from services.shared.web.html import page

HOW = {
    "passkey": mark("by passkey"),
    "password": mark("by password and app"),
    "paper": mark("by password and paper code"),
    "oidc": mark("by the office's sign-in"),
}


class AccountPages:
    """The handlers of /console/account."""

    def __init__(self, platform: Platform, proofs: Proofs, sign_in: SignInPages) -> None:
        self._platform = platform
        self._proofs = proofs
        self._sign_in = sign_in

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """One's own account."""
        return (
            web.get("/console/account", self.account),
            web.post("/console/account/sign-ins", self.end_sign_ins),
            web.get("/console/account/ways", self.ways),
            web.post("/console/account/ways", self.add),
            web.post("/console/account/ways/{credential_id}/remove", self.remove),
        )

    @asks(Power.ACCOUNT, the_installation)
    async def account(self, request: web.Request, who: Who) -> web.Response:
        async with self._platform.database.read() as db:
            one = await find(db, person=who.person)
            ways = await ways_of(db, who.person)
            keys = (
                await db.execute(
                    sa.select(credential)
                    .where(credential.c.person == who.person, credential.c.kind == "passkey")
                    .order_by(credential.c.created_at)
                )
            ).all()
            open_ = await sessions.of_person(db, who.person)
        cookie = cookie_of(request, COOKIE)
        return page(
            "account.html", who=who, plane=self._sign_in.plane, one=one, ways=ways, keys=keys, how=HOW,
            roles=[ROLE_WORDS[role] for role in one.roles] if one else [], offset=self._platform.settings.offset_at,
            signed=[(s, browser_of(s.agent), sessions.is_of(s, cookie)) for s in open_],
        )  # fmt: skip

    @asks(Power.ACCOUNT, the_installation)
    async def end_sign_ins(self, request: web.Request, who: Who) -> web.StreamResponse:
        """One of one's own sign-ins, or all but this one: ending never waits for anything."""
        form = await request.post()
        async with self._platform.database.write() as tx:
            given = str(form.get("sign_in", ""))
            done = await sessions.end_of_person(tx, who.person, given, but="" if given else cookie_of(request, COOKIE))
            await trail.record(tx, who.label, "end_sign_ins", who.person, "their own", {"sign_ins": done})
        raise web.HTTPSeeOther("/console/account")

    @asks(Power.CHANGE_ACCOUNT, the_installation)
    async def ways(self, request: web.Request, who: Who) -> web.Response:
        return await self._ways(request, who)

    async def _ways(
        self, request: web.Request, who: Who, fault: Fault | None = None, beside: str = "app"
    ) -> web.Response:
        async with self._platform.database.read() as db:
            one = await find(db, person=who.person)
            if one is None:
                raise NotFound("this account is not there any more", field="person", rule="known")
            usable = self._sign_in.usable(request)
            options = await self._proofs.passkeys.to_make(db, one.person, one.name, one.login) if usable else ""
        app, device = self._proofs.codes.new_secret(), browser_of(request.headers.get("User-Agent", ""))
        return scripted(
            page(
                "account_ways.html", status=fault.status if fault else 200, who=who, plane=self._sign_in.plane, one=one,
                options=options, elsewhere=self._sign_in.elsewhere(request), app=app, beside=beside, shortest=SHORTEST,
                picture=self._proofs.codes.picture(app, one.login), device=device,
                kept=self._proofs.questions.keep(f"app {one.person}", app),
                problem=told(fault.message) if fault else "", field=getattr(fault, "field", ""),
            )
        )  # fmt: skip

    @asks(Power.CHANGE_ACCOUNT, the_installation)
    async def add(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Another passkey, or a new password with its codes; sign-ins elsewhere end with the old password."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        database = self._platform.database
        try:
            if answer := form.get("passkey", ""):
                async with database.write() as tx:
                    label = form.get("label", "").strip() or t("Passkey")
                    await self._proofs.passkeys.make(tx, who.person, answer, label)
                    await trail.record(tx, who.label, "add_passkey", who.person, label[:80], {})
                raise web.HTTPSeeOther("/console/account")
            async with database.read() as db:
                one = await find(db, person=who.person)
            names = (one.name, one.login) if one is not None else ()
            new = await judged(self._proofs, who.person, names, form)
            async with database.write() as tx:
                papers = await new.put(tx)
                await sessions.end_of_person(tx, who.person, but=cookie_of(request, COOKIE))
                await trail.record(tx, who.label, "change_password", who.person, form.get("beside", "")[:10], {})
        except Refused as fault:
            return await self._ways(request, who, fault, form.get("beside", "app"))
        if papers:
            return page("papers.html", who=who, plane=self._sign_in.plane, papers=papers, on="/console/account")
        raise web.HTTPSeeOther("/console/account")

    @asks(Power.CHANGE_ACCOUNT, the_installation)
    async def remove(self, request: web.Request, who: Who) -> web.StreamResponse:
        """A passkey that was lost, or a password; the last way in stays."""
        what = request.match_info["credential_id"]
        c = credential.c
        async with self._platform.database.write() as tx:
            ways = await ways_of(tx, who.person)
            gone = c.kind.in_(("password", "totp", "paper")) if what == "password" else c.credential_id == what
            kinds = set(await tx.scalars(sa.select(c.kind).where(c.person == who.person, gone)))
            if not kinds:
                raise NotFound("there is no such way to sign in: see your account", field="way", given=what[:32])
            left = ways["passkey"] + ways["oidc"] + ways["password"] - 1
            if left < 1:
                raise Conflict("this is your last way to sign in: add another one first", field="way", rule="last")
            await tx.execute(sa.delete(credential).where(c.person == who.person, gone))
            await trail.record(tx, who.label, "remove_way", who.person, ", ".join(sorted(kinds)), {})
        raise web.HTTPSeeOther("/console/account")
