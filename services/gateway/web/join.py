"""Serves the link of an invitation: whoever opens it makes a passkey, or a password with codes, once."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from services.gateway.accounts import joining
from services.gateway.accounts.openid import OpenId
from services.gateway.accounts.passwords import SHORTEST
from services.gateway.accounts.proofs import Proofs
from services.gateway.web.sign_in import SignInPages, scripted
from services.shared.errors import Fault, NotFound, Refused
from services.shared.i18n import t, told
from services.shared.powers.roles import ROLE_WORDS
from services.shared.service import Platform
from services.shared.web.html import page

_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac OS", "CrOS", "Linux")
_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))


def browser_of(agent: str) -> str:
    """What to call a browser by what it calls itself: `Firefox, Windows`."""
    name = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((system for system in _SYSTEMS if system in agent), "")
    return ", ".join(part for part in (name, system) if part)


class JoinPages:
    """The handlers of /console/invited."""

    def __init__(self, platform: Platform, proofs: Proofs, office: OpenId, sign_in: SignInPages) -> None:
        self._platform = platform
        self._proofs = proofs
        self._office = office
        self._sign_in = sign_in

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The link, and what is sent from its page."""
        return (web.get("/console/invited/{secret}", self.open), web.post("/console/invited/{secret}", self.join))

    async def open(self, request: web.Request) -> web.Response:
        return await self._page(request)

    async def _page(self, request: web.Request, fault: Fault | None = None, beside: str = "app") -> web.Response:
        secret = request.match_info["secret"]
        async with self._platform.database.read() as db:
            one = await joining.whom(db, secret)
            usable = self._sign_in.usable(request)
            options = await self._proofs.passkeys.to_make(db, one.person, one.name, one.login) if usable else ""
        app, device = self._proofs.codes.new_secret(), browser_of(request.headers.get("User-Agent", ""))
        return scripted(
            page(
                "invited.html", status=fault.status if fault else 200, who=None, plane=self._sign_in.plane, one=one,
                secret=secret, roles=[ROLE_WORDS[role] for role in one.roles], options=options,
                elsewhere=self._sign_in.elsewhere(request), office=self._office.name if self._office else "",
                app=app, picture=self._proofs.codes.picture(app, one.login), beside=beside, shortest=SHORTEST,
                kept=self._proofs.questions.keep(f"app {one.person}", app), device=device,
                problem=told(fault.message) if fault else "", field=getattr(fault, "field", ""),
            )
        )  # fmt: skip

    async def join(self, request: web.Request) -> web.StreamResponse:
        secret, database = request.match_info["secret"], self._platform.database
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            if answer := form.get("passkey", ""):
                label = form.get("label", "").strip() or t("Passkey")
                joined = joining.Joined(await joining.by_passkey(database, self._proofs, secret, answer, label))
            else:
                joined = await joining.by_password(database, self._proofs, secret, form)
        except NotFound:
            raise
        except Refused as fault:
            return await self._page(request, fault, form.get("beside", "app"))
        who, cookie = await self._sign_in.enter(request, joined.shown)
        if joined.papers:
            shown = page("papers.html", who=who, plane=self._sign_in.plane, papers=joined.papers, on="/console/account")
            return self._sign_in.lay(shown, cookie)
        raise self._sign_in.lay(web.HTTPSeeOther("/console/account"), cookie)
