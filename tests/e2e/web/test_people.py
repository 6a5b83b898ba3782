"""People join by a link, sign in by a passkey, and show it again before what is dangerous: in a real browser."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.async_api import Browser

from services.shared.audit.trail import audit_log
from tests.kit import alerts
from tests.kit.staff import browsing, invited, origin, stale
from tests.kit.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = 20


async def test_invited_with_a_passkey_and_a_second_browser_sends(browser: Browser, tocsin: Town) -> None:
    """One drafts and cannot send; another sends, after showing again that it is them; the log names both."""
    wang, li = await invited(tocsin, "Wang Fang", "author"), await invited(tocsin, "Li Na", "approver")
    async with browsing(browser, tocsin) as author, browsing(browser, tocsin) as approver:
        await author.join(wang)
        await approver.join(li)
        await author.goto("/console")
        await author.page.fill("#text", alerts.flood("BY-WANG"))
        await author.page.get_by_role("button", name="See whom it reaches").click()
        await author.page.wait_for_url("**/preview")
        warning_id = author.page.url.split("/live/")[1].split("/")[0]
        await tocsin.settle()
        await approver.page.get_by_role("button", name="Sign out").click()
        await approver.page.wait_for_url("**/console/sign-in")
        await approver.sign_in(f"/live/{warning_id}/preview")
        await stale(tocsin)
        await approver.page.locator("form[action$='/send'] button.danger").click()
        await approver.confirm()
        assert approver.page.url == f"{origin(tocsin)}/live/{warning_id}"
    rows = await tocsin.rows(sa.select(audit_log.c.act, audit_log.c.actor).where(audit_log.c.subject == warning_id))
    assert {("take", "Wang Fang"), ("release", "Li Na")} <= {(r.act, r.actor) for r in rows}
