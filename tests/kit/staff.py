"""People of an authority, in browsers of their own: with a passkey out of a virtual authenticator, or a password."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

from services.shared.accounts import people
from services.shared.accounts.people import Granted
from services.shared.tiers import Tier
from tests.kit.town import Town

DESK: Any = {"width": 1280, "height": 900}
PHONE: Any = {"width": 390, "height": 844}
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def origin(town: Town) -> str:
    """Where passkeys work: this machine by its name."""
    return town.url.replace("127.0.0.1", "localhost")


async def invited(town: Town, name: str, *roles: str, authority: str = "", **grant: Any) -> str:
    """The address of somebody's invitation; their sign-in name is their name without blanks."""
    chosen = {"max_tier": int(Tier.RED), "alone": int(Tier.YELLOW)} | grant
    secret = await people.invite(
        town.node.platform.database, name=name, login=name.replace(" ", "").lower(), of=authority or town.authority,
        grant=Granted(list(roles), **chosen), by="the test",
    )  # fmt: skip
    return f"{origin(town)}/console/invited/{secret}"


class Browsing:
    """Somebody at a browser that has an authenticator of its own."""

    def __init__(self, town: Town, page: Page, cdp: CDPSession, authenticator: str) -> None:
        self.town, self.page, self.cdp, self.authenticator = town, page, cdp, authenticator

    async def goto(self, path: str) -> None:
        await self.page.goto(origin(self.town) + path)

    async def join(self, link: str) -> None:
        """Opens the link of an invitation and makes a passkey."""
        await self.page.goto(link)
        await self.page.get_by_role("button", name="Make my passkey").click()
        await self.page.wait_for_url("**/console/account")

    async def sign_in(self, path: str = "/console") -> None:
        """By the passkey. The sign-in's own address ends with the path it leads to, so the whole address is waited for."""
        await self.goto(path)
        await self.page.get_by_role("button", name="Sign in with a passkey").click()
        await self.page.wait_for_url(origin(self.town) + path)

    async def confirm(self) -> None:
        """Shows the passkey again, where that is asked for."""
        await self.page.wait_for_url("**/console/confirm**")
        async with self.page.expect_navigation(wait_until="load"):
            await self.page.get_by_role("button", name="Use your passkey and go on").click()


@asynccontextmanager
async def browsing(
    browser: Browser, town: Town, *, scripts: bool = True, bypass_csp: bool = False, phone: bool = False
) -> AsyncIterator[Browsing]:
    """A browser nobody is signed in at; on a `phone` with a small screen that is touched."""
    screen: Any = {"viewport": PHONE, "has_touch": True, "is_mobile": True} if phone else {"viewport": DESK}
    context = await browser.new_context(java_script_enabled=scripts, bypass_csp=bypass_csp, **screen)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield Browsing(town, page, cdp, made["authenticatorId"])
    await context.close()


async def stale(town: Town, *names: Sequence[str], seconds: float = 301.0) -> None:
    """So long ago everybody showed who they are."""
    import sqlalchemy as sa

    from services.shared.web.sessions import sign_in

    async with town.node.platform.database.write() as tx:
        await tx.execute(sa.update(sign_in).values(proved_at=sign_in.c.proved_at - seconds))
