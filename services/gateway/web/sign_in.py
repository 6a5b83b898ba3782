"""Serves signing in and out, and showing again who one is before what is dangerous."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from aiohttp import web

from services.gateway.accounts import joining
from services.gateway.accounts.openid import OpenId, Trip
from services.gateway.accounts.proofs import Proofs, Proven
from services.shared.accounts.people import anybody_signs_in, find
from services.shared.accounts.standing import who_of
from services.shared.accounts.tables import account, credential
from services.shared.audit import trail
from services.shared.client_address import origin_of
from services.shared.clock import wall
from services.shared.database.engine import Connection
from services.shared.errors import Fault, NotAllowed, Refused
from services.shared.i18n import t, told
from services.shared.powers.power import Power
from services.shared.powers.who import Who
from services.shared.service import Platform
from services.shared.web import sessions
from services.shared.web.asking import asks, the_installation
from services.shared.web.auth import sign_in_with, sign_out, signed_in, who_is
from services.shared.web.cookies import COOKIE, TRIP_COOKIE, cookie_of, lay_cookie, take_cookie
from services.shared.web.edge import SCRIPTED
from services.shared.web.html import Written, page

SHOWN = "shown_"  # what the names of fields begin with that show who somebody is, beside those that are sent on
LONGEST_WAY = 2_000
KINDS = ("passkey", "password", "totp", "paper", "oidc")
R = TypeVar("R", bound=web.StreamResponse)
Fields = Iterable[tuple[str, str]]


class SignedIn(NamedTuple):
    """Who signed in, the cookie of it, and where they were going, or the alert they had pasted."""

    who: Who
    cookie: str
    text: str
    to: str


def own_page(given: str) -> str:
    """A page of ours to go on to; the first one where it is none, or leads elsewhere."""
    ours = given.startswith("/") and given[1:2] not in ("/", "\\") and given.isprintable() and len(given) <= LONGEST_WAY
    return given if ours and not given.startswith("/console/sign-in") else "/console"


def scripted(response: web.Response) -> web.Response:
    """A page with our one script of passkeys."""
    response.headers["Content-Security-Policy"] = SCRIPTED
    return response


class SignInPages:
    """The handlers of /console/sign-in, /console/sign-out and /console/confirm."""

    def __init__(self, platform: Platform, proofs: Proofs, office: OpenId) -> None:
        self._platform = platform
        self._proofs = proofs
        self._office = office

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The addresses a browser opens."""
        return (
            web.get("/console/sign-in", self.sign_in),
            web.post("/console/sign-out", self.sign_out),
            web.get("/console/sign-in/office", self.to_office),
            web.get("/console/sign-in/office/back", self.from_office),
            web.get("/console/confirm", self.confirm),
            web.post("/console/confirm", self.confirm),
        )

    # ---- signing in

    async def sign_in(self, request: web.Request) -> web.Response:
        return await self.again(request, to=request.query.get("to", ""))

    async def again(
        self, request: web.Request, status: int = 200, *, wrong: bool = False, text: str = "", to: str = "",
        problem: str = "", login: str = "",
    ) -> web.Response:  # fmt: skip
        """The form. `text`: an alert that was pasted when the sign-in was over; it waits in the form."""
        async with self._platform.database.read() as db:
            people = await anybody_signs_in(db)
            options = await self._proofs.passkeys.to_show(db) if people and self.usable(request) else ""
        return scripted(
            page(
                "sign_in.html", status=status, who=None, wrong=wrong, text=Written(text), plane=self.plane, people=people,
                options=options, elsewhere=self.elsewhere(request), office=self._office.name if self._office else "",
                to=own_page(to), problem=problem, login=login,
            )
        )  # fmt: skip

    @property
    def plane(self) -> str:
        return self._platform.settings.plane

    def usable(self, request: web.Request) -> bool:
        """Whether a passkey opens anything at the address this page was opened by."""
        return self._proofs.passkeys.usable and self._proofs.passkeys.origin.endswith(f"//{request.host}")

    def elsewhere(self, request: web.Request) -> str:
        """Where passkeys work, if not here; empty where nowhere."""
        passkeys = self._proofs.passkeys
        return passkeys.origin if passkeys.usable and not self.usable(request) else ""

    async def entered(self, request: web.Request) -> SignedIn | web.Response:
        """Who signs in by the form, or the form again with what is wrong."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        text, to = form.get("text", ""), own_page(form.get("to", ""))
        database = self._platform.database
        if "elsewhere" in form:
            return await self._signed_in_elsewhere(request, text, to)
        if "key" in form:
            return await self._with_key(request, form["key"].strip(), text, to)
        try:
            shown = await self._proofs.judge(form, origin_of(request, self._platform.settings.proxies))
            who, cookie = await self.enter(request, shown)
        except Fault as fault:
            login = form.get("login", "")[:80]
            return await self.again(request, fault.status, text=text, to=to, problem=told(fault.message), login=login)
        await sign_out(database, cookie_of(request, COOKIE))
        return SignedIn(who, cookie, text, to)

    async def _signed_in_elsewhere(self, request: web.Request, text: str, to: str) -> SignedIn | web.Response:
        """Who signed in in another window, at their office, goes on with what this one has kept."""
        cookie = cookie_of(request, COOKIE)
        who = await signed_in(self._platform.database, cookie)
        if who is None:
            return await self.again(
                request, 403, text=text, to=to, problem=t("You are not signed in yet: sign in, then press it again.")
            )
        return SignedIn(who, cookie, text, to)

    async def _with_key(self, request: web.Request, key: str, text: str, to: str) -> SignedIn | web.Response:
        """A key opens the console as long as nobody has an account; then who acts there is to have a name."""
        database = self._platform.database
        async with database.read() as db:
            who = await who_is(db, key)
            people = await anybody_signs_in(db)
        if people:
            only = t("Keys are for programs here: sign in as yourself.")
            return await self.again(request, 403, text=text, to=to, problem=only)
        if who is None:
            return await self.again(request, 403, wrong=True, text=text, to=to)
        await sign_out(database, cookie_of(request, COOKIE))
        return SignedIn(who, await sign_in_with(database, who), text, to)

    async def enter(self, request: web.Request, shown: Proven) -> tuple[Who, str]:
        """A new sign-in of a person, written down with what they showed; NotAllowed where nothing is granted to them."""
        agent = request.headers.get("User-Agent", "")
        async with self._platform.database.write() as tx:
            who = await who_of(tx, shown.person, wall())
            if who is None:
                raise NotAllowed(
                    "what was granted to you has ended: ask an administrator of your authority", field="login",
                    rule="grant.expires",
                )  # fmt: skip
            nonce, _ = await sessions.begin(tx, "person", shown.person, how=shown.how, agent=agent)
            await trail.record(tx, who.label, "sign_in", shown.person, shown.how, {})
        return who, nonce

    def lay(self, response: R, cookie: str) -> R:
        """The answer with the cookie of a sign-in."""
        lay_cookie(response, COOKIE, cookie, seconds=sessions.LONGEST_S["person"], https=self._platform.https)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """The sign-in ends in the database: its cookie, wherever a copy of it lies, opens nothing any more."""
        await sign_out(self._platform.database, cookie_of(request, COOKIE))
        response = web.HTTPSeeOther("/console/sign-in")
        take_cookie(response, COOKIE, https=self._platform.https)
        raise response

    # ---- showing it again

    @asks(Power.ACCOUNT, the_installation)
    async def confirm(self, request: web.Request, who: Who) -> web.StreamResponse:
        """Whoever signed in shows that it is them, and what they had sent is sent again to where it was going."""
        form = await request.post()
        to = own_page(request.query.get("to", ""))
        if any(not isinstance(value, str) for value in form.values()):
            raise Refused("a file cannot wait for this: sign in again, then send it", field="file", rule="step-up")
        given = {name: str(value) for name, value in form.items()}
        shown = {name.removeprefix(SHOWN): value for name, value in given.items() if name.startswith(SHOWN)}
        fields = [(name, Written(str(value))) for name, value in form.items() if not name.startswith(SHOWN)]
        posts = request.method == "POST"
        if not shown:
            return await self._confirm(request, who, to, fields)
        try:
            proof = await self._proofs.judge(shown, origin_of(request, self._platform.settings.proxies), who.person)
        except Fault as fault:
            return await self._confirm(request, who, to, fields, told(fault.message), fault.status)
        cookie = await self.prove(request, who, proof)
        gone_on = web.HTTPTemporaryRedirect(to) if posts and "_get" not in given else web.HTTPSeeOther(to)
        raise self.lay(gone_on, cookie)

    async def prove(self, request: web.Request, who: Who, proof: Proven) -> str:
        """The sign-in goes on under a new cookie, and that they showed it is written down."""
        async with self._platform.database.write() as tx:
            cookie = await sessions.prove(tx, cookie_of(request, COOKIE), who.person, proof.how)
            await trail.record(tx, who.label, "step_up", who.person, proof.how, {})
        return cookie

    async def _confirm(
        self, request: web.Request, who: Who, to: str, fields: Fields, problem: str = "", status: int = 200
    ) -> web.Response:
        async with self._platform.database.read() as db:
            ways = await ways_of(db, who.person)
            one = await find(db, person=who.person)
            here = bool(ways["passkey"]) and self.usable(request)
            options = await self._proofs.passkeys.to_show(db, who.person) if here else ""
        fields = list(fields)
        if request.method == "GET":
            fields = [("_get", "1")]
        referred = request.headers.get("Referer", "").partition(f"//{request.host}")[2]
        back = to if request.method == "GET" else own_page(referred)
        return scripted(
            page(
                "confirm.html", status=status, who=who, plane=self.plane, options=options, fields=fields, problem=problem,
                address=str(request.rel_url), back="/console" if back == to else back, password=bool(ways["password"]),
                login=one.login if one is not None else "", office=self._office.name if ways["oidc"] and self._office else "",
            )
        )  # fmt: skip

    # ---- an office's own sign-in

    async def to_office(self, request: web.Request) -> web.StreamResponse:
        """Sends the browser to the office's own sign-in: to sign in, to show it again, or to join by an invitation."""
        use = request.query.get("use", "sign-in")
        trip = self._office.trip(self._proofs.questions.ask("office"), use, request.query.get("about", "")[:100],
                                 own_page(request.query.get("to", "")))  # fmt: skip
        if not self._office or use not in ("sign-in", "confirm", "join"):
            raise web.HTTPNotFound
        response = web.HTTPSeeOther(await self._office.leave(trip, afresh=use == "confirm"))
        kept = self._proofs.questions.keep("trip", msgspec.json.encode(trip).decode())
        lay_cookie(response, TRIP_COOKIE, kept, seconds=600, https=self._platform.https)
        raise response

    async def from_office(self, request: web.Request) -> web.StreamResponse:
        """What the office says is held against what the browser kept, and taken once."""
        kept = self._proofs.questions.kept("trip", cookie_of(request, TRIP_COOKIE))
        if not self._office or not kept:
            return await self.again(request, 403, problem=t("This sign-in began in another browser, or too long ago."))
        trip = msgspec.json.decode(kept, type=Trip)
        try:
            async with self._platform.database.write() as tx:
                await self._proofs.questions.spend(tx, "office", "", trip.question)
            handle = await self._office.returned(trip, dict(request.query))
            arrived = await self._arrived(request, trip, handle)
        except Fault as fault:
            refused = await self.again(request, fault.status, to=trip.to, problem=told(fault.message))
            take_cookie(refused, TRIP_COOKIE, https=self._platform.https)
            return refused
        take_cookie(arrived, TRIP_COOKIE, https=self._platform.https)
        raise arrived

    async def _arrived(self, request: web.Request, trip: Trip, handle: str) -> web.HTTPException:
        database = self._platform.database
        if trip.use == "join":
            shown = await joining.by_office(database, trip.about, handle)
        else:
            async with database.read() as db:
                shown = Proven(await self._whose(db, handle), "oidc")
        if trip.use == "confirm":
            who = await signed_in(database, cookie_of(request, COOKIE))
            if who is None or who.person != shown.person:
                raise NotAllowed("that was somebody else's sign-in: show your own", field="oidc", rule="step-up")
            return self.lay(web.HTTPSeeOther(trip.to), await self.prove(request, who, shown))
        await sign_out(database, cookie_of(request, COOKIE))
        _, cookie = await self.enter(request, shown)
        return self.lay(web.HTTPSeeOther(trip.to), cookie)

    @staticmethod
    async def _whose(db: Connection, handle: str) -> str:
        query = sa.select(credential.c.person).join(account, account.c.person == credential.c.person)
        person = await db.scalar(query.where(credential.c.handle == handle, account.c.ended_at.is_(None)))
        if person is None:
            raise NotAllowed(
                "this account of your office opens nothing here yet: open the link of your invitation first", field="oidc",
                rule="known",
            )  # fmt: skip
        return str(person)


async def ways_of(db: Connection, person: str) -> Mapping[str, int]:
    """How many of each kind somebody has to show who they are by."""
    c = credential.c
    rows = await db.execute(
        sa.select(c.kind, sa.func.count())
        .where(c.person == person, c.used_at.is_(None) | (c.kind != "paper"))
        .group_by(c.kind)
    )
    return dict.fromkeys(KINDS, 0) | {kind: int(n) for kind, n in rows}
